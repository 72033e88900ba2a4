package core_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// TestW16_W17_ModelRandomRunsEqualTheReference plays random workflows with random outcomes, branches, retries, timeouts, pauses,
// stops, killed tasks, partial runs, forced successes, recoveries and crashes, before and after a change became durable,
// and compares the engine with the reference after every single event: the state of the run and of each task. It also
// checks that no run hangs and that no task begins before its predecessors allow it. DORADO_MODEL_RUNS sets the number of
// runs, DORADO_MODEL_SEED plays one of them again.
func TestW16_W17_ModelRandomRunsEqualTheReference(t *testing.T) {
	runs, first := 10_000, 0
	if n, err := strconv.Atoi(os.Getenv("DORADO_MODEL_RUNS")); err == nil {
		runs = n
	}
	if n, err := strconv.Atoi(os.Getenv("DORADO_MODEL_SEED")); err == nil {
		first, runs = n, n+1
	}
	var wg sync.WaitGroup
	var events, ended [16]int
	width := min(runtime.GOMAXPROCS(0), len(events))
	for lane := range width {
		wg.Go(func() {
			for seed := first + lane; seed < runs && !t.Failed(); seed += width {
				g := newGame(uint64(seed))
				if problem := g.play(); problem != "" {
					t.Errorf("seed %d: %s\nagain with DORADO_MODEL_SEED=%d\n%s", seed, problem, seed, g.story())
					return
				}
				events[lane] += g.events
				ended[lane] += g.ended
			}
		})
	}
	wg.Wait()
	var total, ends int
	for i := range events {
		total, ends = total+events[i], ends+ended[i]
	}
	t.Logf("%d workflows, %d runs to their end, %d events", runs-first, ends, total)
}

// game is one workflow played by the engine and the reference side by side.
type game struct {
	r        *rand.Rand
	m        *reference
	graph    *flow.Graph
	settings core.Settings
	param    flow.CommandParam
	run      *core.Run
	now      time.Time
	nextID   int64
	offered  map[int64]bool // attempts that the engine gave out to be placed or carried out
	timers   []core.Timer
	late     map[int32]int64 // by node: first attempts that only wait for a worker; their rows may not be there yet
	events   int
	ended    int
	log      []string
	problem  string
}

func newGame(seed uint64) *game {
	g := &game{r: rand.New(rand.NewPCG(seed, 20)), now: epoch, offered: map[int64]bool{}, late: map[int32]int64{}}
	g.m = &reference{conds: map[int]flow.Conditions{}, picks: map[int]int64{}, now: epoch, failure: flow.FailureContinue}
	if g.chance(2) {
		g.m.failure = flow.FailureEnd
	}
	def := g.workflow()
	graph, err := flow.Compile(def)
	if err != nil {
		panic(err) // the generator is wrong
	}
	g.graph = graph
	g.settings = core.Settings{Failure: g.m.failure, Choose: g.choose}
	if g.chance(5) {
		g.param.StartNodes = []int64{int64(1 + g.r.IntN(len(def.Tasks)))}
		g.settings.Depend = []flow.TaskDependType{flow.TaskOnly, flow.TaskPre, flow.TaskPost}[g.r.IntN(3)]
	}
	return g
}

func (g *game) chance(oneIn int) bool { return g.r.IntN(oneIn) == 0 }

