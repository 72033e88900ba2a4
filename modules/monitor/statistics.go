package monitor

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/cluster"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/security/crud"
)

// defaultGroup is the worker group that is always there, and holds every worker unless it lists some.
const defaultGroup = "default"

// commandChannel is where masters hear of commands.
const commandChannel = "dorado_command"

// clockMark is the row of schedule_mark that the clock keeps.
const clockMark = "clock"

// Queue is what waits for workers of one group.
type Queue struct {
	Group   string
	Depth   int           // attempts that are due and have no worker
	Longest time.Duration // that one of them has waited
	Sent    int           // attempts that were sent and have not begun
	Running int
	Workers int // live ones that serve the group
	Slots   int // of those that take work
	Free    int // of these slots
}

// Statistics are the queues of the whole cluster, from its tables.
type Statistics struct {
	Queues         []Queue // by name, the default group first
	Commands       int     // that no master has taken
	OldestCommand  time.Duration
	FailedCommands int
	Unacked        int // attempts that were sent and have not begun
	OldestUnacked  time.Duration
	GroupWaiters   int // attempts that wait for a slot of their task group
	OldestWaiter   time.Duration
	Serial         int // runs that wait for another run of their workflow
	Stopping       int // runs that are to stop and have not
	OldestStopping time.Duration
	FailingOver    int           // runs that wait for a master to take them over
	ScheduleLag    time.Duration // since the clock looked last; 0 when nothing is scheduled
	Scheduled      int           // schedules that are online
	Alerts         int           // that wait to be sent
}

// Statistics counts what waits.
func (s *Service) Statistics(ctx context.Context) (Statistics, error) {
	var out Statistics
	if err := s.Access.Require(ctx, View); err != nil {
		return out, err
	}
	now := s.now()
	type aged struct {
		N      int        `db:"n"`
		Oldest *time.Time `db:"oldest"`
	}
	count := func(query string, args ...any) (n int, age time.Duration, err error) {
		type plain struct {
			N int `db:"n"`
		}
		head, err := db.Get[plain](ctx, s.DB, "SELECT count(*) AS n FROM "+query, args...)
		return head.N, 0, err
	}
	// The moment is read as a column of a row, not as an aggregate: SQLite gives aggregates no type.
	oldest := func(column, from string, args ...any) (n int, age time.Duration, err error) {
		if n, _, err = count(from, args...); err != nil || n == 0 {
			return n, 0, err
		}
		row, err := db.Get[aged](ctx, s.DB, "SELECT 0 AS n, "+column+" AS oldest FROM "+from+" ORDER BY "+column+" LIMIT 1", args...)
		if errors.Is(err, db.ErrNoRows) {
			return 0, 0, nil
		}
		if err == nil && row.Oldest != nil {
			age = max(0, now.Sub(*row.Oldest))
		}
		return n, age, err
	}
	var errs [9]error
	out.Commands, out.OldestCommand, errs[0] = oldest("created_at", "command WHERE 1 = 1")
	out.FailedCommands, _, errs[1] = count("error_command")
	out.Unacked, out.OldestUnacked, errs[2] = oldest("t.submit_time", "workflow_instance w JOIN task_instance t ON t.workflow_instance_id = w.id WHERE "+unfinished+" AND t.valid AND t.state = 'DISPATCH'")
	out.GroupWaiters, out.OldestWaiter, errs[3] = oldest("submit_time", "task_instance WHERE "+groupWaiter)
	out.Serial, _, errs[4] = count("workflow_instance w WHERE " + unfinished + " AND w.state = 'SERIAL_WAIT'")
	out.Stopping, out.OldestStopping, errs[5] = oldest("w.updated_at", "workflow_instance w WHERE "+unfinished+" AND w.state = 'READY_STOP'")
	out.FailingOver, _, errs[6] = count("workflow_instance w WHERE " + unfinished + " AND w.state = 'FAILOVER'")
	out.Alerts, _, errs[7] = count("alert WHERE status = 'WAIT_EXECUTION'")
	out.Scheduled, _, errs[8] = count("schedule WHERE release_state = 'ONLINE'")
	if err := errors.Join(errs[:]...); err != nil {
		return out, err
	}
	if out.Scheduled > 0 {
		mark, err := db.Get[time.Time](ctx, s.DB, "SELECT fired_until FROM schedule_mark WHERE name = ?", clockMark)
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return out, err
		}
		if err == nil {
			out.ScheduleLag = max(0, now.Sub(mark))
		}
	}
	queues, err := s.queues(ctx, now)
	out.Queues = queues
	return out, err
}

