package workflow

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
)

// Search narrows workflows and tasks of all projects that whoever acts may see. Empty fields narrow nothing.
type Search struct {
	Project int64  // code
	Name    string // a part of it, of the workflow or of the task
	State   flow.ReleaseState
	Type    string // of a task
	Execute flow.ExecuteType
}

// FindWorkflows returns limit workflows after offset, the one changed last first, and how many there are.
func (s *Service) FindWorkflows(ctx context.Context, q Search, limit, offset int) ([]Workflow, int, error) {
	where, args, err := s.within(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if q.Name != "" {
		where, args = where+` AND `+s.DB.Dialect().Like("w.name"), append(args, db.Contains(q.Name))
	}
	if q.State != "" {
		where, args = where+` AND w.release_state = ?`, append(args, q.State)
	}
	return s.store.find(ctx, where, args, limit, offset)
}

// FittingWorkflows returns the youngest limit workflows of the search whose name fits, the one changed last first. It asks only about names
// that hold more than ASCII characters, and about no more than db.MaxFitting of them; q.Name says nothing here.
func (s *Service) FittingWorkflows(ctx context.Context, q Search, fits func(name string) bool, limit int) ([]Workflow, error) {
	where, args, err := s.within(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.State != "" {
		where, args = where+` AND w.release_state = ?`, append(args, q.State)
	}
	codes, err := s.store.fitting(ctx, where, args, fits, limit)
	if err != nil || len(codes) == 0 {
		return nil, err
	}
	return selectIn[Workflow](ctx, s.DB, `SELECT `+workflowColumns+workflowTables+` WHERE w.code IN (?)`+workflowOrder, codes)
}

// within is the condition that a workflow is in a project of the search that whoever acts may see.
func (s *Service) within(ctx context.Context, q Search) (string, []any, error) {
	hidden, more := s.Projects.Access.NotHidden(ctx, "w.code", Read)
	if q.Project != 0 {
		_, err := s.Projects.Require(ctx, q.Project, Read)
		return `w.project_code = ?` + hidden, append([]any{q.Project}, more...), err
	}
	if _, err := access.Must(ctx); err != nil {
		return "", nil, err
	}
	codes, all := s.Projects.Access.ProjectsOf(ctx)
	codes = slices.DeleteFunc(codes, func(code int64) bool { return !s.Can(ctx, code, Read) })
	switch {
	case all:
		return `w.project_code > 0` + hidden, more, nil
	case len(codes) == 0:
		return `w.project_code = 0`, nil, nil
	}
	where, args, err := db.In(`w.project_code IN (?)`, codes)
	return where + hidden, append(args, more...), err
}

// FoundTask is a task of a current version.
type FoundTask struct {
	Workflow Workflow
	Task     flow.Task
	Upstream map[int64]string // tasks that it waits for, by code
}

// FindTasks returns limit tasks of current versions after offset, those of the workflow changed last first, and how many there
// are. How a task runs is not in the index of tasks, so a search for it reads every definition that has one that fits else.
func (s *Service) FindTasks(ctx context.Context, q Search, limit, offset int) ([]FoundTask, int, error) {
	where, args, err := s.within(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if q.Name != "" {
		where, args = where+` AND `+s.DB.Dialect().Like("t.name"), append(args, db.Contains(q.Name))
	}
	if q.Type != "" {
		where, args = where+` AND t.task_type = ?`, append(args, strings.ToUpper(q.Type))
	}
	rows, total, err := s.store.findTasks(ctx, where, args, limit, offset, q.Execute != "")
	if err != nil {
		return nil, 0, err
	}
	defs := map[int64]*found{}
	var out []FoundTask
	for _, r := range rows {
		f := defs[r.Workflow]
		if f == nil {
			if len(defs) == findMemory {
				clear(defs)
			}
			if f, err = s.found(ctx, r.Workflow); err != nil {
				return nil, 0, err
			}
			defs[r.Workflow] = f
		}
		at, known := f.at[r.Task]
		if !known || q.Execute != "" && cmp.Or(f.def.Tasks[at].ExecuteType, flow.Batch) != q.Execute {
			continue
		}
		t := FoundTask{Workflow: f.head, Task: f.def.Tasks[at], Upstream: map[int64]string{}}
		for _, code := range upstream(f.def, r.Task) {
			if n, ok := f.at[code]; ok {
				t.Upstream[code] = f.def.Tasks[n].Name
			}
		}
		out = append(out, t)
	}
	if q.Execute != "" {
		total = len(out)
		out = out[min(offset, total):min(offset+limit, total)]
	}
	return out, total, nil
}

// TaskNamed is a task of a current version, without what it does.
type TaskNamed struct {
	Project      int64  `db:"project_code"`
	Workflow     int64  `db:"workflow_code"`
	WorkflowName string `db:"workflow_name"`
	Code         int64  `db:"code"`
	Name         string `db:"name"`
	Type         string `db:"task_type"`
}

// TasksNamed returns limit tasks whose name has text as a part, those of the workflow changed last first.
func (s *Service) TasksNamed(ctx context.Context, text string, limit int) ([]TaskNamed, error) {
	where, args, err := s.within(ctx, Search{})
	if err != nil {
		return nil, err
	}
	rows, err := db.Select[TaskNamed](ctx, s.DB, `SELECT `+taskNamedColumns+taskTables+
		where+` AND `+s.DB.Dialect().Like("t.name")+taskOrder+` LIMIT ?`, append(args, db.Contains(text), limit)...)
	return rows, wrap(err, "find tasks")
}

// FittingTasks is TasksNamed for the youngest tasks whose name fits. It asks only about names that hold more than ASCII characters, and about
// no more than db.MaxFitting of them.
func (s *Service) FittingTasks(ctx context.Context, fits func(name string) bool, limit int) ([]TaskNamed, error) {
	where, args, err := s.within(ctx, Search{})
	if err != nil {
		return nil, err
	}
	codes, err := db.Fitting(ctx, s.DB, fits, limit, `SELECT t.code AS id, t.name`+taskTables+where+` AND `+db.NotASCII("t.name")+` ORDER BY t.code DESC`, args...)
	if err != nil || len(codes) == 0 {
		return nil, wrap(err, "find fitting tasks")
	}
	return selectIn[TaskNamed](ctx, s.DB, `SELECT `+taskNamedColumns+taskTables+`t.code IN (?)`+taskOrder, codes)
}

// findMemory is how many definitions a search keeps at once.
const findMemory = 16

// found is a definition that a search looks into.
type found struct {
	head Workflow
	def  *flow.Definition
	at   map[int64]int
}

func (s *Service) found(ctx context.Context, code int64) (*found, error) {
	w, err := s.store.byCode(ctx, code)
	if err != nil {
		return nil, err
	}
	def, err := s.store.body(ctx, code, w.Version)
	if err != nil {
		return nil, err
	}
	f := &found{w, def, make(map[int64]int, len(def.Tasks))}
	for i := range def.Tasks {
		f.at[def.Tasks[i].Code] = i
	}
	return f, nil
}

// The SQL of searches.

func (s store) find(ctx context.Context, where string, args []any, limit, offset int) ([]Workflow, int, error) {
	total, err := db.Get[int](ctx, s.db, `SELECT count(*)`+workflowTables+` WHERE `+where, args...)
	if err != nil {
		return nil, 0, wrap(err, "count workflows")
	}
	rows, err := db.Select[Workflow](ctx, s.db, `SELECT `+workflowColumns+workflowTables+` WHERE `+where+workflowOrder+` LIMIT ? OFFSET ?`,
		append(slices.Clone(args), limit, offset)...)
	return rows, total, wrap(err, "find workflows")
}

const workflowOrder = ` ORDER BY w.updated_at DESC, w.id DESC`

// fitting lists the codes of limit workflows whose name is not ASCII and fits.
func (s store) fitting(ctx context.Context, where string, args []any, fits func(string) bool, limit int) ([]int64, error) {
	codes, err := db.Fitting(ctx, s.db, fits, limit,
		`SELECT w.code AS id, w.name FROM workflow_definition w WHERE `+where+` AND `+db.NotASCII("w.name")+` ORDER BY w.id DESC`, args...)
	return codes, wrap(err, "find fitting workflows")
}

// foundTask is a task in the index.
type foundTask struct {
	Task     int64 `db:"code"`
	Workflow int64 `db:"workflow_code"`
}

const (
	taskNamedColumns = `w.project_code, t.workflow_code, w.name AS workflow_name, t.code, t.name, t.task_type`

	taskTables = ` FROM task_definition t JOIN workflow_definition w ON w.code = t.workflow_code WHERE `
	taskOrder  = ` ORDER BY w.updated_at DESC, w.id DESC, t.name, t.code`
)

// findTasks lists tasks of the index; with every those of all pages.
func (s store) findTasks(ctx context.Context, where string, args []any, limit, offset int, every bool) ([]foundTask, int, error) {
	total, err := db.Get[int](ctx, s.db, `SELECT count(*)`+taskTables+where, args...)
	if err != nil {
		return nil, 0, wrap(err, "count tasks")
	}
	query := `SELECT t.code, t.workflow_code` + taskTables + where + taskOrder
	if !every {
		query, args = query+` LIMIT ? OFFSET ?`, append(slices.Clone(args), limit, offset)
	}
	rows, err := db.Select[foundTask](ctx, s.db, query, args...)
	return rows, total, wrap(err, "find tasks")
}

// dependences lists what the workflows start or wait for, or with down what starts them or waits for them.
func (s store) dependences(ctx context.Context, codes []int64, down bool) ([]Dependence, error) {
	column := `workflow_code`
	if down {
		column = `dependent_workflow_code`
	}
	return selectIn[Dependence](ctx, s.db, `SELECT DISTINCT dependent_workflow_code AS source, workflow_code AS target FROM workflow_lineage
		WHERE dependent_workflow_code <> workflow_code AND `+column+` IN (?)`, codes)
}

// moveTo writes the project of a workflow into its own rows.
func (s store) moveTo(ctx context.Context, w Workflow, project int64) error {
	if _, err := s.db.Exec(ctx, `UPDATE workflow_definition SET project_code = ? WHERE code = ?`, project, w.Code); err != nil {
		return taken(err, w)
	}
	for _, table := range []string{"task_definition", "workflow_draft"} {
		if _, err := s.db.Exec(ctx, `UPDATE `+table+` SET project_code = ? WHERE workflow_code = ?`, project, w.Code); err != nil {
			return wrap(err, "move workflow")
		}
	}
	return nil
}

// TaskProject is the code of the project that a task of a current version is in. It returns ErrTaskNotFound, also for a task
// that whoever acts may not see.
func (s *Service) TaskProject(ctx context.Context, task int64) (int64, error) {
	if _, err := access.Must(ctx); err != nil {
		return 0, err
	}
	type home struct {
		Project  int64 `db:"project_code"`
		Workflow int64 `db:"workflow_code"`
	}
	homes, err := db.Select[home](ctx, s.DB, `SELECT project_code, workflow_code FROM task_definition WHERE code = ?`, task)
	if err != nil {
		return 0, wrap(err, "find task definition")
	}
	if len(homes) == 0 || !s.Projects.Access.CanWorkflow(ctx, homes[0].Project, homes[0].Workflow, Read) {
		return 0, ErrTaskNotFound.With("codes", task)
	}
	return homes[0].Project, nil
}

// ProjectNamed is the code of a project by its exact name. It returns project.ErrNotFound, also for a project that whoever
// acts may not see.
func (s *Service) ProjectNamed(ctx context.Context, name string) (int64, error) {
	if _, err := access.Must(ctx); err != nil {
		return 0, err
	}
	codes, err := db.Select[int64](ctx, s.DB, `SELECT code FROM project WHERE name = ?`, name)
	if err != nil {
		return 0, wrap(err, "find project")
	}
	if len(codes) == 0 || !s.Can(ctx, codes[0], project.Read) {
		return 0, project.ErrNotFound.With("code", name)
	}
	return codes[0], nil
}