// workflow makes a random graph. Codes are numbers from 1 in running order; finally tasks are the last.
func (g *game) workflow() *flow.Definition {
	n := 1 + g.r.IntN(10)
	if g.chance(25) {
		n += g.r.IntN(30)
	}
	finals := 0
	if g.chance(4) {
		finals = 1 + g.r.IntN(min(2, n))
	}
	def, m := &flow.Definition{}, g.m
	for i := range n {
		task := flow.Task{Code: int64(i + 1), Name: fmt.Sprint(i), Type: "SHELL", Flag: flow.FlagYes, Finally: i >= n-finals}
		if g.chance(2) {
			task.Type = []string{
				flow.TypeConditions, flow.TypeConditions, flow.TypeSwitch, flow.TypeSwitch, flow.TypeSubWorkflow, flow.TypeSubWorkflow,
				flow.TypeDependent, flow.TypeApproval, flow.TypeForEach,
			}[g.r.IntN(9)]
		}
		if g.chance(9) {
			task.Flag = flow.FlagNo
		}
		if g.chance(30) {
			task.ExecuteType = flow.Stream
		}
		if g.chance(3) {
			task.RetryTimes, task.RetryInterval = g.r.IntN(3), g.r.IntN(2)
		}
		if g.chance(10) {
			task.DelayMinutes = 1
		}
		if g.chance(6) {
			task.TimeoutFlag, task.TimeoutMinutes = flow.TimeoutOpen, 1
			task.TimeoutStrategy = []flow.TimeoutStrategy{flow.TimeoutWarn, flow.TimeoutFailed, flow.TimeoutWarnFailed}[g.r.IntN(3)]
		}
		def.Tasks = append(def.Tasks, task)
		m.pred, m.succ = append(m.pred, nil), append(m.succ, nil)
		for j := range i {
			if def.Tasks[j].Finally == task.Finally && g.r.IntN(i+1) < 2 {
				def.Edges = append(def.Edges, flow.Edge{Pre: int64(j + 1), Post: int64(i + 1)})
				m.pred[i], m.succ[j] = append(m.pred[i], j), append(m.succ[j], i)
			}
		}
	}
	for i := range def.Tasks {
		g.branch(i, &def.Tasks[i])
	}
	m.tasks = def.Tasks
	m.rows = make([]*refRow, n)
	return def
}

// branch gives a branching task what it chooses by.
func (g *game) branch(i int, task *flow.Task) {
	some := func() []int64 {
		var out []int64
		for _, s := range g.m.succ[i] {
			if g.chance(2) {
				out = append(out, int64(s+1))
			}
		}
		return out
	}
	relation := func() flow.Relation { return []flow.Relation{flow.And, flow.Or}[g.r.IntN(2)] }
	switch flow.KindOf(task.Type) {
	case flow.KindSwitch:
		if len(g.m.succ[i]) > 0 && !g.chance(8) {
			g.m.picks[i] = int64(g.m.succ[i][g.r.IntN(len(g.m.succ[i]))] + 1)
		}
	case flow.KindConditions:
		c := flow.Conditions{Relation: relation(), Success: some(), Failed: some()}
		var groups []map[string]any
		for range 1 + g.r.IntN(2) {
			group := flow.ConditionGroup{Relation: relation()}
			var items []map[string]any
			for range 1 + g.r.IntN(2) {
				item := flow.ConditionItem{TaskCode: 99, Status: flow.TaskSuccess} // no such task
				if before := g.m.pred[i]; len(before) > 0 {
					item.TaskCode = int64(before[g.r.IntN(len(before))] + 1)
				}
				if g.chance(2) {
					item.Status = flow.TaskFailure
				}
				group.Items = append(group.Items, item)
				items = append(items, map[string]any{"depTaskCode": item.TaskCode, "status": item.Status})
			}
			c.Groups = append(c.Groups, group)
			groups = append(groups, map[string]any{"relation": group.Relation, "dependItemList": items})
		}
		g.m.conds[i] = c
		task.Params, _ = json.Marshal(map[string]any{
			"dependence":      map[string]any{"relation": c.Relation, "dependTaskList": groups},
			"conditionResult": map[string]any{"successNode": c.Success, "failedNode": c.Failed},
		})
	case flow.KindPhysical, flow.KindSubWorkflow, flow.KindDependent, flow.KindDynamic, flow.KindForEach, flow.KindApproval:
	}
}

func (g *game) choose(node int32) (core.Choice, error) {
	pick := g.m.picks[g.index(node)]
	if pick == 0 {
		return core.Choice{}, flow.ErrNoBranch
	}
	return core.Choice{Next: []int64{pick}, Log: "because"}, nil
}