// groupWaiter is an attempt that waits for its task group; the condition is that of an index.
const groupWaiter = "task_group_id <> 0 AND end_time IS NULL AND state = 'SUBMITTED_SUCCESS' AND NOT force_start"

// queues counts by worker group what waits, was sent and runs, and who could take it.
func (s *Service) queues(ctx context.Context, now time.Time) ([]Queue, error) {
	type row struct {
		Group string `db:"worker_group"`
		State string `db:"state"`
		Type  string `db:"task_type"`
		N     int    `db:"n"`
	}
	rows, err := db.Select[row](ctx, s.DB, "SELECT t.worker_group, t.state, t.task_type, count(*) AS n"+queuedFrom+" GROUP BY t.worker_group, t.state, t.task_type", now)
	if err != nil {
		return nil, err
	}
	groups := map[string]*Queue{defaultGroup: {Group: defaultGroup}}
	at := func(name string) *Queue {
		if groups[name] == nil {
			groups[name] = &Queue{Group: name}
		}
		return groups[name]
	}
	for _, r := range rows {
		if flow.KindOf(r.Type).Logic() { // masters carry these out themselves
			continue
		}
		q := at(r.Group)
		switch flow.TaskState(r.State) {
		case flow.TaskSubmitted:
			q.Depth += r.N
		case flow.TaskDispatch:
			q.Sent += r.N
		default:
			q.Running += r.N
		}
	}
	for _, q := range groups {
		if q.Depth > 0 {
			if q.Longest, err = s.longest(ctx, q.Group, now); err != nil {
				return nil, err
			}
		}
	}
	members, err := s.members(ctx)
	if err != nil {
		return nil, err
	}
	for name := range members {
		at(name)
	}
	nodes, err := s.nodes(ctx, cluster.Worker)
	if err != nil && !errors.Is(err, ErrRegistryAway) { // the counts are worth showing without the workers
		return nil, err
	}
	drained, err := s.store.drained(ctx)
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		for _, g := range nodes[i].Heartbeat.Groups {
			at(g)
		}
	}
	out := make([]Queue, 0, len(groups))
	for _, q := range groups {
		for i := range nodes {
			w := Server{Node: nodes[i]}
			if w.Garbage != "" || !serves(&w, q.Group, members[q.Group]) {
				continue
			}
			q.Workers++
			if !w.Heartbeat.Draining && !drained[w.Name()] {
				q.Slots += w.Heartbeat.Slots
				q.Free += max(0, w.Heartbeat.Slots-w.Heartbeat.Running)
			}
		}
		out = append(out, *q)
	}
	slices.SortFunc(out, func(a, b Queue) int {
		if (a.Group == defaultGroup) != (b.Group == defaultGroup) {
			return map[bool]int{true: -1, false: 1}[a.Group == defaultGroup]
		}
		return strings.Compare(a.Group, b.Group)
	})
	return out, nil
}

// queuedFrom is what is due and has no worker yet, was sent, or runs. Its parameter is the moment.
const queuedFrom = ` FROM workflow_instance w JOIN task_instance t ON t.workflow_instance_id = w.id WHERE ` + unfinished + ` AND t.valid
	AND (t.state IN ('DISPATCH', 'RUNNING_EXECUTION') OR t.state = 'SUBMITTED_SUCCESS' AND (t.task_group_id = 0 OR t.force_start)
	AND (t.due_time IS NULL OR t.due_time <= ?))`

