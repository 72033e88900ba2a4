package remote_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"dorado/app/kit/secret"
	"dorado/plugins/datasource"
	"dorado/plugins/datasource/remote"
)

func program(t *testing.T, path string) string {
	t.Helper()
	if found, err := exec.LookPath(filepath.Base(path)); err == nil {
		path = found // sshd must be started by its full path
	} else if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", path)
		}
		t.Skipf("%s is missing", path)
	}
	return path
}

func newKey(t *testing.T) (text string, public ssh.PublicKey) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "test")
	require.NoError(t, err)
	public, err = ssh.NewPublicKey(pub)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block)), public
}

func settings(t *testing.T, address string) datasource.Settings {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return datasource.Settings{Hosts: []string{host}, Port: n, All: map[string]string{}}
}

// with sets fields of a copy.
func with(s datasource.Settings, name, value string) datasource.Settings {
	all := map[string]string{name: value}
	for k, v := range s.All {
		if k != name {
			all[k] = v
		}
	}
	s.All = all
	return s
}

// openSSH starts OpenSSH's server for whoever runs the test and returns settings that sign in, and the server's key.
func openSSH(t *testing.T) (datasource.Settings, ssh.PublicKey) {
	t.Helper()
	server := program(t, "/usr/sbin/sshd")
	me, err := user.Current()
	require.NoError(t, err)
	if me.Uid == "0" {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // where its package puts it
	}
	dir := t.TempDir()
	hostKey, hostPublic := newKey(t)
	userKey, userPublic := newKey(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	s := settings(t, address)
	conf := write("config", fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\n"+
		"PasswordAuthentication yes\nPermitRootLogin yes\nMaxAuthTries 20\n",
		s.Port, write("host", hostKey), write("authorized", string(ssh.MarshalAuthorizedKey(userPublic)))))
	cmd := exec.Command(server, "-D", "-e", "-f", conf)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.User = me.Username
	s = with(s, remote.PrivateKey, userKey)
	require.Eventually(t, func() bool { return remote.Ping(t.Context(), s) == nil }, 20*time.Second, 100*time.Millisecond)
	return s, hostPublic
}

func TestOpenSSHLetsTheRightKeyIn(t *testing.T) {
	t.Parallel()
	s, host := openSSH(t)
	c, err := remote.Connect(t.Context(), s)
	require.NoError(t, err)
	session, err := c.NewSession()
	require.NoError(t, err)
	out, err := session.Output("echo here")
	require.NoError(t, err)
	require.Equal(t, "here\n", string(out))
	require.NoError(t, c.Close())

	other, otherPublic := newKey(t)
	plugin := datasource.Plugin{Ping: remote.Ping}
	step := func(s datasource.Settings) datasource.Step {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := plugin.Test(ctx, s)
		if err == nil {
			return ""
		}
		e, ok := errors.AsType[*datasource.Error](err)
		require.True(t, ok)
		require.NotContains(t, e.Error(), "hunter2")
		return e.Step
	}
	require.Equal(t, datasource.SignIn, step(with(s, remote.PrivateKey, other)))
	wrong := with(s, remote.PrivateKey, "")
	wrong.Password = "hunter2"
	require.Equal(t, datasource.SignIn, step(wrong))
	require.Equal(t, datasource.Unfit, step(with(s, remote.PrivateKey, "")), "neither key nor password")
	require.Equal(t, datasource.Unfit, step(with(s, remote.PrivateKey, "hunter2")))

	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(host)))
	for _, right := range []string{
		ssh.FingerprintSHA256(host), line, "server,[127.0.0.1]:22 " + line, "# all of these\n" + ssh.FingerprintSHA256(otherPublic) + "\n\n" + line + "\n",
	} {
		require.Empty(t, step(with(s, remote.HostKey, right)), right)
	}
	require.Equal(t, datasource.Secure, step(with(s, remote.HostKey, ssh.FingerprintSHA256(otherPublic))))
	require.Equal(t, datasource.Secure, step(with(s, remote.HostKey, string(ssh.MarshalAuthorizedKey(otherPublic)))))
	require.Equal(t, datasource.Unfit, step(with(s, remote.HostKey, "yes please")))

	gone := s
	gone.Hosts = []string{"no-such-host.invalid"}
	require.Contains(t, []datasource.Step{datasource.Lookup, datasource.Connect}, step(gone))
	gone.Hosts = []string{"169.254.169.254"}
	require.Equal(t, datasource.Connect, step(gone))
}

