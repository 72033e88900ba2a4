package schedule

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

// errText is a parameter "schedule" that cannot be read.
var errText = fault.New(fault.Invalid, "schedule.text")

// previewed is how many fires clients are shown.
const previewed = 5

// routes mounts the endpoints. Their addresses are those of both generations of DolphinScheduler; parameters are taken by
// either name.
func (a api) routes(r chi.Router) {
	shared := a.rest.Faults(dsapi.Faults{
		workflow.ErrNotFound.Key: 50003, ErrNotFound.Key: 10203, ErrNone.Key: 10022, ErrWorkflowOffline.Key: 50004, ErrExists.Key: 10204,
		ErrOnline.Key: 10023, ErrDeleteOnline.Key: 50023, ErrTenant.Key: 10017, ErrEnvironment.Key: 1200009, ErrSame.Key: 10141,
		ErrBackwards.Key: 80003, ErrNotOwner.Key: dsapi.NoPermission,
	})
	in := shared.Faults(project.Faults(project.ProjectGone))
	write := shared.Faults(project.Faults(dsapi.ProjectMissing))
	update := dsapi.Faults{ErrCron.Key: 10024, errText.Key: 10140}
	preview := dsapi.Faults{ErrCron.Key: 10140, errText.Key: 10140}

	const base = "/projects/{project}/schedules"
	r.Post(base, write.Created(10076, a.create))
	r.Get(base, write.OK(10080, a.page))
	r.Post(base+"/list", write.OK(10081, a.list))
	r.Post(base+"/preview", write.Faults(preview).Created(10139, a.preview))
	r.Put(base+"/update/{code}", in.Faults(update).OK(10077, a.updateOf))
	r.Put(base+"/{id}", write.Faults(update).OK(10077, a.update))
	r.Delete(base+"/{id}", in.OK(50024, a.remove))
	r.Post(base+"/{id}/online", in.OK(10078, a.online))
	r.Post(base+"/{id}/offline", in.OK(10079, a.offline))
	a.v2Routes(r, shared)
}

// draft reads the settings of runs into d; what DolphinScheduler does not have stays as it is when it is not sent.
func draft(p *dsapi.Params, d *Draft) {
	d.FailureStrategy = choice(p, "failureStrategy", d.FailureStrategy, flow.FailureEnd, flow.FailureContinue)
	d.WarningType = choice(p, "warningType", flow.WarningNone, flow.WarningNone, flow.WarningSuccess, flow.WarningFailure, flow.WarningAll)
	d.WarningGroupID = p.Int64("warningGroupId", 1)
	d.WorkerGroup, d.TenantCode = p.TextOr("workerGroup", "default"), p.TextOr("tenantCode", "default")
	d.EnvironmentCode = p.Int64("environmentCode", -1)
	d.Priority = choice(p, "workflowInstancePriority", flow.Medium, flow.Priorities()...)
	text := func(name string, field *string) {
		if p.Has(name) {
			*field = p.Text(name)
		}
	}
	text("scheduleName", &d.Name)
	text("doneBy", &d.DoneBy)
	d.Misfire = choice(p, "misfirePolicy", d.Misfire, MisfirePolicies()...)
	d.CalendarID = p.Int64("calendarId", d.CalendarID)
	d.CalendarPolicy = choice(p, "calendarPolicy", d.CalendarPolicy, CalendarPolicies()...)
}

// params reads the startup parameters when they are sent.
func params(p *dsapi.Params, d *Draft) error {
	if text := strings.TrimSpace(p.Text("startParams")); text != "" && text != "null" {
		list, err := flow.DecodeProperties(text)
		if err != nil {
			return errText.With("text", clip(text)).Because(err)
		}
		d.StartParams = list
	}
	return p.Err()
}

// choice reads an enumeration by name or number; empty is the fallback.
func choice[T ~string](p *dsapi.Params, name string, fallback T, names ...T) T {
	text := strings.TrimSpace(p.Text(name))
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < len(names) {
		return names[n]
	}
	allowed := make([]string, len(names))
	for k, v := range names {
		allowed[k] = string(v)
	}
	if got := p.Enum(name, allowed...); got != "" {
		return T(got)
	}
	return fallback
}

// answer is a schedule with the name of its project.
func (a api) answer(r *http.Request, s Schedule, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	in, err := a.svc.Projects.Require(r.Context(), s.ProjectCode, Read)
	if err != nil {
		return nil, err
	}
	return toDS(s, in.Name), nil
}

