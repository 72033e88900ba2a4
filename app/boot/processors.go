package boot

import (
	"context"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"dorado/app/kit/lifecycle"
)

// What a message costs that goes from one part of a process to the next depends on how many processors the runtime may use:
// each idle one is woken to look for the work that the busy one would have done a moment later, and takes a processor of the
// machine from a task for that. So a process makes do with half of the machine as long as that is enough for it. In the
// variable GOMAXPROCS people say otherwise.

// leaveRoom has a worker use half of the processors: the rest belongs to its tasks.
func leaveRoom() {
	if p := newProcessors(); p != nil {
		runtime.GOMAXPROCS(p.few)
	}
}

// processorsCheck is how often a master looks at what it uses.
const processorsCheck = 100 * time.Millisecond

// processors decides how many processors a master may use: few, or all of them while few are not enough.
type processors struct {
	few, all int
	now      int
	calm     int // looks in a row that found it could do with few
}

// newProcessors returns nil where there is nothing to decide: people did, or there is one only.
func newProcessors() *processors {
	all := runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") != "" || all < 2 {
		return nil
	}
	return &processors{few: all / 2, all: all, now: all}
}

// calmFor is how many calm looks in a row it takes to make do with few again: to change it stops the world for a moment.
const calmFor = 10

// decide returns how many there should be, after a time in which so many were in use.
func (p *processors) decide(used float64) int {
	enough := float64(p.few)
	switch {
	case p.now == p.few && used > 0.8*enough:
		p.now, p.calm = p.all, 0
	case p.now == p.all && used > 0.6*enough:
		p.calm = 0
	case p.now == p.all:
		if p.calm++; p.calm >= calmFor {
			p.now = p.few
		}
	}
	return p.now
}

// processorsService gives a master as many processors as it needs.
func processorsService() lifecycle.Service {
	return lifecycle.Service{Name: "processors", Run: func(ctx context.Context) error {
		p := newProcessors()
		if p == nil {
			<-ctx.Done()
			return nil
		}
		tick := time.NewTicker(processorsCheck)
		defer tick.Stop()
		at, spent := time.Now(), processorTime()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
			now, total := time.Now(), processorTime()
			if want := p.decide(float64(total-spent) / float64(now.Sub(at))); want != runtime.GOMAXPROCS(0) {
				runtime.GOMAXPROCS(want)
			}
			at, spent = now, total
		}
	}}
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
