package check

import (
	"fmt"
	"slices"
	"time"
)

// window is a time in which a worker was not well, of one kind.
type window struct {
	from, until time.Time
	effect      Effect
	loose       bool
	faults      []Fault
}

// cutGap is how long a worker must have been well before a second cut counts as another one: shorter than that it had
// hardly been back.
const cutGap = 5 * time.Second

// windows arranges the faults of each worker. Cuts that follow one another closely are one.
func windows(faults []Fault) map[string][]window {
	out := map[string][]window{}
	sorted := slices.SortedFunc(slices.Values(faults), func(a, b Fault) int { return a.From.Compare(b.From) })
	for _, f := range sorted {
		if f.Void != "" || f.Effect == None {
			continue
		}
		for _, w := range f.Workers {
			list := out[w]
			joined := false
			if f.Effect == Cut {
				for i := range list {
					last := &list[i]
					if last.effect == Cut && f.From.Before(last.until.Add(cutGap)) {
						if f.Until.After(last.until) {
							last.until = f.Until
						}
						last.loose = last.loose || f.Loose
						last.faults = append(last.faults, f)
						joined = true
						break
					}
				}
			}
			if !joined {
				list = append(list, window{f.From, f.Until, f.Effect, f.Loose, []Fault{f}})
			}
			out[w] = list
		}
	}
	return out
}

func (w window) String() string {
	f := w.faults[0]
	text := fmt.Sprintf("fault %d: %s of %s", f.No, f.Kind, f.Target)
	if len(w.faults) > 1 {
		text += fmt.Sprintf(" and %d more", len(w.faults)-1)
	}
	if w.effect == Cut {
		text += fmt.Sprintf(", %.0f s", w.until.Sub(w.from).Seconds())
	}
	return text
}

// slack allows for the time between a fault that the history notes and its taking place.
const slack = 2 * time.Second

// repeated returns why an attempt of a worker that ran from the one time may have been repeated at the other.
func (x *index) repeated(worker string, from, again time.Time) (window, bool) {
	for _, w := range x.windows[worker] {
		began, over := w.from.Add(-slack), w.from
		switch w.effect {
		case Cut:
			if w.until.Sub(w.from) < x.Unreachable {
				continue
			}
			over = w.until
		case Died, Stopped:
			over = w.until // until it is back nothing that it ran can be reported
		case Disk, None:
			continue
		}
		// It was running, or its report was on the way, when the fault came; and the repetition came after.
		if !again.Before(began) && !over.Add(slack).Before(from) {
			return w, true
		}
	}
	return window{}, false
}

// overlapped returns why two attempts may have run at once: the first one's worker could not end it, being killed or
// frozen.
func (x *index) overlapped(worker string, from, again time.Time) (window, bool) {
	for _, w := range x.windows[worker] {
		if w.loose && !again.Before(w.from.Add(-slack)) && !w.until.Add(slack).Before(from) {
			return w, true
		}
	}
	return window{}, false
}

// failed returns why an attempt may have failed without having said so itself.
func (x *index) failed(worker string, from, until time.Time) (window, bool) {
	for _, w := range x.windows[worker] {
		if !until.Before(w.from.Add(-slack)) && !w.until.Add(30*time.Second).Before(from) {
			return w, true
		}
	}
	return window{}, false
}