// create adds a schedule. Clients that know of one schedule a workflow are told of it; another one is for those who give
// it a name.
func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	in, code := p.Path("project"), p.RequiredInt64("workflowDefinitionCode")
	text := p.RequiredText("schedule")
	d := Draft{FailureStrategy: flow.FailureContinue}
	draft(p, &d)
	if err := params(p, &d); err != nil {
		return nil, err
	}
	ctx := r.Context()
	if _, err := a.svc.Projects.Require(ctx, in, Edit); err != nil {
		return nil, err // who may not write learns nothing about the rest
	}
	if d.Name == "" {
		others, err := a.svc.OfWorkflow(ctx, in, code)
		if err != nil {
			return nil, err
		}
		if len(others) > 0 {
			return nil, ErrExists.With("name", others[0].WorkflowName, "id", others[0].ID)
		}
	}
	t, err := decodeTiming(text)
	if err != nil {
		return nil, err
	}
	t.into(&d)
	s, err := a.svc.Create(ctx, in, code, d)
	return a.answer(r, s, err)
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	s, err := a.svc.editable(r.Context(), in, id)
	if err != nil {
		return nil, err
	}
	return a.change(r, p, &s)
}

// updateOf changes the schedule of a workflow, the oldest when it has several.
func (a api) updateOf(r *http.Request, p *dsapi.Params) (any, error) {
	in, code := p.Path("project"), p.Path("code")
	p.Default("warningGroupId", "0")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ctx := r.Context()
	if _, err := a.svc.Projects.Require(ctx, in, Edit); err != nil {
		return nil, err
	}
	all, err := a.svc.OfWorkflow(ctx, in, code)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNone.With("code", code)
	}
	s, err := a.svc.editable(ctx, in, all[0].ID)
	if err != nil {
		return nil, err
	}
	return a.change(r, p, &s)
}

// change reads what a schedule should become; an empty text keeps its times.
func (a api) change(r *http.Request, p *dsapi.Params, s *Schedule) (any, error) {
	d := s.Draft()
	d.FailureStrategy = flow.FailureEnd
	draft(p, &d)
	if !p.Has("schedule") {
		p.RequiredText("schedule")
	}
	if err := params(p, &d); err != nil {
		return nil, err
	}
	if text := p.Text("schedule"); strings.TrimSpace(text) != "" {
		t, err := decodeTiming(text)
		if err != nil {
			return nil, err
		}
		t.into(&d)
	}
	out, err := a.svc.Update(r.Context(), s.ProjectCode, s.ID, d, AnyRevision)
	return a.answer(r, out, err)
}

func (a api) online(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	_, err := a.svc.Online(r.Context(), in, id)
	return true, err
}

// offline is done also when there is no such schedule.
func (a api) offline(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	_, err := a.svc.Offline(r.Context(), in, id)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return true, err
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), in, id)
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	no, size := p.Paging()
	code := p.Int64("workflowDefinitionCode", 0)
	if err := p.Err(); err != nil {
		return nil, err
	}
	ctx := r.Context()
	home, err := a.svc.Projects.Require(ctx, in, Read)
	if err != nil {
		return nil, err
	}
	q := listing.New(Spec(), no, size, "")
	if code != 0 {
		if _, err := a.svc.Workflows.In(ctx, in, code); err != nil {
			return nil, err
		}
		q = q.WithFilter("workflow", strconv.FormatInt(code, 10))
	}
	page, err := a.svc.List(ctx, in, q)
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, func(s Schedule) dsSchedule { return toDS(s, home.Name) }), nil
}

func (a api) list(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	home, err := a.svc.Projects.Require(r.Context(), in, Read)
	if err != nil {
		return nil, err
	}
	all, err := a.svc.All(r.Context(), in)
	if err != nil {
		return nil, err
	}
	out := make([]dsSchedule, 0, len(all))
	for _, s := range all {
		out = append(out, toDS(s, home.Name))
	}
	return out, nil
}

func (a api) preview(r *http.Request, p *dsapi.Params) (any, error) {
	in, text := p.Path("project"), p.RequiredText("schedule")
	d := Draft{CalendarID: p.Int64("calendarId", 0), CalendarPolicy: choice(p, "calendarPolicy", Skip, CalendarPolicies()...)}
	if err := p.Err(); err != nil {
		return nil, err
	}
	if _, err := a.svc.Projects.Require(r.Context(), in, Read); err != nil {
		return nil, err
	}
	t, err := decodeTiming(text)
	if err != nil {
		return nil, err
	}
	t.into(&d)
	fires, err := a.svc.Preview(r.Context(), in, d, previewed)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(fires))
	for _, f := range fires {
		out = append(out, f.Due.In(zone).Format(time.DateTime))
	}
	return out, nil
}
