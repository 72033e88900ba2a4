package instance

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
)

// Streaming tasks have no workflow instance: runs of their workflow pass them through, and each is started by itself. The row of
// workflow_instance that its attempts hang on is nobody's to see (Instance.Stream); what one may do is done to the task.

// Faults of streaming tasks.
var (
	errNotStream    = fault.New(fault.Conflict, "run.not_stream")
	errNoStreamTask = fault.New(fault.Conflict, "run.no_stream_task")
	errNotSaved     = fault.New(fault.Conflict, "run.stream_not_running")
	errSavesMissed  = fault.New(fault.Unavailable, "run.stream_unavailable")
)

// Streams reaches the jobs of streaming tasks, wherever their worker is; the engine implements it.
type Streams interface {
	// Savepoint has the job of an attempt write down its state, and returns where it lies.
	Savepoint(ctx context.Context, worker string, attempt int64) (string, error)
}

const (
	// saveWait is how long a savepoint is waited for; the worker gives up at the same time.
	saveWait = 10 * time.Minute
	// saveTold is how long after it was asked for a savepoint has an outcome, if whoever asked lived to write it down.
	saveTold = saveWait + time.Minute
)

// Savepoint is one that was asked for.
type Savepoint struct {
	ID        int64      `db:"id"`
	User      string     `db:"user_name"`
	Path      string     `db:"path"`    // "" while it is taken, and when it was not
	Message   string     `db:"message"` // why it was not taken, in the language of who asked
	CreatedAt time.Time  `db:"created_at"`
	EndedAt   *time.Time `db:"ended_at"`
}

// SaveState is what became of a savepoint.
type SaveState int

// What becomes of a savepoint.
const (
	SaveOpen    SaveState = iota // it is being taken
	SaveTaken                    // Path tells where it lies
	SaveFailed                   // Message tells why
	SaveUnknown                  // the process that asked for it ended before it was told the outcome
)

// State is what became of p at now. Only who asked for a savepoint is told its outcome. When that process died nobody writes it
// down any more, so the state of a row without an end follows from its age, and whoever looks sees the same.
func (p *Savepoint) State(now time.Time) SaveState {
	switch {
	case p.EndedAt == nil && now.Sub(p.CreatedAt) < saveTold:
		return SaveOpen
	case p.EndedAt == nil:
		return SaveUnknown
	case p.Path == "":
		return SaveFailed
	}
	return SaveTaken
}

// Savepoint has the job of a running streaming task write down its state, and returns where it lies. It is remembered with the
// task, whatever comes of it, and goes on when ctx ends. It returns ErrTaskNotFound, a Conflict or Unavailable fault with the
// reason, or a Forbidden fault.
func (s *Service) Savepoint(ctx context.Context, task int64) (string, error) {
	t, err := s.taskToOperate(ctx, task)
	switch {
	case err != nil:
		return "", err
	case !t.Stream:
		return "", errNotStream.With("name", t.Name)
	case t.State != flow.TaskRunning:
		return "", errNotSaved.With("name", t.Name)
	case s.Streams == nil:
		return "", errSavesMissed
	}
	who, err := access.Must(ctx)
	if err != nil {
		return "", err
	}
	var id int64
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		id, err = db.Get[int64](ctx, s.DB, `INSERT INTO savepoint (task_instance_id, user_name, created_at) VALUES (?, ?, ?) RETURNING id`, t.ID, who.Name, s.now())
		if err != nil {
			return fmt.Errorf("insert savepoint: %w", err)
		}
		return s.Audit.Record(ctx, audit.Entry{
			Action: "task_instance.savepoint", ObjectType: "task_instance", ObjectID: strconv.FormatInt(t.ID, 10), ObjectName: t.Name,
			ProjectCode: t.ProjectCode, Detail: map[string]any{"savepointId": id},
		})
	})
	if err != nil {
		return "", err
	}
	ctx = context.WithoutCancel(ctx)
	asking, cancel := context.WithTimeout(ctx, saveWait)
	defer cancel()
	path, failed := s.Streams.Savepoint(asking, t.Host, t.ID)
	message := ""
	if failed != nil {
		f := fault.From(failed)
		path, message = "", i18n.T(ctx, f.Key, f.Pairs()...)
	}
	_, err = s.DB.Exec(ctx, `UPDATE savepoint SET path = ?, message = ?, ended_at = ? WHERE id = ?`, path, message, s.now(), id)
	if failed != nil {
		return "", failed
	}
	return path, err
}

// streamTasks reads those attempts of streaming tasks of a project that whoever acts may see. It returns what project.Service.Require
// returns.
func (s *Service) streamTasks(ctx context.Context, project int64, ids []int64) ([]ListedTask, error) {
	if err := s.may(ctx, project, Read); err != nil {
		return nil, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	query, args, err := db.In(`SELECT `+listedColumns+` FROM task_instance t JOIN workflow_instance w ON w.id = t.workflow_instance_id
		WHERE t.project_code = ? AND t.id IN (?) AND w.stream = ?`, project, ids, true)
	if err != nil {
		return nil, err
	}
	return db.Select[ListedTask](ctx, s.DB, query+hidden, append(args, more...)...)
}

// savepoints lists those of all attempts of a streaming task, latest first.
func (s *store) savepoints(ctx context.Context, instance int64) ([]Savepoint, error) {
	return db.Select[Savepoint](ctx, s.db, `SELECT p.id, p.user_name, p.path, p.message, p.created_at, p.ended_at FROM savepoint p
		JOIN task_instance t ON t.id = p.task_instance_id WHERE t.workflow_instance_id = ? ORDER BY p.id DESC LIMIT 100`, instance)
}
