package core_test

import (
	"slices"
	"time"

	"dorado/modules/flow"
)

// reference is the slow, obvious engine: it keeps the valid row of each task and nothing that follows from it, and works
// out everything anew from the text of engine.md 2.6, 3.5-3.8, 4.2-4.4 and 4.12, whenever it is asked.
type reference struct {
	tasks   []flow.Task
	pred    [][]int // ascending; tasks only follow tasks with smaller numbers
	succ    [][]int
	conds   map[int]flow.Conditions
	picks   map[int]int64 // by SWITCH: the code it chooses; 0 = no branch
	failure flow.FailureStrategy

	now   time.Time
	turn  int
	state flow.WorkflowState
	rows  []*refRow
	base  []bool
	scope []bool
	open  bool // finally tasks may start
	cut   bool // no more of them
	upset bool // a SWITCH failed under END in this turn: what else began in it depends on the order of equals
}

type refRow struct {
	state    flow.TaskState
	number   int
	first    time.Time
	start    time.Time
	due      time.Time
	resume   bool // goes on in place as soon as its turn comes
	killing  bool
	asked    bool // somebody asked for the kill of this attempt
	timedOut bool
	context  bool // a task with children: it knows them
	next     []int64
	chose    bool
	turn     int
}

func (r *refRow) atWork() bool { return r.state == flow.TaskDispatch || r.state == flow.TaskRunning }

func (m *reference) kind(n int) flow.TaskKind { return flow.KindOf(m.tasks[n].Type) }

func (m *reference) forbidden(n int) bool {
	return m.tasks[n].Flag == flow.FlagNo || m.tasks[n].ExecuteType == flow.Stream
}

func (m *reference) asks(n int) bool { return m.kind(n) == flow.KindConditions && !m.forbidden(n) }

// cutOf is the scope of engine.md 2.4.
func (m *reference) cutOf(start []int64, depend flow.TaskDependType) []bool {
	in := make([]bool, len(m.tasks))
	for n := range in {
		in[n] = len(start) == 0 || slices.Contains(start, m.tasks[n].Code)
	}
	if len(start) == 0 || depend == flow.TaskOnly {
		return in
	}
	for range in { // far enough for every path
		for n := range in {
			for _, p := range m.pred[n] {
				if depend == flow.TaskPost && in[p] {
					in[n] = true
				}
				if depend == flow.TaskPre && in[n] {
					in[p] = true
				}
			}
			if depend == flow.TaskPost && m.tasks[n].Finally {
				in[n] = true
			}
		}
	}
	return in
}

// status is what a task is to those behind it: ok, failed, skipped, ready (its turn has come), or wait (anything else).
func (m *reference) status() []string {
	out := make([]string, len(m.tasks))
	for n := range m.tasks {
		out[n] = m.statusOf(n, out)
	}
	return out
}

func (m *reference) statusOf(n int, before []string) string {
	row := m.rows[n]
	switch {
	case !m.scope[n]:
		return "wait"
	case row != nil && !row.resume && row.state.Succeeded():
		return "ok"
	case row != nil && !row.resume && row.state == flow.TaskFailure:
		return "failed"
	case row != nil && !row.resume:
		return "wait"
	case m.tasks[n].Finally && !m.open:
		return "wait"
	}
	alive, dead := 0, 0
	for _, p := range m.pred[n] {
		if !m.scope[p] {
			continue
		}
		switch m.edge(p, n, before) {
		case "alive":
			alive++
		case "dead":
			dead++
		default:
			return "wait"
		}
	}
	switch {
	case row == nil && dead > 0 && alive == 0:
		return "skipped"
	case row == nil && m.forbidden(n):
		return "ok"
	}
	return "ready"
}

// edge is what p means to n: alive, dead or wait.
func (m *reference) edge(p, n int, status []string) string {
	switch status[p] {
	case "ok":
		if row := m.rows[p]; row != nil && row.chose && row.state == flow.TaskSuccess && !slices.Contains(row.next, m.tasks[n].Code) {
			return "dead"
		}
		return "alive"
	case "skipped":
		return "dead"
	case "failed":
		if m.asks(n) {
			return "alive"
		}
	}
	return "wait"
}

