package schedule

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/tenant"
	"dorado/views/components"
	view "dorado/views/schedule"
)

const (
	// firstCrontab is what the form of a new schedule starts with: every hour.
	firstCrontab = "0 0 * * * ? *"
	// spareParams is how many empty rows the form offers for further startup parameters.
	spareParams = 2
	// lasts is how long a new schedule lives unless somebody says otherwise, in years.
	lasts = 100

	inputTime = "2006-01-02T15:04:05"
)

func (p pages) newForm(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, err := p.place(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.Projects.Require(ctx, l.owner.Code, Edit); err != nil {
		return nil, err
	}
	wish, err := p.Projects.Preference(ctx, l.owner.Code)
	if err != nil {
		return nil, err
	}
	zone := i18n.Zone(ctx)
	year, month, day := p.now().In(zone).Date()
	today := time.Date(year, month, day, 0, 0, 0, 0, zone)
	d := Draft{
		Crontab: firstCrontab, TimeZone: zone.String(), Start: today.Format(inputTime), End: today.AddDate(lasts, 0, 0).Format(inputTime),
		Misfire: FireAllMissed, CalendarPolicy: Skip, FailureStrategy: flow.FailureContinue, WarningType: wish.WarningType,
		WarningGroupID: wish.AlertGroup, Priority: wish.TaskPriority, WorkerGroup: wish.WorkerGroup, TenantCode: wish.Tenant,
		EnvironmentCode: wish.EnvironmentCode,
	}
	if text := r.URL.Query().Get("crontab"); text != "" {
		d.Crontab = text
	}
	return p.form(r, l, nil, d, nil)
}

func (p pages) edit(r *http.Request) (web.Response, error) {
	l, s, err := p.found(r)
	if err != nil {
		return nil, err
	}
	if !s.Online() {
		if _, err := p.Projects.Require(r.Context(), l.owner.Code, Edit); err != nil {
			return nil, err
		}
	}
	return p.form(r, l, &s, s.Draft(), nil)
}

func (p pages) create(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, err := p.place(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.Projects.Require(ctx, l.owner.Code, Edit); err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	d := readDraft(r, f)
	if f.Has("check") {
		return p.form(r, l, nil, d, nil)
	}
	s, err := web.Submit(f, func() (Schedule, error) { return p.Create(ctx, l.owner.Code, l.workflow.Code, d) })
	if f.Rejects(err) {
		return p.form(r, l, nil, d, f)
	}
	if err != nil {
		return nil, err
	}
	toast := "timing.saved"
	if f.Bool("online") && p.Can(ctx, l.owner.Code, Release) {
		if _, err := p.Online(ctx, l.owner.Code, s.ID); err != nil {
			return nil, err
		}
		toast = "timing.now_online"
	}
	return web.Redirect(l.list()).Toast(toast, "name", s.Label(), "workflow", l.workflow.Name), nil
}

func (p pages) update(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, s, err := p.found(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.Projects.Require(ctx, l.owner.Code, Edit); err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	d := readDraft(r, f)
	revision := f.Int("revision")
	if f.Has("check") {
		return p.form(r, l, &s, d, nil)
	}
	saved, err := web.Submit(f, func() (Schedule, error) { return p.Update(ctx, l.owner.Code, s.ID, d, revision) })
	if f.Rejects(err) {
		return p.form(r, l, &s, d, f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(back(r, l)).Toast("timing.saved", "name", saved.Label(), "workflow", l.workflow.Name), nil
}

func readDraft(r *http.Request, f *web.Form) Draft {
	d := Draft{
		Name: f.Text("name"), Start: f.Text("start_time"), End: f.Text("end_time"), TimeZone: f.Text("time_zone"), Crontab: f.Text("crontab"),
		Misfire: MisfirePolicy(f.Text("misfire")), CalendarID: f.Int64("calendar"), CalendarPolicy: CalendarPolicy(f.Text("calendar_policy")),
		DoneBy: f.Text("done_by"), FailureStrategy: flow.FailureStrategy(f.Text("failure")), WarningType: flow.WarningType(f.Text("warning")),
		WarningGroupID: f.Int64("warning_group"), Priority: flow.Priority(f.Text("priority")), WorkerGroup: f.Text("group"),
		TenantCode: f.Text("tenant"), EnvironmentCode: f.Int64("environment"),
	}
	names, kinds, values := r.Form["param_name"], r.Form["param_type"], r.Form["param_value"]
	for k, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		v := flow.Property{Prop: clean(name), Direct: flow.In, Type: flow.Varchar}
		if k < len(kinds) && slices.Contains(flow.ParamTypes(), flow.ParamType(kinds[k])) {
			v.Type = flow.ParamType(kinds[k])
		}
		if k < len(values) {
			v.Value = clean(values[k])
		}
		d.StartParams = append(d.StartParams, v)
	}
	return d
}

// clean makes text from a form storable.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// form is the timing dialog for a new schedule, or for s.
func (p pages) form(r *http.Request, l place, s *Schedule, d Draft, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	v := view.Form{
		Title: i18n.T(ctx, "timing.new_title", "name", l.workflow.Name), Text: i18n.T(ctx, "timing.new_text"), Action: l.list(), CancelURL: l.list(),
		PreviewURL: l.list() + "/preview", Name: d.Name, Crontab: d.Crontab, Zone: d.TimeZone, Start: input(d.Start), End: input(d.End),
		Misfire: string(d.Misfire), Calendar: optional(d.CalendarID), Policy: string(d.CalendarPolicy), DoneBy: d.DoneBy,
		Failure: string(d.FailureStrategy), Warning: string(d.WarningType), WarningGroup: optional(d.WarningGroupID), Priority: string(d.Priority),
		Group: d.WorkerGroup, Tenant: d.TenantCode, Env: strconv.FormatInt(d.EnvironmentCode, 10), Error: f.Notice(), Errors: f.Errors(),
	}
	if s != nil {
		v.Title, v.Text = i18n.T(ctx, "timing.edit_title", "name", l.workflow.Name), ""
		v.Action, v.Revision = l.list()+"/"+strconv.FormatInt(s.ID, 10), strconv.Itoa(s.Revision)
		if s.Online() {
			v.Fixed, v.Refused = true, i18n.T(ctx, "timing.edit_online")
			v.Action += "/release"
		}
	} else {
		v.MayRelease, v.Online = p.Can(ctx, l.owner.Code, Release), f != nil && f.Bool("online")
		if !l.workflow.Online() {
			v.Refused = i18n.T(ctx, ErrWorkflowOffline.Key, "name", l.workflow.Name)
		}
	}
	v.Shell = p.frame.InProject(r, project.Ref(l.owner), v.Title, append(p.crumbs(ctx, l), components.Crumb{Label: i18n.T(ctx, "timing.title"), URL: l.list()})...)
	if err := p.offer(ctx, &v); err != nil {
		return nil, err
	}
	for _, q := range d.StartParams {
		v.Params = append(v.Params, view.Param{Name: q.Prop, Type: string(q.Type), Value: q.Value})
	}
	for range spareParams {
		v.Params = append(v.Params, view.Param{Type: string(flow.Varchar)})
	}
	var err error
	if v.Preview, err = p.look(ctx, l, d); err != nil {
		return nil, err
	}
	if wrong := v.Errors["crontab"]; wrong != "" && v.Preview.Error == "" {
		v.Preview = view.Preview{Expression: d.Crontab, Error: wrong}
	}
	return f.Again(view.Edit(v)), nil
}

// input is a wall-clock time as the browser's field wants it; what cannot be read is left for the message beside it.
func input(text string) string {
	if t, err := Wall(text, time.UTC); err == nil {
		return t.Format(inputTime)
	}
	return text
}

// optional is an id in a select whose empty choice is 0.
func optional(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// offer fills the choices.
func (p pages) offer(ctx context.Context, v *view.Form) error {
	tenants, err := p.Tenants.All(ctx)
	if err != nil {
		return err
	}
	v.Tenants = []components.Option{{Value: tenant.Default, Label: i18n.T(ctx, "instance.run.tenant_default")}}
	for _, t := range tenants {
		v.Tenants = append(v.Tenants, components.Option{Value: t.Code, Label: t.Code})
	}
	for _, z := range p.Zones {
		v.Zones = append(v.Zones, components.Option{Value: z})
	}
	for _, o := range []struct {
		list  *[]components.Option
		first components.Option
		value string
		ask   func(ctx context.Context) ([]Choice, error)
	}{
		{&v.Groups, components.Option{Value: "default", Label: "default"}, v.Group, p.WorkerGroups},
		{&v.Envs, components.Option{Value: "-1", Label: i18n.T(ctx, "timing.no_environment")}, v.Env, p.Environments},
		{&v.WarningGroups, components.Option{Label: i18n.T(ctx, "timing.no_group")}, v.WarningGroup, p.WarningGroups},
		{&v.Calendars, components.Option{Label: i18n.T(ctx, "timing.no_calendar")}, v.Calendar, p.CalendarList},
	} {
		if *o.list, err = choices(ctx, o.first, o.value, o.ask); err != nil {
			return err
		}
	}
	return nil
}

// choices are the first one, what is asked for, and what is chosen though it is not among them any more.
func choices(ctx context.Context, first components.Option, value string, ask func(ctx context.Context) ([]Choice, error)) ([]components.Option, error) {
	list := []components.Option{first}
	if ask != nil {
		some, err := ask(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range some {
			if c.Value != first.Value {
				list = append(list, components.Option{Value: c.Value, Label: c.Label})
			}
		}
	}
	if value != "" && !slices.ContainsFunc(list, func(o components.Option) bool { return o.Value == value }) {
		list = append(list, components.Option{Value: value, Label: value})
	}
	return list, nil
}
