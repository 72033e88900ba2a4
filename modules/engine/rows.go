package engine

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// attemptRow is what one save writes of an attempt: all of it for a new one, the part below Host for a known one.
type attemptRow struct {
	insert      bool
	late        bool // may be written a moment later: it waits for a slot, and nothing is lost with the row
	id          int64
	run         int64
	project     int64
	taskCode    int64
	taskVersion int
	name        string
	taskType    string
	number      int
	maxRetries  int
	workerGroup string
	priority    string
	firstSubmit time.Time
	groupID     int64
	groupRank   int
	environment int64

	host        string
	state       string
	valid       bool
	pid         int
	exitCode    *int
	logPath     string
	executePath string
	appLink     string
	varPool     string
	message     string
	submit      time.Time
	due         time.Time
	start       time.Time
	end         time.Time
	context     string
	cacheKey    string
}

// wide reports whether the row has something in the columns that few attempts need; they are left out of the statements
// for all others.
func (r *attemptRow) wide() bool {
	return r.context != "" || r.cacheKey != "" || r.insert && (r.groupID != 0 || r.environment > 0)
}

// bare reports whether all columns but the identity, host, state and submit time are as in a new row.
func (r *attemptRow) bare() bool {
	return r.valid && r.pid == 0 && r.exitCode == nil && r.logPath == "" && r.executePath == "" && r.appLink == "" && r.varPool == emptyList &&
		r.message == "" && r.due.IsZero() && r.start.IsZero() && r.end.IsZero() && !r.wide()
}

// first reports whether the row is that of a node's first try, which does nothing but wait for a worker. Whoever takes the
// run over finds a node without a row whose predecessors are done, and begins it: the row says no more than that.
func (r *attemptRow) first() bool {
	return r.insert && r.number == 0 && r.state == string(flow.TaskSubmitted) && r.groupID == 0 && !r.wide()
}

// runRow is what one save writes of a workflow instance.
type runRow struct {
	id       int64
	epoch    int64 // of the run: which change of its owner this one belongs to
	state    string
	history  string
	message  string
	varPool  string
	end      time.Time
	finished bool
}

// change is what one event did to one run: saved as a whole or not at all, in the order in which changes were made.
type change struct {
	run      int64
	attempts []attemptRow
	instance *runRow
	extras   []extra
	epoch    int64 // of the run, for a change that claims it
	command  int64 // the command that this change carries out; unless aside, the change is void when another master took it
	// after performs the effects, once the change is durable; it must not block. lost tells the run's shard instead that
	// the change was void.
	after func()
	lost  func()
	// leaves: the run is not this master's any more, so rows of it that were left for later are not wanted.
	leaves bool
	// aside changes take a command away and count whether it was there or not.
	aside bool
	// void is shared by all changes of a run since its command: when that is another master's, all of them are void.
	void *bool
}

// extra is a statement that few changes need, carried out in the change's transaction.
type extra struct {
	query string // with ? placeholders
	args  []any
}

// changeLimit bounds the attempts of one change. An event that begins more is split, so that the first tasks of a wide
// workflow start while the rows of the rest are still being written; a crash in between leaves nodes without a row, which
// the next start begins.
const changeLimit = 400

// split divides a change: what was known before and what is on its way to a worker first, with the run's row, the command
// and the effects. Of a run that is over the end, with the effects, comes last: nobody would look for rows that are missing.
func (c *change) split() []*change {
	if len(c.attempts) <= changeLimit {
		return []*change{c}
	}
	slices.SortStableFunc(c.attempts, func(a, b attemptRow) int { return cmp.Compare(a.rank(), b.rank()) })
	if c.void == nil {
		c.void = new(bool)
	}
	parts := []*change{c}
	for rest := range slices.Chunk(c.attempts[changeLimit:], changeLimit) {
		parts = append(parts, &change{run: c.run, attempts: rest, void: c.void})
	}
	c.attempts = c.attempts[:changeLimit]
	if c.instance != nil && c.instance.finished {
		last := parts[len(parts)-1]
		last.instance, last.extras, last.after, last.lost = c.instance, c.extras, c.after, c.lost
		begun := *c.instance
		begun.state, begun.finished, begun.end = string(flow.WorkflowRunning), false, time.Time{}
		c.instance, c.extras, c.after = &begun, nil, nil
	}
	return parts
}