// longest is how long the attempt that has waited longest for a worker of the group has done so.
func (s *Service) longest(ctx context.Context, group string, now time.Time) (time.Duration, error) {
	type row struct {
		Submit time.Time  `db:"submit_time"`
		Due    *time.Time `db:"due_time"`
	}
	r, err := db.Get[row](ctx, s.DB, "SELECT t.submit_time, t.due_time"+queuedFrom+" AND t.state = 'SUBMITTED_SUCCESS' AND t.worker_group = ? ORDER BY t.submit_time LIMIT 1", now, group)
	if errors.Is(err, db.ErrNoRows) {
		return 0, nil
	}
	if r.Due != nil && r.Due.After(r.Submit) {
		r.Submit = *r.Due
	}
	return max(0, now.Sub(r.Submit)), err
}

// members are the workers that groups list; a group that lists nobody has those that name it.
func (s *Service) members(ctx context.Context) (map[string][]string, error) {
	type row struct {
		Name      string `db:"name"`
		Addresses string `db:"addresses"`
	}
	rows, err := db.Select[row](ctx, s.DB, "SELECT name, addresses FROM worker_group")
	out := make(map[string][]string, len(rows))
	for _, r := range rows {
		out[r.Name] = strings.FieldsFunc(r.Addresses, func(c rune) bool { return c == ',' })
	}
	return out, err
}

func serves(w *Server, group string, listed []string) bool {
	if len(listed) == 0 {
		return group == defaultGroup || slices.Contains(w.Heartbeat.Groups, group)
	}
	host, _, _ := strings.Cut(w.Address, ":")
	return slices.Contains(listed, w.Name()) || slices.Contains(listed, w.Address) || slices.Contains(listed, host)
}

// Command is a request to a master: one that waits, or one that failed for good.
type Command struct {
	ID          int64              `db:"id"`
	Type        flow.CommandType   `db:"command_type"`
	InstanceID  int64              `db:"workflow_instance_id"`
	Instance    string             `db:"instance"` // "" when it is gone
	State       flow.WorkflowState `db:"state"`
	Workflow    string             `db:"workflow_name"`
	ProjectCode int64              `db:"project_code"`
	Project     string             `db:"project_name"`
	ExecutorID  int64              `db:"executor_id"`
	Executor    string             `db:"executor"`
	Priority    string             `db:"priority"`
	Group       string             `db:"worker_group"`
	Warning     string             `db:"warning_type"`
	ScheduledAt *time.Time         `db:"schedule_time"`
	Param       string             `db:"param"`
	Message     string             `db:"message"` // why it failed
	CreatedAt   time.Time          `db:"created_at"`
	FailedAt    *time.Time         `db:"failed_at"`
}

const (
	commandColumns = `c.id, c.command_type, c.workflow_instance_id, COALESCE(w.name, '') AS instance, COALESCE(w.state, '') AS state,
		COALESCE(w.workflow_name, '') AS workflow_name, COALESCE(w.project_code, 0) AS project_code, COALESCE(p.name, '') AS project_name,
		c.executor_id, COALESCE(u.name, '') AS executor, COALESCE(w.priority, '') AS priority, COALESCE(w.worker_group, '') AS worker_group,
		COALESCE(w.warning_type, '') AS warning_type, w.schedule_time, c.param, c.created_at`
	commandJoins = ` c LEFT JOIN workflow_instance w ON w.id = c.workflow_instance_id LEFT JOIN project p ON p.code = w.project_code
		LEFT JOIN users u ON u.id = c.executor_id`
	waitingColumns = commandColumns + ", '' AS message, NULL AS failed_at"
	failedColumns  = commandColumns + ", c.message, c.failed_at"
)

// commandSpec is what the lists of commands can be asked for.
func commandSpec(failed bool) listing.Spec {
	spec := listing.Spec{
		Columns: map[string]string{"id": "c.id", "type": "c.command_type", "created": "c.created_at"},
		Search:  []string{"w.name", "w.workflow_name", "c.param"}, Default: "id", ID: "c.id",
		Filters: map[string]string{"type": "c.command_type"},
	}
	if failed {
		spec.Columns["failed"], spec.Default = "c.failed_at", "-failed"
		spec.Search = append(spec.Search, "c.message")
	}
	return spec
}

