package instance

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
)

// statisticsRoutes mounts the counts of version 2. Some of its GETs have a JSON body; the same names in the query do as well.
func (a api) statisticsRoutes(r chi.Router) {
	e := a.rest.Faults(project.Faults(project.ProjectGone)).Faults(faults())
	own := a.rest.Faults(project.Faults(dsapi.ProjectMissing)).Faults(faults())
	const base = "/v2/statistics"
	r.Get(base+"/workflows/states/count", e.OK(10139, a.countRunsV2))
	r.Get(base+"/tasks/states/count", e.OK(10141, a.countTasksV2))
	r.Get(base+"/{workflow}/states/count", own.OK(10140, a.countRunsOf))
	r.Get(base+"/tasks/{task}/states/count", own.OK(10142, a.countTasksOf))
	r.Get(base+"/workflows/users/count", e.OK(50013, a.countUsersV2))
	r.Get(base+"/workflows/users/{user}/count", e.OK(50013, a.countOfUser))
	r.Get(base+"/workflows/users/{user}/{state}/count", e.OK(50013, a.countOfUser))
}

// CountFilter narrows counts. Zero fields narrow nothing.
type CountFilter struct {
	Project  int64
	Workflow int64
	Task     int64
	Names    struct{ Workflow, Task string } // exact
	Range
}

// dsStateCount is how many are in a state, under the name that the state has for tasks.
type dsStateCount struct {
	State flow.TaskState `json:"taskStateType"`
	Count int            `json:"count"`
}

type dsStateCounts struct {
	Total int            `json:"totalCount"`
	Rows  []dsStateCount `json:"taskCountDtos"`
}

// stateOfRun is the state of a task that says of a run what clients of version 2 read there: they know no others.
func stateOfRun(s flow.WorkflowState) flow.TaskState {
	switch s {
	case flow.WorkflowSuccess:
		return flow.TaskSuccess
	case flow.WorkflowFailure:
		return flow.TaskFailure
	case flow.WorkflowPause:
		return flow.TaskPause
	case flow.WorkflowStop:
		return flow.TaskKill
	case flow.WorkflowSubmitted, flow.WorkflowSerialWait, flow.WorkflowWaitToRun:
		return flow.TaskSubmitted
	case flow.WorkflowFailover:
		return flow.TaskLost
	case flow.WorkflowRunning, flow.WorkflowReadyPause, flow.WorkflowReadyStop:
		return flow.TaskRunning
	}
	return flow.TaskRunning
}

// asCounts lists every state of tasks, those without any, too.
func asCounts(found []StateCount, state func(string) flow.TaskState) dsStateCounts {
	by := map[flow.TaskState]int{}
	out := dsStateCounts{}
	for _, c := range found {
		by[state(c.State)] += c.Count
		out.Total += c.Count
	}
	for _, s := range flow.TaskStates() {
		out.Rows = append(out.Rows, dsStateCount{s, by[s]})
	}
	return out
}

// CountRuns counts the workflow instances that whoever acts may see, without those of sub-workflows, by state; CountTasks the
// attempts that count.
func (s *Service) CountRuns(ctx context.Context, f CountFilter) ([]StateCount, error) {
	where, args, err := s.counted(ctx, f, "w.start_time")
	if err != nil {
		return nil, err
	}
	return s.store.countStates(ctx, `workflow_instance w`, `w.state`, where+` AND w.is_sub_workflow = ?`, append(args, false))
}

// CountTasks counts the attempts that whoever acts may see and that count, by state.
func (s *Service) CountTasks(ctx context.Context, f CountFilter) ([]StateCount, error) {
	where, args, err := s.counted(ctx, f, "t.submit_time")
	if err != nil {
		return nil, err
	}
	if f.Task != 0 {
		where, args = where+` AND t.task_code = ?`, append(args, f.Task)
	}
	if f.Names.Task != "" {
		where, args = where+` AND t.name = ?`, append(args, f.Names.Task)
	}
	return s.store.countStates(ctx, `task_instance t JOIN workflow_instance w ON w.id = t.workflow_instance_id`, `t.state`, where+` AND t.valid = ?`,
		append(args, true))
}

