package monitor

import (
	"context"
	"slices"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/security/crud"
)

// Attempt is a task instance that is on its way or at work.
type Attempt struct {
	ID           int64          `db:"id"`
	Name         string         `db:"name"`
	Type         string         `db:"task_type"`
	TaskCode     int64          `db:"task_code"`
	State        flow.TaskState `db:"state"`
	Number       int            `db:"attempt"`
	InstanceID   int64          `db:"instance_id"`
	Instance     string         `db:"instance"`
	WorkflowCode int64          `db:"workflow_code"`
	Workflow     string         `db:"workflow_name"`
	ProjectCode  int64          `db:"project_code"`
	Project      string         `db:"project_name"`
	Host         string         `db:"host"`  // name of the worker
	Owner        string         `db:"owner"` // name of the master
	Group        string         `db:"worker_group"`
	SubmittedAt  time.Time      `db:"submit_time"`
	StartedAt    *time.Time     `db:"start_time"`
	HasLog       bool           `db:"has_log"`
	Stream       bool           `db:"stream"` // it has no run to show

	Expected time.Duration `db:"-"` // half of its last successful attempts took no longer; 0 = not known
}

// Since is when the attempt began, or was handed in while it has not.
func (a *Attempt) Since() time.Time {
	if a.StartedAt != nil {
		return *a.StartedAt
	}
	return a.SubmittedAt
}

// What is under way is found through the index of unfinished instances, so the size of the history does not matter.
const (
	unfinished = `w.state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`

	runningColumns = `t.id, t.name, t.task_type, t.task_code, t.state, t.attempt, w.id AS instance_id, w.name AS instance, w.workflow_code, w.workflow_name,
		t.project_code, COALESCE(p.name, '') AS project_name, t.host, w.owner, t.worker_group, t.submit_time, t.start_time, t.log_path <> '' AS has_log, w.stream`
	runningTables = `workflow_instance w JOIN task_instance t ON t.workflow_instance_id = w.id LEFT JOIN project p ON p.code = t.project_code`
	runningWhere  = unfinished + ` AND t.valid AND t.state IN ('DISPATCH', 'RUNNING_EXECUTION')`
)

// runningSpec is what the list of attempts can be asked for.
func runningSpec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{
			"elapsed": "COALESCE(t.start_time, t.submit_time)", "task": "t.name", "workflow": "w.workflow_name", "host": "t.host", "group": "t.worker_group",
		},
		Search: []string{"t.name", "w.name", "w.workflow_name"}, Default: "elapsed", ID: "t.id",
		Filters: map[string]string{
			"worker": "t.host", "project": "CAST(t.project_code AS TEXT)", "type": "t.task_type", "group": "t.worker_group", "state": "t.state",
		},
	}
}

// Running is one page of what runs where, in the projects that whoever acts may see; longer narrows it to attempts that
// have been under way for longer than that.
func (s *Service) Running(ctx context.Context, q listing.Query, longer time.Duration) (listing.Page[Attempt], error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return listing.Page[Attempt]{}, err
	}
	mine, err := s.mine(ctx, "t.project_code")
	if err != nil {
		return listing.Page[Attempt]{}, err
	}
	hidden, codes := s.Access.NotHidden(ctx, "w.workflow_code", instance.Read)
	more := []crud.Condition{{SQL: runningWhere + hidden, Args: codes}, mine}
	if longer > 0 {
		more = append(more, crud.Condition{SQL: "COALESCE(t.start_time, t.submit_time) <= ?", Args: []any{s.now().Add(-longer)}})
	}
	page, err := crud.Select[Attempt](ctx, s.DB, q, runningColumns, runningTables, more...)
	if err != nil {
		return page, err
	}
	return page, s.expect(ctx, page.Items)
}

// mine is the condition that column is a project that whoever acts may see.
func (s *Service) mine(ctx context.Context, column string) (crud.Condition, error) {
	codes, all := s.Access.ProjectsOf(ctx)
	switch {
	case all:
		return crud.Condition{SQL: "1 = 1"}, nil
	case len(codes) == 0:
		return crud.Condition{SQL: "1 = 0"}, nil
	}
	query, args, err := db.In(column+" IN (?)", codes)
	return crud.Condition{SQL: query, Args: args}, err
}

// Choices are what the filters of the list of attempts offer: what there is now.
type Choices struct {
	Workers, Types, Groups []string
}

