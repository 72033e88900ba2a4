package schedule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/metrics"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

// write makes a batch: in one transaction, or, when something in it cannot be written, in as many as it takes to leave out
// only that.
func (c *Clock) write(ctx context.Context, batch []item, now time.Time) error {
	// All clocks insert in one order, so that two never wait for each other.
	slices.SortFunc(batch, func(a, b item) int {
		if d := cmp.Compare(a.e.id, b.e.id); d != 0 {
			return d
		}
		return a.fire.Nominal.Compare(b.fire.Nominal)
	})
	bad, err := c.writePart(ctx, batch, c.mark(batch, now))
	if err != nil || len(bad) == len(batch) {
		return cmp.Or(err, errAll) // when nothing can be written it is not the fault of what should be
	}
	for _, i := range bad {
		c.Logger.ErrorContext(ctx, "a schedule could not be fired and is skipped", "schedule_id", i.e.id, "schedule_time", i.fire.Nominal)
	}
	return nil
}

var errAll = errors.New("schedule: no fire of a batch could be written")

// writePart writes a part of a batch and returns what cannot be written though other things can.
func (c *Clock) writePart(ctx context.Context, batch []item, mark time.Time) (bad []item, err error) {
	err = c.transact(ctx, batch, mark)
	switch {
	case err == nil:
		c.done(batch)
		return nil, nil
	case ctx.Err() != nil || db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded):
		return nil, err
	case len(batch) == 1:
		c.Logger.WarnContext(ctx, "a fire could not be written", "schedule_id", batch[0].e.id, "error", err)
		return batch, nil
	}
	half := len(batch) / 2
	for _, part := range [][]item{batch[:half], batch[half:]} {
		some, err := c.writePart(ctx, part, mark)
		if err != nil {
			return nil, err
		}
		bad = append(bad, some...)
	}
	return bad, nil
}

// mark is until when everything due is made once the batch is: before the first of what is due next. The entries of the
// batch itself are due again after what is in it.
func (c *Clock) mark(batch []item, now time.Time) time.Time {
	mark := now
	earlier := func(t time.Time) {
		if t.Before(mark) {
			mark = t
		}
	}
	for k := range batch {
		earlier(batch[k].fire.Due)
	}
	for _, q := range []*queue{&c.due, &c.late} {
		if due, ok := q.due(); ok {
			earlier(due.Add(-time.Millisecond))
		}
	}
	return mark
}

// transact writes a part of a batch.
func (c *Clock) transact(ctx context.Context, batch []item, mark time.Time) error {
	return c.DB.InTx(ctx, func(ctx context.Context) error {
		if err := c.insert(ctx, batch, time.Time{}); err != nil {
			return err
		}
		return c.store.setMark(ctx, mark)
	})
}

// insert writes the fires of those schedules that are what the clock takes them for. The runs begin at a moment to come, or
// now.
func (c *Clock) insert(ctx context.Context, batch []item, at time.Time) error {
	valid, err := c.store.revisions(ctx, batch)
	if err != nil {
		return err
	}
	triggers := make([]instance.Trigger, 0, len(batch))
	for k := range batch {
		i := &batch[k]
		revision, online := valid[i.e.id]
		if i.changed = !online || revision != i.e.revision; !i.changed {
			triggers = append(triggers, i.trigger(at))
		}
	}
	_, err = c.Instances.TriggerMany(ctx, triggers)
	return err
}

