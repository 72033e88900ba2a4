package executor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func emptyWorkdirs(t *testing.T) *workdirs {
	t.Helper()
	w, err := newWorkdirs(t.TempDir(), newUsers(DefaultConfig(t.TempDir())))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.close()) })
	return w
}

// used is the directory of an attempt that was started in it.
func used(t *testing.T, w *workdirs, id int64, owner account) workdir {
	t.Helper()
	d := w.claim(id, owner)
	require.NoError(t, w.make(&d, owner))
	w.settle(&d)
	return d
}

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
		for _, settled := range []bool{false, true} { // a directory that is older than the grain of the clock is known by its time
			t.Run(fmt.Sprintf("%s, long ago %t", name, settled), func(t *testing.T) {
				t.Parallel()
				w := emptyWorkdirs(t)
				first := used(t, w, 1, owner)
				if settled {
					time.Sleep(2 * clockGrain)
				}
				require.True(t, w.keepSpare(&first, owner))
				require.Equal(t, settled, first.seen != dirState{})

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
}

// An attempt that got a spare directory and leaves something in it does not pass it on, whatever it does to the times.
func TestADirectoryInWhichATaskLeftSomethingIsNotPassedOn(t *testing.T) {
	t.Parallel()
	owner := account{self: true, uid: uint32(os.Getuid())}
	w := emptyWorkdirs(t)
	d := used(t, w, 1, owner)
	time.Sleep(2 * clockGrain)
	info, err := os.Stat(w.path(d.name))
	require.NoError(t, err)
	require.True(t, w.keepSpare(&d, owner))

	d = used(t, w, 2, owner)
	require.NotEqual(t, dirState{}, d.seen, "it is known by its time")
	require.NoError(t, os.WriteFile(filepath.Join(w.path(d.name), "left"), nil, 0o600))
	require.NoError(t, os.Chtimes(w.path(d.name), info.ModTime(), info.ModTime()))
	require.False(t, w.keepSpare(&d, owner))
	require.NoError(t, w.remove(t.Context(), &d, owner, false, 0))
	require.NoDirExists(t, w.path(d.name))
}

func TestTheTimeOfADirectoryCountsOnceItCannotHideAChange(t *testing.T) {
	t.Parallel()
	const second = 1_800_000_000
	for _, c := range []struct {
		nanoseconds int64
		age         time.Duration
		known       bool
	}{
		{5_000_000, 0, false},
		{5_000_000, clockGrain - 1, false},
		{5_000_000, clockGrain, true},
		{0, time.Second, false}, // a file system that keeps whole seconds
		{0, coarseGrain, true},
		{5_000_000, -time.Hour, false}, // the clock was set back
	} {
		st := unix.Stat_t{Ino: 7, Ctim: unix.Timespec{Sec: second, Nsec: c.nanoseconds}}
		got := stateOf(&st, time.Unix(second, c.nanoseconds).Add(c.age))
		require.Equal(t, c.known, got.is(&st), "%v", c)
	}
	require.False(t, dirState{}.is(&unix.Stat_t{}), "nothing is known of it")
}
