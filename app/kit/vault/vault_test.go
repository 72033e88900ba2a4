package vault_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/secret"
	"dorado/app/kit/vault"
	"dorado/app/kit/vault/vaulttest"
)

type clock struct {
	sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.at = c.at.Add(d)
}

func client(t *testing.T, s *vaulttest.Server, change func(*vault.Config)) (*vault.Client, *clock) {
	t.Helper()
	cfg := vault.DefaultConfig()
	cfg.Address, cfg.Token, cfg.Timeout = s.URL, "s.good", 2*time.Second
	if change != nil {
		change(&cfg)
	}
	require.NoError(t, cfg.Validate())
	c := &clock{at: time.Now()}
	v, err := vault.New(cfg, c.now)
	require.NoError(t, err)
	t.Cleanup(v.Close)
	return v, c
}

func get(t *testing.T, v *vault.Client, project int64, ref string) (string, error) {
	t.Helper()
	if err := v.Fetch(t.Context(), project, ref); err != nil {
		return "", err
	}
	value, known, err := v.Cached(project, ref)
	if err == nil {
		require.True(t, known)
	}
	return value.Reveal(), err
}

func TestASecretIsReadBelowTheFolderOfItsProject(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t)
	s.Put("secret", "dorado/7/db/orders", map[string]any{"password": "hunter2", "port": 5432, "none": nil})
	s.Put("secret", "dorado/8/db/orders", map[string]any{"password": "other"})
	v, _ := client(t, s, nil)
	value, err := get(t, v, 7, "vault/db/orders#password")
	require.NoError(t, err)
	require.Equal(t, "hunter2", value)
	value, err = get(t, v, 7, "vault/db/orders#port")
	require.NoError(t, err)
	require.Equal(t, "5432", value)
	value, err = get(t, v, 8, "vault/db/orders#password")
	require.NoError(t, err)
	require.Equal(t, "other", value)
	for _, ref := range []string{
		"vault/../8/db/orders#password", "vault/db//orders#password", "vault/db/orders", "vault/#x", "vault/db/orders#", "aws/x#y", "vault/a%2f..#x",
		"vault/./x#y", "vault/a?b#c", "vault//etc#x",
	} {
		require.ErrorIs(t, v.Fetch(t.Context(), 7, ref), vault.ErrReference, ref)
		_, _, err := v.Cached(7, ref)
		require.ErrorIs(t, err, vault.ErrReference, ref)
	}
	_, err = get(t, v, 7, "vault/db/nothing#password")
	require.ErrorIs(t, err, vault.ErrMissing)
	require.ErrorContains(t, err, "secret/dorado/7/db/nothing")
	for _, field := range []string{"user", "none"} {
		_, err = get(t, v, 7, "vault/db/orders#"+field)
		require.ErrorIs(t, err, vault.ErrMissing, "a value that is not there is never an empty one")
	}
}

func TestWhatWasReadIsUsedForAWhileAndCallsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t)
	s.Put("secret", "dorado/7/a", map[string]any{"x": "1"})
	v, clock := client(t, s, func(c *vault.Config) { c.CacheFor = time.Minute })
	_, known, err := v.Cached(7, "vault/a#x")
	require.NoError(t, err)
	require.False(t, known)
	_, err = get(t, v, 7, "vault/a#x")
	require.NoError(t, err)
	s.Put("secret", "dorado/7/a", map[string]any{"x": "2"})
	value, known, err := v.Cached(7, "vault/a#x")
	require.NoError(t, err)
	require.True(t, known)
	require.Equal(t, "1", value.Reveal())
	clock.pass(time.Minute)
	_, known, err = v.Cached(7, "vault/a#x")
	require.NoError(t, err)
	require.False(t, known)
	s.Lock() // it does not answer
	before := s.Reads
	errs := make(chan error, 20)
	for range 20 {
		go func() { errs <- v.Fetch(t.Context(), 7, "vault/a#x") }()
	}
	time.Sleep(100 * time.Millisecond)
	s.Unlock()
	for range 20 {
		require.NoError(t, <-errs)
	}
	require.Less(t, s.Reads-before, 20)
	value, _, err = v.Cached(7, "vault/a#x")
	require.NoError(t, err)
	require.Equal(t, "2", value.Reveal())
}