// handled: everything that comes after the failure is CONDITIONS, and something does. Outside the cut of an EXECUTE_TASK
// they must have run, too.
func (m *reference) handled(n int) bool {
	some, all := false, true
	for _, s := range m.succ[n] {
		if m.scope[n] && m.scope[s] {
			some, all = true, all && m.asks(s)
		}
		if !m.scope[n] {
			some, all = true, all && m.asks(s) && m.rows[s] != nil
		}
	}
	return some && all
}

// ending: a failure under END that nobody handles.
func (m *reference) ending() bool {
	for n, row := range m.rows {
		if m.failure == flow.FailureEnd && m.scope[n] && !m.tasks[n].Finally && row != nil && !row.resume &&
			row.state == flow.TaskFailure && !m.handled(n) {
			return true
		}
	}
	return false
}

func (m *reference) startable(n int) bool {
	if m.tasks[n].Finally {
		return !m.cut
	}
	return m.state != flow.WorkflowReadyStop && !m.ending()
}

func (m *reference) active() bool {
	return slices.ContainsFunc(m.rows, func(r *refRow) bool { return r != nil && !r.state.Finished() && !r.resume })
}

// settle begins what can begin until nothing can, and ends the run when nothing is at work.
func (m *reference) settle() {
	var queue []int
	for !m.state.Finished() {
		status := m.status()
		for n := range m.tasks {
			if status[n] == "ready" && m.startable(n) && !slices.Contains(queue, n) {
				queue = append(queue, n)
			}
		}
		if len(queue) > 0 {
			n := queue[0]
			queue = queue[1:]
			if status[n] == "ready" && m.startable(n) {
				m.begin(n)
			}
			continue
		}
		if m.active() {
			return
		}
		if !m.open && m.finallyWaits() {
			m.open = true
			continue
		}
		m.state = m.final(status)
	}
}

// finallyWaits: there are finally tasks, and nothing was paused.
func (m *reference) finallyWaits() bool {
	some := false
	for n, row := range m.rows {
		if m.scope[n] && row != nil && row.state == flow.TaskPause {
			return false
		}
		some = some || m.scope[n] && m.tasks[n].Finally
	}
	return some
}

func (m *reference) final(status []string) flow.WorkflowState {
	var counted, killed, paused, ready, unrun bool
	for n, row := range m.rows {
		switch {
		case row != nil:
			counted = counted || row.state == flow.TaskFailure && !m.handled(n)
			killed = killed || row.state == flow.TaskKill
			paused = paused || row.state == flow.TaskPause
		case m.scope[n] && !m.forbidden(n) && status[n] != "skipped":
			unrun = true
			ready = ready || status[n] == "ready"
		}
	}
	stop, pause := m.state == flow.WorkflowReadyStop, m.state == flow.WorkflowReadyPause
	switch {
	case stop && killed:
		return flow.WorkflowStop
	case counted:
		return flow.WorkflowFailure
	case stop && (unrun || paused):
		return flow.WorkflowStop
	case pause && (paused || ready):
		return flow.WorkflowPause
	case pause:
		return flow.WorkflowSuccess
	case killed:
		return flow.WorkflowStop
	case paused:
		return flow.WorkflowPause
	}
	return flow.WorkflowSuccess
}

// begin starts a task whose turn has come, or parks it.
func (m *reference) begin(n int) {
	row, due := m.rows[n], m.now.Add(time.Duration(m.tasks[n].DelayMinutes)*time.Minute)
	if row == nil {
		row = &refRow{first: m.now}
	} else {
		again := &refRow{first: row.first, number: row.number, context: row.context && m.kind(n).Children()}
		if row.state != flow.TaskPause {
			again.number = 0
		}
		due = time.Time{}
		if row.state == flow.TaskPause && row.number == 0 && !row.context {
			due = row.first.Add(time.Duration(m.tasks[n].DelayMinutes) * time.Minute)
		}
		row = again
	}
	m.rows[n] = row
	m.submit(n, due)
}

