package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/storage"
	"dorado/plugins/storage/local"
	"dorado/plugins/storage/storagetest"
)

func open(t *testing.T, dir string) *local.Store {
	t.Helper()
	s, err := local.Open(local.Config{Dir: dir})
	require.NoError(t, err)
	return s
}

func TestAFolderIsAStore(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) storage.Storage {
		t.Helper()
		return open(t, filepath.Join(t.TempDir(), "made", "when missing"))
	})
}

func TestASyncedFolderIsAStore(t *testing.T) {
	t.Parallel()
	s, err := local.Open(local.Config{Dir: t.TempDir(), Sync: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	_, err = s.Put(t.Context(), "a/b/c", strings.NewReader("x"), 1)
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(s.Dir(), "a/b/c"))
	require.NoError(t, err)
	require.Equal(t, "x", string(raw))
}

func TestNoLinkLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	outside := filepath.Join(top, "outside")
	require.NoError(t, os.Mkdir(outside, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600))
	s := open(t, filepath.Join(top, "store"))
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, os.Symlink(outside, filepath.Join(s.Dir(), "link")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(s.Dir(), "file")))

	for _, key := range []string{"link/secret", "file"} {
		_, _, err := s.Get(t.Context(), key, 0)
		require.Error(t, err, key)
	}
	_, err := s.Put(t.Context(), "link/new", strings.NewReader("x"), 1)
	require.Error(t, err)
	require.Error(t, s.MakeDir(t.Context(), "link/dir/"))
	require.Error(t, storage.DeleteTree(t.Context(), s, "link/"))
	for info, err := range s.List(t.Context(), "", true) {
		require.NoError(t, err)
		t.Errorf("%s is listed", info.Key)
	}
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was written there and nothing removed")
}

func TestAPipeDoesNotHoldAReader(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, syscall.Mkfifo(filepath.Join(s.Dir(), "pipe"), 0o600))
	_, _, err := s.Get(t.Context(), "pipe", 0)
	require.ErrorIs(t, err, storage.ErrNotFound)
}

func TestWhatADeadWriterLeftIsRemovedADayLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tmp := filepath.Join(dir, storage.Reserved)
	require.NoError(t, os.Mkdir(tmp, 0o700))
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "young": time.Hour} {
		file := filepath.Join(tmp, name)
		require.NoError(t, os.WriteFile(file, []byte("half"), 0o600))
		then := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(file, then, then))
	}
	s := open(t, dir)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoFileExists(t, filepath.Join(tmp, "old"))
	require.FileExists(t, filepath.Join(tmp, "young"), "its writer may still be at it")
}

func TestAFolderThatCannotBeMadeIsToldByItsKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := local.Open(local.Config{Dir: file})
	require.ErrorContains(t, err, "storage.local.dir")
	_, err = local.Open(local.Config{})
	require.ErrorContains(t, err, "storage.local.dir")
}
