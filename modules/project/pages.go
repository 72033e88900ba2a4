package project

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/views/components"
	view "dorado/views/project"
	"dorado/views/security"
)

type pages struct {
	svc   *Service
	frame *frame.Frame
	runs  RunStats // nil until something can run
	// offers lists what preferences may name; nil offers nothing.
	offers func(ctx context.Context, project int64) (Options, error)
}

func (p *pages) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	q := frame.Query(r, Spec())
	page, err := p.svc.List(ctx, q)
	if err != nil {
		return nil, err
	}
	list := view.ListPage{Shell: p.frame.Page(r, i18n.T(ctx, "project.title")), List: frame.Listed(Path, q, page)}
	if p.svc.Access.Can(ctx, Create) {
		list.NewURL = Path + "/new"
	}
	for _, row := range page.Items {
		list.Rows = append(list.Rows, p.row(ctx, row))
	}
	return web.Page(view.Projects(list)), nil
}

func (p *pages) row(ctx context.Context, r Row) view.Row {
	row := view.Row{
		Code: r.Code, Name: r.Name, URL: Address(r.Code, ""), Description: r.Description, Owner: r.OwnerName, Role: roleName(ctx, r.Role),
		Workflows: r.Workflows, WorkflowsURL: Address(r.Code, "/workflows"), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		MembersURL: Address(r.Code, "/members"),
	}
	if p.svc.Can(ctx, r.Code, Edit) {
		row.EditURL = Address(r.Code, "/edit")
	}
	if p.svc.Can(ctx, r.Code, Delete) {
		row.DeleteURL = Address(r.Code, "/delete")
	}
	return row
}

func roleName(ctx context.Context, role access.Role) string {
	if role == "" {
		return ""
	}
	return i18n.T(ctx, "project.role."+string(role))
}

func (p *pages) new(r *http.Request) (web.Response, error) {
	if err := p.svc.Access.Require(r.Context(), Create); err != nil {
		return nil, err
	}
	return p.form(r, Project{}, Draft{}, "", nil)
}

func readForm(f *web.Form) Draft {
	return Draft{Name: f.Text("name"), Description: f.Text("description")}
}

