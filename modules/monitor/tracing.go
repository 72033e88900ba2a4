package monitor

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/trace"
	"dorado/modules/flow"
)

// Tracer makes one OpenTelemetry trace of every run that ends, from its rows:
//
//	workflow nightly                        from the trigger to the end
//	  trigger                               from when it should have begun to its row
//	  wait for a master                     from the row to the first decision
//	  task load                             one attempt, from its submission to its end
//	    wait for a worker                   until its process ran: queue, dispatch and start
//	    run                                 the process; tasks are told of this span (TRACEPARENT)
//
// A run that is begun again has a trace of its own.
type Tracer struct {
	db    *db.DB
	ids   trace.IDs
	owner string // name of the master whose runs it tells of; "" = of all
	out   *trace.Exporter
	log   *slog.Logger
	queue chan int64
}

const (
	tracerQueue = 1024 // runs that wait to be told of
	spansAtMost = 5000 // attempts of one run that are told of
)

// NewTracer makes a tracer that does nothing until Run.
func NewTracer(d *db.DB, ids trace.IDs, owner string, out *trace.Exporter, log *slog.Logger) *Tracer {
	return &Tracer{db: d, ids: ids, owner: owner, out: out, log: log, queue: make(chan int64, tracerQueue)}
}

// Ended notes that a run is over. It never blocks: when too many wait, this one has no trace.
func (t *Tracer) Ended(instance int64) {
	select {
	case t.queue <- instance:
	default:
	}
}

