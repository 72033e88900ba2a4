package instance

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
)

// v2Routes mounts version 2 of the interface. Its addresses name no project where an instance is known by its id alone.
func (a api) v2Routes(r chi.Router) {
	e := a.rest.Faults(project.Faults(project.ProjectGone)).Faults(faults())
	const tasks = "/v2/projects/{project}/task-instances"
	r.Get(tasks, e.OK(10082, a.tasksV2))
	r.Post(tasks+"/{id}/savepoint", e.OK(10196, a.savepoint))
	r.Post(tasks+"/{id}/stop", e.OK(10197, a.killTask))
	r.Post(tasks+"/{id}/force-success", e.OK(10165, a.forceSuccess))
	r.Post(tasks+"/{id}", e.OK(10205, a.taskV2))
	const runs = "/v2/workflow-instances"
	r.Get(runs, e.OK(10113, a.pageV2))
	r.Get(runs+"/{id}", e.OK(10116, a.anywhere(a.get)))
	r.Delete(runs+"/{id}", e.OK(50022, a.anywhere(a.remove)))
	r.Post(runs+"/{id}/execute/{type}", e.OK(50015, a.executeV2))
}

// anywhere finds the project of the instance in the address for an endpoint that wants to know it.
func (a api) anywhere(next dsapi.Func) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		id := p.Path("id")
		if err := p.Err(); err != nil {
			return nil, err
		}
		i, err := a.svc.Get(r.Context(), id)
		if err != nil {
			return nil, err
		}
		p.SetPath("project", i.ProjectCode)
		return next(r, p)
	}
}

func (a api) executeV2(r *http.Request, p *dsapi.Params) (any, error) {
	op, err := flow.ParseOperation(chi.URLParam(r, "type"))
	if err != nil || op == flow.OpExecuteTask { // which task, the address does not say
		return nil, errExecType.With("type", chi.URLParam(r, "type"))
	}
	return a.anywhere(func(r *http.Request, p *dsapi.Params) (any, error) {
		return nil, a.svc.Operate(r.Context(), p.Path("id"), op)
	})(r, p)
}

// pageV2 lists the instances of a project, which is told by its name in the body of a GET.
func (a api) pageV2(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("projectName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	code, err := a.svc.Workflows.ProjectNamed(r.Context(), name)
	if err != nil {
		return nil, err
	}
	p.SetPath("project", code)
	for sent, known := range map[string]string{"workflowName": "searchVal", "startTime": "startDate", "endTime": "endDate", "state": "stateType"} {
		p.Alias(sent, known)
	}
	return a.page(r, p)
}

func (a api) tasksV2(r *http.Request, p *dsapi.Params) (any, error) {
	p.Alias("startTime", "startDate")
	p.Alias("endTime", "endDate")
	return a.tasks(r, p)
}

// taskV2 is read by POST and has no envelope: so clients know it.
func (a api) taskV2(r *http.Request, p *dsapi.Params) (any, error) {
	t, err := a.task(r, p)
	if err != nil {
		return nil, err
	}
	prog, err := a.svc.program(r.Context(), t.WorkflowCode, t.WorkflowVersion)
	if err != nil {
		prog = nil // shown without what only the definition knows
	}
	return dsapi.Bare{Value: toDSTask(t, prog, a.svc.now())}, nil
}

// savepoint is for streaming tasks. The answer comes when it is taken; where it lies, only the page and the log tell.
func (a api) savepoint(r *http.Request, p *dsapi.Params) (any, error) {
	t, err := a.task(r, p)
	if err != nil {
		return nil, err
	}
	_, err = a.svc.Savepoint(r.Context(), t.ID)
	return nil, err
}