// rank orders the attempts of a change that is split.
func (r *attemptRow) rank() int {
	switch {
	case !r.insert:
		return 0
	case r.state == string(flow.TaskDispatch):
		return 1
	}
	return 2
}

// emptyList is how a list column without entries is written.
const emptyList = "[]"

// messageLimit bounds what people are told in one line, in bytes.
const messageLimit = 4000

func newAttemptRow(l *live, a *core.Attempt) attemptRow {
	t := &l.run.Graph.Tasks[a.Node]
	row := attemptRow{
		insert: !a.Stored(), id: a.ID, run: l.run.InstanceID, project: l.run.ProjectCode, taskCode: t.Code, taskVersion: t.Version,
		name: t.Name, taskType: t.Type, number: a.Number, maxRetries: t.RetryTimes, workerGroup: a.WorkerGroup,
		priority: string(t.Priority), firstSubmit: a.FirstSubmit,
		host: a.Host, state: string(a.State), valid: a.Valid, pid: a.PID, exitCode: a.ExitCode, logPath: clean(a.LogPath),
		executePath: clean(a.ExecutePath), appLink: clean(a.AppLink), varPool: properties(a.VarPool),
		message: clip(a.Message), submit: a.Submit, due: a.Due, start: a.Start, end: a.End,
		context: a.Context, cacheKey: a.CacheKey, environment: -1,
	}
	if l.run.Logic(a.Node) {
		row.host, row.logPath = l.master, logicLog(a.ID)
	} else {
		row.groupID, row.groupRank, row.environment = t.TaskGroupID, t.TaskGroupPriority, l.environment(t)
	}
	a.MarkStored()
	return row
}

func newRunRow(l *live, finished bool) *runRow {
	row := &runRow{
		id: l.run.InstanceID, epoch: l.epoch, state: string(l.run.State), history: history(l.run.History), message: clip(l.run.Message),
		varPool: emptyList, end: l.run.EndTime, finished: finished,
	}
	if finished {
		row.varPool = properties(l.mergedPool())
	}
	return row
}

// properties writes a list of parameters; nothing is the empty list.
func properties(p []flow.Property) string {
	if len(p) == 0 {
		return emptyList
	}
	data, err := json.Marshal(p)
	if err != nil { // strings only: cannot happen
		return emptyList
	}
	return clean(string(data))
}

// history writes a run's states as DolphinScheduler's stateHistory: UTC, to the second.
func history(changes []core.StateChange) string {
	type entry struct {
		Time  string `json:"time"`
		State string `json:"state"`
		Desc  string `json:"desc"`
	}
	list := make([]entry, len(changes))
	for i, c := range changes {
		list[i] = entry{Time: c.Time.UTC().Format(time.DateTime), State: string(c.State), Desc: c.Why}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return emptyList
	}
	return string(data)
}

// parseHistory reads what history wrote; a text it cannot read counts as none.
func parseHistory(text string) []core.StateChange {
	var list []struct{ Time, State, Desc string }
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	changes := make([]core.StateChange, 0, len(list))
	for _, e := range list {
		at, err := time.Parse(time.DateTime, e.Time)
		if err != nil {
			continue
		}
		changes = append(changes, core.StateChange{Time: at, State: flow.WorkflowState(e.State), Why: e.Desc})
	}
	return changes
}

// clean makes text from outside acceptable to both databases: valid UTF-8 without NUL.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func clip(s string) string {
	s = clean(s)
	if len(s) > messageLimit {
		s = strings.ToValidUTF8(s[:messageLimit], "") + "…"
	}
	return s
}
