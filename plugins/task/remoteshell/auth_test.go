package remoteshell

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"dorado/plugins/datasource/remote"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

func TestAPinnedHostKeyIsTheOnlyOneAccepted(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.public)))
	_, other := key(t)
	for name, pinned := range map[string]string{
		"a fingerprint": ssh.FingerprintSHA256(s.public), "a key": line, "known_hosts": "# made by hand\n\n[somewhere]:2222 " + line + "\n",
		"a hashed host": "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= " + line,
		"one of two":    ssh.FingerprintSHA256(other) + "\r\n" + ssh.FingerprintSHA256(s.public) + " # with a comment",
	} {
		a := newAttempt(t, s.source(t, 0, remote.HostKey, pinned), "echo in")
		got := <-a.begun(t.Context())
		require.NoError(t, got.error, name)
		require.NotContains(t, a.log.String(), "is not checked")
	}
	for name, pinned := range map[string]string{
		"another fingerprint": ssh.FingerprintSHA256(other), "another key": string(ssh.MarshalAuthorizedKey(other)),
	} {
		a := newAttempt(t, s.source(t, 0, remote.HostKey, pinned), "echo in")
		got := <-a.begun(t.Context())
		require.ErrorIs(t, got.error, remote.ErrHostKey, name)
		require.ErrorContains(t, got.error, ssh.FingerprintSHA256(s.public))
		require.Empty(t, a.log.lines())
	}
	for _, pinned := range []string{"MD5:aa:bb", "ssh-ed25519", "h ssh-ed25519 AAAA", "\xff"} {
		a := newAttempt(t, s.source(t, 0, remote.HostKey, pinned), "echo in")
		got := <-a.begun(t.Context())
		require.ErrorIs(t, got.error, remote.ErrHostKeys, pinned)
	}
	a := newAttempt(t, s.source(t, 0), "echo in")
	require.NoError(t, (<-a.begun(t.Context())).error)
	require.Contains(t, a.log.String(), "host key "+ssh.FingerprintSHA256(s.public)+" is not checked")
}

// signIn serves one handshake of a server that knows passwords alone, as a text or as the answer to a question.
func signIn(t *testing.T, question bool) (port int) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	wrong := errors.New("wrong")
	config := &ssh.ServerConfig{}
	if question {
		config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 || answers[0] != "hunter2" {
				return nil, wrong
			}
			return nil, nil
		}
	} else {
		config.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) != "hunter2" {
				return nil, wrong
			}
			return nil, nil
		}
	}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer raw.Close()
				_, channels, requests, err := ssh.NewServerConn(raw, config)
				if err != nil {
					return
				}
				go ssh.DiscardRequests(requests)
				for c := range channels {
					_ = c.Reject(ssh.Prohibited, "no shells here")
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	for _, question := range []bool{false, true} {
		port := strconv.Itoa(signIn(t, question))
		for password, right := range map[string]bool{"hunter2": true, "hunter3": false} {
			a := newAttempt(t, source(t, form.Flat{"host": "127.0.0.1", "port": port, "userName": "ann", "password": password}), "ls")
			got := <-a.begun(t.Context())
			require.Error(t, got.error)
			require.NotContains(t, got.error.Error()+a.log.String(), password)
			if right {
				require.ErrorContains(t, got.error, "no shells here")
			} else {
				require.ErrorContains(t, got.error, "unable to authenticate")
			}
			require.Empty(t, got.AppLink)
		}
	}
}

func TestAKeyThatCannotBeUsedIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("hunter2"))
	require.NoError(t, err)
	_, err = remote.AuthMethods(source(t, form.Flat{"host": "h", "userName": "ann", "password": "hunter2", "publicKey": string(pem.EncodeToMemory(block))}).Settings)
	require.ErrorIs(t, err, remote.ErrPassphrase)
	_, err = remote.AuthMethods(source(t, form.Flat{"host": "h", "userName": "ann", "publicKey": "hunter2"}).Settings)
	require.ErrorIs(t, err, remote.ErrPrivateKey)
	require.NotContains(t, err.Error(), "hunter2")
	_, err = remote.AuthMethods(source(t, form.Flat{"host": "h", "userName": "ann"}).Settings)
	require.ErrorIs(t, err, remote.ErrNoSecret)
}

func TestWhereNothingCanBeStarted(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := closed.Addr().(*net.TCPAddr).Port
	require.NoError(t, closed.Close())
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = garbage.Close() })
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_ = c.Close()
		}
	}()
	for name, from := range map[string]task.Source{
		"refused":     s.source(t, port),
		"reset":       s.source(t, garbage.Addr().(*net.TCPAddr).Port),
		"not allowed": source(t, form.Flat{"host": "169.254.169.254", "userName": "ann", "password": "x"}),
	} {
		a := newAttempt(t, from, "ls")
		got := <-a.begun(t.Context())
		require.Error(t, got.error, name)
		if name != "reset" {
			require.ErrorContains(t, got.error, name)
		}
		require.Empty(t, a.link, name)
	}
	a := newAttempt(t, s.source(t, 0), "ls")
	for _, link := range []string{"x", "remoteshell-1_2-0123456789abcdef", "remoteshell-1_2-0123456789abcdef;ls@h:22", "../x@h:22"} {
		a.env.Link = link
		require.ErrorIs(t, (<-a.begun(t.Context())).error, errLink, link)
	}
	a.env.Sources = nil
	require.ErrorContains(t, (<-a.begun(t.Context())).error, "data source 4 does not exist")
}

func TestOneOfSeveralHostsIsKept(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	from := s.source(t, 0, "host", "127.0.0.1:1,127.0.0.1")
	a := newAttempt(t, from, "echo in")
	require.NoError(t, (<-a.begun(t.Context())).error)
	require.Contains(t, <-a.link, "@"+s.address())
	require.Equal(t, []string{"b"}, narrow([]string{"a", "b"}, "b"))
	require.Equal(t, []string{"a", "b"}, narrow([]string{"a", "b"}, "c"))
}
