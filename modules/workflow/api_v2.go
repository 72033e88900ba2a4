package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// v2Routes mounts version 2 of the interface: JSON bodies, and addresses that name no project.
func (a api) v2Routes(r chi.Router, e *dsapi.API) {
	const flows, tasks, relations = "/v2/workflows", "/v2/tasks", "/v2/relations"
	r.Post(flows, e.Faults(dsapi.Faults{"project.not_found": dsapi.ProjectMissing}).Created(10105, a.createV2))
	r.Post(flows+"/query", e.OK(10110, a.queryV2))
	r.Get(flows+"/{code}", e.OK(10110, a.getV2))
	r.Put(flows+"/{code}", e.OK(10107, a.updateV2))
	r.Delete(flows+"/{code}", e.OK(50022, a.removeV2))

	r.Post(tasks, e.Created(50037, a.createTaskV2))
	r.Post(tasks+"/query", e.OK(10110, a.queryTasksV2))
	r.Get(tasks+"/{code}", e.OK(50043, a.taskV2))
	r.Put(tasks+"/{code}", e.Faults(dsapi.Faults{ErrOnline.Key: 50056, errUnchanged.Key: 50063}).OK(50038, a.updateTaskV2))
	r.Delete(tasks+"/{code}", e.Faults(dsapi.Faults{ErrOnline.Key: 50050, ErrTaskNeeded.Key: 10194}).OK(50024, a.removeTaskV2))

	r.Post(relations, e.Created(50032, a.connectV2))
	r.Delete(relations+"/{pair}", e.Faults(dsapi.Faults{ErrEdgeMissing.Key: 50067}).OK(50048, a.cutV2))
	r.Put(relations+"/{pair}", e.OK(50065, a.upstreamV2))
}

// errUnchanged says that a task would stay what it is.
var errUnchanged = fault.New(fault.Conflict, "workflow.task_unchanged")

// executionType reads how runs of a workflow meet each other, "" when it was not sent.
func executionType(p *dsapi.Params) flow.ExecutionType {
	return flow.ExecutionType(p.Enum("executionType", "PARALLEL", "SERIAL_WAIT", "SERIAL_DISCARD", "SERIAL_PRIORITY"))
}

// createV2 makes a workflow without tasks; they come one by one.
func (a api) createV2(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.RequiredInt64("projectCode")
	def := &flow.Definition{
		Name: p.RequiredText("name"), Description: p.Text("description"), TimeoutMinutes: p.Int("timeout", 0), ExecutionType: executionType(p),
	}
	state := p.Enum("releaseState", "ONLINE", "OFFLINE")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if _, err := a.svc.Projects.Require(r.Context(), projectCode, Edit); err != nil {
		return nil, err
	}
	var err error
	if def.GlobalParams, err = flow.DecodeProperties(p.TextOr("globalParams", "[]")); err != nil {
		return nil, malformed(err)
	}
	if state == string(flow.Online) {
		return nil, errNoTasks
	}
	return written(a.svc.Create(r.Context(), projectCode, Change{Definition: def, Empty: true}))
}

// updateV2 changes what was sent of the head of a workflow.
func (a api) updateV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("code")
	state := flow.ReleaseState(p.Enum("releaseState", "ONLINE", "OFFLINE"))
	kind, timeout := executionType(p), p.Int("timeout", 0)
	if err := p.Err(); err != nil {
		return nil, err
	}
	ctx := r.Context()
	w, err := a.svc.need(ctx, code, Edit)
	if err != nil {
		return nil, err
	}
	change := func(def *flow.Definition) error {
		if name := p.Text("name"); name != "" {
			def.Name = name
		}
		if p.Has("description") {
			def.Description = p.Text("description")
		}
		if timeout != 0 {
			def.TimeoutMinutes = timeout
		}
		if kind != "" {
			def.ExecutionType = kind
		}
		var err error
		if text := p.Text("globalParams"); text != "" {
			if def.GlobalParams, err = flow.DecodeProperties(text); err != nil {
				return malformed(err)
			}
		}
		if text := p.Text("location"); text != "" {
			if def.Locations, err = flow.DecodeLocations(text); err != nil {
				return malformed(err)
			}
		}
		return nil
	}
	var saved Saved
	err = a.svc.DB.InTx(ctx, func(ctx context.Context) error {
		if w.Online() && state == flow.Offline {
			if _, err := a.svc.Release(ctx, code, flow.Offline); err != nil {
				return err
			}
		}
		var err error
		if saved, err = a.svc.Amend(ctx, code, change); err != nil || state != flow.Online {
			return err
		}
		saved.Workflow, err = a.svc.Release(ctx, code, flow.Online)
		return err
	})
	if errors.Is(err, ErrEmpty) {
		err = errNoTasks
	}
	return written(saved, err)
}