func TestTheVaultTellsWhatMayPassFromWhatWillNot(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t)
	s.Put("secret", "dorado/7/a", map[string]any{"x": "1"})
	v, _ := client(t, s, nil)
	for status, want := range map[int]error{
		http.StatusServiceUnavailable: vault.ErrUnreachable, http.StatusTooManyRequests: vault.ErrUnreachable, 472: vault.ErrUnreachable,
		http.StatusInternalServerError: vault.ErrUnreachable, http.StatusForbidden: vault.ErrRefused, http.StatusNotFound: vault.ErrMissing,
		http.StatusFound: vault.ErrUnreachable,
	} {
		s.Fail(status)
		_, err := get(t, v, 7, "vault/a#x")
		require.ErrorIs(t, err, want, status)
		require.NotContains(t, err.Error(), "s.good")
	}
	s.Fail(0)
	wrong, _ := client(t, s, func(c *vault.Config) { c.Token = "s.wrong-token" })
	_, err := get(t, wrong, 7, "vault/a#x")
	require.ErrorIs(t, err, vault.ErrRefused)
	require.NotContains(t, err.Error(), "wrong-token")
	s.CloseClientConnections()
	s.Close()
	_, err = get(t, v, 7, "vault/a#x")
	require.ErrorIs(t, err, vault.ErrUnreachable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, v.Fetch(ctx, 7, "vault/a#x"), vault.ErrUnreachable)
}

func TestSignInByAppRoleIsRenewedAndRepeatedWhenTheTokenIsGone(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t)
	s.RoleID, s.SecretID, s.Lease, s.Namespace = "role", "hush-id", 60, "team"
	s.Put("kv", "etl/a", map[string]any{"x": "1"})
	v, clock := client(t, s, func(c *vault.Config) {
		c.Token, c.RoleID, c.SecretID, c.Namespace, c.Mount, c.Path, c.CacheFor = "", "role", "hush-id", "team", "kv", "etl", time.Second
	})
	read := func() {
		t.Helper()
		clock.pass(2 * time.Second)
		_, err := get(t, v, 1, "vault/a#x")
		require.NoError(t, err)
	}
	read()
	read()
	require.Equal(t, 1, s.SignIns)
	clock.pass(time.Minute)
	read()
	require.Equal(t, 2, s.SignIns, "before the token ends another one is asked for")
	s.Lock()
	s.Token = "s.other"
	s.Unlock()
	read()
	require.Equal(t, 3, s.SignIns, "a token that was revoked is replaced")
	bad, _ := client(t, s, func(c *vault.Config) { c.Token, c.RoleID, c.SecretID, c.Namespace = "", "role", "wrong-id", "team" })
	_, err := get(t, bad, 1, "vault/a#x")
	require.ErrorIs(t, err, vault.ErrRefused)
	require.NotContains(t, err.Error(), "wrong-id")
}

func TestATokenFileIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t)
	s.Put("secret", "dorado/7/a", map[string]any{"x": "1"})
	file := filepath.Join(t.TempDir(), "token")
	v, _ := client(t, s, func(c *vault.Config) { c.Token, c.TokenFile = "", file })
	_, err := get(t, v, 7, "vault/a#x")
	require.ErrorIs(t, err, vault.ErrUnreachable)
	require.NoError(t, os.WriteFile(file, []byte("s.good\n"), 0o600))
	_, err = get(t, v, 7, "vault/a#x")
	require.NoError(t, err)
}

func TestMistakesInTheConfigurationAreNamed(t *testing.T) {
	t.Parallel()
	none, err := vault.New(vault.DefaultConfig(), time.Now)
	require.NoError(t, err)
	require.Nil(t, none, "without an address there is no vault")
	for want, change := range map[string]func(*vault.Config){
		"vault.address":            func(c *vault.Config) { c.Address = "vault:8200" },
		"vault.token: set":         func(c *vault.Config) { c.Token = "" },
		"vault.token: set exactly": func(c *vault.Config) { c.TokenFile = "x" },
		"vault.secret-id":          func(c *vault.Config) { c.SecretID = secret.String("x") },
		"vault.mount":              func(c *vault.Config) { c.Mount = "a/../b" },
		"vault.path":               func(c *vault.Config) { c.Path = "/a" },
		"vault.timeout":            func(c *vault.Config) { c.Timeout = 0 },
		"vault.cache-for":          func(c *vault.Config) { c.CacheFor = 0 },
	} {
		c := vault.DefaultConfig()
		c.Address, c.Token = "https://v:8200", "t"
		change(&c)
		require.ErrorContains(t, c.Validate(), want)
	}
	c := vault.DefaultConfig()
	c.Address, c.CA = "https://v:8200", "/no/such/file"
	_, err = vault.New(c, time.Now)
	require.ErrorContains(t, err, "vault.ca")
}
