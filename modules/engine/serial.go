package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

const (
	// SerialChannel is notified, with the code of the workflow, when an instance was queued in serial_queue.
	SerialChannel = "dorado_serial"
	// serialSweep is the safety net under the notifications.
	serialSweep = 5 * time.Second
)

// The states of a row of serial_queue.
const (
	serialWaiting  = "WAITING"
	serialLaunched = "LAUNCHED"
)

// serial lets the instances of workflows that must not overlap run one after the other (engine.md 5). All it knows is in
// the queue's table: each pass over a workflow's rows decides again from what they say, in one transaction, and the table
// itself has room for one launched row a workflow only.
type serial struct {
	store   *store
	logger  *slog.Logger
	settled func(Ended) // tells of instances that ended without having run
	nudge   func()      // there is a command

	mu   sync.Mutex
	due  map[int64]bool // workflows whose rows are to be looked at
	all  bool
	wake chan struct{}
}

func newSerial(s *store, logger *slog.Logger, settled func(Ended), nudge func()) *serial {
	return &serial{store: s, logger: logger, settled: settled, nudge: nudge, due: map[int64]bool{}, all: true, wake: make(chan struct{}, 1)}
}

// look has the queue of a workflow looked at; 0 means all.
func (s *serial) look(code int64) {
	s.mu.Lock()
	if code == 0 {
		s.all = true
	} else {
		s.due[code] = true
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends.
func (s *serial) run(ctx context.Context) {
	tick := time.NewTicker(serialSweep)
	defer tick.Stop()
	for {
		if err := s.pass(ctx); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "launch queued workflow instances; tried again", "error", err)
			s.look(0)
			select {
			case <-time.After(time.Second):
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-s.wake:
		case <-tick.C:
			s.look(0)
		case <-ctx.Done():
			return
		}
	}
}

// pass looks at everything that is due.
func (s *serial) pass(ctx context.Context) error {
	s.mu.Lock()
	due, all := s.due, s.all
	s.due, s.all = map[int64]bool{}, false
	s.mu.Unlock()
	codes := make([]int64, 0, len(due))
	for code := range due {
		codes = append(codes, code)
	}
	if all {
		var err error
		if codes, err = db.Select[int64](ctx, s.store.db, `SELECT DISTINCT workflow_code FROM serial_queue`); err != nil {
			return fmt.Errorf("list serial queues: %w", err)
		}
	}
	slices.Sort(codes)
	for _, code := range codes {
		ended, launched, err := s.store.advanceSerial(ctx, code)
		if err != nil {
			return fmt.Errorf("serial queue of workflow %d: %w", code, err)
		}
		for _, e := range ended {
			s.settled(e)
		}
		if launched {
			s.nudge()
		}
	}
	return nil
}

// serialRow is a row of the queue with its instance.
type serialRow struct {
	ID            int64      `db:"id"`
	Instance      int64      `db:"workflow_instance_id"`
	Execution     string     `db:"execution_type"`
	Command       string     `db:"command_type"`
	State         string     `db:"state"`
	InstanceState *string    `db:"instance_state"`
	Project       *int64     `db:"project_code"`
	History       *string    `db:"state_history"`
	Schedule      *time.Time `db:"schedule_time"`
	Start         *time.Time `db:"start_time"`
	Param         *string    `db:"command_param"`
}

func (r *serialRow) instance() flow.WorkflowState {
	if r.InstanceState == nil {
		return ""
	}
	return flow.WorkflowState(*r.InstanceState)
}

// gone reports whether the instance ended or was deleted.
func (r *serialRow) gone() bool { return r.instance() == "" || r.instance().Finished() }

// again reports whether the row is of an instance that ran before: it goes ahead of those that did not.
func (r *serialRow) again() bool {
	switch flow.CommandType(r.Command) {
	case flow.CommandResume, flow.CommandRecoverFailed, flow.CommandRepeat, flow.CommandExecuteTask:
		return true
	default:
		return false
	}
}

// ended describes the end of an instance that did not run.
func (r *serialRow) ended(code int64, state flow.WorkflowState, now time.Time) Ended {
	e := Ended{InstanceID: r.Instance, WorkflowCode: code, State: state, ScheduleTime: r.Schedule, StartTime: orZero(r.Start), EndTime: now}
	if r.Project != nil {
		e.ProjectCode = *r.Project
	}
	if r.Param != nil {
		e.Param = commandParam(*r.Param)
	}
	return e
}

// serialPlan is what one pass does to a queue.
type serialPlan struct {
	remove  []serialRow // their instances are over
	discard []serialRow // their instances end without having run
	launch  *serialRow
	stop    *serialRow // launched, and in the way of a newer one
}

// planSerial decides about the rows of one workflow, in the order of the queue.
func planSerial(rows []serialRow) serialPlan {
	var p serialPlan
	var launched *serialRow
	var waiting []serialRow
	for i := range rows {
		switch r := rows[i]; {
		case r.gone():
			p.remove = append(p.remove, r)
		case r.State == serialLaunched:
			launched = &rows[i]
		case r.instance() == flow.WorkflowSerialWait:
			waiting = append(waiting, r)
		}
	}
	if len(waiting) == 0 {
		return p
	}
	newest := waiting[len(waiting)-1]
	// Those that ran before go first; otherwise the queue's order counts.
	slices.SortStableFunc(waiting, func(a, b serialRow) int {
		switch {
		case a.again() == b.again():
			return 0
		case a.again():
			return -1
		}
		return 1
	})
	switch flow.ExecutionType(newest.Execution) {
	case flow.SerialDiscard:
		keep := 0
		for keep < len(waiting) && waiting[keep].again() {
			keep++
		}
		if keep == 0 && launched == nil {
			keep = 1
		}
		p.discard, waiting = waiting[keep:], waiting[:keep]
	case flow.SerialPriority:
		for _, r := range waiting {
			if r.ID != newest.ID {
				p.discard = append(p.discard, r)
			}
		}
		waiting = []serialRow{newest}
		p.stop = launched
	case flow.SerialWait, flow.Parallel:
	}
	if launched == nil && len(waiting) > 0 {
		p.launch = &waiting[0]
	}
	return p
}

// advanceSerial makes one pass over the queue of a workflow.
func (s *store) advanceSerial(ctx context.Context, code int64) (ended []Ended, launched bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		ended, launched = nil, false
		lock := ""
		if s.db.Dialect().Name() == "postgres" {
			lock = " FOR UPDATE OF q"
		}
		rows, err := db.Select[serialRow](ctx, s.db, `SELECT q.id, q.workflow_instance_id, q.execution_type, q.command_type, q.state,
			w.state AS instance_state, w.project_code, w.state_history, w.schedule_time, w.start_time, w.command_param
			FROM serial_queue q LEFT JOIN workflow_instance w ON w.id = q.workflow_instance_id
			WHERE q.workflow_code = ? ORDER BY q.id`+lock, code)
		if err != nil {
			return err
		}
		p := planSerial(rows)
		for i := range p.remove {
			r := &p.remove[i]
			if err := s.dequeue(ctx, r.ID); err != nil {
				return err
			}
			if r.State == serialWaiting && r.InstanceState != nil { // somebody stopped it while it waited
				ended = append(ended, r.ended(code, r.instance(), s.now()))
			}
		}
		for i := range p.discard {
			r := &p.discard[i]
			done, err := s.discard(ctx, r)
			if err != nil {
				return err
			}
			if done {
				ended = append(ended, r.ended(code, flow.WorkflowStop, s.now()))
			}
		}
		if p.stop != nil {
			if err := s.stopForNewer(ctx, p.stop); err != nil {
				return err
			}
		}
		if p.launch == nil {
			return nil
		}
		launched = true
		return s.launchSerial(ctx, p.launch)
	})
	return ended, launched, err
}