// Run makes traces until ctx ends.
func (t *Tracer) Run(ctx context.Context) error {
	for {
		select {
		case id := <-t.queue:
			if err := t.tell(ctx, id); err != nil && ctx.Err() == nil {
				t.log.WarnContext(ctx, "a run has no trace", "workflow_instance_id", id, "error", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// RunTrace is the id of the trace of a run.
func RunTrace(ids trace.IDs, instance int64, runTimes int) trace.ID {
	return ids.Trace("run", instance, int64(max(1, runTimes)))
}

// Parent is what the processes of an attempt are told of their trace.
func Parent(ids trace.IDs, instance int64, runTimes int, attempt int64) string {
	return trace.Parent(RunTrace(ids, instance, runTimes), ids.Span("run of attempt", attempt))
}

// tracedRun is what a trace tells of a run.
type tracedRun struct {
	ID          int64      `db:"id"`
	Name        string     `db:"name"`
	Code        int64      `db:"workflow_code"`
	Version     int        `db:"workflow_version"`
	Workflow    string     `db:"workflow_name"`
	ProjectCode int64      `db:"project_code"`
	State       string     `db:"state"`
	Command     string     `db:"command_type"`
	RunTimes    int        `db:"run_times"`
	Message     string     `db:"message"`
	Owner       string     `db:"owner"`
	Executor    string     `db:"executor_name"`
	Scheduled   *time.Time `db:"schedule_time"`
	Start       time.Time  `db:"start_time"`
	Restart     *time.Time `db:"restart_time"`
	End         *time.Time `db:"end_time"`
}

// tracedAttempt is what it tells of an attempt.
type tracedAttempt struct {
	ID      int64      `db:"id"`
	Code    int64      `db:"task_code"`
	Name    string     `db:"name"`
	Type    string     `db:"task_type"`
	State   string     `db:"state"`
	Number  int        `db:"attempt"`
	Host    string     `db:"host"`
	Group   string     `db:"worker_group"`
	Exit    *int64     `db:"exit_code"`
	Message string     `db:"message"`
	Submit  time.Time  `db:"submit_time"`
	Due     *time.Time `db:"due_time"`
	Start   *time.Time `db:"start_time"`
	End     *time.Time `db:"end_time"`
}

func (t *Tracer) tell(ctx context.Context, id int64) error {
	r, err := db.Get[tracedRun](ctx, t.db, `SELECT id, name, workflow_code, workflow_version, workflow_name, project_code, state, command_type,
		run_times, message, owner, executor_name, schedule_time, start_time, restart_time, end_time FROM workflow_instance WHERE id = ?`, id)
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil || r.End == nil || t.owner != "" && r.Owner != "" && r.Owner != t.owner {
		return err
	}
	attempts, err := db.Select[tracedAttempt](ctx, t.db, `SELECT id, task_code, name, task_type, state, attempt, host, worker_group, exit_code, message, submit_time,
		due_time, start_time, end_time FROM task_instance WHERE workflow_instance_id = ? ORDER BY id LIMIT ?`, id, spansAtMost)
	if err != nil {
		return err
	}
	t.out.Send(t.traceOf(&r, attempts))
	return nil
}

// trigger is the longest that a schedule counts as the reason of a wait; what is further away is a date, not an instant.
const trigger = time.Hour

func (t *Tracer) traceOf(r *tracedRun, attempts []tracedAttempt) trace.Trace {
	out := trace.Trace{ID: RunTrace(t.ids, r.ID, r.RunTimes)}
	root := t.ids.Span("run", r.ID, int64(r.RunTimes))
	row := r.Start // when this run was asked for
	if r.RunTimes > 1 && r.Restart != nil {
		row = *r.Restart
	}
	begin := row
	if r.Command == string(flow.CommandSchedule) && r.RunTimes <= 1 && r.Scheduled != nil && r.Scheduled.Before(row) && row.Sub(*r.Scheduled) < trigger {
		begin = *r.Scheduled
		out.Spans = append(out.Spans, trace.Span{ID: t.ids.Span("trigger", r.ID, int64(r.RunTimes)), Parent: root, Name: "trigger", Start: begin, End: row})
	}
	if first := begun(attempts, row); !first.IsZero() {
		out.Spans = append(out.Spans, trace.Span{ID: t.ids.Span("master", r.ID, int64(r.RunTimes)), Parent: root, Name: "wait for a master", Start: row, End: first})
	}
	attrs := []trace.Attr{
		{Key: "dorado.workflow.instance.id", Value: r.ID},
		{Key: "dorado.workflow.instance.name", Value: r.Name},
		{Key: "dorado.workflow.code", Value: r.Code},
		{Key: "dorado.workflow.version", Value: int64(r.Version)},
		{Key: "dorado.project.code", Value: r.ProjectCode},
		{Key: "dorado.state", Value: r.State},
		{Key: "dorado.command", Value: r.Command},
		{Key: "dorado.run.times", Value: int64(r.RunTimes)},
		{Key: "dorado.master", Value: r.Owner},
		{Key: "enduser.id", Value: r.Executor},
	}
	if r.Scheduled != nil {
		attrs = append(attrs, trace.Attr{Key: "dorado.schedule.time", Value: r.Scheduled.UTC().Format(time.RFC3339)})
	}
	out.Spans = append(out.Spans, trace.Span{
		ID: root, Name: "workflow " + r.Workflow, Start: begin, End: *r.End, Failed: flow.WorkflowState(r.State) != flow.WorkflowSuccess,
		Message: strings.TrimSpace(r.State + " " + r.Message), Attrs: attrs,
	})
	for i := range attempts {
		if !attempts[i].Submit.Before(row) { // what ran before belongs to the trace of that time
			out.Spans = append(out.Spans, t.spansOf(&attempts[i], root, *r.End)...)
		}
	}
	return out
}

// begun is when a master began to decide about the run that was asked for at row: with its first attempt. Zero when it
// never did.
func begun(attempts []tracedAttempt, row time.Time) time.Time {
	var first time.Time
	for i := range attempts {
		if at := attempts[i].Submit; !at.Before(row) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

func (t *Tracer) spansOf(a *tracedAttempt, root trace.SpanID, over time.Time) []trace.Span {
	end := over
	if a.End != nil {
		end = *a.End
	}
	whole := t.ids.Span("attempt", a.ID)
	failed := false
	switch flow.TaskState(a.State) {
	case flow.TaskFailure, flow.TaskKill, flow.TaskLost:
		failed = true
	case flow.TaskSubmitted, flow.TaskDelay, flow.TaskDispatch, flow.TaskRunning, flow.TaskPause, flow.TaskSuccess, flow.TaskForcedSuccess:
	}
	attrs := []trace.Attr{
		{Key: "dorado.task.instance.id", Value: a.ID},
		{Key: "dorado.task.code", Value: a.Code},
		{Key: "dorado.task.type", Value: a.Type},
		{Key: "dorado.task.attempt", Value: int64(a.Number)},
		{Key: "dorado.state", Value: a.State},
		{Key: "dorado.worker", Value: a.Host},
		{Key: "dorado.worker.group", Value: a.Group},
	}
	if a.Exit != nil {
		attrs = append(attrs, trace.Attr{Key: "process.exit.code", Value: *a.Exit})
	}
	out := []trace.Span{{
		ID: whole, Parent: root, Name: "task " + a.Name, Start: a.Submit, End: end, Failed: failed, Message: strings.TrimSpace(a.State + " " + a.Message), Attrs: attrs,
	}}
	ready := a.Submit
	if a.Due != nil && a.Due.After(ready) && a.Due.Before(end) {
		out = append(out, trace.Span{ID: t.ids.Span("delay", a.ID), Parent: whole, Name: "delay", Start: ready, End: *a.Due})
		ready = *a.Due
	}
	if a.Start == nil {
		return out
	}
	return append(out,
		trace.Span{ID: t.ids.Span("wait", a.ID), Parent: whole, Name: "wait for a worker", Start: ready, End: *a.Start},
		trace.Span{ID: t.ids.Span("run of attempt", a.ID), Parent: whole, Name: "run", Start: *a.Start, End: end, Failed: failed},
	)
}
