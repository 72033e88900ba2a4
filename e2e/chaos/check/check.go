package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Rule is what must hold.
type Rule string

// The rules.
const (
	Lost      Rule = "lost"
	Duplicate Rule = "duplicate"
	Overlap   Rule = "overlap"
	Stuck     Rule = "stuck"
	Scheduled Rule = "schedule"
	Serial    Rule = "serial"
	Grouped   Rule = "group"
	State     Rule = "state"
)

// Rules lists them in the order of a report.
func Rules() []Rule {
	return []Rule{Lost, Duplicate, Overlap, Stuck, Scheduled, Serial, Grouped, State}
}

// Finding is one breach of a rule, or one that a fault excuses.
type Finding struct {
	Rule   Rule
	Text   string
	Reason string // why it is excused; "" for a breach
}

// Verdict is the result.
type Verdict struct {
	Breaches []Finding
	Excused  []Finding
	Counts   map[string]int // how much evidence there was
}

// OK says whether every promise was kept.
func (v Verdict) OK() bool { return len(v.Breaches) == 0 }

// Of counts the findings of a rule.
func Of(list []Finding, r Rule) int {
	n := 0
	for _, f := range list {
		if f.Rule == r {
			n++
		}
	}
	return n
}

func (v *Verdict) breach(r Rule, format string, args ...any) {
	v.Breaches = append(v.Breaches, Finding{Rule: r, Text: fmt.Sprintf(format, args...)})
}

func (v *Verdict) excuse(r Rule, why window, format string, args ...any) {
	v.Excused = append(v.Excused, Finding{Rule: r, Text: fmt.Sprintf(format, args...), Reason: why.String()})
}

func name(what string, id int64) string { return what + " " + strconv.FormatInt(id, 10) }

// Check reads the evidence and decides.
func Check(f Facts) Verdict {
	x := newIndex(f)
	v := Verdict{Counts: map[string]int{
		"triggers": len(f.Triggers), "runs": len(f.Runs), "attempts": len(f.Attempts), "ledger lines": len(f.Marks), "fires": len(f.Fires),
	}}
	for _, text := range x.broken {
		v.breach(State, "%s", text)
	}
	x.triggers(&v)
	x.finals(&v)
	x.repetitions(&v)
	x.states(&v)
	x.schedules(&v)
	x.serial(&v)
	x.groups(&v)
	return v
}

// final states of a run and of an attempt.
func ended(state string) bool {
	switch state {
	case "SUCCESS", "FAILURE", "STOP", "PAUSE", "KILL", "NEED_FAULT_TOLERANCE", "FORCED_SUCCESS":
		return true
	}
	return false
}

// triggers: each accepted one has its run, and no key has two.
func (x *index) triggers(v *Verdict) {
	byKey := map[string][]int64{}
	for _, r := range x.Runs {
		if r.Key != "" {
			byKey[r.Key] = append(byKey[r.Key], r.ID)
		}
	}
	for _, t := range x.Triggers {
		runs := byKey[t.Key]
		v.Counts[string(t.Outcome)]++
		if len(runs) > 1 {
			v.breach(Duplicate, "trigger %s (%s) made %d runs: %v", t.Key, t.Outcome, len(runs), runs)
		}
		switch t.Outcome {
		case Accepted:
			r, ok := x.runs[t.Run]
			if !ok {
				v.breach(Lost, "run %d of trigger %s is gone", t.Run, t.Key)
			} else if r.Key != t.Key {
				v.breach(State, "run %d was answered to trigger %s and says it belongs to %q", t.Run, t.Key, r.Key)
			}
		case Refused:
			if len(runs) > 0 {
				v.breach(State, "trigger %s was refused and made run %v", t.Key, runs)
			}
		case Maybe:
			if len(runs) > 0 {
				v.Counts["maybe that ran"]++
			}
		}
	}
}

