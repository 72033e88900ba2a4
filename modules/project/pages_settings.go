package project

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/security/crud"
	"dorado/views/components"
	crudview "dorado/views/crud"
	"dorado/views/layout"
	view "dorado/views/project"
)

// parameters are the pages of the parameters of the project in the address.
func (p *pages) parameters(do func(crud.Pages[Parameter, ParameterDraft], *http.Request) (web.Response, error)) web.Handler {
	return func(r *http.Request) (web.Response, error) {
		in, err := p.required(r, Read)
		if err != nil {
			return nil, err
		}
		return do(p.parametersOf(in), r)
	}
}

func (p *pages) parametersOf(in Project) crud.Pages[Parameter, ParameterDraft] {
	path := Address(in.Code, "/parameters")
	return crud.Pages[Parameter, ParameterDraft]{
		Path: path, Keys: "parameter.", Test: "parameter", Icon: "variable", Wide: true, Spec: ParameterSpec(),
		Keeper: p.svc.parameters(in.Code),
		Shell: func(r *http.Request, title string, above ...components.Crumb) layout.ShellProps {
			return p.frame.InProject(r, Ref(in), title, above...)
		},
		MayList: func(context.Context) error { return nil }, // who came here may read the project
		Columns: []crud.Column{{Key: "name"}, {Key: "value"}, {Key: "type", Drop: 1}, {Key: "creator", Drop: 3}, {Key: "modifier", Drop: 2}, {Key: "created", Drop: 3}},
		Cells: func(_ context.Context, v Parameter) []crudview.Cell {
			return []crudview.Cell{
				{Text: v.Name, Code: true},
				{Body: valueCell(v)},
				{Text: string(v.Type), Muted: true},
				{Text: v.Creator},
				{Text: v.Modifier},
				{At: v.CreatedAt},
			}
		},
		Decorate: func(r *http.Request, page listing.Page[Parameter], v *crudview.Page) error {
			ctx := r.Context()
			types := []components.Option{{Label: i18n.T(ctx, "parameter.filter.type")}}
			names := map[string]string{}
			for _, t := range flow.ParamTypes() {
				types = append(types, components.Option{Value: string(t), Label: string(t)})
				names[string(t)] = string(t)
			}
			v.Filters = components.Select(components.FieldProps{
				Name: "type", ID: "filter-type", Value: v.List.Filters["type"], Options: types, Attrs: templ.Attributes{"aria-label": i18n.T(ctx, "parameter.field.type")},
			})
			v.Chips = v.List.Chips(map[string]string{"type": i18n.T(ctx, "parameter.field.type")}, names)
			may := p.svc.Can(ctx, in.Code, EditSettings)
			for i, item := range page.Items {
				v.Rows[i].Actions = append(v.Rows[i].Actions, components.ButtonProps{
					Icon: "search", Label: i18n.T(ctx, "parameter.uses_of", "name", item.Name), URL: path + "/" + strconv.FormatInt(item.ID, 10) + "/uses",
					Dialog: true, Small: true, Test: "row.uses",
				})
				if may {
					v.Rows[i].Select = strconv.FormatInt(item.Code, 10)
				}
			}
			if may {
				v.Columns[0].All = crudview.BatchForm
				v.Batch = crudview.Batch(components.BatchProps{Form: crudview.BatchForm, Action: path + "/delete"}, i18n.T(ctx, "security.delete_submit"))
			}
			return nil
		},
		Draft: func(v Parameter) ParameterDraft {
			return ParameterDraft{Name: v.Name, Value: v.Shown(), Type: v.Type, Secret: v.Secret}
		},
		Read: func(f *web.Form) ParameterDraft {
			return ParameterDraft{Name: f.Text("name"), Value: f.Raw("value"), Type: flow.ParamType(f.Text("type")), Secret: f.Bool("secret")}
		},
		Form: func(ctx context.Context, form crudview.Form, d ParameterDraft, _ *web.Form) (templ.Component, error) {
			v := view.ParameterForm{Form: form, Name: d.Name, Value: d.Value, Type: string(d.Type), Secret: d.Secret}
			if d.Secret && d.Value != MaskedValue { // what was typed is not sent back
				v.Value = ""
			}
			for _, t := range flow.ParamTypes() {
				v.Types = append(v.Types, components.Option{Value: string(t), Label: string(t)})
			}
			return view.ParameterEdit(v), nil
		},
	}
}

