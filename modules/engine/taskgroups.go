package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/engine/core"
)

const (
	// GroupChannel is notified, with the id of a task group, after somebody got a slot of it.
	GroupChannel = "dorado_group"
	// groupSweep is the safety net under the notifications.
	groupSweep = 5 * time.Second
	// slotOrphan is how old a row is before it counts as left behind by an attempt that is over.
	slotOrphan = time.Minute
	// slotBatch is how many rows are written by one statement where there are so many.
	slotBatch = 50
)

// ticket is one attempt that waits for a slot of its task group.
type ticket struct {
	group    int64
	attempt  int64
	run      int64
	node     int32
	priority int // larger first
}

// taskGroups lets attempts wait for slots of task groups. Who waits and who has a slot are rows of task_group_slot: they
// are written, and removed, in the transactions that change their attempts, so there are never more holders than the group
// has slots, whoever dies. Any master grants, under a lock on the group's row; the master that has the run is told. In
// memory is only who waits for such news here. All methods are safe for concurrent use.
type taskGroups struct {
	e    *term
	wake chan struct{}

	mu      sync.Mutex
	waiting map[int64]map[int64]ticket // group → attempt
	where   map[int64]int64            // attempt → group
	due     map[int64]bool             // groups to be looked at
	all     bool
}

func newTaskGroups(e *term) *taskGroups {
	return &taskGroups{
		e: e, wake: make(chan struct{}, 1), waiting: map[int64]map[int64]ticket{}, where: map[int64]int64{}, due: map[int64]bool{}, all: true,
	}
}

// wait notes attempts whose rows are saved: they are told when they have a slot.
func (t *taskGroups) wait(tickets []ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range tickets {
		if t.waiting[k.group] == nil {
			t.waiting[k.group] = map[int64]ticket{}
		}
		t.waiting[k.group][k.attempt] = k
		t.where[k.attempt] = k.group
		t.due[k.group] = true
	}
	t.signal()
}

// forget takes an attempt out that does not wait any more.
func (t *taskGroups) forget(attempt int64) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	group, waits := t.where[attempt]
	if !waits {
		return ticket{}, false
	}
	k := t.waiting[group][attempt]
	delete(t.where, attempt)
	delete(t.waiting[group], attempt)
	if len(t.waiting[group]) == 0 {
		delete(t.waiting, group)
	}
	return k, true
}

// release lets a waiting attempt go on, whatever the slots.
func (t *taskGroups) release(attempt int64) {
	if k, waits := t.forget(attempt); waits {
		t.e.shard(k.run).post(message{run: k.run, granted: &k})
	}
}

// look has a group looked at; 0 means all.
func (t *taskGroups) look(group int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if group == 0 {
		t.all = true
	} else {
		t.due[group] = true
	}
	t.signal()
}

func (t *taskGroups) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// told takes a notification: somebody got a slot, maybe somebody here.
func (t *taskGroups) told(payload string) {
	group, err := strconv.ParseInt(payload, 10, 64)
	if err != nil {
		t.look(0)
		return
	}
	t.mu.Lock()
	here := len(t.waiting[group]) > 0
	t.mu.Unlock()
	if here {
		t.look(group)
	}
}

