package instance

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
)

// Faults of asking for instances that started each other.
var (
	errNoSub     = fault.New(fault.NotFound, "run.no_sub")
	errNotSub    = fault.New(fault.Conflict, "run.not_sub")
	errStartsNo  = fault.New(fault.Conflict, "run.starts_none")
	errTaskWrong = fault.New(fault.NotFound, "run.task_unknown")
)

// linkRoutes mounts what leads from a task to the instances it started, and back.
func (a api) linkRoutes(r chi.Router) {
	e := a.rest.Faults(project.Faults(project.ProjectGone)).Faults(faults()).Faults(dsapi.Faults{
		errTaskWrong.Key: 10020, errStartsNo.Key: 10021, errNoSub.Key: 50007, errNotSub.Key: 50010,
	})
	const base = "/projects/{project}/workflow-instances"
	r.Get(base+"/query-sub-by-parent", e.OK(10118, a.subOf))
	r.Get(base+"/query-parent-by-sub", e.OK(10119, a.parentOf))
	r.Get(base+"/query-dynamic-sub-workflows", e.OK(10118, a.dynamicSubs))
}

// starter reads the task instance that should have started others.
func (a api) starter(r *http.Request, p *dsapi.Params, types ...string) ([]childRow, error) {
	in, id := p.Path("project"), p.RequiredInt64("taskId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	t, err := a.svc.Task(r.Context(), id)
	if err != nil || t.ProjectCode != in {
		if err == nil || fault.KindOf(err) == fault.NotFound {
			err = errTaskWrong.With("id", id)
		}
		return nil, err
	}
	known := false
	for _, kind := range types {
		known = known || t.Type == kind
	}
	if !known {
		return nil, errStartsNo.With("name", t.Name)
	}
	children, err := a.svc.store.childrenOf(r.Context(), t.WorkflowInstanceID, t.TaskCode)
	if err == nil && len(children) == 0 {
		err = errNoSub.With("name", t.Name)
	}
	return children, err
}

func (a api) subOf(r *http.Request, p *dsapi.Params) (any, error) {
	children, err := a.starter(r, p, flow.TypeSubWorkflow, flow.TypeSubProcess)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"subWorkflowInstanceId": children[len(children)-1].ID}, nil
}

func (a api) parentOf(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.RequiredInt64("subId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	i, err := a.svc.GetIn(r.Context(), in, id)
	if err != nil {
		return nil, err
	}
	parent, err := a.svc.store.parentOf(r.Context(), i.ID)
	if err != nil {
		return nil, err
	}
	if parent == 0 {
		return nil, errNotSub.With("name", i.Name)
	}
	return map[string]int64{"parentWorkflowInstance": parent}, nil
}

// dsDynamic is one of the instances that a task over a list started.
type dsDynamic struct {
	ID         int64              `json:"workflowInstanceId"`
	Name       string             `json:"name"`
	Index      int                `json:"index"`
	Parameters map[string]string  `json:"parameters"`
	State      flow.WorkflowState `json:"state"`
}

func (a api) dynamicSubs(r *http.Request, p *dsapi.Params) (any, error) {
	children, err := a.starter(r, p, flow.TypeDynamic, flow.TypeForEach)
	if err != nil {
		return nil, err
	}
	out := make([]dsDynamic, 0, len(children))
	for k := range children {
		c := &children[k]
		param, err := commandParam(&Instance{ID: c.ID, CommandParam: c.Param})
		if err != nil {
			return nil, err
		}
		params := map[string]string{}
		for _, v := range param.CommandParams {
			params[v.Prop] = v.Value
		}
		out = append(out, dsDynamic{ID: c.ID, Name: c.Name, Index: c.Position + 1, Parameters: params, State: c.State})
	}
	return out, nil
}

// childRow is an instance that a task started.
type childRow struct {
	ID       int64              `db:"id"`
	Name     string             `db:"name"`
	State    flow.WorkflowState `db:"state"`
	Param    string             `db:"command_param"`
	Position int                `db:"position"`
}

// childrenOf lists the instances that a task of an instance started, in the order of its list.
func (s *store) childrenOf(ctx context.Context, instance, task int64) ([]childRow, error) {
	return db.Select[childRow](ctx, s.db, `SELECT w.id, w.name, w.state, w.command_param, l.position FROM instance_link l
		JOIN workflow_instance w ON w.id = l.child_instance_id WHERE l.parent_instance_id = ? AND l.parent_task_code = ? ORDER BY l.position, w.id`, instance, task)
}

// parentOf is the instance of the task that started an instance, 0 when none did.
func (s *store) parentOf(ctx context.Context, id int64) (int64, error) {
	return db.Get[int64](ctx, s.db, `SELECT COALESCE(MAX(parent_instance_id), 0) FROM instance_link WHERE child_instance_id = ?`, id)
}