// valueCell shows the value of a parameter, or that there is one.
func valueCell(v Parameter) templ.Component {
	switch {
	case !v.Secret:
		return crudview.Excerpt(excerpt(v.Value), v.Value)
	case v.Set:
		return view.SecretValue("parameter.secret.set")
	}
	return view.SecretValue("parameter.secret.unset")
}

// excerpt is as much of a value as a list shows.
func excerpt(value string) string {
	const most = 60
	if r := []rune(value); len(r) > most {
		return string(r[:most]) + "…"
	}
	return value
}

// deleteParameters removes the chosen ones.
func (p *pages) deleteParameters(r *http.Request) (web.Response, error) {
	in, err := p.required(r, EditSettings)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	var codes []int64
	for _, text := range f.List("id") {
		code, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, ErrParameterNotFound
		}
		codes = append(codes, code)
	}
	if err := p.svc.DeleteParameters(r.Context(), in.Code, codes...); err != nil {
		return nil, err
	}
	return web.Redirect(Address(in.Code, "/parameters")).Toast("parameter.deleted_all", "count", len(codes)), nil
}

// parameterUses shows which workflows mention a parameter.
func (p *pages) parameterUses(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.required(r, Read)
	if err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	one, err := p.svc.parameters(in.Code).Get(ctx, id)
	if err != nil {
		return nil, err
	}
	uses, err := p.svc.ParameterUses(ctx, one)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "parameter.uses_of", "name", one.Name)
	v := view.ParameterUsesPage{
		Shell: p.frame.InProject(r, Ref(in), title, components.Crumb{Label: i18n.T(ctx, "parameter.title"), URL: Address(in.Code, "/parameters")}),
		Title: title, Name: one.Name, BackURL: Address(in.Code, "/parameters"),
	}
	for _, u := range uses {
		v.Links = append(v.Links, components.Option{Label: u.Name, Value: u.URL})
	}
	return web.Page(view.ParameterUses(v)), nil
}

func (p *pages) preferences(r *http.Request) (web.Response, error) {
	in, err := p.required(r, Read)
	if err != nil {
		return nil, err
	}
	values, enabled := DefaultPreference(), false
	if saved, err := p.svc.SavedPreference(r.Context(), in.Code); err == nil {
		values, enabled = saved.Values(), saved.Enabled
	}
	return p.preferencePage(r, in, values, enabled, nil)
}

