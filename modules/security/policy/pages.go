package policy

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/security/crud"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/security"
)

// offered bounds the users that a form offers; a name can be typed as well.
const offered = 500

func (m *Module) rulePages() crud.Pages[Rule, Draft] {
	return crud.Pages[Rule, Draft]{
		Path: Path, Keys: "policy.", Test: "policy", Icon: "lock", Wide: true, Spec: Spec(), Keeper: &m.Keeper, Shell: m.frame.Page,
		Columns:  []crud.Column{{Key: "permission"}, {Key: "effect"}, {Key: "subject"}, {Key: "where"}, {Key: "note", Drop: 2}},
		Cells:    func(ctx context.Context, r Rule) []view.Cell { return m.cells(ctx, r, "", "") },
		Decorate: m.decorate,
		Draft:    draft,
		Read: func(f *web.Form) Draft {
			return Draft{
				Effect: f.Text("effect"), Subject: f.Text("subject"), User: f.Text("user"), Permission: f.Text("permission"),
				Project: f.Text("project"), Workflow: f.Text("workflow"), Note: f.Text("note"),
			}
		},
		Form: m.form,
	}
}

func draft(r Rule) Draft {
	d := Draft{Effect: string(r.Effect), Subject: r.Subject, Permission: string(r.Permission), Note: r.Note}
	if _, ok := access.UserOf(r.Subject); ok {
		d.Subject, d.User = OneUser, r.UserName
	}
	if r.Project != 0 {
		d.Project = strconv.FormatInt(r.Project, 10)
	}
	if r.Workflow != 0 {
		d.Workflow = strconv.FormatInt(r.Workflow, 10)
	}
	return d
}

// who is a subject in words.
func who(ctx context.Context, r Rule) string {
	if role, ok := access.RoleOf(r.Subject); ok {
		return i18n.T(ctx, "policy.everybody_with", "role", i18n.T(ctx, "project.role."+string(role)))
	}
	if _, ok := access.UserOf(r.Subject); ok {
		return r.UserName
	}
	return i18n.T(ctx, "policy.everybody")
}

func (m *Module) cells(ctx context.Context, r Rule, project, workflow string) []view.Cell {
	where := view.Cell{Text: i18n.T(ctx, "policy.everywhere"), Muted: true}
	if r.Project != 0 {
		where = view.Cell{Text: named(project, r.Project)}
	}
	if r.Workflow != 0 {
		where = view.Cell{Text: named(workflow, r.Workflow), Note: where.Text}
	}
	return []view.Cell{
		{Text: string(r.Permission), Code: true}, {Body: security.PolicyEffect(string(r.Effect))}, {Text: who(ctx, r)}, where, {Text: r.Note, Muted: true},
	}
}

// named is a name, or the code of what has none any more.
func named(name string, code int64) string {
	if name == "" {
		return strconv.FormatInt(code, 10)
	}
	return name
}

// decorate adds the names of projects and workflows, which lie in other modules.
func (m *Module) decorate(r *http.Request, page listing.Page[Rule], v *view.Page) error {
	ctx := r.Context()
	projects, workflows, err := m.names(ctx, page.Items)
	if err != nil {
		return err
	}
	for i, rule := range page.Items {
		v.Rows[i].Cells = append(m.cells(ctx, rule, projects[rule.Project], workflows[rule.Workflow]), view.Cell{At: rule.UpdatedAt})
	}
	v.Actions = components.Button(components.ButtonProps{Text: i18n.T(ctx, "policy.try"), Icon: "help", URL: TryPath, Test: "policies.try"})
	v.Above = security.PolicyNote()
	return nil
}