// Commands is one page of the commands that wait, or that failed, in the projects that whoever acts may see.
func (s *Service) Commands(ctx context.Context, q listing.Query, failed bool) (listing.Page[Command], error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return listing.Page[Command]{}, err
	}
	mine, err := s.mine(ctx, "w.project_code")
	if err != nil {
		return listing.Page[Command]{}, err
	}
	hidden, codes := s.Access.NotHidden(ctx, "w.workflow_code", instance.Read)
	mine.SQL, mine.Args = mine.SQL+hidden, slices.Concat(mine.Args, codes)
	if failed {
		return crud.Select[Command](ctx, s.DB, q, failedColumns, "error_command"+commandJoins, mine)
	}
	return crud.Select[Command](ctx, s.DB, q, waitingColumns, "command"+commandJoins, mine)
}

// failedCommand is a command that failed, for an administrator. It returns ErrNoCommand.
func (s *Service) failedCommand(ctx context.Context, id int64) (Command, error) {
	if err := s.Access.Require(ctx, Manage); err != nil {
		return Command{}, err
	}
	c, err := db.Get[Command](ctx, s.DB, "SELECT "+failedColumns+" FROM error_command"+commandJoins+" WHERE c.id = ?", id)
	return c, found(err, id)
}

func found(err error, id int64) error {
	if errors.Is(err, db.ErrNoRows) {
		return ErrNoCommand.With("id", id)
	}
	return err
}

// begins reports whether a command begins a run, so that its failure ended the instance.
func begins(kind flow.CommandType) bool {
	switch kind {
	case flow.CommandPause, flow.CommandStop, flow.CommandDecide, flow.CommandForceStart, flow.CommandKillTask, flow.CommandGroupPriority:
		return false
	default:
		return true
	}
}

// RetryCommand hands a command that failed to the masters again. The instance that failed with it waits again; one that
// was begun anew meanwhile, or is over where the command is about a run under way, is left alone: ErrRunOver.
func (s *Service) RetryCommand(ctx context.Context, id int64) error {
	c, err := s.failedCommand(ctx, id)
	if err != nil {
		return err
	}
	now := s.now()
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.take(ctx, id); err != nil {
			return err
		}
		state := "state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')"
		set := "updated_at = updated_at"
		if begins(c.Type) {
			state, set = "state = 'FAILURE'", "state = 'SUBMITTED_SUCCESS', message = '', end_time = NULL, owner = ''"
		}
		res, err := s.DB.Exec(ctx, "UPDATE workflow_instance SET "+set+" WHERE id = ? AND "+state, c.InstanceID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrRunOver.With("name", c.Instance))
		}
		if _, err := s.DB.Exec(ctx, `INSERT INTO command (command_type, workflow_instance_id, priority, param, executor_id, created_at)
			VALUES (?, ?, ?, ?, ?, ?)`, c.Type, c.InstanceID, flow.Priority(c.Priority).Code(), c.Param, c.ExecutorID, now); err != nil {
			return err
		}
		if err := s.record(ctx, "command.retry", c); err != nil {
			return err
		}
		return s.DB.Notify(ctx, commandChannel, "")
	})
}

// DiscardCommand forgets a command that failed.
func (s *Service) DiscardCommand(ctx context.Context, id int64) error {
	c, err := s.failedCommand(ctx, id)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.take(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, "command.discard", c)
	})
}

// take removes a failed command; whoever comes second finds none.
func (s *Service) take(ctx context.Context, id int64) error {
	res, err := s.DB.Exec(ctx, "DELETE FROM error_command WHERE id = ?", id)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrNoCommand.With("id", id))
	}
	return nil
}

func (s *Service) record(ctx context.Context, action string, c Command) error {
	if _, err := access.Must(ctx); err != nil {
		return err
	}
	return s.Audit.Record(ctx, audit.Entry{
		Action: action, ObjectType: "command", ObjectID: strconv.FormatInt(c.ID, 10), ObjectName: c.Instance, ProjectCode: c.ProjectCode,
		Detail: map[string]any{"type": c.Type, "workflow_instance_id": c.InstanceID},
	})
}