func (a api) getV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("code")
	if err := p.Err(); err != nil {
		return nil, err
	}
	w, err := a.svc.Get(r.Context(), code)
	if err != nil {
		return nil, err
	}
	def, err := a.svc.Definition(r.Context(), code, w.Version)
	return written(Saved{Workflow: w, Definition: def}, err)
}

func (a api) removeV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("code")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), code)
}

// searched reads what both searches share.
func (a api) searched(r *http.Request, p *dsapi.Params) (q Search, no, size int, err error) {
	no, size = p.PagingOr(1, 10)
	if err := p.Err(); err != nil {
		return q, 0, 0, err
	}
	if name := p.Text("projectName"); name != "" {
		if q.Project, err = a.svc.ProjectNamed(r.Context(), name); err != nil {
			return q, 0, 0, err
		}
	}
	return q, no, size, nil
}

func (a api) queryV2(r *http.Request, p *dsapi.Params) (any, error) {
	q, no, size, err := a.searched(r, p)
	if err != nil {
		return nil, err
	}
	q.Name = p.FirstText("workflowName", "workflowDefinitionName", "name")
	q.State = flow.ReleaseState(p.Enum("releaseState", "ONLINE", "OFFLINE"))
	if err := p.Err(); err != nil {
		return nil, err
	}
	list, total, err := a.svc.FindWorkflows(r.Context(), q, size, (no-1)*size)
	if err != nil {
		return nil, err
	}
	rows, err := a.shown(r.Context(), list)
	return dsapi.Page(rows, int64(total), no, size), err
}

func (a api) queryTasksV2(r *http.Request, p *dsapi.Params) (any, error) {
	q, no, size, err := a.searched(r, p)
	if err != nil {
		return nil, err
	}
	q.Name, q.Type = p.Text("name"), p.Text("taskType")
	found, total, err := a.svc.FindTasks(r.Context(), q, size, (no-1)*size)
	rows := make([]dsTask, len(found))
	for i, f := range found {
		rows[i] = toDSTask(f.Workflow, f.Task)
	}
	return dsapi.Page(rows, int64(total), no, size), err
}

func (a api) taskV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("code")
	if err := p.Err(); err != nil {
		return nil, err
	}
	home, err := a.home(r, code)
	if err != nil {
		return nil, err
	}
	w, def, at, err := a.svc.Task(r.Context(), home.ProjectCode, code)
	if err != nil {
		return nil, err
	}
	return toDSTask(w, def.Tasks[at]), nil
}

// taskBody reads the members of a body that tell about a task, and the tasks it waits for.
func taskBody(p *dsapi.Params) (members map[string]json.RawMessage, upstream []int64, sent bool, err error) {
	if err := p.JSON(&members); err != nil {
		return nil, nil, false, err
	}
	upstream, sent = p.Int64s("upstreamTasksCodes"), p.Has("upstreamTasksCodes")
	for _, own := range []string{"code", "version"} {
		delete(members, own)
	}
	return members, upstream, sent, p.Err()
}

func (a api) createTaskV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("workflowCode", "workflowDefinitionCode")
	p.RequiredText("name")
	p.RequiredText("taskType")
	p.RequiredText("taskParams")
	if err := p.Err(); err != nil {
		return nil, err
	}
	w, err := a.svc.need(r.Context(), code, Edit)
	if err != nil {
		return nil, err
	}
	members, upstream, _, err := taskBody(p)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, wrap(err, "encode task")
	}
	t, err := oneTask(string(text))
	if err != nil {
		return nil, err
	}
	saved, t, err := a.svc.AddTask(r.Context(), w.ProjectCode, code, t, upstream)
	return toDSTask(saved.Workflow, t), err
}

func (a api) updateTaskV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("code")
	if err := p.Err(); err != nil {
		return nil, err
	}
	home, err := a.home(r, code)
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.need(r.Context(), home.Code, Edit); err != nil {
		return nil, err
	}
	members, upstream, sent, err := taskBody(p)
	if err != nil {
		return nil, err
	}
	var after *[]int64
	if sent {
		after = &upstream
	}
	saved, err := a.svc.ChangeTask(r.Context(), home.ProjectCode, code, after, func(t *flow.Task) (err error) {
		*t, err = merged(*t, members)
		return err
	})
	if err == nil && !saved.Changed {
		err = errUnchanged
	}
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(saved.Definition.Tasks, func(t flow.Task) bool { return t.Code == code })
	return toDSTask(saved.Workflow, saved.Definition.Tasks[at]), nil
}

func (a api) removeTaskV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("code")
	if err := p.Err(); err != nil {
		return nil, err
	}
	home, err := a.home(r, code)
	if err != nil {
		return nil, err
	}
	_, err = a.svc.RemoveTask(r.Context(), home.ProjectCode, home.Code, code)
	return nil, err
}