func (g *game) index(node int32) int { return int(g.graph.Tasks[node].Code) - 1 }
func (g *game) node(i int) int32     { return g.graph.Index[int64(i+1)] }

// load builds the run from rows, as a master does that did not have it in memory.
func (g *game) load(rows []*core.Attempt, state flow.WorkflowState) {
	g.settings.StartNodes = g.param.StartNodes
	g.settings.ExecuteNodes, g.settings.ExecuteDepend = g.param.ExecuteNodes, g.param.ExecuteDepend
	run, err := core.New(g.settings, g.graph)
	if err != nil {
		panic(err) // the generator is wrong
	}
	run.State, run.RestartTime = state, epoch
	for _, a := range rows {
		run.Attach(a)
	}
	g.run, g.timers, g.offered = run, nil, map[int64]bool{}
}

// rows copies what is stored of the valid attempts.
func (g *game) rows() []*core.Attempt {
	var out []*core.Attempt
	for n := range g.graph.Tasks {
		if a := g.run.Attempt(int32(n)); a != nil {
			out = append(out, &core.Attempt{
				ID: a.ID, Node: a.Node, State: a.State, Valid: true, Number: a.Number, Host: a.Host, Context: a.Context, Message: a.Message,
				FirstSubmit: a.FirstSubmit, Submit: a.Submit, Due: a.Due, Start: a.Start, End: a.End,
			})
		}
	}
	return out
}

// engine lets the engine advance, and the reference by the same event.
func (g *game) advance(ev core.Event, same func()) {
	g.events++
	g.note("%T%+v", ev, ev)
	before := g.nextID
	g.take(g.run.Advance(ev, g.now))
	g.lag(ev)
	g.m.now, g.m.upset = g.now, false
	g.m.turn++
	if same != nil {
		same()
	}
	g.m.settle()
	g.compare(before)
}

// lag notes whose rows the engine may write later: of first attempts that an event of the run made ready, not a command.
func (g *game) lag(ev core.Event) {
	command := false
	switch ev.(type) {
	case core.Begin, core.Execute, core.Adopt:
		command = true
	}
	for n := range g.graph.Tasks {
		a, known := g.run.Attempt(int32(n)), g.late[int32(n)]
		waits := a != nil && a.State == flow.TaskSubmitted && a.Number == 0 && a.Due.IsZero() && g.graph.Kinds[n] == flow.KindPhysical
		switch {
		case waits && (known == a.ID || !command && !a.Stored()):
			g.late[int32(n)] = a.ID
		default:
			delete(g.late, int32(n))
		}
		if a != nil {
			a.MarkStored()
		}
	}
}

func (g *game) take(out core.Effects) {
	for _, a := range out.Changed {
		if a.ID == 0 {
			g.nextID++
			a.ID = g.nextID
		}
	}
	for _, a := range append(slices.Clone(out.Ready), out.Logic...) {
		g.offered[a.ID] = true
	}
	g.timers = append(g.timers, out.Timers...)
	if out.Finished != g.run.State.Finished() {
		g.problem = "finished without its state, or the other way round"
	}
}

// compare looks for the first difference.
func (g *game) compare(before int64) {
	if g.problem != "" {
		return
	}
	if g.m.upset { // what began beside the failure depends on the order of equals
		g.reconcile()
	}
	status := g.m.status()
	for i := range g.m.tasks {
		a, row := g.run.Attempt(g.node(i)), g.m.rows[i]
		switch {
		case (a == nil) != (row == nil):
			g.problem = fmt.Sprintf("task %d: engine has a row %t, reference %t", i+1, a != nil, row != nil)
		case a == nil:
		case a.State != row.state || a.Number != row.number || a.Killing() != row.killing && !a.State.Finished():
			g.problem = fmt.Sprintf("task %d: engine %s #%d kill %t, reference %s #%d kill %t", i+1, a.State, a.Number, a.Killing(), row.state, row.number, row.killing)
		case a.ID > before && a.Number == 0 && a.State != flow.TaskPause && !g.m.state.Finished():
			for _, p := range g.m.pred[i] {
				if g.m.scope[p] && g.m.edge(p, i, status) == "wait" {
					g.problem = fmt.Sprintf("task %d began before task %d allowed it", i+1, p+1)
				}
			}
		}
	}
	if g.problem == "" && g.run.State != g.m.state {
		g.problem = fmt.Sprintf("the run is %s, by the reference %s", g.run.State, g.m.state)
	}
}