// finals: everything ended, and what ended in success did all of its work.
func (x *index) finals(v *Verdict) {
	for what, n := range x.Left {
		if n != 0 {
			v.breach(Stuck, "%s: %d", what, n)
		}
	}
	children := map[taskOf]int{}
	valid := map[taskOf][]Attempt{}
	for _, a := range x.Attempts {
		if !ended(a.State) {
			v.breach(Stuck, "attempt %d of run %d is %s", a.ID, a.Run, a.State)
		}
		if a.Valid {
			valid[taskOf{a.Run, a.Task}] = append(valid[taskOf{a.Run, a.Task}], a)
		}
	}
	for key, list := range valid {
		if len(list) > 1 {
			v.breach(State, "task %d of run %d has %d valid attempts", key.task, key.run, len(list))
		}
	}
	for _, r := range x.Runs {
		if r.Parent != 0 {
			children[taskOf{r.Parent, r.Workflow}]++
		}
	}
	for key, n := range children {
		if n > 1 && !x.parentRepeats(key.run) {
			v.breach(Duplicate, "run %d started workflow %d %d times", key.run, key.task, n)
		}
	}
	for _, r := range x.Runs {
		v.Counts["runs "+r.State]++
		w := x.workflows[r.Workflow]
		switch {
		case !ended(r.State):
			v.breach(Stuck, "run %d of %s is %s", r.ID, w.Name, r.State)
		case r.State == "SUCCESS":
			for _, task := range w.Tasks {
				if !slices.ContainsFunc(x.byTask[taskOf{r.ID, task}], func(e *effect) bool { return e.succeeded() }) {
					v.breach(Lost, "run %d of %s is SUCCESS, and its task %d never ended well", r.ID, w.Name, task)
				}
			}
		case r.State == "STOP" && !r.Stop && !x.parentAsked(r, func(p Run) bool { return p.Stop }):
			v.breach(State, "run %d of %s is STOP, and nobody asked for it", r.ID, w.Name)
		case r.State == "PAUSE" && !r.Pause && !x.parentAsked(r, func(p Run) bool { return p.Pause }):
			v.breach(State, "run %d of %s is PAUSE, and nobody asked for it", r.ID, w.Name)
		case r.State == "FAILURE":
			x.failure(v, r, w)
		}
	}
}

// parentRepeats says whether a run's tasks may start their children anew: after a pause that was taken back.
func (x *index) parentRepeats(run int64) bool { return x.runs[run].Pause }

func (x *index) parentAsked(r Run, asked func(Run) bool) bool {
	for range 10 { // nobody nests deeper
		p, ok := x.runs[r.Parent]
		if !ok {
			return false
		}
		if asked(p) {
			return true
		}
		r = p
	}
	return false
}

// failure: a run fails because a task of it, or a child, did.
func (x *index) failure(v *Verdict, r Run, w Workflow) {
	for _, a := range x.Attempts {
		if a.Run == r.ID && a.Valid && (a.State == "FAILURE" || a.State == "KILL") {
			return // whether the attempt had a reason to is asked of the attempt
		}
	}
	v.breach(State, "run %d of %s is FAILURE, and none of its tasks failed", r.ID, w.Name)
}

// repetitions: no attempt starts twice, and a task is tried again only when it failed or its worker was lost.
func (x *index) repetitions(v *Verdict) {
	for _, key := range x.tasks() {
		list := x.byTask[key]
		for _, e := range list {
			row, known := x.rows[e.attempt]
			if !known {
				v.breach(State, "attempt %d of run %d ran, and there is no row of it", e.attempt, e.run)
			}
			if len(e.starts) > 1 {
				v.breach(Duplicate, "attempt %d of run %d on %s started %d times", e.attempt, e.run, row.Worker, len(e.starts))
			}
			if len(e.ends) > 1 {
				v.breach(Duplicate, "attempt %d of run %d on %s ended %d times", e.attempt, e.run, row.Worker, len(e.ends))
			}
		}
		for i := 1; i < len(list); i++ {
			x.repetition(v, list[i-1], list[i])
		}
	}
}

func (x *index) tasks() []taskOf {
	out := make([]taskOf, 0, len(x.byTask))
	for key := range x.byTask {
		out = append(out, key)
	}
	slices.SortFunc(out, func(a, b taskOf) int { return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.task, b.task)) })
	return out
}

