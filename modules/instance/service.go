package instance

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/project"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

// commandChannel is where masters are told of commands.
const commandChannel = "dorado_command"

// Services are the parts that the service is built from.
type Services struct {
	DB        *db.DB
	Access    *access.Service
	Audit     *audit.Service
	Projects  *project.Service
	Workflows *workflow.Service
	Tenants   *tenant.Service
	Logs      Logs
	Workers   Workers
	Streams   Streams // nil: no savepoints are taken
	Now       func() time.Time
	Logger    *slog.Logger
	// Trace is the id of the OpenTelemetry trace of a run, and where it can be looked at, "" when nobody said; nil = there are
	// no traces.
	Trace func(instance int64, runTimes int) (id, url string)
	Wake  func() // a command was committed by this process; nil = the notification must do
}

// wake tells the engine of this process of a command, once the transaction of ctx is committed.
func (s *Service) wake(ctx context.Context) {
	if s.Wake != nil {
		db.AfterCommit(ctx, func(context.Context) { s.Wake() })
	}
}

// Service is the door to everything that ran.
type Service struct {
	Services
	store     store
	trigger   trigger
	backfills Backfills

	mu         sync.Mutex
	starts     map[versionKey]*startable
	programs   map[versionKey]*program
	held       int // tasks in programs
	startsHeld int // versions and tasks in starts
	watches    *watches
}

var (
	_ workflow.Referrer      = (*Service)(nil)
	_ workflow.VersionKeeper = (*Service)(nil)
	_ tenant.Referrer        = (*Service)(nil)
)

// NewService returns the service.
func NewService(d Services) *Service {
	return &Service{
		Services: d, store: store{d.DB}, trigger: newTrigger(d.DB.Dialect()), starts: map[versionKey]*startable{}, programs: map[versionKey]*program{}, watches: newWatches(),
	}
}

func (s *Service) now() time.Time { return db.Cut(s.Now()) }

// may returns nil when whoever acts has the permission in the project, else what project.Service.Require returns. It
// asks the database only to explain a refusal, and so does not notice that the project is missing: the row that is
// looked for in it then is.
func (s *Service) may(ctx context.Context, code int64, perm access.Permission) error {
	return s.mayRun(ctx, code, 0, perm)
}

// mayRun is may for one workflow of the project, 0 for none.
func (s *Service) mayRun(ctx context.Context, code, workflow int64, perm access.Permission) error {
	err := s.Access.RequireWorkflow(ctx, code, workflow, perm)
	if !errors.Is(err, access.ErrDenied) {
		return err
	}
	_, err = s.Projects.RequireWorkflow(ctx, code, workflow, perm)
	return err
}

// mayOn returns nil when whoever acts has the permission for an instance. What one may not even see looks as if it were
// not there, so that ids tell nothing about other people's projects; so does the row of a streaming task: what one may do is done
// to the task.
func (s *Service) mayOn(ctx context.Context, i *Instance, perm access.Permission) error {
	if i.Stream {
		return ErrNotFound.With("id", i.ID)
	}
	err := s.Access.RequireWorkflow(ctx, i.ProjectCode, i.WorkflowCode, perm)
	if !errors.Is(err, access.ErrDenied) {
		return err
	}
	if perm == Read || !s.Access.CanWorkflow(ctx, i.ProjectCode, i.WorkflowCode, Read) {
		return ErrNotFound.With("id", i.ID)
	}
	_, err = s.Projects.RequireWorkflow(ctx, i.ProjectCode, i.WorkflowCode, perm)
	return err
}

// Get returns an instance. It returns ErrNotFound, also for one that the caller may not see.
func (s *Service) Get(ctx context.Context, id int64) (*Instance, error) {
	i, err := s.store.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.mayOn(ctx, i, Read); err != nil {
		return nil, err
	}
	return i, nil
}

// GetIn is Get for an instance that must belong to a project.
func (s *Service) GetIn(ctx context.Context, project, id int64) (*Instance, error) {
	i, err := s.Get(ctx, id)
	if err == nil && i.ProjectCode != project {
		return nil, ErrNotFound.With("id", id)
	}
	return i, err
}