// reconcile takes over what the engine began beside a failing SWITCH under END, if it may have, and what follows from it.
func (g *game) reconcile() {
	changed := false
	for i := range g.m.tasks {
		changed = g.align(i, g.run.Attempt(g.node(i))) || changed
	}
	if !changed {
		return
	}
	g.m.state, g.m.open = g.run.State, false
	for i, row := range g.m.rows {
		if row != nil {
			row.killing = g.run.Attempt(g.node(i)).Killing() && !row.state.Finished()
			g.m.open = g.m.open || g.m.scope[i] && g.m.tasks[i].Finally
		}
	}
}

// align takes over one row: what was begun before the failure is killed or, when it branches, over; what was not has no
// row, or the one it had; finally tasks follow when nothing else is left.
func (g *game) align(i int, a *core.Attempt) bool {
	row := g.m.rows[i]
	fresh := row != nil && (row.turn == g.m.turn || row.resume)
	switch {
	case a == nil && fresh:
		g.m.rows[i] = nil
		return true
	case a == nil || row != nil && !fresh, row != nil && row.state == a.State && row.number == a.Number:
		return false
	case !a.State.Finished() && !g.m.tasks[i].Finally, a.State == flow.TaskSuccess && !g.m.kind(i).Branches():
		return false
	}
	g.m.rows[i] = &refRow{state: a.State, first: a.FirstSubmit, start: a.Start, due: a.Due, number: a.Number, context: a.Context != ""}
	if a.State == flow.TaskSuccess {
		var c struct{ Next []int64 }
		if err := json.Unmarshal([]byte(a.Context), &c); err != nil {
			g.problem = err.Error()
		}
		g.m.rows[i].chose, g.m.rows[i].next = true, c.Next
	}
	return true
}