// inProcess is a server that takes one password, by the ways it is told.
func inProcess(t *testing.T, conf ssh.ServerConfig) datasource.Settings {
	t.Helper()
	text, _ := newKey(t)
	signer, err := ssh.ParsePrivateKey([]byte(text))
	require.NoError(t, err)
	conf.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, channels, requests, err := ssh.NewServerConn(conn, &conf)
				if err != nil {
					return
				}
				go ssh.DiscardRequests(requests)
				for c := range channels {
					if ch, rest, err := c.Accept(); err == nil {
						go ssh.DiscardRequests(rest)
						go func() {
							_, _ = io.Copy(io.Discard, ch) // until the other side has enough
							_ = ch.Close()
						}()
					}
				}
			}()
		}
	}()
	s := settings(t, l.Addr().String())
	s.User, s.Password = "ann", "hunter2"
	return s
}

func TestAPasswordSignsInEvenWhenTheServerAsksForIt(t *testing.T) {
	t.Parallel()
	errNo := errors.New("no")
	check := func(password string) (*ssh.Permissions, error) {
		if password != "hunter2" {
			return nil, errNo
		}
		return &ssh.Permissions{}, nil
	}
	for name, conf := range map[string]ssh.ServerConfig{
		"password": {PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) { return check(string(p)) }},
		"questions": {KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Token: ", "Password: "}, []bool{true, false})
			if err != nil || len(answers) != 2 || answers[0] != "" {
				return nil, errNo
			}
			return check(answers[1])
		}},
	} {
		s := inProcess(t, conf)
		require.NoError(t, remote.Ping(t.Context(), s), name)
		s.Password = secret.String("another")
		err := remote.Ping(t.Context(), s)
		require.ErrorContains(t, err, "unable to authenticate", name)
		require.NotContains(t, err.Error(), "another")
	}
}

func TestASilentOrStrangeServerIsLeft(t *testing.T) {
	t.Parallel()
	for _, says := range []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("x", 1<<17), "SSH-2.0-x\r\n\xff\xff\xff\xff"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = c.Write([]byte(says))
				<-t.Context().Done()
				c.Close()
			}
		}()
		s := settings(t, l.Addr().String())
		s.User, s.Password = "ann", "hunter2"
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		begin := time.Now()
		require.Error(t, remote.Ping(ctx, s))
		require.Less(t, time.Since(begin), 5*time.Second)
		cancel()
	}
}

func TestAKeyWithAPassphraseIsRefused(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("secret"))
	require.NoError(t, err)
	s := with(settings(t, "127.0.0.1:1"), remote.PrivateKey, string(pem.EncodeToMemory(block)))
	require.ErrorContains(t, remote.Ping(t.Context(), s), "passphrase")
}

func TestWithoutAPinTheFirstHostKeyIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	_, first := newKey(t)
	_, second := newKey(t)
	k, err := remote.ReadHostKeys("")
	require.NoError(t, err)
	require.False(t, k.Pinned())
	require.NoError(t, k.Check("", nil, first))
	require.NoError(t, k.Check("", nil, first))
	require.ErrorIs(t, k.Check("", nil, second), remote.ErrHostKey)
	require.Equal(t, ssh.FingerprintSHA256(first), k.First())
}

func TestHostKeysOfTheKnownKindsAreAskedFor(t *testing.T) {
	t.Parallel()
	_, public := newKey(t)
	line := string(ssh.MarshalAuthorizedKey(public))
	k, err := remote.ReadHostKeys("# ours\n\n" + line)
	require.NoError(t, err)
	require.Equal(t, []string{public.Type()}, k.Algorithms())
	k, err = remote.ReadHostKeys(line + ssh.FingerprintSHA256(public))
	require.NoError(t, err)
	require.Empty(t, k.Algorithms(), "of which kind the key behind a fingerprint is, is not known")
	_, err = remote.ReadHostKeys("@revoked h " + line)
	require.ErrorIs(t, err, remote.ErrHostKeys)
}
