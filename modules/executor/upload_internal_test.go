package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/modules/tasklog"
	"dorado/plugins/storage"
	"dorado/plugins/storage/local"
)

// moody is a folder that can be away.
type moody struct {
	*local.Store
	away atomic.Bool
	puts atomic.Int64
}

func (m *moody) Put(ctx context.Context, key string, r io.Reader, size int64) (storage.Info, error) {
	m.puts.Add(1)
	if m.away.Load() {
		return storage.Info{}, storage.ErrAway
	}
	return m.Store.Put(ctx, key, r, size)
}

// uploading is an uploader at work over a folder of logs.
type uploading struct {
	*uploader
	store   *moody
	base    string
	writing atomic.Int64 // the attempt whose log is being written
}

func newUploading(t *testing.T, keep time.Duration) *uploading {
	t.Helper()
	s, err := local.Open(local.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	w := &uploading{store: &moody{Store: s}, base: t.TempDir()}
	logs, err := newLogServer(w.base, func(id int64) bool { return id == w.writing.Load() })
	require.NoError(t, err)
	w.uploader = newUploader(tasklog.NewArchive(w.store), logs, keep, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { require.NoError(t, errors.Join(logs.close(), s.Close())) })
	return w
}

// begin starts the uploader; the function it returns ends it, as a death of the worker would.
func (w *uploading) begin(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.run(ctx); close(done) }()
	end = func() { cancel(); <-done }
	t.Cleanup(end)
	return end
}

func (w *uploading) write(t *testing.T, id int64, text string) string {
	t.Helper()
	path := filepath.Join(w.base, "20261122", "7", "1", "12", strconv.FormatInt(id, 10)+".log")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (w *uploading) stored(t *testing.T, id int64, want string) {
	t.Helper()
	testkit.Eventually(t, func() error {
		r, _, err := w.store.Get(t.Context(), fmt.Sprintf("logs/20261122/7/1/12/%d.log", id), 0)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		got, err := io.ReadAll(r)
		if err == nil && string(got) != want {
			err = fmt.Errorf("stored is %q", got)
		}
		return err
	})
}

func marked(t *testing.T, path string) bool {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode()&storedMark != 0
}

func TestALogIsStoredAfterItsEndAndMarked(t *testing.T) {
	t.Parallel()
	w := newUploading(t, 0)
	w.begin(t)
	path := w.write(t, 1, "done\n")
	w.add(path)
	w.stored(t, 1, "done\n")
	w.flush(time.Minute)
	require.True(t, marked(t, path))
	w.add(path)
	w.flush(time.Minute)
	require.EqualValues(t, 1, w.store.puts.Load(), "what is marked is not sent again")
	w.add(w.write(t, 2, ""))
	w.stored(t, 2, "")
}

func TestALogIsOnItsWayOnce(t *testing.T) {
	t.Parallel()
	w := newUploading(t, 0)
	path := w.write(t, 1, "once")
	for range 2 * uploadsAtOnce {
		w.add(path)
	}
	w.begin(t)
	w.stored(t, 1, "once")
	w.flush(time.Minute)
	require.EqualValues(t, 1, w.store.puts.Load())
}

func TestLogsAnEarlierWorkerDidNotGetToAreStoredAtTheNextStart(t *testing.T) {
	t.Parallel()
	w := newUploading(t, 0)
	w.store.away.Store(true)
	end := w.begin(t)
	paths := []string{w.write(t, 1, "one"), w.write(t, 2, "two")}
	running := w.write(t, 3, "not over")
	w.writing.Store(3)
	w.add(paths[0])
	testkit.Eventually(t, func() error {
		if w.store.puts.Load() == 0 {
			return errors.New("not tried yet")
		}
		return nil
	})
	w.flush(time.Minute) // does not wait for a storage that is away
	end()
	require.False(t, marked(t, paths[0]))

	w.store.away.Store(false)
	w.uploader = newUploader(w.archive, w.logs, 0, w.log)
	w.begin(t)
	w.stored(t, 1, "one")
	w.stored(t, 2, "two")
	w.flush(time.Minute)
	require.False(t, marked(t, running), "an attempt still writes it")
}

func TestAStorageThatComesBackGetsEverything(t *testing.T) {
	t.Parallel()
	w := newUploading(t, 0)
	w.store.away.Store(true)
	w.begin(t)
	const n = 20
	for id := range int64(n) {
		w.add(w.write(t, id+1, "text"))
	}
	testkit.Eventually(t, func() error {
		if w.store.puts.Load() < uploadsAtOnce {
			return errors.New("not tried yet")
		}
		return nil
	})
	w.store.away.Store(false)
	for id := range int64(n) {
		w.stored(t, id+1, "text")
	}
}

func TestMoreThanWaitsInMemoryIsFoundAgain(t *testing.T) {
	t.Parallel()
	w := newUploading(t, 0)
	for range maxUploads {
		w.add("20261122/7/1/12/1.log")
	}
	path := w.write(t, 2, "beyond")
	w.add(path)
	require.True(t, w.missed)
	w.begin(t)
	w.stored(t, 2, "beyond")
}

func TestStoredLogsGoWhenTheyAreOldEnough(t *testing.T) {
	t.Parallel()
	w := newUploading(t, time.Hour)
	old, young, never := w.write(t, 1, "old"), w.write(t, 2, "young"), w.write(t, 3, "not stored")
	for _, path := range []string{old, young} {
		require.NoError(t, w.uploader.store(t.Context(), path))
	}
	then := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(old, then, then))
	require.NoError(t, os.Chtimes(never, then, then))
	require.NoError(t, w.sweep(t.Context(), time.Now()))
	require.NoFileExists(t, old)
	require.FileExists(t, young)
	require.FileExists(t, never)
	w.stored(t, 1, "old")
}

func TestALogDeletedOnItsWayLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newUploading(t, 0)
	path := w.write(t, 1, "gone")
	slow := &deleting{moody: w.store, path: path}
	w.archive = tasklog.NewArchive(slow)
	require.NoError(t, w.uploader.store(t.Context(), path))
	_, err := w.store.Stat(t.Context(), "logs/20261122/7/1/12/1.log")
	require.ErrorIs(t, err, storage.ErrNotFound)
}

// deleting removes the local file while it is being stored.
type deleting struct {
	*moody
	path string
}

func (d *deleting) Put(ctx context.Context, key string, r io.Reader, size int64) (storage.Info, error) {
	info, err := d.moody.Put(ctx, key, r, size)
	return info, errors.Join(err, os.Remove(d.path))
}

func TestWithoutAStorageNothingHappens(t *testing.T) {
	t.Parallel()
	var u *uploader
	u.add("x")
	u.run(t.Context())
	u.flush(time.Hour)
	require.Nil(t, newUploader(nil, nil, 0, nil))
}