func (m *reference) submit(n int, due time.Time) {
	row := m.rows[n]
	row.turn = m.turn
	switch {
	case m.state == flow.WorkflowReadyPause:
		row.state = flow.TaskPause
	case due.After(m.now) && row.number == 0:
		row.state, row.due = flow.TaskDelay, due
	case due.After(m.now):
		row.state, row.due = flow.TaskSubmitted, due
	default:
		m.work(n)
	}
}

// work is what happens when an attempt may begin at once.
func (m *reference) work(n int) {
	row := m.rows[n]
	row.turn = m.turn
	switch m.kind(n) {
	case flow.KindPhysical:
		row.state = flow.TaskSubmitted
	case flow.KindConditions:
		c := m.conds[n]
		holds := c.Relation != flow.Or
		for _, g := range c.Groups {
			group := g.Relation != flow.Or
			for _, item := range g.Items {
				is := m.isIn(item)
				if g.Relation == flow.Or {
					group = group || is
				} else {
					group = group && is
				}
			}
			if c.Relation == flow.Or {
				holds = holds || group
			} else {
				holds = holds && group
			}
		}
		row.state, row.start, row.chose, row.next = flow.TaskSuccess, m.now, true, c.Failed
		if holds {
			row.next = c.Success
		}
	case flow.KindSwitch:
		row.start = m.now
		if m.picks[n] == 0 {
			m.fail(n, false)
			return
		}
		row.state, row.chose, row.next = flow.TaskSuccess, true, []int64{m.picks[n]}
	case flow.KindSubWorkflow, flow.KindDependent, flow.KindDynamic, flow.KindForEach, flow.KindApproval:
		row.state, row.start = flow.TaskRunning, m.now
	}
}

func (m *reference) isIn(item flow.ConditionItem) bool {
	for n, t := range m.tasks {
		if t.Code == item.TaskCode && m.rows[n] != nil {
			s := m.rows[n].state
			return item.Status == flow.TaskSuccess && s.Succeeded() || item.Status == flow.TaskFailure && s == flow.TaskFailure
		}
	}
	return false
}

// fail ends an attempt with a failure; another one follows when that is allowed.
func (m *reference) fail(n int, retry bool) {
	t, row := &m.tasks[n], m.rows[n]
	if retry && row.number < t.RetryTimes && m.startable(n) {
		m.rows[n] = &refRow{first: row.first, number: row.number + 1, context: row.context && m.kind(n).Children()}
		m.submit(n, m.now.Add(time.Duration(t.RetryInterval)*time.Minute))
		return
	}
	row.state = flow.TaskFailure
	if m.state != flow.WorkflowReadyStop && m.ending() {
		m.upset = m.upset || m.kind(n) == flow.KindSwitch
		m.killAll(false)
	}
}

func (m *reference) killAll(finally bool) {
	for n, row := range m.rows {
		switch {
		case row == nil || row.resume || row.state.Finished() || m.tasks[n].Finally && !finally:
		case row.atWork() && !(m.kind(n).Logic() && row.turn == m.turn && row.start.Equal(m.now) && m.upset):
			row.killing = true
		default:
			row.state = flow.TaskKill
		}
	}
}

func (m *reference) finished(n int, outcome flow.TaskState) {
	row, logic := m.rows[n], m.kind(n).Logic()
	if row.start.IsZero() {
		row.start = m.now
	}
	t := &m.tasks[n]
	expired := t.TimeoutFlag == flow.TimeoutOpen && t.TimeoutStrategy.Kills() && m.now.Sub(row.start) >= time.Duration(t.TimeoutMinutes)*time.Minute
	switch {
	case row.timedOut && (outcome == flow.TaskKill || outcome == flow.TaskPause):
		outcome = flow.TaskFailure
	case row.killing && !row.timedOut && (outcome == flow.TaskFailure || outcome == flow.TaskPause):
		outcome = flow.TaskKill
	case outcome == flow.TaskKill && !row.killing && expired:
		outcome = flow.TaskFailure
	case outcome == flow.TaskPause && !logic:
		outcome = flow.TaskKill
	}
	if outcome == flow.TaskFailure {
		m.fail(n, true)
		return
	}
	row.state = outcome
}