// counted is the condition of a count.
func (s *Service) counted(ctx context.Context, f CountFilter, column string) (string, []any, error) {
	within, args, err := s.seen(ctx, f.Project)
	if err != nil {
		return "", nil, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	where, args := f.narrow(column, `w.`+within+hidden, slices.Concat(args, more))
	if f.Workflow != 0 {
		where, args = where+` AND w.workflow_code = ?`, append(args, f.Workflow)
	}
	if f.Names.Workflow != "" {
		where, args = where+` AND w.workflow_name = ?`, append(args, f.Names.Workflow)
	}
	return where, args, nil
}

// countFilter reads a StatisticsStateRequest: the last month when it does not say.
func (a api) countFilter(r *http.Request, p *dsapi.Params) (CountFilter, error) {
	f := CountFilter{Project: p.Int64("projectCode", 0), Workflow: p.Int64("workflowCode", p.Int64("workflowDefinitionCode", 0)), Task: p.Int64("taskCode", 0)}
	f.Names.Workflow, f.Names.Task = p.Text("workflowName"), p.Text("taskName")
	f.From, f.To = p.Time("startTime"), p.Time("endTime")
	everything := p.Bool("all", p.Bool("isAll", false))
	if err := p.Err(); err != nil {
		return f, err
	}
	if everything {
		return CountFilter{}, nil
	}
	if f.From.IsZero() {
		f.From = a.svc.now().AddDate(0, -1, 0)
	}
	if !f.To.IsZero() {
		f.To = f.To.Add(time.Second) // both ends are included
	}
	if name := p.Text("projectName"); name != "" && f.Project == 0 {
		var err error
		if f.Project, err = a.svc.Workflows.ProjectNamed(r.Context(), name); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (a api) countRunsV2(r *http.Request, p *dsapi.Params) (any, error) {
	f, err := a.countFilter(r, p)
	if err != nil {
		return nil, err
	}
	return runCounts(a.svc.CountRuns(r.Context(), f))
}

func runCounts(found []StateCount, err error) (any, error) {
	return asCounts(found, func(s string) flow.TaskState { return stateOfRun(flow.WorkflowState(s)) }), err
}

func taskCounts(found []StateCount, err error) (any, error) {
	return asCounts(found, func(s string) flow.TaskState { return flow.TaskState(s) }), err
}

func (a api) countTasksV2(r *http.Request, p *dsapi.Params) (any, error) {
	f, err := a.countFilter(r, p)
	if err != nil {
		return nil, err
	}
	return taskCounts(a.svc.CountTasks(r.Context(), f))
}

func (a api) countRunsOf(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("workflow")
	if err := p.Err(); err != nil {
		return nil, err
	}
	w, err := a.svc.Workflows.Get(r.Context(), code)
	if err != nil {
		return nil, err
	}
	return runCounts(a.svc.CountRuns(r.Context(), CountFilter{Project: w.ProjectCode, Workflow: code}))
}

func (a api) countTasksOf(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("task")
	if err := p.Err(); err != nil {
		return nil, err
	}
	in, err := a.svc.Workflows.TaskProject(r.Context(), code)
	if err != nil {
		return nil, err
	}
	return taskCounts(a.svc.CountTasks(r.Context(), CountFilter{Project: in, Task: code}))
}

// dsUserCounts is how many workflows there are, by who owns them.
type dsUserCounts struct {
	Count int           `json:"count"`
	Users []dsUserCount `json:"userList"`
}

// definitionsOf counts the workflows of a project, or with 0 of all, that whoever acts may see; of one owner and in one state
// when they are given.
func (s *Service) definitionsOf(ctx context.Context, in, owner int64, state flow.ReleaseState) (dsUserCounts, error) {
	out := dsUserCounts{Users: []dsUserCount{}}
	within, args, err := s.seen(ctx, in)
	if err != nil {
		return out, err
	}
	hidden, more := s.Access.NotHidden(ctx, "d.code", Read)
	where, args := `d.`+within+hidden, slices.Concat(args, more)
	if owner != 0 {
		where, args = where+` AND d.owner_id = ?`, append(args, owner)
	}
	if state != "" {
		where, args = where+` AND d.release_state = ?`, append(args, state)
	}
	rows, err := db.Select[dsUserCount](ctx, s.DB, `SELECT u.id, u.name, count(*) AS n FROM workflow_definition d JOIN users u ON u.id = d.owner_id
		WHERE `+where+` GROUP BY u.id, u.name ORDER BY u.name`, args...)
	for _, row := range rows {
		out.Count += row.Count
	}
	out.Users = append(out.Users, rows...)
	return out, err
}

func (a api) countUsersV2(r *http.Request, p *dsapi.Params) (any, error) {
	f, err := a.countFilter(r, p)
	if err != nil {
		return nil, err
	}
	return a.svc.definitionsOf(r.Context(), f.Project, 0, "")
}

// countOfUser counts the workflows of one user; the state in the address is 0 for offline, 1 for online.
func (a api) countOfUser(r *http.Request, p *dsapi.Params) (any, error) {
	user, state := p.Path("user"), flow.ReleaseState("")
	if text := chi.URLParam(r, "state"); text != "" {
		switch p.Path("state") {
		case 0:
			state = flow.Offline
		case 1:
			state = flow.Online
		default:
			return nil, &dsapi.ParamError{Name: "releaseState"}
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return a.svc.definitionsOf(r.Context(), 0, user, state)
}
