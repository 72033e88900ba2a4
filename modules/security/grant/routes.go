package grant

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/views/components"
	"dorado/views/security"
)

// Deps are what the module needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Site   *web.Site
	API    *dsapi.API
	Frame  *frame.Frame
}

// Module is grants: rules, pages and endpoints.
type Module struct {
	*Service
	site  *web.Site
	rest  *dsapi.API
	frame *frame.Frame
}

// New makes the module.
func New(d Deps) *Module {
	svc := &Service{db: d.DB, access: d.Access, audit: d.Audit, offers: map[access.Kind]Offer{}}
	return &Module{Service: svc, site: d.Site, rest: d.API, frame: d.Frame}
}

const usersPath = "/security/users"

// Address is the page of what a user is granted.
func Address(user int64) string {
	return usersPath + "/" + strconv.FormatInt(user, 10) + "/grants"
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(usersPath+"/{id}/grants", m.site.Handle(m.show))
	r.Post(usersPath+"/{id}/grants/projects", m.site.Handle(m.saveRoles))
	r.Post(usersPath+"/{id}/grants/{kind}", m.site.Handle(m.saveObjects))
}

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) {
	e := m.rest.Faults(dsapi.Faults{ErrUser.Key: 10010})
	r.Post("/users/grant-namespace", e.OK(1300011, m.grantREST(access.Namespace, "namespaceIds")))
	r.Post("/users/grant-datasource", e.OK(10097, m.grantREST(access.DataSource, "datasourceIds")))
	old := m.rest.Faults(dsapi.Faults{ErrUser.Key: 10010, access.ErrDenied.Key: 1400001})
	r.Post("/users/grant-udf-func", old.OK(10096, m.grantREST(access.UDF, "udfIds")))
}

// grantREST replaces what a user is granted of a kind by a list of ids.
func (m *Module) grantREST(kind access.Kind, field string) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		user := p.RequiredInt64("userId")
		var keys []string
		for _, id := range p.Int64s(field) {
			keys = append(keys, strconv.FormatInt(id, 10))
		}
		if err := p.Err(); err != nil {
			return nil, err
		}
		return nil, m.Set(r.Context(), user, kind, keys)
	}
}

// projectsTab is the tab of roles; the others are named by their kinds in lower case.
const projectsTab = "projects"

// shown bounds the projects on the page; the search narrows them.
const shown = 200

func (m *Module) show(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	who, err := m.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	tab := r.URL.Query().Get("kind")
	title := i18n.T(ctx, "grant.title", "name", who.Name)
	v := security.GrantsPage{
		Shell: m.frame.Page(r, title, components.Crumb{Label: i18n.T(ctx, "user.title"), URL: usersPath}, components.Crumb{Label: who.Name, URL: usersPath + "/" + strconv.FormatInt(id, 10)}),
		Title: title, Name: who.Name, Admin: who.Admin(), Search: strings.TrimSpace(r.URL.Query().Get("q")), Path: Address(id),
	}
	v.Tabs = append(v.Tabs, components.Tab{Label: i18n.T(ctx, "grant.kind.projects"), URL: Address(id), Current: tab == "" || tab == projectsTab})
	for _, k := range m.Kinds() {
		name := strings.ToLower(string(k))
		v.Tabs = append(v.Tabs, components.Tab{Label: i18n.T(ctx, "grant.kind."+name), URL: Address(id) + "?kind=" + name, Current: tab == name})
	}
	if tab == "" || tab == projectsTab {
		err = m.roles(r, id, &v)
	} else {
		err = m.objects(r, id, tab, &v)
	}
	return web.Page(security.Grants(v)), err
}

func (m *Module) roles(r *http.Request, id int64, v *security.GrantsPage) error {
	ctx := r.Context()
	all, err := m.RolesOf(ctx, id)
	if err != nil {
		return err
	}
	v.Action = Address(id) + "/projects"
	for _, role := range []access.Role{access.Read, access.Operate, access.All} {
		v.Roles = append(v.Roles, components.Option{Value: string(role), Label: i18n.T(ctx, "project.role."+string(role)), Hint: i18n.T(ctx, "project.role_hint."+string(role))})
	}
	for _, p := range all {
		if v.Search != "" && !strings.Contains(strings.ToLower(p.Name), strings.ToLower(v.Search)) {
			continue
		}
		if v.Total++; len(v.Projects) == shown {
			continue
		}
		row := security.GrantRow{
			Value: strconv.FormatInt(p.Code, 10), Name: p.Name, Owner: p.Owner, URL: "/projects/" + strconv.FormatInt(p.Code, 10) + "/members",
			Role: string(p.Role), Fixed: p.Role == access.Owner,
		}
		if p.Role != "" {
			row.RoleName = i18n.T(ctx, "project.role."+string(p.Role))
		}
		v.Projects = append(v.Projects, row)
	}
	return nil
}

func (m *Module) objects(r *http.Request, id int64, tab string, v *security.GrantsPage) error {
	ctx := r.Context()
	all, err := m.Objects(ctx, id, access.Kind(strings.ToUpper(tab)))
	if err != nil {
		return err
	}
	v.Kind, v.Action = tab, Address(id)+"/"+tab
	v.Text = i18n.T(ctx, "grant.text."+tab)
	for _, o := range all {
		v.Objects = append(v.Objects, components.Option{Value: o.Key, Label: o.Name, Hint: o.Note})
		if o.Granted {
			v.Ticked = append(v.Ticked, o.Key)
		}
	}
	return nil
}

func (m *Module) saveRoles(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	var codes []int64
	for _, text := range f.List("project") {
		code, _ := strconv.ParseInt(text, 10, 64) // 0 is no project, and refused as such
		codes = append(codes, code)
	}
	if err := m.SetRoles(r.Context(), id, codes, f.Text("role")); err != nil {
		return nil, err
	}
	return web.Redirect(Address(id)).Toast("grant.saved"), nil
}

func (m *Module) saveObjects(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	tab := chi.URLParam(r, "kind")
	if _, err := m.Objects(r.Context(), id, access.Kind(strings.ToUpper(tab))); err != nil {
		return nil, err
	}
	if err := m.Set(r.Context(), id, access.Kind(strings.ToUpper(tab)), web.ReadForm(r).List("object")); err != nil {
		return nil, err
	}
	return web.Redirect(Address(id) + "?kind=" + tab).Toast("grant.saved"), nil
}
