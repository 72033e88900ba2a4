package executor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"dorado/modules/tasklog"
)

const (
	uploadsAtOnce = 4
	// maxUploads bounds how many logs wait in memory to be stored. Others are found by the next sweep.
	maxUploads       = 10_000
	minUploadBackoff = time.Second
	maxUploadBackoff = time.Minute
	// sweepInterval is how often all logs are looked at: for those that were not stored, and those that are old enough to go.
	sweepInterval = time.Hour
	// flushPatience is how long a worker that stops waits for logs to be stored: its disk may go with it.
	flushPatience = 20 * time.Second
)

// storedMark is set on the file of a log that is in the storage as a whole. On a file that is no program the bit means
// nothing to the kernel, it survives restarts and copies, and setting it costs one call.
const storedMark = fs.ModeSticky

// uploader puts logs into the storage after their attempts have ended, and removes them here when they have been there long
// enough. It never makes an attempt wait. What it did not get to before the worker died is found by a sweep at the next
// start. A nil uploader does nothing: there is no storage.
type uploader struct {
	archive *tasklog.Archive
	logs    *logServer
	keep    time.Duration // 0 = logs stay here
	log     *slog.Logger

	mu      sync.Mutex
	waiting []string       // paths below the base
	storing map[int64]bool // attempts whose log is on its way; a sweep may find one that its end has queued too
	busy    int            // uploads under way
	missed  bool           // something did not fit: look again
	failing bool           // the last upload failed
	changed chan struct{}  // closed and replaced when any of these changes
}

func newUploader(archive *tasklog.Archive, logs *logServer, keep time.Duration, log *slog.Logger) *uploader {
	if archive == nil {
		return nil
	}
	return &uploader{archive: archive, logs: logs, keep: keep, log: log, storing: map[int64]bool{}, changed: make(chan struct{})}
}

// tell wakes those who wait; u.mu is held.
func (u *uploader) tell() {
	close(u.changed)
	u.changed = make(chan struct{})
}

// add queues the log of an attempt that has ended. It never blocks.
func (u *uploader) add(path string) {
	if u == nil || path == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.waiting) >= maxUploads {
		u.missed = true
		return
	}
	u.waiting = append(u.waiting, path)
	u.tell()
}

// run works until ctx ends.
func (u *uploader) run(ctx context.Context) {
	if u == nil {
		return
	}
	var working sync.WaitGroup
	for range uploadsAtOnce {
		working.Go(func() {
			for {
				path, ok := u.next(ctx)
				if !ok {
					return
				}
				u.upload(ctx, path)
				u.mu.Lock()
				u.busy--
				u.tell()
				u.mu.Unlock()
			}
		})
	}
	working.Go(func() { u.sweeps(ctx) })
	working.Wait()
}

// next waits for a log to be stored.
func (u *uploader) next(ctx context.Context) (string, bool) {
	for {
		u.mu.Lock()
		if len(u.waiting) > 0 {
			path := u.waiting[0]
			if u.waiting = u.waiting[1:]; len(u.waiting) == 0 {
				u.waiting = nil
			}
			u.busy++
			u.mu.Unlock()
			return path, true
		}
		changed := u.changed
		u.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return "", false
		}
	}
}

// flush waits until everything is stored, but not longer than a while, and not at all when the storage does not answer.
func (u *uploader) flush(patience time.Duration) {
	if u == nil {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		u.mu.Lock()
		left, failing, changed := len(u.waiting)+u.busy, u.failing, u.changed
		u.mu.Unlock()
		if left == 0 || failing {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			u.log.Warn("logs are not stored yet; the next start goes on", "logs", left)
			return
		}
	}
}