func (m *reference) lost(n int) {
	row := m.rows[n]
	switch {
	case row.timedOut:
		m.fail(n, true)
	case row.killing || !m.startable(n):
		row.state = flow.TaskKill
	default:
		m.rows[n] = &refRow{first: row.first, number: row.number, context: row.context}
		m.submit(n, time.Time{})
	}
}

func (m *reference) refused(n int) {
	row := m.rows[n]
	switch {
	case row.killing || !m.startable(n):
		row.state = flow.TaskKill
	case m.state == flow.WorkflowReadyPause:
		row.state = flow.TaskPause
	default:
		row.state = flow.TaskSubmitted
	}
}

func (m *reference) unconfirmed(n int) {
	switch row := m.rows[n]; {
	case !row.killing:
	case row.timedOut:
		m.fail(n, true)
	default:
		row.state = flow.TaskKill
	}
}

func (m *reference) pause() {
	if m.state != flow.WorkflowRunning {
		return
	}
	m.state = flow.WorkflowReadyPause
	m.pauseWaiting()
}

func (m *reference) pauseWaiting() {
	for _, row := range m.rows {
		if row != nil && !row.resume && !row.state.Finished() && !row.atWork() {
			row.state = flow.TaskPause
		}
	}
}

func (m *reference) stop() {
	if m.state == flow.WorkflowReadyStop {
		m.cut = m.cut || m.open
	} else {
		m.state, m.cut = flow.WorkflowReadyStop, m.open
	}
	m.killAll(m.cut)
}

func (m *reference) killTask(n int) {
	if row := m.rows[n]; row.atWork() {
		row.killing, row.asked, row.timedOut = true, true, false
	} else {
		row.state = flow.TaskKill
	}
}

// crash forgets what is in no row.
func (m *reference) crash() {
	m.open, m.cut = false, false
	for n, row := range m.rows {
		if row == nil {
			continue
		}
		row.killing, row.timedOut = row.asked && row.atWork(), false
		if row.state == flow.TaskPause && m.state == flow.WorkflowRunning && m.scope[n] && (!m.kind(n).Children() || !row.context) {
			row.resume = true
		}
		if m.scope[n] && m.tasks[n].Finally {
			m.open = true
			m.cut = m.cut || m.state == flow.WorkflowReadyStop && row.state == flow.TaskKill
		}
	}
	switch {
	case m.state == flow.WorkflowReadyStop || m.ending():
		m.killAll(m.cut)
	case m.state == flow.WorkflowReadyPause:
		m.pauseWaiting()
	}
	for n, row := range m.rows {
		if row != nil && !row.resume && !row.state.Finished() && !row.atWork() && !row.due.After(m.now) {
			m.work(n)
		}
	}
}

// again begins, repeats, recovers or resumes.
func (m *reference) again(fresh bool) {
	m.state, m.open, m.cut, m.scope = flow.WorkflowRunning, false, false, m.base
	if fresh {
		m.rows = make([]*refRow, len(m.tasks))
	}
	m.keep(func(n int) bool { return !m.tasks[n].Finally })
	m.open = !slices.Contains(m.status(), "ready")
	m.keep(func(n int) bool { return m.tasks[n].Finally })
}

// keep decides which rows stay, in running order: those before decide on those behind.
func (m *reference) keep(which func(n int) bool) {
	for n, row := range m.rows {
		if row == nil || !which(n) || !m.scope[n] {
			continue
		}
		reached := true
		status := m.status()
		for _, p := range m.pred[n] {
			reached = reached && (!m.scope[p] || m.edge(p, n, status) != "wait")
		}
		reached = reached && (!m.tasks[n].Finally || m.open)
		switch {
		case reached && row.state.Succeeded():
		case reached && (row.state == flow.TaskPause || m.kind(n).Children() && row.context):
			row.resume = true
		default:
			m.rows[n] = nil
		}
	}
}

func (m *reference) execute(cut []bool) {
	m.base = slices.Clone(m.base)
	for n := range cut {
		m.base[n] = m.base[n] || cut[n]
		if cut[n] {
			m.rows[n] = nil
		}
	}
	m.scope, m.state, m.open, m.cut = cut, flow.WorkflowRunning, false, false
	m.open = !slices.Contains(m.status(), "ready")
}