// RunningChoices lists the workers, types and groups of what runs, in the projects that whoever acts may see.
func (s *Service) RunningChoices(ctx context.Context) (Choices, error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return Choices{}, err
	}
	mine, err := s.mine(ctx, "t.project_code")
	if err != nil {
		return Choices{}, err
	}
	hidden, codes := s.Access.NotHidden(ctx, "w.workflow_code", instance.Read)
	type row struct {
		Host  string `db:"host"`
		Type  string `db:"task_type"`
		Group string `db:"worker_group"`
	}
	rows, err := db.Select[row](ctx, s.DB, "SELECT DISTINCT t.host, t.task_type, t.worker_group FROM "+runningTables+" WHERE "+runningWhere+" AND "+mine.SQL+hidden, slices.Concat(mine.Args, codes)...)
	if err != nil {
		return Choices{}, err
	}
	var c Choices
	for _, r := range rows {
		if r.Host != "" {
			c.Workers = append(c.Workers, r.Host)
		}
		c.Types, c.Groups = append(c.Types, r.Type), append(c.Groups, r.Group)
	}
	for _, list := range []*[]string{&c.Workers, &c.Types, &c.Groups} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return c, nil
}

const (
	usualRuns = 10          // how many of the last runs say what is usual
	usualFor  = time.Minute // how long that is believed
	usualMost = 10_000      // tasks remembered
)

// usual remembers how long tasks usually take.
type usual struct {
	mu   sync.Mutex
	took map[int64]usualTime // by task code
}

type usualTime struct {
	at   time.Time
	took time.Duration
}

func newUsual() *usual { return &usual{took: map[int64]usualTime{}} }

// expect fills in how long the attempts usually take, from the last runs of their workflows.
func (s *Service) expect(ctx context.Context, list []Attempt) error {
	now := s.Now()
	missing := map[int64][]int64{} // task codes by workflow
	s.usual.mu.Lock()
	for i := range list {
		a := &list[i]
		if known, ok := s.usual.took[a.TaskCode]; ok && now.Sub(known.at) < usualFor {
			a.Expected = known.took
		} else if !slices.Contains(missing[a.WorkflowCode], a.TaskCode) {
			missing[a.WorkflowCode] = append(missing[a.WorkflowCode], a.TaskCode)
		}
	}
	s.usual.mu.Unlock()
	type row struct {
		TaskCode int64     `db:"task_code"`
		Start    time.Time `db:"start_time"`
		End      time.Time `db:"end_time"`
	}
	for workflow, tasks := range missing {
		query, args, err := db.In(`SELECT task_code, start_time, end_time FROM task_instance WHERE workflow_instance_id IN
			(SELECT id FROM workflow_instance WHERE workflow_code = ? ORDER BY id DESC LIMIT ?)
			AND task_code IN (?) AND state = 'SUCCESS' AND start_time IS NOT NULL AND end_time IS NOT NULL`, workflow, usualRuns+1, tasks)
		if err != nil {
			return err
		}
		rows, err := db.Select[row](ctx, s.DB, query, args...)
		if err != nil {
			return err
		}
		took := map[int64][]time.Duration{}
		for _, r := range rows {
			took[r.TaskCode] = append(took[r.TaskCode], max(0, r.End.Sub(r.Start)))
		}
		s.usual.mu.Lock()
		if len(s.usual.took) > usualMost {
			clear(s.usual.took)
		}
		for _, code := range tasks {
			var half time.Duration
			if all := took[code]; len(all) > 0 {
				slices.Sort(all)
				half = all[len(all)/2]
			}
			s.usual.took[code] = usualTime{now, half}
		}
		s.usual.mu.Unlock()
	}
	s.usual.mu.Lock()
	defer s.usual.mu.Unlock()
	for i := range list {
		list[i].Expected = s.usual.took[list[i].TaskCode].took
	}
	return nil
}

// projectChoice is a project that a filter offers.
type projectChoice struct {
	Code int64  `db:"code"`
	Name string `db:"name"`
}

// projects lists those that whoever acts may see, by name.
func (s *Service) projects(ctx context.Context) ([]projectChoice, error) {
	mine, err := s.mine(ctx, "code")
	if err != nil {
		return nil, err
	}
	return db.Select[projectChoice](ctx, s.DB, "SELECT code, name FROM project WHERE "+mine.SQL+" ORDER BY name", mine.Args...)
}