func (p *pages) savePreferences(r *http.Request) (web.Response, error) {
	in, err := p.required(r, EditSettings)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	v := Preference{
		TaskPriority: flow.Priority(f.Text("taskPriority")), Tenant: f.Text("tenant"), WorkerGroup: f.Text("workerGroup"),
		EnvironmentCode: f.Int64("environmentCode"), FailRetryTimes: f.Int("failRetryTimes"), FailRetryInterval: f.Int("failRetryInterval"),
		WarningType: flow.WarningType(f.Text("warningType")), AlertGroup: f.Int64("alertGroup"), CPUQuota: f.Int("cpuQuota"), MemoryMax: f.Int("memoryMax"),
	}
	enabled := f.Bool("enabled")
	_, err = web.Submit(f, func() (SavedPreference, error) {
		body, err := json.Marshal(v)
		if err != nil {
			return SavedPreference{}, err
		}
		return p.svc.SavePreference(r.Context(), in.Code, string(body), &enabled)
	})
	if f.Rejects(err) {
		return p.preferencePage(r, in, v, enabled, f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address(in.Code, "/preferences")).Toast("preference.saved"), nil
}

func (p *pages) preferencePage(r *http.Request, in Project, v Preference, enabled bool, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	o, err := p.options(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	groups, err := p.svc.WorkerGroups(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	page := view.PreferencePage{
		Shell: p.frame.InProject(r, Ref(in), i18n.T(ctx, "preference.title")), Enabled: enabled, Error: f.Notice(), Errors: f.Errors(),
		Priority: string(v.TaskPriority), Tenant: v.Tenant, Group: v.WorkerGroup, Environment: number(v.EnvironmentCode), Times: number(v.FailRetryTimes),
		Interval: number(v.FailRetryInterval), Warning: string(v.WarningType), Alert: number(v.AlertGroup), CPU: number(v.CPUQuota), Memory: number(v.MemoryMax),
		Tenants: kept(o.Tenants, v.Tenant), Environments: kept(o.Environments, number(v.EnvironmentCode)), Alerts: kept(o.AlertGroups, number(v.AlertGroup)),
	}
	for _, g := range groups {
		page.Groups = append(page.Groups, components.Option{Value: g, Label: g})
	}
	page.Groups = kept(page.Groups, v.WorkerGroup)
	for _, k := range flow.Priorities() {
		page.Priorities = append(page.Priorities, components.Option{Value: string(k), Label: i18n.T(ctx, "instance.priority."+string(k))})
	}
	for _, k := range []flow.WarningType{flow.WarningNone, flow.WarningSuccess, flow.WarningFailure, flow.WarningAll} {
		page.Warnings = append(page.Warnings, components.Option{Value: string(k), Label: i18n.T(ctx, "preference.warning."+string(k))})
	}
	if p.svc.Can(ctx, in.Code, EditSettings) {
		page.Action = Address(in.Code, "/preferences")
	}
	return f.Again(view.Preferences(page)), nil
}

func number[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// kept adds a value that is no longer offered, so that saving does not change it unseen.
func kept(options []components.Option, value string) []components.Option {
	if value == "" || slices.ContainsFunc(options, func(o components.Option) bool { return o.Value == value }) {
		return options
	}
	return append(options, components.Option{Value: value, Label: value})
}

func (p *pages) options(ctx context.Context, project int64) (Options, error) {
	if p.offers == nil {
		return Options{}, nil
	}
	return p.offers(ctx, project)
}

func (p *pages) workerGroups(r *http.Request) (web.Response, error) {
	if err := p.svc.Access.Require(r.Context(), AssignGroups); err != nil {
		return nil, err
	}
	in, err := p.required(r, Read)
	if err != nil {
		return nil, err
	}
	assigned, err := p.svc.AssignedGroups(r.Context(), in.Code)
	if err != nil {
		return nil, err
	}
	return p.groupsPage(r, in, assigned, len(assigned) == 0, nil)
}

func (p *pages) saveWorkerGroups(r *http.Request) (web.Response, error) {
	if err := p.svc.Access.Require(r.Context(), AssignGroups); err != nil {
		return nil, err
	}
	in, err := p.required(r, Read)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	chosen, all := f.List("groups"), f.Text("which") != "chosen"
	_, err = web.Submit(f, func() (struct{}, error) {
		return struct{}{}, p.svc.AssignGroups(r.Context(), in.Code, chosen, all)
	})
	if f.Rejects(err) {
		return p.groupsPage(r, in, chosen, all, f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address(in.Code, "/worker-groups")).Toast("project.groups.saved"), nil
}

func (p *pages) groupsPage(r *http.Request, in Project, chosen []string, all bool, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	v := view.GroupsPage{
		Shell: p.frame.InProject(r, Ref(in), i18n.T(ctx, "project.groups")), Action: Address(in.Code, "/worker-groups"), All: all, Chosen: chosen,
		Error: f.Notice(), Errors: f.Errors(),
	}
	names := []string{defaultGroup}
	if p.svc.allGroups != nil {
		var err error
		if names, err = p.svc.allGroups(ctx); err != nil {
			return nil, err
		}
	}
	for _, n := range chosen { // one that is gone can be taken away
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, n := range names {
		v.Groups = append(v.Groups, components.Option{Value: n, Label: n, Disabled: n == defaultGroup})
	}
	return f.Again(view.Groups(v)), nil
}
