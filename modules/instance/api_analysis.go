package instance

import (
	"context"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
)

// analysisRoutes mounts the numbers of DolphinScheduler's first page.
func (a api) analysisRoutes(r chi.Router) {
	e := a.rest.Faults(project.Faults(project.ProjectGone)).Faults(faults())
	const base = "/projects/analysis"
	r.Get(base+"/task-state-count", e.OK(50011, a.countTasks))
	r.Get(base+"/workflow-state-count", e.OK(50012, a.countRuns))
	r.Get(base+"/define-user-count", e.OK(50013, a.countDefinitions))
	r.Get(base+"/command-state-count", e.OK(80001, a.countCommands))
	r.Get(base+"/listCommand", e.OK(10029, a.listCommands))
	r.Get(base+"/listErrorCommand", e.OK(10029, a.listErrorCommands))
	r.Get(base+"/queue-count", e.OK(90001, func(r *http.Request, _ *dsapi.Params) (any, error) {
		_, err := access.Must(r.Context()) // there are no such queues; clients want to see both numbers
		return map[string]int{"taskQueue": 0, "taskKill": 0}, err
	}))
}

type dsCount struct {
	State string `json:"state"`
	Count int    `json:"count"`
}

// counted lists every state, those without any, too.
func counted[T ~string](states []T, found []StateCount) (rows []dsCount, total int) {
	by := map[string]int{}
	for _, c := range found {
		by[c.State] = c.Count
	}
	for _, state := range states {
		rows = append(rows, dsCount{string(state), by[string(state)]})
		total += by[string(state)]
	}
	return rows, total
}

func (a api) stats(r *http.Request, p *dsapi.Params) (Stats, error) {
	in, during := p.Int64("projectCode", 0), between(p)
	if err := p.Err(); err != nil {
		return Stats{}, err
	}
	return a.svc.Stats(r.Context(), in, during)
}

func (a api) countTasks(r *http.Request, p *dsapi.Params) (any, error) {
	s, err := a.stats(r, p)
	rows, total := counted(flow.TaskStates(), s.Tasks)
	return map[string]any{"totalCount": total, "taskInstanceStatusCounts": rows}, err
}

func (a api) countRuns(r *http.Request, p *dsapi.Params) (any, error) {
	s, err := a.stats(r, p)
	rows, total := counted(flow.WorkflowStates(), s.Workflows)
	return map[string]any{"totalCount": total, "workflowInstanceStatusCounts": rows}, err
}

// dsUserCount is how many workflows somebody has.
type dsUserCount struct {
	UserName string `json:"userName" db:"name"`
	UserID   int64  `json:"userId" db:"id"`
	Count    int    `json:"count" db:"n"`
}

func (a api) countDefinitions(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Int64("projectCode", 0)
	if err := p.Err(); err != nil {
		return nil, err
	}
	return a.svc.definitionsOf(r.Context(), in, 0, "")
}

// dsCommandCount is how many commands of a type wait, and how many failed.
type dsCommandCount struct {
	Failed int              `json:"errorCount"`
	Normal int              `json:"normalCount"`
	Type   flow.CommandType `json:"commandState"`
}

func (a api) countCommands(r *http.Request, _ *dsapi.Params) (any, error) {
	waiting, failed, err := a.svc.commandCounts(r.Context())
	if err != nil {
		return nil, err
	}
	types := flow.CommandTypes()
	out := make([]dsCommandCount, len(types))
	for k, kind := range types {
		out[k] = dsCommandCount{Type: kind, Normal: waiting[string(kind)], Failed: failed[string(kind)]}
	}
	return out, nil
}

// seen is the condition that a row belongs to a project that whoever acts may see: one, or with 0 any.
func (s *Service) seen(ctx context.Context, in int64) (string, []any, error) {
	if in != 0 {
		if _, err := s.Projects.Require(ctx, in, Read); err != nil {
			return "", nil, err
		}
		return inProjects([]int64{in}, false)
	}
	if _, err := access.Must(ctx); err != nil {
		return "", nil, err
	}
	return inProjects(s.Access.ProjectsOf(ctx))
}

// commandCounts counts the commands of the projects that whoever acts may see, by type.
func (s *Service) commandCounts(ctx context.Context) (waiting, failed map[string]int, err error) {
	within, args, err := s.seen(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	args = slices.Concat(args, more)
	count := func(table string) (map[string]int, error) {
		rows, err := db.Select[StateCount](ctx, s.DB, `SELECT c.command_type AS state, count(*) AS n FROM `+table+` c
			JOIN workflow_instance w ON w.id = c.workflow_instance_id WHERE w.`+within+hidden+` GROUP BY c.command_type`, args...)
		out := map[string]int{}
		for _, row := range rows {
			out[row.State] = row.Count
		}
		return out, err
	}
	if waiting, err = count("command"); err != nil {
		return nil, nil, err
	}
	failed, err = count("error_command")
	return waiting, failed, err
}