func (g *game) note(format string, args ...any) {
	g.log = append(g.log, g.now.Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

// play runs the workflow to its end, and on by a few operations. It returns what is wrong, or "".
func (g *game) play() string {
	g.settings.Command = flow.CommandStart
	g.load(nil, flow.WorkflowSubmitted)
	g.m.base = g.m.cutOf(g.param.StartNodes, g.settings.Depend)
	g.m.scope = g.m.base
	g.advance(core.Begin{Command: flow.CommandStart}, func() { g.m.again(false) })
	for again := 3; ; again-- {
		for steps := 0; !g.run.State.Finished() && g.problem == ""; steps++ {
			if steps > 3000 {
				return "it never ends"
			}
			g.now = g.now.Add(time.Duration(g.r.IntN(3)) * time.Second)
			g.step()
		}
		if g.problem != "" {
			return g.problem
		}
		g.ended++
		if again == 0 || g.chance(3) || !g.operate() {
			return g.problem
		}
	}
}

// operate asks something of the finished run.
func (g *game) operate() bool {
	state, rows := g.run.State, g.rows()
	var failed []*core.Attempt
	for _, a := range rows {
		if ok, _ := flow.AllowedOnTask(flow.OpForceSuccess, a.State, state); ok {
			failed = append(failed, a)
		}
	}
	if len(failed) > 0 && g.chance(4) {
		a := failed[g.r.IntN(len(failed))]
		a.State = flow.TaskForcedSuccess
		g.m.rows[g.index(a.Node)].state = flow.TaskForcedSuccess
		g.note("force success of %d", g.index(a.Node)+1)
	}
	ops := map[flow.Operation]flow.CommandType{
		flow.OpRerun: flow.CommandRepeat, flow.OpResume: flow.CommandResume, flow.OpRecoverFailed: flow.CommandRecoverFailed,
		flow.OpExecuteTask: flow.CommandExecuteTask,
	}
	var allowed []flow.CommandType
	for _, op := range flow.Operations() {
		if ok, _ := flow.Allowed(op, state); ok && ops[op] != "" {
			allowed = append(allowed, ops[op])
		}
	}
	command := allowed[g.r.IntN(len(allowed))]
	var nodes []int64
	var depend flow.TaskDependType
	if command == flow.CommandExecuteTask {
		nodes = []int64{int64(1 + g.r.IntN(len(g.m.tasks)))}
		depend = []flow.TaskDependType{flow.TaskOnly, flow.TaskPre, flow.TaskPost}[g.r.IntN(3)]
	}
	g.param = g.param.Next(g.settings.Command, command, nodes, depend)
	g.settings.Command = command
	g.load(rows, state)
	if command == flow.CommandExecuteTask {
		g.advance(core.Execute{Nodes: nodes, Depend: depend}, func() { g.m.execute(g.m.cutOf(nodes, depend)) })
		return true
	}
	g.m.base = g.m.cutOf(g.param.StartNodes, g.settings.Depend)
	if len(g.param.ExecuteNodes) > 0 {
		for n, in := range g.m.cutOf(g.param.ExecuteNodes, g.param.ExecuteDepend) {
			g.m.base[n] = g.m.base[n] || in
		}
	}
	fresh := command == flow.CommandRepeat
	g.advance(core.Begin{Command: command, Fresh: fresh}, func() { g.m.again(fresh) })
	return true
}

// step makes one thing happen, chosen among all that can.
func (g *game) step() {
	switch {
	case g.chance(25):
		g.crash(nil)
		return
	case g.chance(40):
		g.advance(core.Pause{}, g.m.pause)
		return
	case g.chance(40):
		g.advance(core.Stop{}, g.m.stop)
		return
	}
	var live []*core.Attempt
	for n := range g.graph.Tasks {
		if a := g.run.Attempt(int32(n)); a != nil && !a.State.Finished() && (g.offered[a.ID] || a.State.OnWorker() && !g.run.Logic(a.Node)) {
			live = append(live, a)
		}
	}
	if len(g.timers) > 0 && (len(live) == 0 || g.chance(6)) {
		g.alarm()
		return
	}
	if len(live) == 0 {
		g.problem = "nothing can happen any more, and the run is not over"
		return
	}
	a := live[g.r.IntN(len(live))]
	n := g.index(a.Node)
	if g.chance(50) {
		g.advance(core.KillTask{Node: a.Node, ID: a.ID}, func() { g.m.killTask(n) })
		return
	}
	if ev, same := g.something(a, n); g.chance(30) {
		g.crash(ev)
	} else {
		g.advance(ev, same)
	}
}

// something is what can happen to an attempt.
func (g *game) something(a *core.Attempt, n int) (core.Event, func()) {
	logic := g.run.Logic(a.Node)
	row := g.m.rows[n]
	switch {
	case a.State == flow.TaskSubmitted && g.chance(12):
		return core.Cached{Node: a.Node, ID: a.ID, Key: "k"}, func() { row.state = flow.TaskSuccess }
	case a.State == flow.TaskSubmitted && g.chance(25):
		return core.Unplaceable{Node: a.Node, ID: a.ID, Why: "no such group"}, func() { g.m.fail(n, false) }
	case a.State == flow.TaskSubmitted:
		return core.Placed{Node: a.Node, ID: a.ID, Host: "w"}, func() { row.state = flow.TaskDispatch }
	case a.State == flow.TaskDispatch && g.chance(10):
		return core.Refused{Node: a.Node, ID: a.ID}, func() { g.m.refused(n) }
	case a.State == flow.TaskDispatch && g.chance(2):
		return core.Started{Node: a.Node, ID: a.ID, At: g.now}, func() { row.state, row.start = flow.TaskRunning, g.now }
	case !logic && g.chance(10):
		return core.Lost{Node: a.Node, ID: a.ID, Why: "gone"}, func() { g.m.lost(n) }
	case logic && a.Context == "" && g.run.Graph.Kinds[a.Node].Children() && !g.chance(4):
		return core.Noted{Node: a.Node, ID: a.ID, Context: `{"children":[1]}`}, func() { row.context = true }
	}
	outcome := flow.TaskSuccess
	switch roll := g.r.IntN(20); {
	case roll < 5:
		outcome = flow.TaskFailure
	case roll == 5, roll < 14 && a.Killing():
		outcome = flow.TaskKill
	case logic && (roll == 14 || roll > 14 && g.run.State == flow.WorkflowReadyPause):
		outcome = flow.TaskPause
	}
	end := core.Finished{Started: core.Started{Node: a.Node, ID: a.ID, At: g.now}, Outcome: outcome, End: g.now}
	return end, func() { g.m.finished(n, outcome) }
}

// alarm lets the earliest timer go off.
func (g *game) alarm() {
	at := 0
	for i := range g.timers {
		if g.timers[i].At.Before(g.timers[at].At) {
			at = i
		}
	}
	timer := g.timers[at]
	g.timers = slices.Delete(g.timers, at, at+1)
	if timer.At.After(g.now) {
		g.now = timer.At
	}
	a := timer.Attempt
	n := g.index(a.Node)
	same := func() {
		row := g.m.rows[n]
		switch timer.Kind {
		case core.AlarmDue:
			if !row.atWork() {
				g.m.work(n)
			}
		case core.AlarmTimeout:
			if row.atWork() && !row.killing {
				row.killing, row.timedOut = true, true
			}
		case core.AlarmUnconfirmed:
			g.m.unconfirmed(n)
		case core.AlarmWarn, core.AlarmRunTimeout, core.AlarmDeadline:
		}
	}
	if g.run.Attempt(a.Node) != a || a.State.Finished() {
		same = nil
	}
	g.advance(core.Alarm{Node: a.Node, ID: a.ID, Kind: timer.Kind}, same)
}

// crash ends the process and starts another one. What it decided about lost is not durable and never happened.
func (g *game) crash(lost core.Event) {
	rows, state := g.rows(), g.run.State
	if lost != nil {
		g.note("about to be lost: %T%+v", lost, lost)
		g.run.Advance(lost, g.now)
	}
	for n := range int32(len(g.graph.Tasks)) {
		if id, late := g.late[n]; late && g.chance(2) {
			g.note("the row of attempt %d was not there yet", id)
			rows = slices.DeleteFunc(rows, func(a *core.Attempt) bool { return a.ID == id })
			g.m.rows[g.index(n)] = nil
		}
	}
	clear(g.late)
	g.load(rows, state)
	g.advance(core.Adopt{}, g.m.crash)
}

// story tells what happened.
func (g *game) story() string {
	out := ""
	for i, t := range g.m.tasks {
		out += fmt.Sprintf("task %d %s after %v finally %t flag %s %s retries %d pick %d %s\n", i+1, t.Type, g.graph.Pred[g.node(i)], t.Finally, t.Flag, t.ExecuteType, t.RetryTimes, g.m.picks[i], t.Params)
	}
	out += fmt.Sprintf("start %v %s, %s\n", g.param.StartNodes, g.settings.Depend, g.m.failure)
	for _, line := range g.log[max(0, len(g.log)-60):] {
		out += line + "\n"
	}
	return out
}

func TestModelIsReproducible(t *testing.T) {
	t.Parallel()
	a, b := newGame(99), newGame(99)
	require.Equal(t, a.play(), b.play())
	require.Equal(t, a.events, b.events)
	require.Equal(t, a.log, b.log)
}
