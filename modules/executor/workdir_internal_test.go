package executor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a process that outlived its task does to a directory that became spare must not reach the next task.
func TestASpareDirectoryThatWasTouchedMeanwhileIsMadeAnew(t *testing.T) {
	t.Parallel()
	owner := account{self: true, uid: uint32(os.Getuid())}
	for name, touch := range map[string]func(t *testing.T, dir string){
		"filled": func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "left"), nil, 0o600))
		},
		"removed": func(t *testing.T, dir string) { require.NoError(t, os.Remove(dir)) },
		"opened":  func(t *testing.T, dir string) { require.NoError(t, os.Chmod(dir, 0o777)) }, //nolint:gosec // that is the point
		"replaced by a link": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.Symlink(t.TempDir(), dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := newWorkdirs(t.TempDir(), newUsers(DefaultConfig(t.TempDir())))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, w.close()) })
			first := w.claim(1, owner)
			require.NoError(t, w.make(&first, owner))
			w.settle(&first)
			require.True(t, w.keepSpare(first.name, owner))

			second := w.claim(2, owner)
			require.Equal(t, first.name, second.name, "it is used again")
			touch(t, w.path(second.name))
			require.NoError(t, w.make(&second, owner))
			t.Cleanup(func() { w.release(&second) })

			info, err := os.Lstat(w.path(second.name))
			require.NoError(t, err)
			require.True(t, info.IsDir())
			require.Equal(t, os.FileMode(0o750), info.Mode().Perm())
			left, err := os.ReadDir(w.path(second.name))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
