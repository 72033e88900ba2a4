package executor

import (
	"runtime"
	"time"
)

const (
	// paceWindow is how long ends are counted before the pace is decided anew.
	paceWindow = 20 * time.Millisecond
	// crowd is how many ends a window must see for each processor that they come in a crowd: half of what a processor can
	// start and end at best.
	crowd = 5
	// company is how long an end of a crowd waits for others to be journaled, sent and saved with it. A frame of its own
	// costs worker and master together more than the work on the end.
	company = 4 * time.Millisecond
)

// pace tells whether attempts end in such a crowd that it pays to wait for company: alone, nothing ever waits.
type pace struct {
	since   time.Time // when the window began
	ends    int
	crowded bool
}

// note counts ends.
func (p *pace) note(now time.Time, ends int) {
	p.ends += ends
	passed := now.Sub(p.since)
	if passed < paceWindow {
		return
	}
	p.crowded = passed < 2*paceWindow && p.ends >= crowd*runtime.NumCPU()
	p.since, p.ends = now, 0
}
