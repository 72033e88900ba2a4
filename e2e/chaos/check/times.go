package check

import (
	"cmp"
	"slices"
	"time"
)

// schedules: each fire has one run of its own, and no second is missing.
func (x *index) schedules(v *Verdict) {
	runs := map[int64]int{}
	at := map[int64]map[int64]int{}
	for _, f := range x.Fires {
		if at[f.Schedule] == nil {
			at[f.Schedule] = map[int64]int{}
		}
		at[f.Schedule][f.At.Unix()]++
		runs[f.Run]++
		switch {
		case f.Run == 0:
			v.breach(Scheduled, "schedule %d skipped %s", f.Schedule, f.At.Format(time.TimeOnly))
		case runs[f.Run] > 1:
			v.breach(Scheduled, "run %d belongs to two fires", f.Run)
		default:
			if _, ok := x.runs[f.Run]; !ok {
				v.breach(Scheduled, "run %d of schedule %d at %s is gone", f.Run, f.Schedule, f.At.Format(time.TimeOnly))
			}
		}
	}
	for _, s := range x.Schedules {
		for t := s.From.Truncate(time.Second); t.Before(s.Until); t = t.Add(time.Second) {
			switch n := at[s.ID][t.Unix()]; {
			case n == 0:
				v.breach(Scheduled, "schedule %d did not fire at %s", s.ID, t.Format(time.TimeOnly))
			case n > 1:
				v.breach(Scheduled, "schedule %d fired %d times at %s", s.ID, n, t.Format(time.TimeOnly))
			}
		}
	}
}

// span is the time in which a run, or an attempt, was seen at work.
type span struct {
	id          int64
	from, until time.Time
	loose       bool // an excused repetition is part of it
}

// serial: the work of one run is over before the next begins.
func (x *index) serial(v *Verdict) {
	for _, w := range x.Workflows {
		if !w.Serial {
			continue
		}
		byRun := map[int64]*span{}
		for _, task := range w.Tasks {
			for key, list := range x.byTask {
				if key.task != task {
					continue
				}
				for _, e := range list {
					s := byRun[key.run]
					if s == nil {
						s = &span{id: key.run, from: e.start(), until: e.start()}
						byRun[key.run] = s
					}
					s.extend(x, e)
				}
			}
		}
		spans := make([]span, 0, len(byRun))
		for _, s := range byRun {
			spans = append(spans, *s)
		}
		slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.id, b.id)) })
		v.Counts["serial runs"] += len(spans)
		for i := 1; i < len(spans); i++ {
			a, b := spans[i-1], spans[i]
			if b.from.Before(a.until) && !a.loose {
				v.breach(Serial, "runs %d and %d of %s overlap by %.1f s", a.id, b.id, w.Name, a.until.Sub(b.from).Seconds())
			}
		}
	}
}

func (s *span) extend(x *index, e *effect) {
	if e.start().Before(s.from) {
		s.from = e.start()
	}
	if at, _, ok := e.end(); ok && at.After(s.until) {
		s.until = at
	}
	if _, lost := x.overlapped(x.rows[e.attempt].Worker, e.start(), x.next(e)); lost {
		s.loose = true // what a dead worker left behind may end after its run did
	}
}

// groups: at no time more attempts of a group's tasks than it has slots. What a dead or frozen worker left behind does not
// count, because nobody could end it.
func (x *index) groups(v *Verdict) {
	for _, g := range x.Groups {
		type edge struct {
			at   time.Time
			step int
		}
		var edges []edge
		for key, list := range x.byTask {
			if !slices.Contains(g.Tasks, key.task) {
				continue
			}
			for _, e := range list {
				until, _, ok := e.end()
				if !ok {
					continue // nobody knows when it was killed
				}
				if _, lost := x.overlapped(x.rows[e.attempt].Worker, e.start(), until); lost {
					continue
				}
				edges = append(edges, edge{e.start(), 1}, edge{until, -1})
			}
		}
		slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.step, b.step)) })
		held, most := 0, 0
		for _, e := range edges {
			held += e.step
			if held > most {
				most = held
				if most > g.Size {
					v.breach(Grouped, "group %s of %d held %d at %s", g.Name, g.Size, most, e.at.Format("15:04:05.000"))
				}
			}
		}
		v.Counts["most in group "+g.Name] = most
	}
}
