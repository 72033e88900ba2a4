package directory_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/secret"
	"dorado/app/kit/testkit"
	"dorado/modules/identity/directory"
	"dorado/modules/identity/directory/directorytest"
)

const password secret.String = directorytest.Password

func open(t *testing.T, c directory.Config) *directory.Client {
	t.Helper()
	client, err := directory.Open(c)
	require.NoError(t, err)
	return client
}

func TestARealDirectoryTellsWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	server := directorytest.Start(t)
	cfg := server.Config()
	cfg.PhoneAttribute, cfg.AdminGroup = "telephoneNumber", directorytest.Admins
	c := open(t, cfg)

	t.Run("name, address and what stays the same are taken over", func(t *testing.T) {
		ann, err := c.Authenticate(t.Context(), "ann", password)
		require.NoError(t, err)
		require.Len(t, ann.ID, 36, "an entryUUID")
		ann.ID = ""
		require.Equal(t, directory.Entry{
			DN: "uid=ann,ou=people,dc=example,dc=org", Name: "ann", Email: "ann@example.org", Phone: "+4930123456",
		}, ann)
		loud, err := c.Authenticate(t.Context(), "ANN", password)
		require.NoError(t, err)
		require.Equal(t, "ann", loud.Name, "a directory ignores case; the name is as it writes it")
	})
	t.Run("members of the group are administrators", func(t *testing.T) {
		bob, err := c.Authenticate(t.Context(), "bob", password)
		require.NoError(t, err)
		require.True(t, bob.Admin)
		dan, err := c.Authenticate(t.Context(), "dan", password)
		require.NoError(t, err)
		require.True(t, dan.Admin, "a name with signs that mean something in filters")
	})
	t.Run("an administrator by name", func(t *testing.T) {
		byName := server.Config()
		byName.AdminUser = "Carol"
		carol, err := open(t, byName).Authenticate(t.Context(), "carol", password)
		require.NoError(t, err)
		require.True(t, carol.Admin)
	})
	t.Run("a group that is not there refuses everybody, and demotes nobody", func(t *testing.T) {
		wrong := server.Config()
		wrong.AdminGroup = "cn=typo,ou=groups,dc=example,dc=org"
		_, err := open(t, wrong).Authenticate(t.Context(), "bob", password)
		require.ErrorIs(t, err, directory.ErrUnavailable)
	})
	t.Run("a wrong password, a wrong name, two entries, and none at all", func(t *testing.T) {
		for _, name := range []string{"ann", "nobody", "twin", ""} {
			_, err := c.Authenticate(t.Context(), name, "wrong")
			require.ErrorIs(t, err, directory.ErrRefused, name)
		}
		_, err := c.Authenticate(t.Context(), "twin", password)
		require.ErrorIs(t, err, directory.ErrRefused, "which of the two is not guessed")
		_, err = c.Authenticate(t.Context(), "ann", "")
		require.ErrorIs(t, err, directory.ErrRefused, "an empty password would bind as nobody, and succeed")
		_, err = c.Authenticate(t.Context(), "ann", secret.String(strings.Repeat("x", 5_000_000)))
		require.ErrorIs(t, err, directory.ErrRefused)
	})
	t.Run("what was typed is no filter", func(t *testing.T) {
		for _, name := range []string{"*", "a*", "ann)(uid=*", "*)(objectClass=*", "x)(|(uid=ann", "ann\x00", `\61nn`, "{dn}", "bob)(cn=*))(|(uid=*"} {
			_, err := c.Authenticate(t.Context(), name, password)
			require.ErrorIs(t, err, directory.ErrRefused, name)
		}
	})
	t.Run("an error names no password", func(t *testing.T) {
		_, err := c.Authenticate(t.Context(), "ann", "my-wrong-secret")
		require.NotContains(t, err.Error(), "my-wrong-secret")
		wrong := server.Config()
		wrong.BindPassword = "another-secret"
		_, err = open(t, wrong).Authenticate(t.Context(), "ann", password)
		require.ErrorIs(t, err, directory.ErrUnavailable, "that is not the user's fault")
		require.NotContains(t, err.Error(), "another-secret")
	})
	t.Run("TLS by the port, or from within the connection", func(t *testing.T) {
		start := server.Config()
		start.URLs, start.StartTLS = []string{server.Plain}, true
		_, err := open(t, start).Authenticate(t.Context(), "ann", password)
		require.NoError(t, err)
		for _, url := range []string{server.Plain, server.Secure} {
			other := start
			other.URLs, other.StartTLS = []string{url}, strings.HasPrefix(url, "ldap://")
			other.CAFile = ""
			_, err = open(t, other).Authenticate(t.Context(), "ann", password)
			require.ErrorIs(t, err, directory.ErrUnavailable, "nobody trusted signed the certificate: %s", url)
			require.ErrorContains(t, err, "certificate")
			named := start
			named.URLs, named.StartTLS = []string{strings.Replace(url, "127.0.0.1", "localhost", 1)}, strings.HasPrefix(url, "ldap://")
			_, err = open(t, named).Authenticate(t.Context(), "ann", password)
			require.ErrorIs(t, err, directory.ErrUnavailable, "the certificate is for another name: %s", url)
		}
		plain := server.Config()
		plain.URLs, plain.Insecure = []string{server.Plain}, true
		_, err = open(t, plain).Authenticate(t.Context(), "ann", password)
		require.NoError(t, err, "said in so many words")
	})
	t.Run("the next server is asked when one is away", func(t *testing.T) {
		port, err := testkit.FreePort(t.Context())
		require.NoError(t, err)
		two := server.Config()
		two.URLs = []string{"ldaps://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), server.Secure}
		_, err = open(t, two).Authenticate(t.Context(), "ann", password)
		require.NoError(t, err)
		_, err = open(t, two).Authenticate(t.Context(), "ann", "wrong")
		require.ErrorIs(t, err, directory.ErrRefused)
	})
	t.Run("references to other directories are not followed", func(t *testing.T) {
		far := server.Config()
		far.BaseDN = "ou=elsewhere,ou=people,dc=example,dc=org"
		_, err := open(t, far).Authenticate(t.Context(), "ann", password)
		require.ErrorIs(t, err, directory.ErrRefused)
	})
}

