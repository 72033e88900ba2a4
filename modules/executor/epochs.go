package executor

// rememberRuns is how many runs are remembered at least after their last attempt here was over.
const rememberRuns = 50_000

// epochs remembers the highest epoch seen of each run. A master that was replaced, and does not know it, speaks with a
// lower one and is not heard. Runs with attempts here are never forgotten, of the others the latest are remembered.
// Executor.mu guards it.
type epochs struct {
	fresh, old map[int64]uint64
}

func newEpochs() *epochs { return &epochs{fresh: map[int64]uint64{}, old: map[int64]uint64{}} }

func (r *epochs) highest(run int64) uint64 {
	if epoch, ok := r.fresh[run]; ok {
		return epoch
	}
	return r.old[run]
}

// current reports whether epoch is not lower than the highest seen for run, and remembers it. 0 is from a master that
// sends none; it counts as current. held lists the runs that have attempts here; it is asked rarely.
func (r *epochs) current(run int64, epoch uint64, held func() map[int64]bool) bool {
	highest := r.highest(run)
	switch {
	case epoch == 0:
		return true
	case epoch < highest:
		return false
	}
	if r.fresh[run] == epoch {
		return true
	}
	if len(r.fresh) >= rememberRuns {
		keep, old := held(), r.old
		r.old, r.fresh = r.fresh, map[int64]uint64{}
		for run := range keep {
			if epoch, ok := old[run]; ok && r.old[run] == 0 {
				r.fresh[run] = epoch
			}
		}
	}
	r.fresh[run] = epoch
	return true
}

// current is epochs.current for this worker; e.mu is held.
func (e *Executor) current(run int64, epoch uint64) bool {
	return e.epochs.current(run, epoch, func() map[int64]bool {
		held := make(map[int64]bool, len(e.attempts))
		for _, a := range e.attempts {
			held[a.workflow] = true
		}
		return held
	})
}