func (x *index) repetition(v *Verdict, a, b *effect) {
	worker := x.rows[a.attempt].Worker
	at, exit, over := a.end()
	what := fmt.Sprintf("task %d of run %d: attempt %d on %s, then %d", a.task, a.run, a.attempt, worker, b.attempt)
	if over && at.After(b.start()) {
		if why, ok := x.overlapped(worker, a.start(), b.start()); ok {
			v.excuse(Overlap, why, "%s began %.1f s before the first ended", what, at.Sub(b.start()).Seconds())
		} else {
			v.breach(Overlap, "%s began %.1f s before the first ended", what, at.Sub(b.start()).Seconds())
		}
	}
	switch {
	case over && exit != 0:
		v.Counts["retries"]++
	case x.rows[a.attempt].State == "KILL" && x.runs[a.run].Pause: // stopped by hand, then taken up again
		v.Counts["taken up again"]++
	default:
		how := "was not finished"
		if over {
			how = "had ended well"
		}
		if why, ok := x.repeated(worker, a.start(), b.start()); ok {
			v.excuse(Duplicate, why, "%s; the first %s", what, how)
		} else {
			v.breach(Duplicate, "%s; the first %s", what, how)
		}
	}
}

// states: what the rows say of an attempt is what its process said.
func (x *index) states(v *Verdict) {
	for _, a := range x.Attempts {
		if a.Logic || !ended(a.State) {
			continue
		}
		v.Counts["attempts "+a.State]++
		e := x.byAttempt[a.ID]
		switch a.State {
		case "SUCCESS":
			if e == nil || !e.succeeded() {
				v.breach(State, "attempt %d of run %d is SUCCESS, and the ledger does not know of its end", a.ID, a.Run)
			}
		case "FAILURE":
			x.failedAttempt(v, a, e)
		case "NEED_FAULT_TOLERANCE":
			if e == nil {
				continue // it had no effect
			}
			if why, ok := x.failed(a.Worker, e.start(), x.next(e)); ok {
				v.excuse(State, why, "attempt %d of run %d on %s was given up", a.ID, a.Run, a.Worker)
			} else {
				v.breach(State, "attempt %d of run %d on %s was given up, and nothing had happened to its worker", a.ID, a.Run, a.Worker)
			}
		case "KILL":
			r := x.runs[a.Run]
			if !r.Stop && !r.Pause && !x.parentAsked(r, func(p Run) bool { return p.Stop || p.Pause }) && r.State != "FAILURE" {
				v.breach(State, "attempt %d of run %d is KILL, and nobody asked for it", a.ID, a.Run)
			}
		}
	}
}

func (x *index) failedAttempt(v *Verdict, a Attempt, e *effect) {
	if e != nil {
		if _, exit, over := e.end(); over && exit != 0 {
			return
		}
		if why, ok := x.failed(a.Worker, e.start(), x.next(e)); ok {
			v.excuse(State, why, "attempt %d of run %d on %s is FAILURE without having said so", a.ID, a.Run, a.Worker)
			return
		}
	} else if why, ok := x.anyDisk(a.Worker); ok {
		v.excuse(State, why, "attempt %d of run %d on %s failed before it began", a.ID, a.Run, a.Worker)
		return
	}
	v.breach(State, "attempt %d of run %d on %s is FAILURE, and its process did not fail", a.ID, a.Run, a.Worker)
}

// anyDisk returns a fault of a worker's disk. An attempt that never began has no time in the ledger.
func (x *index) anyDisk(worker string) (window, bool) {
	for _, w := range x.windows[worker] {
		if w.effect == Disk {
			return w, true
		}
	}
	return window{}, false
}

// next is when the same task began again, or much later when it did not.
func (x *index) next(e *effect) time.Time {
	for _, other := range x.byTask[taskOf{e.run, e.task}] {
		if other.start().After(e.start()) {
			return other.start()
		}
	}
	return e.start().Add(10 * time.Minute)
}