// Tasks lists the attempts of an instance, oldest first; with valid only the current attempt of each task.
func (s *Service) Tasks(ctx context.Context, instance int64, valid bool) ([]Task, error) {
	if _, err := s.Get(ctx, instance); err != nil {
		return nil, err
	}
	return s.store.tasks(ctx, instance, valid)
}

// Task returns one attempt with its run's names. It returns ErrTaskNotFound, also for one that the caller may not see.
func (s *Service) Task(ctx context.Context, id int64) (*ListedTask, error) {
	t, err := s.store.task(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.Access.RequireWorkflow(ctx, t.ProjectCode, t.WorkflowCode, Read); err != nil {
		if errors.Is(err, access.ErrDenied) {
			return nil, ErrTaskNotFound.With("id", id)
		}
		return nil, err
	}
	return t, nil
}

// Attempts lists all attempts of the task that an attempt belongs to, oldest first.
func (s *Service) Attempts(ctx context.Context, t *ListedTask) ([]Task, error) {
	return s.store.attempts(ctx, t.WorkflowInstanceID, t.TaskCode)
}

// Spec is what the list of instances can be sorted and narrowed by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"start": "w.start_time", "name": "w.name", "state": "w.state", "end": "w.end_time"},
		Search:  []string{"w.name"}, Default: "-start", ID: "w.id",
		Filters: map[string]string{
			"state": "w.state", "workflow": "CAST(w.workflow_code AS TEXT)", "executor": "w.executor_name", "type": "w.command_type",
		},
	}
}

// TaskSpec is what the list of task instances can be sorted and narrowed by.
func TaskSpec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"submit": "t.submit_time", "start": "t.start_time", "end": "t.end_time", "name": "t.name", "state": "t.state"},
		Search:  []string{"t.name", "w.name"}, Default: "-submit", ID: "t.id",
		Filters: map[string]string{
			"state": "t.state", "type": "t.task_type", "instance": "CAST(t.workflow_instance_id AS TEXT)", "host": "t.host",
			"executor": "w.executor_name", "task": "CAST(t.task_code AS TEXT)", "name": "t.name",
		},
	}
}

// Range narrows a list to runs that began in [From, To); a zero end is open.
type Range struct{ From, To time.Time }

// Filter narrows a list beyond its Spec. Texts are parts of what they must be found in.
type Filter struct {
	Range
	Host      string
	Instance  string // name of the workflow instance; of task instances only
	Workflow  string // name of the workflow; of task instances only
	Scheduled Range  // when instances were scheduled for; of workflow instances only
	Backfill  int64  // the backfill that started instances; of workflow instances only
	Streams   bool   // streaming tasks, instead of those of workflow instances; of task instances only
	ByStart   bool   // Range is about when task instances started, not when they were submitted
}

// like adds the conditions about texts.
func (f Filter) like(s *store, where string, args []any, columns map[string]string) (string, []any) {
	for _, c := range []struct{ column, text string }{{columns["host"], f.Host}, {columns["instance"], f.Instance}, {columns["workflow"], f.Workflow}} {
		if c.text != "" && c.column != "" {
			where, args = where+" AND "+s.db.Dialect().Like(c.column), append(args, db.Contains(c.text))
		}
	}
	return where, args
}

// instances is the condition of a list of the instances of a project.
func (f Filter) instances(s *store, project int64) (string, []any) {
	where, args := `w.project_code = ? AND w.is_sub_workflow = ?`, []any{project, false}
	where, args = f.narrow("w.start_time", where, args)
	where, args = f.Scheduled.narrow("w.schedule_time", where, args)
	if f.Backfill != 0 {
		where, args = where+` AND w.id IN (SELECT workflow_instance_id FROM backfill_date WHERE backfill_id = ?)`, append(args, f.Backfill)
	}
	return f.like(s, where, args, map[string]string{"host": "w.host"})
}

// named is how many of the youngest runs Named looks through: their names are in no index.
const named = 20_000