func (p *pages) create(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	d := readForm(f)
	made, err := p.svc.Create(r.Context(), d)
	if f.Rejects(err) {
		return p.form(r, Project{}, d, "", f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("project.created", "name", made.Name), nil
}

// required reads the project of the address for somebody who may do perm in it.
func (p *pages) required(r *http.Request, perm access.Permission) (Project, error) {
	code, err := web.Number(r, "project")
	if err != nil {
		return Project{}, err
	}
	return p.svc.Require(r.Context(), code, perm)
}

func (p *pages) edit(r *http.Request) (web.Response, error) {
	found, err := p.required(r, Edit)
	if err != nil {
		return nil, err
	}
	return p.form(r, found, Draft{Name: found.Name, Description: found.Description}, web.Stamp(found.UpdatedAt), nil)
}

func (p *pages) update(r *http.Request) (web.Response, error) {
	found, err := p.required(r, Edit)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	d := readForm(f)
	saved, err := p.svc.Update(r.Context(), found.Code, d, f.Stamp())
	if f.Rejects(err) {
		return p.form(r, found, d, f.Text(web.StampField), f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("project.saved", "name", saved.Name), nil
}

// form shows the form of a new project, one without a code, or of one.
func (p *pages) form(r *http.Request, of Project, d Draft, stamp string, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	v := view.FormView{
		Title: i18n.T(ctx, "project.create"), Action: Path, CancelURL: Path, New: of.Code == 0, Name: d.Name, Owner: of.OwnerName,
		Description: d.Description, Stamp: stamp, Error: f.Notice(), Errors: f.Errors(),
	}
	if !v.New {
		v.Title, v.Action, v.CancelURL = i18n.T(ctx, "project.edit"), Address(of.Code, ""), Address(of.Code, "")
		v.Shell = p.frame.InProject(r, Ref(of), v.Title)
	} else {
		v.Shell = p.frame.Page(r, v.Title, components.Crumb{Label: i18n.T(ctx, "project.title"), URL: Path})
	}
	return f.Again(view.Form(v)), nil
}

func (p *pages) confirm(r *http.Request) (web.Response, error) {
	found, err := p.required(r, Delete)
	if err != nil {
		return nil, err
	}
	return p.ask(r, found, http.StatusOK)
}

func (p *pages) remove(r *http.Request) (web.Response, error) {
	found, err := p.required(r, Delete)
	if err != nil {
		return nil, err
	}
	err = p.svc.Delete(r.Context(), found.Code)
	if web.Conflicts(err) {
		return p.ask(r, found, http.StatusConflict)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Path).Toast("project.deleted", "name", found.Name), nil
}

// ask shows the question before deleting, or the workflows that stand in the way.
func (p *pages) ask(r *http.Request, of Project, status int) (web.Response, error) {
	ctx := r.Context()
	uses, total, err := p.svc.Uses(ctx, of.Code)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "project.delete.title", "name", of.Name)
	v := security.DeletePage{
		Shell: p.frame.InProject(r, Ref(of), title),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "project.delete.text"), Action: Address(of.Code, "/delete"),
			Submit: i18n.T(ctx, "project.delete"), CancelURL: Address(of.Code, ""), Test: "project.delete",
		},
	}
	if total > 0 {
		v.Refused = &security.RefusedProps{
			Title: i18n.T(ctx, "project.not_empty.title", "name", of.Name), Text: i18n.T(ctx, ErrNotEmpty.Key, "name", of.Name, "count", total),
			BackURL: Address(of.Code, ""),
		}
		for _, u := range uses {
			v.Refused.Links = append(v.Refused.Links, security.Link{Label: u.Name, URL: u.URL})
		}
		if more := total - len(uses); more > 0 {
			v.Refused.More = i18n.T(ctx, "project.not_empty.more", "count", more)
		}
	}
	return web.Page(security.Delete(v)).Status(status), nil
}

// recentShown is how many workflows the overview names.
const recentShown = 8

func (p *pages) overview(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	found, err := p.required(r, Read)
	if err != nil {
		return nil, err
	}
	row, err := p.svc.Row(ctx, found)
	if err != nil {
		return nil, err
	}
	members, err := p.svc.Members(ctx, found.Code)
	if err != nil {
		return nil, err
	}
	links := p.row(ctx, row)
	v := view.OverviewPage{
		Shell: p.frame.InProject(r, Ref(found), i18n.T(ctx, "project.overview")), Name: found.Name, Description: found.Description,
		EditURL: links.EditURL, DeleteURL: links.DeleteURL, WorkflowsURL: links.WorkflowsURL,
		Facts: []components.Datum{
			{Label: i18n.T(ctx, "project.field.owner"), Value: found.OwnerName},
			{Label: i18n.T(ctx, "project.field.grant"), Value: links.Role},
			{Label: i18n.T(ctx, "project.members"), Value: i18n.Number(ctx, int64(len(members))), URL: links.MembersURL},
			{Label: i18n.T(ctx, "project.field.workflows"), Value: i18n.Number(ctx, int64(row.Workflows)), URL: links.WorkflowsURL},
			{Label: i18n.T(ctx, "project.field.created"), Body: components.Time(components.TimeProps{At: found.CreatedAt})},
			{Label: i18n.T(ctx, "project.field.updated"), Body: components.Time(components.TimeProps{At: found.UpdatedAt})},
			{Label: i18n.T(ctx, "project.field.code"), Value: strconv.FormatInt(found.Code, 10), Mono: true, Copy: true},
		},
	}
	if err := p.contents(ctx, found, &v); err != nil {
		return nil, err
	}
	return web.Page(view.Overview(v)), nil
}

// contents adds what other modules know of the project.
func (p *pages) contents(ctx context.Context, of Project, v *view.OverviewPage) error {
	if c := p.svc.contents; c != nil {
		recent, err := c.RecentWorkflows(ctx, of.Code, recentShown)
		if err != nil {
			return err
		}
		for _, w := range recent {
			v.Recent = append(v.Recent, view.RecentRow{Name: w.Name, URL: w.URL, State: w.State, Tasks: w.Tasks, Modifier: w.Modifier, At: w.At})
		}
		if c.MayCreate(ctx, of.Code) {
			v.CreateURL = Address(of.Code, "/workflows/new")
		}
	}
	if p.runs == nil {
		return nil
	}
	workflows, tasks, err := p.runs(ctx, of.Code, p.svc.Now().Add(-24*time.Hour))
	if err != nil {
		return err
	}
	v.States = []view.StatesCard{
		{Title: i18n.T(ctx, "project.workflow_states"), None: i18n.T(ctx, "project.no_runs"), Counts: counts(workflows)},
		{Title: i18n.T(ctx, "project.task_states"), None: i18n.T(ctx, "project.no_runs"), Counts: counts(tasks)},
	}
	return nil
}

func counts(in []StateCount) []view.StateCount {
	out := make([]view.StateCount, len(in))
	for i, c := range in {
		out[i] = view.StateCount(c)
	}
	return out
}
