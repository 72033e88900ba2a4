package boot

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"dorado/app/kit/lifecycle"
	"dorado/modules/cluster"
)

// What one process of a cluster does for all, by the name of its lock (engine.md 10.1).
const (
	clockLock    = "master-scheduler"
	backfillLock = "master-backfill"
	alertLock    = "alert"
)

const (
	electionPause = time.Second     // after a failure
	unlockTime    = 2 * time.Second // for giving a lock back; it ends with the session in any case
)

// elected is a service that one process of the cluster runs at a time: it waits for the lock of its name, works until the
// lock is lost, and waits again. Two may overlap for a moment when a process was stopped and goes on, so run must be
// correct then; the lock saves work, and keeps the processes from disturbing each other.
func elected(registry cluster.Registry, logger *slog.Logger, name string, run func(ctx context.Context) error) lifecycle.Service {
	return lifecycle.Service{Name: name, Run: func(ctx context.Context) error {
		for ctx.Err() == nil {
			lock, err := registry.Lock(ctx, name)
			if err != nil {
				if fatal(err) { // whoever keeps the registry ends the process
					<-ctx.Done()
					return nil
				}
				if ctx.Err() == nil {
					logger.WarnContext(ctx, "cannot stand for election; tried again", "lock", name, "error", err)
					pause(ctx, electionPause)
				}
				continue
			}
			logger.InfoContext(ctx, "elected", "lock", name)
			if err := hold(ctx, lock, run); err != nil {
				return err
			}
			if ctx.Err() == nil {
				logger.WarnContext(ctx, "not elected any more", "lock", name)
			}
		}
		return nil
	}}
}

// hold runs until the lock is lost or ctx ends, and gives the lock back.
func hold(ctx context.Context, lock cluster.Lock, run func(ctx context.Context) error) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- run(work) }()
	var err error
	select {
	case err = <-done:
	case <-lock.Lost():
		stop()
		err = <-done
	}
	if work.Err() == nil && err == nil {
		err = lifecycle.ErrReturned
	}
	if work.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	giveBack, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTime)
	defer cancel()
	return errors.Join(err, ignoreLost(lock.Unlock(giveBack)))
}

// ignoreLost is nil for what a registry says to somebody who is cut off: what he held is gone, or goes with his session.
func ignoreLost(err error) error {
	if errors.Is(err, cluster.ErrLost) || errors.Is(err, cluster.ErrClosed) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