func (s *store) dequeue(ctx context.Context, row int64) error {
	_, err := s.db.Exec(ctx, `DELETE FROM serial_queue WHERE id = ?`, row)
	return err
}

// discard ends an instance that waited, unless somebody was quicker.
func (s *store) discard(ctx context.Context, r *serialRow) (bool, error) {
	now := s.now()
	changes := append(parseHistory(*r.History), core.StateChange{Time: now, State: flow.WorkflowStop, Why: "discarded"})
	res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'STOP', state_history = ?, message = ?, end_time = ?, updated_at = ?
		WHERE id = ? AND state = 'SERIAL_WAIT'`, history(changes), "discarded: the workflow does not run beside or after a newer instance", now, now, r.Instance)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, err
	}
	return n > 0, s.dequeue(ctx, r.ID)
}

// stopForNewer asks the launched instance to stop, once.
func (s *store) stopForNewer(ctx context.Context, r *serialRow) error {
	res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'READY_STOP', updated_at = ?
		WHERE id = ? AND state IN ('SUBMITTED_SUCCESS', 'RUNNING_EXECUTION', 'READY_PAUSE', 'FAILOVER')`, s.now(), r.Instance)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return s.command(ctx, flow.CommandStop, r.Instance)
}

// launchSerial gives an instance its command.
func (s *store) launchSerial(ctx context.Context, r *serialRow) error {
	if _, err := s.db.Exec(ctx, `UPDATE serial_queue SET state = ? WHERE id = ?`, serialLaunched, r.ID); err != nil {
		return err
	}
	now := s.now()
	changes := append(parseHistory(*r.History), core.StateChange{Time: now, State: flow.WorkflowSubmitted, Why: "its turn has come"})
	res, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'SUBMITTED_SUCCESS', state_history = ?, updated_at = ? WHERE id = ? AND state = 'SERIAL_WAIT'`,
		history(changes), now, r.Instance)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 { // stopped or deleted a moment ago; the next pass removes the row
		return s.dequeue(ctx, r.ID)
	}
	return s.command(ctx, flow.CommandType(r.Command), r.Instance)
}

// enqueue puts an instance whose command came although its workflow does not overlap, and has no launched row, into the
// queue instead. It reports false when the instance may run now.
func (s *store) enqueue(ctx context.Context, row *commandRow, execution flow.ExecutionType) (queued bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		queued = false
		state, err := db.Select[string](ctx, s.db, `SELECT state FROM serial_queue WHERE workflow_instance_id = ?`, row.ID)
		if err != nil {
			return err
		}
		if len(state) > 0 && state[0] == serialLaunched {
			return nil
		}
		now := s.now()
		if len(state) == 0 {
			if _, err := s.db.Exec(ctx, `INSERT INTO serial_queue (workflow_code, workflow_instance_id, execution_type, command_type, state, created_at)
				VALUES (?, ?, ?, ?, ?, ?)`, row.WorkflowCode, row.ID, execution, row.Type, serialWaiting, now); err != nil {
				return err
			}
		}
		changes := append(parseHistory(row.StateHistory), core.StateChange{Time: now, State: flow.WorkflowSerialWait, Why: row.Type})
		if _, err := s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'SERIAL_WAIT', state_history = ?, updated_at = ? WHERE id = ? AND state IN ('SUBMITTED_SUCCESS', 'SERIAL_WAIT')`,
			history(changes), now, row.ID); err != nil {
			return err
		}
		queued = true
		_, err = s.db.Exec(ctx, `DELETE FROM command WHERE id = ?`, row.CommandID)
		return err
	})
	return queued, err
}