func (m *Module) form(ctx context.Context, p view.Form, d Draft, _ *web.Form) (templ.Component, error) {
	v := security.PolicyForm{
		Form: p, Effect: d.Effect, Subject: d.Subject, User: d.User, Permission: d.Permission, Project: d.Project, Workflow: d.Workflow, Note: d.Note,
	}
	if v.Effect == "" {
		v.Effect = string(access.EffectDeny)
	}
	if v.Subject == "" {
		v.Subject = access.Everybody
	}
	for _, e := range access.Effects() {
		v.Effects = append(v.Effects, components.Option{Value: string(e), Label: i18n.T(ctx, "policy.effect."+string(e))})
	}
	v.Subjects = []components.Option{{Value: access.Everybody, Label: i18n.T(ctx, "policy.everybody")}}
	for _, role := range access.ProjectRoles() {
		v.Subjects = append(v.Subjects, components.Option{
			Value: access.RoleSubject(role), Label: i18n.T(ctx, "policy.everybody_with", "role", i18n.T(ctx, "project.role."+string(role))),
		})
	}
	v.Subjects = append(v.Subjects, components.Option{Value: OneUser, Label: i18n.T(ctx, "policy.one_user")})
	v.Permissions = m.permissions(true)
	var err error
	if v.Users, err = m.store.users(ctx, offered); err != nil {
		return nil, err
	}
	v.Projects, err = m.projects(ctx, "policy.all_projects")
	return security.PolicyEdit(v), err
}

// permissions are the names of all permissions, with their nouns as patterns.
func (m *Module) permissions(patterns bool) []string {
	var out []string
	last := ""
	for _, r := range m.access.Declared() {
		if noun, _, _ := strings.Cut(string(r.Permission), "."); patterns && noun != last {
			out, last = append(out, noun+".*"), noun
		}
		out = append(out, string(r.Permission))
	}
	return out
}

func (m *Module) projects(ctx context.Context, none string) ([]components.Option, error) {
	out := []components.Option{{Label: i18n.T(ctx, none)}}
	all, err := m.places.Projects(ctx)
	for _, p := range all {
		out = append(out, components.Option{Value: strconv.FormatInt(p.Code, 10), Label: p.Name})
	}
	return out, err
}

// try explains a decision.
func (m *Module) try(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.access.Require(ctx, access.PolicyManage); err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	ask := Ask{User: f.Text("user"), Permission: f.Text("permission"), Project: f.Text("project"), Workflow: f.Text("workflow")}
	title := i18n.T(ctx, "policy.try")
	v := security.PolicyTryPage{
		Shell: m.frame.Page(r, title, components.Crumb{Label: i18n.T(ctx, "policy.title"), URL: Path}), Action: TryPath,
		User: ask.User, Permission: ask.Permission, Project: ask.Project, Workflow: ask.Workflow, Permissions: m.permissions(false),
	}
	var err error
	if v.Users, err = m.store.users(ctx, offered); err != nil {
		return nil, err
	}
	if v.Projects, err = m.projects(ctx, "policy.no_project"); err != nil {
		return nil, err
	}
	if ask.User == "" || ask.Permission == "" {
		return web.Page(security.PolicyTry(v)), nil
	}
	a, err := m.Explain(ctx, ask)
	if f.Rejects(err) {
		v.Errors = f.Errors()
		return f.Again(security.PolicyTry(v)), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Page(security.PolicyTry(m.answer(ctx, v, a))), nil
}

func (m *Module) answer(ctx context.Context, v security.PolicyTryPage, a Answer) security.PolicyTryPage {
	v.Asked, v.Allowed = true, a.Allowed
	v.Reason = i18n.T(ctx, "policy.reason."+string(a.Reason), "permission", v.Permission, "user", v.User)
	if a.Disabled {
		v.Reason = i18n.T(ctx, "policy.reason.disabled", "user", v.User)
	}
	v.Role = i18n.T(ctx, "policy.no_role")
	if a.Role != "" {
		v.Role = i18n.T(ctx, "project.role."+string(a.Role))
	}
	for _, role := range a.Roles {
		key := "project.role." + string(role)
		if role == access.User {
			key = "policy.everybody"
		}
		v.Roles = append(v.Roles, i18n.T(ctx, key))
	}
	for _, r := range a.Rules {
		v.Rules = append(v.Rules, security.PolicyRuleRow{
			Effect: string(r.Effect), Permission: string(r.Permission), Who: who(ctx, r), Note: r.Note, URL: m.pages.Address(r.ID, "/edit"),
		})
	}
	return v
}
