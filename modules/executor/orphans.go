package executor

import (
	"context"
	"os"
	"syscall"
	"time"
)

// reapOrphans collects processes that were left behind by attempts and became children of this one, which happens where
// the worker is the first process of a container. Attempts and commands have somebody who waits for them, so only what
// has been a zombie for two rounds is nobody's.
func (s *spawner) reapOrphans(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen := map[int]uint64{}
	for {
		select {
		case <-tick.C:
			if !s.frozen.TryRLock() {
				continue // the ends of children are another program's business now
			}
			seen = reapRound(seen)
			s.frozen.RUnlock()
		case <-ctx.Done():
			return
		}
	}
}

// reapRound reaps the zombies of the round before and returns those of this one, with their start times.
func reapRound(before map[int]uint64) map[int]uint64 {
	table, err := processes()
	if err != nil {
		return before
	}
	own, seen := os.Getpid(), map[int]uint64{}
	for pid, p := range table {
		if p.parent != own || !p.zombie {
			continue
		}
		if start, again := before[pid]; again && start == p.start {
			var ws syscall.WaitStatus
			_, _ = reap(pid, &ws)
			continue
		}
		seen[pid] = p.start
	}
	return seen
}
