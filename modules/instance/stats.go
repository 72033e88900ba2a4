package instance

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/workflow"
)

// Run is one run of a workflow as charts of the last ones need it.
type Run struct {
	ID           int64              `db:"id"`
	WorkflowCode int64              `db:"workflow_code"`
	ProjectCode  int64              `db:"project_code"`
	State        flow.WorkflowState `db:"state"`
	Start        time.Time          `db:"start_time"`
	Restart      *time.Time         `db:"restart_time"`
	End          *time.Time         `db:"end_time"`
	Took         time.Duration      `db:"-"` // of the latest run of the instance; until now when it has not ended
}

// URL is the page of the run.
func (r Run) URL() string { return address(r.ProjectCode, r.ID) }

// HistoryLength is how many runs RunHistory returns of a workflow.
const HistoryLength = 18

// RunHistory returns the last runs of workflows, oldest first. Whoever asks must have been allowed to see the workflows; where
// a rule hides only the runs, there are none.
func (s *Service) RunHistory(ctx context.Context, workflows []int64) (map[int64][]Run, error) {
	out := make(map[int64][]Run, len(workflows))
	if hidden := s.Access.HiddenWorkflows(ctx, Read); len(hidden) > 0 {
		workflows = slices.DeleteFunc(slices.Clone(workflows), func(code int64) bool { return slices.Contains(hidden, code) })
	}
	for len(workflows) > 0 {
		part := workflows[:min(len(workflows), historyPart)]
		workflows = workflows[len(part):]
		rows, err := s.store.history(ctx, part, HistoryLength)
		if err != nil {
			return nil, err
		}
		now := s.now()
		for _, r := range rows { // newest first within a workflow
			began, end := r.Start, now
			if r.Restart != nil {
				began = *r.Restart
			}
			if r.End != nil {
				end = *r.End
			}
			r.Took = max(0, end.Sub(began))
			out[r.WorkflowCode] = append([]Run{r}, out[r.WorkflowCode]...)
		}
	}
	return out, nil
}

// Bars is RunHistory for the list of workflows; it is workflow.RunHistory.
func (s *Service) Bars(ctx context.Context, workflows []int64) (map[int64][]workflow.Bar, error) {
	runs, err := s.RunHistory(ctx, workflows)
	if err != nil {
		return nil, err
	}
	out := make(map[int64][]workflow.Bar, len(runs))
	for code, list := range runs {
		for _, r := range list {
			out[code] = append(out[code], workflow.Bar{State: string(r.State), At: r.Start, Took: r.Took, URL: address(r.ProjectCode, r.ID)})
		}
	}
	return out, nil
}

// historyPart bounds the terms of one compound query.
const historyPart = 100

// StateCount is how many instances are in a state.
type StateCount struct {
	State string `db:"state"`
	Count int    `db:"n"`
}

// ProjectCount is how much of a project runs and failed.
type ProjectCount struct {
	ProjectCode int64 `db:"project_code"`
	Running     int   `db:"running"`
	Failed      int   `db:"failed"`
}

// Stats are the numbers of a dashboard.
type Stats struct {
	Workflows []StateCount // by state, instances that began in the range; states without any are left out
	Tasks     []StateCount // attempts that were submitted in the range
	Running   []Instance   // newest first
	Failed    []Instance   // of the range, newest first
	Projects  map[int64]ProjectCount
}

// statRows is how many instances a dashboard lists of a kind.
const statRows = 8