// done notes what a written batch tells: how late it was, and which schedules must be read again.
func (c *Clock) done(batch []item) {
	now := c.now()
	stale := false
	c.mu.Lock()
	for k := range batch {
		i := &batch[k]
		switch {
		case i.changed:
			c.told[i.e.id], stale = true, true
		case i.late:
			c.meter.fired.WithLabelValues("caught_up").Inc()
		default:
			c.meter.fired.WithLabelValues("in_time").Inc()
			c.meter.lateness.Observe(max(now.Sub(i.fire.Due), 0).Seconds())
		}
	}
	c.mu.Unlock()
	if stale {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// trigger is what a fire starts: the current version of the workflow, as the schedule says.
func (i *item) trigger(at time.Time) instance.Trigger {
	how := i.e.how.Value()
	nominal := i.fire.Nominal.UTC()
	t := instance.Trigger{
		StartRequest: instance.StartRequest{
			WorkflowCode: i.e.workflow, FailureStrategy: how.failureStrategy, WarningType: how.warningType, WarningGroupID: how.warningGroupID,
			Priority: how.priority, WorkerGroup: how.workerGroup, TenantCode: how.tenantCode, EnvironmentCode: how.environmentCode,
			TimeZone: i.e.timing.Zone.String(),
		},
		ProjectCode: i.e.project, Command: flow.CommandSchedule, ScheduleID: i.e.id, FireTime: nominal, ScheduleTime: &nominal,
		ExecutorID: how.userID, ExecutorName: how.userName, At: at,
	}
	if how.startParams != "[]" {
		t.StartParams, _ = flow.DecodeProperties(how.startParams) // written by this package
	}
	if how.doneBy != "" {
		if by, err := ParseDoneBy(how.doneBy); err == nil {
			deadline := by.Of(i.fire.Due, i.e.timing.Zone).UTC()
			t.Deadline = &deadline
		}
	}
	return t
}

// revisions reads the schedules of a batch that are online.
func (s store) revisions(ctx context.Context, batch []item) (map[int64]int, error) {
	ids := make([]int64, 0, len(batch))
	for k := range batch {
		if id := batch[k].e.id; len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	// Few lengths make few statements, which the database then knows.
	size := 1
	for size < len(ids) {
		size *= 4
	}
	for len(ids) < size {
		ids = append(ids, ids[0])
	}
	query, args, err := db.In(`SELECT id, revision FROM schedule WHERE release_state = 'ONLINE' AND id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	type row struct {
		ID       int64 `db:"id"`
		Revision int   `db:"revision"`
	}
	rows, err := db.Select[row](ctx, s.db, query, args...)
	out := make(map[int64]int, len(rows))
	for _, r := range rows {
		out[r.ID] = r.Revision
	}
	return out, err
}

const markName = "clock"

// mark is until when everything due was made or skipped; the zero time when nothing ever was.
func (s store) mark(ctx context.Context) (time.Time, error) {
	t, err := db.Get[time.Time](ctx, s.db, `SELECT fired_until FROM schedule_mark WHERE name = ?`, markName)
	if errors.Is(err, db.ErrNoRows) {
		return time.Time{}, nil
	}
	return t, err
}

// flush has PostgreSQL bring to the disk what open transactions have written into its log so far, with the commit of a
// transaction that has a number and nothing else. A thousand fires are a megabyte of log, and where that begins a new file of
// it the server fills 16 MB with zeros first; their own commit need wait for neither then.
func (s store) flush(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `SELECT txid_current()`)
	return err
}

// setMark moves the mark forward, never back: another clock may be further.
func (s store) setMark(ctx context.Context, until time.Time) error {
	_, err := s.db.Exec(ctx, `INSERT INTO schedule_mark (name, fired_until) VALUES (?, ?) ON CONFLICT (name) DO UPDATE
		SET fired_until = EXCLUDED.fired_until WHERE EXCLUDED.fired_until > schedule_mark.fired_until`, markName, until)
	return err
}

// alertMissed is the type of the alert about fires that are not caught up.
const alertMissed flow.AlertType = "SCHEDULE_MISSED"

// defaultAlertGroup is that of the administrators.
const defaultAlertGroup = 1

// alert writes down what a schedule lost.
func (c *Clock) alert(ctx context.Context, l loss) error {
	r, err := c.store.byID(ctx, l.id)
	if err != nil {
		return err
	}
	group := r.WarningGroupID
	if group <= 0 {
		group = defaultAlertGroup
	}
	zone := r.Zone()
	content, err := json.Marshal([]map[string]any{{
		"projectCode": r.ProjectCode, "workflowDefinitionCode": r.WorkflowCode, "workflowDefinitionName": r.WorkflowName, "scheduleId": r.ID,
		"scheduleName": r.Name, "crontab": r.Crontab, "timezoneId": r.TimeZone, "caughtUp": c.Config.MaxCatchUp,
		"missedFrom": l.from.In(zone).Format(time.DateTime), "missedTo": l.to.In(zone).Format(time.DateTime),
	}})
	if err != nil {
		return err
	}
	now := db.Cut(c.now())
	_, err = c.DB.Exec(ctx, `INSERT INTO alert (event_key, alert_type, workflow_instance_id, run_times, title, content, warning_type, alert_group_id,
		project_code, workflow_code, created_at, updated_at) VALUES (?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		fmt.Sprintf("schedule:%d:%d:%s", r.ID, l.from.UnixMilli(), alertMissed), alertMissed,
		i18n.T(ctx, "schedule.missed.title", "name", r.Label(), "workflow", r.WorkflowName), string(content), r.WarningType, group,
		r.ProjectCode, r.WorkflowCode, now, now)
	return err
}

// meter is what operators see of the clock.
type meter struct {
	online   prometheus.Gauge
	fired    *prometheus.CounterVec
	lateness prometheus.Observer
}

func newMeter(r *metrics.Registry) *meter {
	if r == nil {
		r = metrics.New() // counted, and never seen
	}
	return &meter{
		online:   r.Gauge("ds.schedule.online", "Schedules that are online").WithLabelValues(),
		fired:    r.Counter("ds.schedule.fired", "Fires of schedules that were written, in time or caught up", "kind"),
		lateness: r.Duration("ds.schedule.lateness", "From when a fire was due to its durable command").WithLabelValues(),
	}
}