// young is the condition for them.
const young = `w.id > (SELECT COALESCE(max(id), 0) FROM workflow_instance) - ?`

// visible is the condition for runs of all projects that whoever acts may see, without those of sub-workflows.
func (s *Service) visible(ctx context.Context) (string, []any, error) {
	if _, err := access.Must(ctx); err != nil {
		return "", nil, err
	}
	within, args, err := inProjects(s.Access.ProjectsWith(ctx, Read))
	if err != nil {
		return "", nil, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	return `w.` + within + ` AND w.is_sub_workflow = ?` + hidden, slices.Concat(args, []any{false}, more), nil
}

// Fitting is Named for runs whose name fits. It asks only about names that hold more than ASCII characters.
func (s *Service) Fitting(ctx context.Context, fits func(name string) bool, limit int) ([]Instance, error) {
	where, args, err := s.visible(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := db.Fitting(ctx, s.DB, fits, limit,
		`SELECT w.id, w.name FROM workflow_instance w WHERE `+where+` AND `+young+` AND `+db.NotASCII("w.name")+` ORDER BY w.id DESC`, append(args, named)...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	query, args, err := db.In(`SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.id IN (?) ORDER BY w.id DESC`, ids)
	if err != nil {
		return nil, err
	}
	return db.Select[Instance](ctx, s.DB, query, args...)
}

// Named returns limit runs of all projects that whoever acts may see, the youngest first: those of the last 20,000 whose name
// has text as a part, and the one whose number it is. Those of sub-workflows are left out.
func (s *Service) Named(ctx context.Context, text string, limit int) ([]Instance, error) {
	where, args, err := s.visible(ctx)
	if err != nil {
		return nil, err
	}
	const query = `SELECT ` + instanceColumns + ` FROM workflow_instance w WHERE `
	found, err := db.Select[Instance](ctx, s.DB, query+where+` AND `+young+` AND `+s.DB.Dialect().Like("w.name")+` ORDER BY w.id DESC LIMIT ?`,
		slices.Concat(args, []any{named, db.Contains(text), limit})...)
	if err != nil {
		return nil, err
	}
	if number, err := strconv.ParseInt(text, 10, 64); err == nil && number > 0 {
		one, err := db.Select[Instance](ctx, s.DB, query+where+` AND w.id = ?`, slices.Concat(args, []any{number})...)
		if err != nil {
			return nil, err
		}
		found = slices.Concat(one, slices.DeleteFunc(found, func(i Instance) bool { return i.ID == number }))
	}
	return found[:min(limit, len(found))], nil
}

// List lists the instances of a project, without those of sub-workflows.
func (s *Service) List(ctx context.Context, project int64, q listing.Query, f Filter) (listing.Page[Instance], error) {
	if _, err := s.Projects.Require(ctx, project, Read); err != nil {
		return listing.Page[Instance]{}, err
	}
	where, args := f.instances(&s.store, project)
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	where, args = where+hidden, append(args, more...)
	return s.store.list(ctx, where, args, q)
}

// ListTasks lists the attempts of a project. f bounds when they were submitted.
func (s *Service) ListTasks(ctx context.Context, project int64, q listing.Query, f Filter) (listing.Page[ListedTask], error) {
	if _, err := s.Projects.Require(ctx, project, Read); err != nil {
		return listing.Page[ListedTask]{}, err
	}
	column := "t.submit_time"
	if f.ByStart {
		column = "t.start_time"
	}
	where, args := f.narrow(column, `t.project_code = ? AND w.stream = ?`, []any{project, f.Streams})
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	where, args = where+hidden, append(args, more...)
	where, args = f.like(&s.store, where, args, map[string]string{"host": "t.host", "instance": "w.name", "workflow": "w.workflow_name"})
	return s.store.listTasks(ctx, where, args, q)
}

func (r Range) narrow(column, where string, args []any) (string, []any) {
	if !r.From.IsZero() {
		where, args = where+" AND "+column+" >= ?", append(args, r.From)
	}
	if !r.To.IsZero() {
		where, args = where+" AND "+column+" < ?", append(args, r.To)
	}
	return where, args
}
