package secret_test

import (
	"bytes"
	"encoding/base64"
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
	running, err := secret.OpenSealer(path)
	require.NoError(t, err)
	first := running.Newest()
	sealed := running.Seal("x", "p")
	second, err := secret.AddKey(path)
	require.NoError(t, err)
	fresh, err := secret.OpenSealer(path)
	require.NoError(t, err)
	require.Equal(t, []string{first, second}, fresh.Keys())

	plain, err := fresh.Open(sealed, "p")
	require.NoError(t, err)
	require.Equal(t, secret.String("x"), plain)
	key, ok := secret.KeyOf(running.Seal("y", "p"))
	require.True(t, ok)
	require.Equal(t, second, key, "a program that runs takes up the new key by itself")
	plain, err = running.Open(fresh.Seal("z", "p"), "p")
	require.NoError(t, err)
	require.Equal(t, "z", plain.Reveal())
}

func TestARetiredKeyLeavesTheFileButIsNotLost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	running, err := secret.OpenSealer(path)
	require.NoError(t, err)
	first, sealed := running.Newest(), running.Seal("x", "p")
	second, err := secret.AddKey(path)
	require.NoError(t, err)
	require.NoError(t, secret.RetireKeys(path, first))
	require.Equal(t, []string{second}, running.Keys())
	_, err = running.Open(sealed, "p")
	require.ErrorIs(t, err, secret.ErrSealed)
	retired, err := secret.OpenSealer(path + ".retired")
	require.NoError(t, err)
	plain, err := retired.Open(sealed, "p")
	require.NoError(t, err)
	require.Equal(t, "x", plain.Reveal())
	for _, name := range []string{path, path + ".retired"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	require.ErrorContains(t, secret.RetireKeys(path, second), "without a key")
	require.NoError(t, secret.RetireKeys(path, "unknown"))
}

func TestAStagedKeyOpensAndSealsNothingUntilItIsPromoted(t *testing.T) {
	t.Parallel()
	here, there := filepath.Join(t.TempDir(), "seal.key"), filepath.Join(t.TempDir(), "seal.key")
	a, err := secret.OpenSealer(here)
	require.NoError(t, err)
	first := a.Newest()
	staged, err := secret.StageKey(here)
	require.NoError(t, err)
	require.Equal(t, first, a.Newest())
	data, err := os.ReadFile(here)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(there, data, 0o600))
	b, err := secret.OpenSealer(there)
	require.NoError(t, err)
	require.NoError(t, secret.PromoteKey(here, staged))
	require.Equal(t, []string{first, staged}, a.Keys())
	plain, err := b.Open(a.Seal("x", "p"), "p")
	require.NoError(t, err, "another master can open what this one seals before it has the new file")
	require.Equal(t, "x", plain.Reveal())
	require.Error(t, secret.PromoteKey(here, "unknown"))
}

func TestAKeyFileThatIsBrokenWhileInUseChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	running, err := secret.OpenSealer(path)
	require.NoError(t, err)
	sealed := running.Seal("x", "p")
	require.NoError(t, os.WriteFile(path, []byte("half a li"), 0o600))
	_, err = running.Open(sealed, "p")
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	_, err = running.Open(running.Seal("y", "p"), "p")
	require.NoError(t, err)
}

func TestKeysGivenAsTextAreThoseOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	file, err := secret.OpenSealer(path)
	require.NoError(t, err)
	sealed := file.Seal("x", "p")
	line, err := os.ReadFile(path)
	require.NoError(t, err)
	id, key, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for _, keys := range []string{key, other + "," + key, " " + id + " " + key + " ,", other + "\n" + key + "\n"} {
		s, err := secret.NewSealer(secret.String(keys))
		require.NoError(t, err)
		require.Equal(t, id, s.Newest(), "the last one is for new texts")
		plain, err := s.Open(sealed, "p")
		require.NoError(t, err)
		require.Equal(t, "x", plain.Reveal())
	}
	for _, bad := range []string{"", " , ", "c2hvcnQ=", "not base64 at all", key[:20]} {
		_, err := secret.NewSealer(secret.String(bad))
		require.Error(t, err)
		if strings.TrimSpace(bad) != "" && len(bad) > 3 {
			require.NotContains(t, err.Error(), bad, "an error does not repeat a key")
		}
	}
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
