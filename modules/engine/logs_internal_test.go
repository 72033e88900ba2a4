package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
	"dorado/modules/tasklog"
	"dorado/plugins/storage"
	"dorado/plugins/storage/local"
)

const (
	logOwner = "w1"
	oneLog   = "/data/logs/20261122/7/1/12/345.log"
)

// logWorker is the worker's end of a data stream; answer says what it does.
type logWorker struct {
	stream rpc.WorkerStream
	answer func(w *logWorker, r *doradov1.LogRequest)

	mu   sync.Mutex
	seen []*doradov1.LogRequest
}

func (w *logWorker) send(r *doradov1.LogReply) error {
	return w.stream.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Log{Log: r}})
}

func (w *logWorker) requests() []*doradov1.LogRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*doradov1.LogRequest(nil), w.seen...)
}

// logEngine is as much of an engine as logs need.
func logEngine(archive *tasklog.Archive) *Engine {
	return &Engine{data: map[string]*dataStream{}, archive: archive}
}

// connect gives the engine a worker.
func connect(t *testing.T, e *Engine, answer func(w *logWorker, r *doradov1.LogRequest)) *logWorker {
	t.Helper()
	side, stream := rpc.Pipe()
	w := &logWorker{stream: side, answer: answer}
	var serving sync.WaitGroup
	serving.Go(func() { e.serveData(context.Background(), logOwner, stream) })
	serving.Go(func() {
		for {
			frame, err := side.Recv()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.seen = append(w.seen, frame.GetLog())
			w.mu.Unlock()
			if frame.GetLog().GetCancel() == nil {
				serving.Go(func() { w.answer(w, frame.GetLog()) })
			}
		}
	})
	t.Cleanup(func() { _ = errors.Join(side.Close(), stream.Close()); serving.Wait() })
	testkit.Eventually(t, func() error {
		e.dataMu.Lock()
		defer e.dataMu.Unlock()
		if e.data[logOwner] == nil {
			return errors.New("not connected")
		}
		return nil
	})
	return w
}

func storeOf(t *testing.T) *local.Store {
	t.Helper()
	s, err := local.Open(local.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func keepLog(t *testing.T, a *tasklog.Archive, text []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(name, text, 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, a.Store(t.Context(), oneLog, f))
}

func linesWanted() *doradov1.LogRequest {
	return &doradov1.LogRequest{Path: oneLog, Want: &doradov1.LogRequest_Lines{Lines: &doradov1.LogLines{Limit: 10}}}
}

func bytesWanted() *doradov1.LogRequest {
	return &doradov1.LogRequest{Path: oneLog, Want: &doradov1.LogRequest_Bytes{Bytes: &doradov1.LogBytes{}}}
}

// readLines returns the lines, and whether they come from the storage.
func readLines(t *testing.T, e *Engine) (lines []string, stored bool, err error) {
	t.Helper()
	err = e.ReadLog(t.Context(), logOwner, linesWanted(), func(r *doradov1.LogReply) error {
		lines, stored = append(lines, r.GetLines()...), r.GetStored()
		return nil
	})
	return lines, stored, err
}

func gone(w *logWorker, r *doradov1.LogRequest) {
	_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Done: true, Error: "log.gone"})
}

func TestALogIsReadFromItsWorkerWhileThatHasIt(t *testing.T) {
	t.Parallel()
	archive := tasklog.NewArchive(storeOf(t))
	keepLog(t, archive, []byte("stored\n"))
	e := logEngine(archive)
	connect(t, e, func(w *logWorker, r *doradov1.LogRequest) {
		_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Done: true, Lines: []string{"live"}})
	})
	lines, stored, err := readLines(t, e)
	require.NoError(t, err)
	require.False(t, stored)
	require.Equal(t, []string{"live"}, lines)
}

func TestALogIsReadFromTheStorageWhenItsWorkerIsAwayOrRemovedIt(t *testing.T) {
	t.Parallel()
	archive := tasklog.NewArchive(storeOf(t))
	keepLog(t, archive, []byte("stored\n"))
	for name, prepare := range map[string]func(t *testing.T, e *Engine){
		"away":    func(*testing.T, *Engine) {},
		"removed": func(t *testing.T, e *Engine) { t.Helper(); connect(t, e, gone) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := logEngine(archive)
			prepare(t, e)
			lines, stored, err := readLines(t, e)
			require.NoError(t, err)
			require.True(t, stored)
			require.Equal(t, []string{"stored"}, lines)
			err = e.ReadLog(t.Context(), logOwner, &doradov1.LogRequest{Path: oneLog, Want: &doradov1.LogRequest_Search{Search: &doradov1.LogSearch{Query: "(", Regex: true}}},
				func(*doradov1.LogReply) error { return nil })
			require.ErrorIs(t, err, ErrLogBadPattern)
		})
	}
}

func TestWhyALogCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	_, _, err := readLines(t, logEngine(nil))
	require.ErrorIs(t, err, ErrLogWorkerAway)

	e := logEngine(nil)
	connect(t, e, gone)
	_, _, err = readLines(t, e)
	require.ErrorIs(t, err, ErrLogGone)

	empty := tasklog.NewArchive(storeOf(t))
	_, _, err = readLines(t, logEngine(empty))
	require.ErrorIs(t, err, ErrLogNotStored)

	e = logEngine(empty)
	connect(t, e, gone)
	_, _, err = readLines(t, e)
	require.ErrorIs(t, err, ErrLogGone)

	_, _, err = readLines(t, logEngine(tasklog.NewArchive(&absent{storeOf(t)})))
	require.ErrorIs(t, err, ErrLogStorage)
}

// absent is a storage that cannot be reached.
type absent struct{ *local.Store }

func (*absent) Stat(context.Context, string) (storage.Info, error) {
	return storage.Info{}, fmt.Errorf("%w: nobody answers", storage.ErrAway)
}

func TestADownloadGoesOnFromTheStorageWhenItsWorkerDies(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("0123456789\n"), 100_000)
	archive := tasklog.NewArchive(storeOf(t))
	keepLog(t, archive, text)
	e := logEngine(archive)
	connect(t, e, func(w *logWorker, r *doradov1.LogRequest) {
		_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Data: text[:1000], More: true})
		_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Data: text[1000:1500], More: true})
		_ = w.stream.Close()
	})
	var got bytes.Buffer
	require.NoError(t, e.ReadLog(t.Context(), logOwner, bytesWanted(), func(r *doradov1.LogReply) error {
		_, err := got.Write(r.GetData())
		return err
	}))
	require.True(t, bytes.Equal(text, got.Bytes()), "every byte once")
}

func TestAFollowedLogGoesOnFromTheStorageWhenItsWorkerDies(t *testing.T) {
	t.Parallel()
	archive := tasklog.NewArchive(storeOf(t))
	keepLog(t, archive, []byte("a\nb\nc\nd\n"))
	e := logEngine(archive)
	connect(t, e, func(w *logWorker, r *doradov1.LogRequest) {
		_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Lines: []string{"a", "b", "half"}, Partial: true})
		_ = w.stream.Close()
	})
	var got []string
	require.NoError(t, e.ReadLog(t.Context(), logOwner, &doradov1.LogRequest{Path: oneLog, Want: &doradov1.LogRequest_Follow{Follow: &doradov1.LogFollow{}}},
		func(r *doradov1.LogReply) error {
			got = append(got, r.GetLines()...)
			return nil
		}))
	require.Equal(t, []string{"a", "b", "half", "c", "d"}, got, "what was partial comes again as a whole")
}

func TestASlowReaderGetsEverythingInTheEnd(t *testing.T) {
	t.Parallel()
	const pieces = 5 * logDepth
	e := logEngine(nil)
	w := connect(t, e, func(w *logWorker, r *doradov1.LogRequest) {
		for i := r.GetBytes().GetOffset(); i < pieces; i++ {
			_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Data: []byte{byte(i)}})
		}
		_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Done: true})
	})
	var got []byte
	require.NoError(t, e.ReadLog(t.Context(), logOwner, bytesWanted(), func(r *doradov1.LogReply) error {
		if len(got) == 0 { // until more was sent than waits for a reader
			testkit.Eventually(t, func() error {
				e.dataMu.Lock()
				d := e.data[logOwner]
				e.dataMu.Unlock()
				d.mu.Lock()
				defer d.mu.Unlock()
				if len(d.calls) > 0 {
					return errors.New("still open")
				}
				return nil
			})
		}
		got = append(got, r.GetData()...)
		return nil
	}))
	require.Len(t, got, pieces)
	for i, b := range got {
		require.Equal(t, byte(i), b)
	}
	asked := w.requests()
	require.Greater(t, len(asked), 1)
	require.NotNil(t, asked[1].GetCancel(), "the worker is told to stop")
	require.Positive(t, asked[2].GetBytes().GetOffset())
}

func TestLogsAreRemovedFromTheirWorkersAndFromTheStorage(t *testing.T) {
	t.Parallel()
	store := storeOf(t)
	archive := tasklog.NewArchive(store)
	keepLog(t, archive, []byte("x"))
	e := logEngine(archive)
	w := connect(t, e, func(w *logWorker, r *doradov1.LogRequest) {
		_ = w.send(&doradov1.LogReply{Call: r.GetCall(), Done: true})
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, e.RemoveLogs(ctx, map[string][]string{logOwner: {oneLog, "logic/7"}}))
	require.Len(t, w.requests(), 1)
	require.NotNil(t, w.requests()[0].GetRemove())
	_, _, err := store.Get(ctx, "logs/20261122/7/1/12/345.log", 0)
	require.ErrorIs(t, err, storage.ErrNotFound)

	keepLog(t, archive, []byte("x"))
	require.ErrorIs(t, e.RemoveLogs(ctx, map[string][]string{"w2": {oneLog}}), ErrLogWorkerAway)
	_, _, err = store.Get(ctx, "logs/20261122/7/1/12/345.log", 0)
	require.ErrorIs(t, err, storage.ErrNotFound, "the storage is cleaned although the worker is away")
}