func TestASilentServerEndsASignInInTime(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Conn){
		"it never answers":       func(net.Conn) {},
		"it says half a message": func(c net.Conn) { _, _ = c.Write([]byte{0x30, 0x84}) },
		"it says nonsense":       func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
		"it hangs up":            func(c net.Conn) { _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					t.Cleanup(func() { _ = c.Close() })
					serve(c)
				}
			}()
			for _, scheme := range []string{"ldap", "ldaps", "start"} {
				cfg := directory.DefaultConfig()
				cfg.URLs, cfg.BaseDN, cfg.Timeout = []string{strings.Replace(scheme, "start", "ldap", 1) + "://" + l.Addr().String()}, "dc=x", 300*time.Millisecond
				cfg.StartTLS, cfg.Insecure = scheme == "start", true
				done, client := make(chan error, 1), open(t, cfg)
				go func() {
					_, err := client.Authenticate(context.WithoutCancel(t.Context()), "ann", password)
					done <- err
				}()
				select {
				case err := <-done:
					require.ErrorIs(t, err, directory.ErrUnavailable, scheme)
				case <-time.After(30 * time.Second):
					t.Fatal("the sign-in does not end: " + scheme)
				}
			}
		})
	}
}

func TestOnlySoManySignInsAskAtOnce(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	cfg := directory.DefaultConfig()
	cfg.URLs, cfg.BaseDN, cfg.Insecure = []string{"ldap://" + l.Addr().String()}, "dc=x", true
	c := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 40)
	for range 40 {
		go func() {
			_, err := c.Authenticate(ctx, "ann", password)
			answers <- err
		}()
	}
	for range 24 {
		require.ErrorIs(t, <-answers, directory.ErrBusy)
	}
	cancel()
	for range 16 {
		require.ErrorIs(t, <-answers, directory.ErrUnavailable, "who left is not waited for")
	}
}

func TestAConfigurationThatWouldSendPasswordsInTheOpenIsRefused(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(broken, []byte("nothing"), 0o600))
	base := func() directory.Config {
		c := directory.DefaultConfig()
		c.URLs, c.BaseDN = []string{"ldaps://ldap.example.org"}, "dc=example,dc=org"
		return c
	}
	require.NoError(t, base().Validate())
	require.NoError(t, directory.DefaultConfig().Validate(), "no directory is fine")
	for name, change := range map[string]func(*directory.Config){
		"urls: ldap://ldap.example.org sends passwords unencrypted": func(c *directory.Config) { c.URLs = []string{"ldap://ldap.example.org"} },
		"urls":               func(c *directory.Config) { c.URLs = []string{"https://ldap.example.org"} },
		"base-dn":            func(c *directory.Config) { c.BaseDN = "people" },
		"bind-dn":            func(c *directory.Config) { c.BindDN = "cn=x" },
		"user-filter":        func(c *directory.Config) { c.UserFilter = "(uid=ann)" },
		"name-attribute":     func(c *directory.Config) { c.NameAttribute = "" },
		"admin-group":        func(c *directory.Config) { c.AdminGroup = "admins" },
		"group-filter":       func(c *directory.Config) { c.AdminGroup, c.GroupFilter = "cn=a", "(member={dn}" },
		"on-missing":         func(c *directory.Config) { c.OnMissing = "perhaps" },
		"timeout":            func(c *directory.Config) { c.Timeout = time.Hour },
		"ca-file":            func(c *directory.Config) { c.CAFile = broken },
		"ca-file: open /no/": func(c *directory.Config) { c.CAFile = "/no/ca.pem" },
	} {
		c := base()
		change(&c)
		require.ErrorContains(t, c.Validate(), "identity.ldap."+name)
		_, err := directory.Open(c)
		require.Error(t, err)
	}
}
