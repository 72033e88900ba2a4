package schedule

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

// v2Routes mounts version 2 of the interface: JSON bodies, and addresses that name no project.
func (a api) v2Routes(r chi.Router, e *dsapi.API) {
	e = e.Faults(project.Faults(project.ProjectGone)).Faults(dsapi.Faults{ErrCron.Key: 10024, workflow.ErrNotFound.Key: 50003})
	const base = "/v2/schedules"
	r.Post(base, e.Created(10076, a.createV2))
	r.Post(base+"/filter", e.OK(10080, a.filterV2))
	r.Get(base+"/{id}", e.OK(10081, a.getV2))
	r.Put(base+"/{id}", e.Faults(dsapi.Faults{ErrOnline.Key: 10023}).OK(10077, a.updateV2))
	r.Delete(base+"/{id}", e.OK(50024, a.removeV2))
}

// anywhere finds a schedule by its id alone.
func (a api) anywhere(r *http.Request, p *dsapi.Params) (Schedule, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return Schedule{}, err
	}
	return a.svc.ByID(r.Context(), id)
}

func (a api) getV2(r *http.Request, p *dsapi.Params) (any, error) {
	s, err := a.anywhere(r, p)
	return a.answerV2(r, s, err)
}

// answerV2 is a schedule as the lists of version 2 hold it.
func (a api) answerV2(r *http.Request, s Schedule, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	in, err := a.svc.Projects.Require(r.Context(), s.ProjectCode, Read)
	if err != nil {
		return nil, err
	}
	return toDS(s, in.Name), nil
}

// draftV2 overlays a draft with what the body says. Nulls, empty texts and 0 keep what is there.
func draftV2(p *dsapi.Params, d *Draft) error {
	text := func(name string, field *string) {
		if v := p.Text(name); v != "" {
			*field = v
		}
	}
	text("crontab", &d.Crontab)
	text("startTime", &d.Start)
	text("endTime", &d.End)
	text("timezoneId", &d.TimeZone)
	text("workerGroup", &d.WorkerGroup)
	d.FailureStrategy = choice(p, "failureStrategy", d.FailureStrategy, flow.FailureEnd, flow.FailureContinue)
	d.WarningType = choice(p, "warningType", d.WarningType, flow.WarningNone, flow.WarningSuccess, flow.WarningFailure, flow.WarningAll)
	d.Priority = choice(p, "workflowInstancePriority", d.Priority, flow.Priorities()...)
	if id := p.Int64("warningGroupId", 0); id != 0 {
		d.WarningGroupID = id
	}
	if code := p.Int64("environmentCode", 0); code != 0 {
		d.EnvironmentCode = code
	}
	return p.Err()
}

// stated is the state that the body asks for, "" when it asks for none.
func stated(p *dsapi.Params) flow.ReleaseState {
	return flow.ReleaseState(p.Enum("releaseState", "ONLINE", "OFFLINE"))
}

// release brings a schedule into the state that was asked for with it.
func (a api) release(r *http.Request, s Schedule, state flow.ReleaseState) (Schedule, error) {
	if state == "" || s.ReleaseState == state {
		return s, nil
	}
	if state == flow.Online {
		return a.svc.Online(r.Context(), s.ProjectCode, s.ID)
	}
	return a.svc.Offline(r.Context(), s.ProjectCode, s.ID)
}

func (a api) createV2(r *http.Request, p *dsapi.Params) (any, error) {
	code, state := p.RequiredInt64("workflowDefinitionCode"), stated(p)
	for _, name := range []string{"crontab", "startTime", "endTime", "timezoneId"} {
		p.RequiredText(name)
	}
	d := Draft{
		FailureStrategy: flow.FailureContinue, WarningType: flow.WarningNone, Priority: flow.Medium, WorkerGroup: "default",
		TenantCode: p.TextOr("tenantCode", "default"), EnvironmentCode: -1,
	}
	if err := draftV2(p, &d); err != nil {
		return nil, err
	}
	ctx := r.Context()
	w, err := a.svc.Workflows.Get(ctx, code)
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.Projects.Require(ctx, w.ProjectCode, Edit); err != nil {
		return nil, err // who may not write learns nothing about the rest
	}
	others, err := a.svc.OfWorkflow(ctx, w.ProjectCode, code)
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		return nil, ErrExists.With("name", others[0].WorkflowName, "id", others[0].ID)
	}
	s, err := a.svc.Create(ctx, w.ProjectCode, code, d)
	if err == nil {
		s, err = a.release(r, s, state)
	}
	return a.answerV2(r, s, err)
}

func (a api) updateV2(r *http.Request, p *dsapi.Params) (any, error) {
	s, err := a.anywhere(r, p)
	if err != nil {
		return nil, err
	}
	if s, err = a.svc.editable(r.Context(), s.ProjectCode, s.ID); err != nil {
		return nil, err
	}
	d, state := s.Draft(), stated(p)
	if err := draftV2(p, &d); err != nil {
		return nil, err
	}
	if s, err = a.svc.Update(r.Context(), s.ProjectCode, s.ID, d, AnyRevision); err == nil {
		s, err = a.release(r, s, state)
	}
	return a.answerV2(r, s, err)
}

func (a api) removeV2(r *http.Request, p *dsapi.Params) (any, error) {
	s, err := a.anywhere(r, p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), s.ProjectCode, s.ID)
}

func (a api) filterV2(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.PagingOr(1, 10)
	q := Search{Workflow: p.Text("workflowDefinitionName"), State: stated(p)}
	if err := p.Err(); err != nil {
		return nil, err
	}
	if name := p.Text("projectName"); name != "" {
		var err error
		if q.Project, err = a.svc.Workflows.ProjectNamed(r.Context(), name); err != nil {
			return nil, err
		}
	}
	list, names, total, err := a.svc.Find(r.Context(), q, size, (no-1)*size)
	rows := make([]dsSchedule, len(list))
	for i, s := range list {
		rows[i] = toDS(s, names[s.ProjectCode])
	}
	return dsapi.Page(rows, int64(total), no, size), err
}