// run works until ctx ends.
func (t *taskGroups) run(ctx context.Context) {
	sweep := time.NewTicker(groupSweep)
	defer sweep.Stop()
	for {
		if err := t.pass(ctx); err != nil && ctx.Err() == nil {
			t.e.logger.WarnContext(ctx, "grant slots of task groups; tried again", "error", err)
			t.look(0)
			select {
			case <-time.After(500 * time.Millisecond):
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-t.wake:
		case <-sweep.C:
			t.look(0)
			if err := t.clean(ctx); err != nil && ctx.Err() == nil {
				t.e.logger.WarnContext(ctx, "remove slots of task groups that were left behind", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// clean removes rows of attempts that are over without having been saved by an engine.
func (t *taskGroups) clean(ctx context.Context) error {
	if !t.e.members.first() {
		return nil
	}
	_, err := t.e.db.Exec(ctx, `DELETE FROM task_group_slot WHERE queued_at < ? AND NOT EXISTS (SELECT 1 FROM task_instance t
		WHERE t.id = task_group_slot.task_instance_id AND t.valid = ?
		AND t.state IN ('SUBMITTED_SUCCESS', 'DELAY_EXECUTION', 'DISPATCH', 'RUNNING_EXECUTION'))`, t.e.clock().Add(-slotOrphan), true)
	return err
}

// pass grants what is free in the groups that are due, and tells those here that have a slot now.
func (t *taskGroups) pass(ctx context.Context) error {
	t.mu.Lock()
	due, all := t.due, t.all
	t.due, t.all = map[int64]bool{}, false
	if all {
		for group := range t.waiting {
			due[group] = true
		}
	}
	t.mu.Unlock()
	if all {
		groups, err := db.Select[int64](ctx, t.e.db, `SELECT DISTINCT task_group_id FROM task_group_slot WHERE granted = ?`, false)
		if err != nil {
			return fmt.Errorf("list the task groups that somebody waits for: %w", err)
		}
		for _, group := range groups {
			due[group] = true
		}
	}
	for group := range due {
		if err := t.e.store.grant(ctx, group); err != nil {
			return fmt.Errorf("task group %d: %w", group, err)
		}
		if err := t.collect(ctx, group); err != nil {
			return fmt.Errorf("task group %d: %w", group, err)
		}
	}
	return nil
}

// collect tells the attempts that wait here and have a slot.
func (t *taskGroups) collect(ctx context.Context, group int64) error {
	t.mu.Lock()
	here := len(t.waiting[group]) > 0
	t.mu.Unlock()
	if !here {
		return nil
	}
	granted, err := db.Select[int64](ctx, t.e.db, `SELECT task_instance_id FROM task_group_slot WHERE task_group_id = ? AND granted = ? ORDER BY priority DESC, task_instance_id`, group, true)
	if err != nil {
		return err
	}
	for _, attempt := range granted {
		t.release(attempt)
	}
	return nil
}

// grant gives the free slots of a group to those who wait, larger priorities first, and tells all masters.
func (s *store) grant(ctx context.Context, group int64) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		g, err := db.Get[taskGroupRow](ctx, s.db, `SELECT id, group_size, status FROM task_group WHERE id = ? `+s.db.Dialect().ForUpdate(), group)
		free := 1 << 30 // of one that does not exist, or is closed
		switch {
		case errors.Is(err, db.ErrNoRows):
		case err != nil:
			return err
		case g.open():
			held, err := db.Get[int](ctx, s.db, `SELECT count(*) FROM task_group_slot WHERE task_group_id = ? AND granted = ?`, group, true)
			if err != nil {
				return err
			}
			free = g.Size - held
		}
		if free <= 0 {
			return nil
		}
		res, err := s.db.Exec(ctx, `UPDATE task_group_slot SET granted = ? WHERE task_instance_id IN (SELECT task_instance_id FROM task_group_slot
			WHERE task_group_id = ? AND granted = ? ORDER BY priority DESC, task_instance_id LIMIT ?)`, true, group, false, free)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.db.Notify(ctx, GroupChannel, strconv.FormatInt(group, 10))
	})
}

// slotRows are the statements that put attempts in the queue of their groups, or, with granted, note that they have a slot.
func slotRows(tickets []ticket, granted bool, now time.Time) (rows []extra) {
	over := ` ON CONFLICT (task_instance_id) DO NOTHING`
	if granted {
		over = ` ON CONFLICT (task_instance_id) DO UPDATE SET granted = excluded.granted`
	}
	return inBatches(tickets, `INSERT INTO task_group_slot (task_instance_id, workflow_instance_id, task_group_id, priority, granted, queued_at) VALUES `,
		`(?, ?, ?, ?, ?, ?)`, over, func(k ticket) []any { return []any{k.attempt, k.run, k.group, k.priority, granted, now} })
}

// slotsOver are the statements that take attempts out of their groups.
func slotsOver(attempts []int64) []extra {
	return inBatches(attempts, `DELETE FROM task_group_slot WHERE task_instance_id IN (`, `?`, `)`, func(id int64) []any { return []any{id} })
}

// inBatches makes statements of one row or of slotBatch, so that there are few different texts to prepare.
func inBatches[T any](all []T, head, row, tail string, args func(T) []any) (list []extra) {
	for part := range slices.Chunk(all, slotBatch) {
		if len(part) < slotBatch {
			for _, one := range part {
				list = append(list, extra{head + row + tail, args(one)})
			}
			continue
		}
		x := extra{query: head + row + strings.Repeat(", "+row, slotBatch-1) + tail}
		for _, one := range part {
			x.args = append(x.args, args(one)...)
		}
		list = append(list, x)
	}
	return list
}

// usage is how many attempts hold slots of a group, and how many wait.
func (s *store) usage(ctx context.Context, group int64) (held, waiting int, err error) {
	type row struct {
		Granted bool `db:"granted"`
		N       int  `db:"n"`
	}
	rows, err := db.Select[row](ctx, s.db, `SELECT granted, count(*) AS n FROM task_group_slot WHERE task_group_id = ? GROUP BY granted`, group)
	if err != nil {
		return 0, 0, fmt.Errorf("count the slots of task group %d: %w", group, err)
	}
	for _, r := range rows {
		if r.Granted {
			held = r.N
		} else {
			waiting = r.N
		}
	}
	return held, waiting, nil
}

// slots are what a change does to the rows of task groups: who begins to wait, who has a slot since before this master had
// the run, who is over.
func (t *turn) slots(over []*core.Attempt) (rows []extra, groups []int64) {
	l := t.l
	if len(t.tickets) == 0 && len(over) == 0 && t.held == nil {
		return nil, nil
	}
	now := t.e.clock()
	note := func(group int64) {
		if !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	var ended []int64
	for _, a := range over {
		ended = append(ended, a.ID)
		note(l.program.graph.Tasks[a.Node].TaskGroupID)
	}
	rows = slotsOver(ended)
	if len(l.program.taskGroups) > 0 && t.held != nil {
		var held []ticket
		for node := range l.program.graph.Tasks {
			if a := l.run.Attempt(int32(node)); a != nil && a.State.OnWorker() && l.grouped(a) {
				held = append(held, l.ticket(a))
			}
		}
		rows = append(rows, slotRows(held, true, now)...)
	}
	return append(rows, slotRows(t.tickets, false, now)...), groups
}