// Stats counts over one project, or with project 0 over every project that whoever acts may see. Runs that a rule hides from
// him count nowhere.
func (s *Service) Stats(ctx context.Context, project int64, r Range) (Stats, error) {
	out := Stats{Projects: map[int64]ProjectCount{}}
	codes, all := []int64{project}, false
	if project != 0 {
		if _, err := s.Projects.Require(ctx, project, Read); err != nil {
			return out, err
		}
	} else {
		if _, err := access.Must(ctx); err != nil {
			return out, err
		}
		codes, all = s.Access.ProjectsWith(ctx, Read)
	}
	within, args, err := inProjects(codes, all)
	if err != nil {
		return out, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	where, narrowed := r.narrow("w.start_time", `w.`+within+` AND w.is_sub_workflow = ?`, append(slices.Clip(args), false))
	if out.Workflows, err = s.store.countStates(ctx, `workflow_instance w`, `w.state`, where+hidden, slices.Concat(narrowed, more)); err != nil {
		return out, err
	}
	tasks := `task_instance t`
	if hidden != "" { // otherwise the index of the projects is enough
		tasks += ` JOIN workflow_instance w ON w.id = t.workflow_instance_id`
	}
	taskWhere, taskArgs := r.narrow("t.submit_time", `t.`+within, slices.Clip(args))
	if out.Tasks, err = s.store.countStates(ctx, tasks, `t.state`, taskWhere+hidden, slices.Concat(taskArgs, more)); err != nil {
		return out, err
	}
	if out.Running, err = s.store.some(ctx, `w.`+within+` AND `+active+hidden, slices.Concat(args, more), statRows); err != nil {
		return out, err
	}
	if out.Failed, err = s.store.some(ctx, where+` AND w.state = 'FAILURE'`+hidden, slices.Concat(narrowed, more), statRows); err != nil {
		return out, err
	}
	counts, err := s.store.projectCounts(ctx, `w.`+within+hidden, slices.Concat(args, more), r)
	for _, c := range counts {
		out.Projects[c.ProjectCode] = c
	}
	return out, err
}

// active is the condition of the partial index of instances that a master works on.
const active = `w.state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`

// inProjects is the condition that a row belongs to one of the projects. "All" names them by a query, so that the index
// that begins with the project is used.
func inProjects(codes []int64, all bool) (string, []any, error) {
	switch {
	case all:
		return `project_code IN (SELECT code FROM project)`, nil, nil
	case len(codes) == 0:
		return `project_code = ?`, []any{int64(0)}, nil
	}
	return db.In(`project_code IN (?)`, codes)
}

func (s *store) countStates(ctx context.Context, from, column, where string, args []any) ([]StateCount, error) {
	return db.Select[StateCount](ctx, s.db, `SELECT `+column+` AS state, count(*) AS n FROM `+from+` WHERE `+where+` GROUP BY `+column, args...)
}

func (s *store) some(ctx context.Context, where string, args []any, limit int) ([]Instance, error) {
	return db.Select[Instance](ctx, s.db, `SELECT `+instanceColumns+` FROM workflow_instance w WHERE `+where+` ORDER BY w.start_time DESC, w.id DESC LIMIT ?`,
		append(slices.Clip(args), limit)...)
}

// projectCounts counts the runs that meet a condition on w.
func (s *store) projectCounts(ctx context.Context, which string, args []any, r Range) ([]ProjectCount, error) {
	recent, narrowed := r.narrow("w.start_time", which, slices.Clip(args))
	query := `SELECT project_code, sum(running) AS running, sum(failed) AS failed FROM (
		SELECT w.project_code, count(*) AS running, 0 AS failed FROM workflow_instance w WHERE ` + which + ` AND ` + active + ` GROUP BY w.project_code
		UNION ALL
		SELECT w.project_code, 0 AS running, count(*) AS failed FROM workflow_instance w WHERE ` + recent + ` AND w.state = 'FAILURE' GROUP BY w.project_code
		) c GROUP BY project_code`
	return db.Select[ProjectCount](ctx, s.db, query, append(slices.Clip(args), narrowed...)...)
}

// history reads the last runs of workflows, newest first within each. The latest run of an instance is what counts.
func (s *store) history(ctx context.Context, workflows []int64, limit int) ([]Run, error) {
	parts, args := make([]string, 0, len(workflows)), make([]any, 0, 2*len(workflows))
	for _, code := range workflows {
		parts = append(parts, `SELECT * FROM (SELECT id, workflow_code, project_code, state, start_time, restart_time, end_time
			FROM workflow_instance WHERE workflow_code = ? AND NOT stream ORDER BY id DESC LIMIT ?) h`)
		args = append(args, code, limit)
	}
	return db.Select[Run](ctx, s.db, strings.Join(parts, " UNION ALL "), args...)
}

// progress counts the current attempts of instances that have ended.
func (s *store) progress(ctx context.Context, ids []int64) (map[int64]int, error) {
	query, args, err := db.In(`SELECT workflow_instance_id AS id, count(*) AS n FROM task_instance WHERE workflow_instance_id IN (?) AND valid = ?
		AND state IN ('SUCCESS', 'FORCED_SUCCESS', 'FAILURE', 'KILL', 'NEED_FAULT_TOLERANCE') GROUP BY workflow_instance_id`, ids, true)
	if err != nil {
		return nil, err
	}
	type row struct {
		ID int64 `db:"id"`
		N  int   `db:"n"`
	}
	rows, err := db.Select[row](ctx, s.db, query, args...)
	out := make(map[int64]int, len(rows))
	for _, r := range rows {
		out[r.ID] = r.N
	}
	return out, err
}

// failedNames names tasks that failed for good, at most three of an instance.
func (s *store) failedNames(ctx context.Context, ids []int64) (map[int64][]string, error) {
	query, args, err := db.In(`SELECT workflow_instance_id AS id, name FROM task_instance WHERE workflow_instance_id IN (?) AND valid = ?
		AND state IN ('FAILURE', 'NEED_FAULT_TOLERANCE') ORDER BY id LIMIT 1000`, ids, true)
	if err != nil {
		return nil, err
	}
	type row struct {
		ID   int64  `db:"id"`
		Name string `db:"name"`
	}
	rows, err := db.Select[row](ctx, s.db, query, args...)
	out := make(map[int64][]string, len(rows))
	for _, r := range rows {
		if len(out[r.ID]) < namesShown {
			out[r.ID] = append(out[r.ID], r.Name)
		}
	}
	return out, err
}

// deed is what somebody did to an instance, from the audit log: this module wrote it there.
type deed struct {
	At       time.Time `db:"at"`
	UserName string    `db:"user_name"`
	Action   string    `db:"action"`
	Name     string    `db:"object_name"`
	Detail   string    `db:"detail"` // JSON
}

// comment is what he said about it.
func (d *deed) comment() string {
	var detail struct {
		Comment string `json:"comment"`
	}
	_ = json.Unmarshal([]byte(d.Detail), &detail) // without one there is no comment
	return detail.Comment
}

func (s *store) deeds(ctx context.Context, id int64, limit int) ([]deed, error) {
	return db.Select[deed](ctx, s.db, `SELECT at, user_name, action, object_name, COALESCE(CAST(detail AS TEXT), '') AS detail FROM audit_log WHERE object_type = 'workflow_instance' AND object_id = ?
		ORDER BY id DESC LIMIT ?`, strconv.FormatInt(id, 10), limit)
}
