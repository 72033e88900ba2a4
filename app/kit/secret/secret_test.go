package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/secret"
)

func TestStringNeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := secret.String("hunter2")
	box := struct{ P secret.String }{s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", s, "b", box)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", s, "b", box)
	data, err := json.Marshal(map[string]any{"s": s, "box": box})
	require.NoError(t, err)
	out := log.String() + string(data)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, box) + fmt.Sprintf(verb, &box)
	}
	require.NotContains(t, out, "hunter2")
	require.NotContains(t, strings.ToLower(out), "68756e74657232", "hexadecimal gives it away too")
	require.Equal(t, "hunter2", s.Reveal())
	require.True(t, s.Equal("hunter2"))
	require.False(t, s.Equal("hunter3"))
	require.Empty(t, secret.String("").String())
}

func TestSealedTextOpensOnlyForItsPurposeAndUndamaged(t *testing.T) {
	t.Parallel()
	s, err := secret.OpenSealer(filepath.Join(t.TempDir(), "keys", "seal.key"))
	require.NoError(t, err)
	sealed := s.Seal("hunter2", "datasource.password")
	require.NotContains(t, sealed, "hunter2")
	require.NotEqual(t, sealed, s.Seal("hunter2", "datasource.password"))

	plain, err := s.Open(sealed, "datasource.password")
	require.NoError(t, err)
	require.Equal(t, "hunter2", plain.Reveal())

	_, err = s.Open(sealed, "alert.password")
	require.ErrorIs(t, err, secret.ErrSealed)
	for _, damaged := range []string{"", "hunter2", sealed[:len(sealed)-3], "s1:00:AAAA", "s1:" + strings.Repeat(":", 3), sealed + "AAAA"} {
		_, err = s.Open(damaged, "datasource.password")
		require.ErrorIs(t, err, secret.ErrSealed, damaged)
	}
}

func TestRotatedKeysKeepOldTextsReadable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	old, err := secret.OpenSealer(path)
	require.NoError(t, err)
	sealed := old.Seal("x", "p")
	require.NoError(t, secret.AddKey(path))
	fresh, err := secret.OpenSealer(path)
	require.NoError(t, err)

	plain, err := fresh.Open(sealed, "p")
	require.NoError(t, err)
	require.Equal(t, secret.String("x"), plain)
	_, err = old.Open(fresh.Seal("y", "p"), "p")
	require.ErrorIs(t, err, secret.ErrSealed, "new texts use the new key")
}

func TestKeyFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	_, err := secret.OpenSealer(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.Chmod(path, 0o644))
	_, err = secret.OpenSealer(path)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("junk\n"), 0o600))
	_, err = secret.OpenSealer(path)
	require.ErrorContains(t, err, "damaged")
}