// upload tries until the log is stored or there is no reason any more to store it.
func (u *uploader) upload(ctx context.Context, path string) {
	for backoff := minUploadBackoff; ; backoff = min(2*backoff, maxUploadBackoff) {
		err := u.store(ctx, path)
		if ctx.Err() != nil {
			return
		}
		u.mu.Lock()
		turned := u.failing != (err != nil)
		u.failing = err != nil
		u.tell()
		u.mu.Unlock()
		if err == nil {
			if turned {
				u.log.InfoContext(ctx, "logs are stored again")
			}
			return
		}
		if turned {
			u.log.WarnContext(ctx, "a log cannot be stored; trying on", "path", path, "error", err)
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return
		}
	}
}

// claim reports whether nobody else is storing the log of this attempt, and makes it the caller's.
func (u *uploader) claim(id int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.storing[id] {
		return false
	}
	u.storing[id] = true
	return true
}

func (u *uploader) release(id int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.storing, id)
}

// store stores a log and marks it. One that is gone, still written, on its way or marked already needs nothing.
func (u *uploader) store(ctx context.Context, path string) error {
	f, id, err := u.logs.open(path)
	if err != nil || u.logs.inUse(id) {
		if err == nil {
			err = f.Close()
		}
		return ignoreGone(err)
	}
	defer func() { _ = f.Close() }()
	if !u.claim(id) {
		return nil
	}
	defer u.release(id)
	info, err := f.Stat()
	if err != nil || info.Mode()&storedMark != 0 {
		return err
	}
	if err := u.archive.Store(ctx, path, f); err != nil {
		return ignoreGone(err)
	}
	if info, err = f.Stat(); err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
		return u.archive.Remove(ctx, path) // the run was deleted while its log was on the way
	}
	return f.Chmod(info.Mode() | storedMark)
}

func ignoreGone(err error) error {
	if errors.Is(err, tasklog.ErrGone) {
		return nil
	}
	return err
}

// sweeps looks at all logs at the start, from time to time, and when some were missed and there is room again.
func (u *uploader) sweeps(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		u.mu.Lock()
		again, changed := u.missed && len(u.waiting) == 0 && !u.failing, u.changed
		u.mu.Unlock()
		if !again {
			select {
			case <-timer.C:
			case <-changed:
				continue
			case <-ctx.Done():
				return
			}
		}
		u.mu.Lock()
		u.missed = false
		u.mu.Unlock()
		if err := u.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			u.log.WarnContext(ctx, "not all logs could be looked at", "error", err)
		}
		timer.Reset(sweepInterval)
	}
}

// sweep queues the logs that are not stored, and removes those that are and are older than keep. It reads names and
// modes only.
func (u *uploader) sweep(ctx context.Context, now time.Time) error {
	return filepath.WalkDir(u.logs.base, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && path != u.logs.base:
			return nil // it went away meanwhile, or is being written
		case err != nil:
			return err
		case !d.Type().IsRegular() || !strings.HasSuffix(path, ".log"):
			return nil
		}
		relative, id, err := u.logs.relative(path)
		if err != nil {
			return nil //nolint:nilerr // not a log of ours
		}
		info, err := d.Info()
		if _, ours := tasklog.Key(path); err != nil || !ours || u.logs.inUse(id) {
			return nil //nolint:nilerr // it went away meanwhile
		}
		switch stored := info.Mode()&storedMark != 0; {
		case !stored:
			return u.queue(ctx, path)
		case u.keep > 0 && now.Sub(info.ModTime()) > u.keep:
			if err := u.logs.remove(relative); err != nil && !errors.Is(err, os.ErrNotExist) {
				u.log.WarnContext(ctx, "a stored log cannot be removed here", "path", path, "error", err)
			}
		}
		return nil
	})
}

// queue is add that waits for room.
func (u *uploader) queue(ctx context.Context, path string) error {
	for {
		u.mu.Lock()
		if len(u.waiting) < maxUploads {
			u.waiting = append(u.waiting, path)
			u.tell()
			u.mu.Unlock()
			return nil
		}
		changed := u.changed
		u.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
