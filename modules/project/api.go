package project

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
)

// Faults are the codes by which clients know the refusals of Require; every module with endpoints inside a project
// adds them to its own. missing is ProjectMissing or ProjectGone: DolphinScheduler has two numbers for a project that
// does not exist, depending on the endpoint.
func Faults(missing dsapi.Code) dsapi.Faults {
	return dsapi.Faults{ErrNotFound.Key: missing, ErrNoAccess.Key: dsapi.NoProjectAccess, ErrNoGrant.Key: dsapi.NoProjectWrite}
}

// ProjectGone is the second number for a project that does not exist.
const ProjectGone dsapi.Code = 10190

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(Faults(dsapi.ProjectMissing)).Faults(dsapi.Faults{
		ErrNameTaken.Key: 10019, ErrNotEmpty.Key: 10137, ErrDescription.Key: 1400004,
	})
	for _, base := range []string{"/projects", "/v2/projects"} {
		r.Post(base, e.Created(10048, a.create))
		r.Get(base, e.OK(10049, a.page))
		r.Get(base+"/list", e.OK(10049, a.mine))
		r.Get(base+"/list-dependent", e.OK(10049, a.dependent))
		r.Get(base+"/created-and-authed", e.OK(10162, a.visible))
		r.Get(base+"/authed-project", e.OK(10052, a.authed))
		r.Get(base+"/unauth-project", e.OK(10051, a.unauthed))
		r.Get(base+"/authed-user", e.OK(10183, a.users))
		r.Get(base+"/{project}", e.OK(10047, a.get))
		r.Put(base+"/{project}", e.OK(10046, a.update))
		r.Delete(base+"/{project}", e.OK(10050, a.remove))
	}
	r.Get("/projects/project-with-authorized-level-list-paging", e.OK(10049, a.levelPage))
	r.Get("/projects/project-with-authorized-level", e.OK(10052, a.levels))
	a.grantRoutes(r)
}

// Levels of a grant as clients know them.
const (
	permNone = 0
	permRead = 2
	permAll  = 7
)

func level(role access.Role) int {
	switch role {
	case access.Owner, access.All, access.Admin:
		return permAll
	case access.Operate, access.Read:
		return permRead
	default:
		return permNone
	}
}

// dsProject is a project as clients know it. They are strict: no key may be added.
type dsProject struct {
	ID          int64      `json:"id"`
	UserID      int64      `json:"userId"`
	UserName    *string    `json:"userName"`
	Code        int64      `json:"code"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
	Perm        int        `json:"perm"`
	DefCount    int        `json:"defCount"`
}

// toDS shows a row to whoever asks; an administrator's level is not computed, which is 0.
func toDS(r Row) dsProject {
	p := dsProject{
		ID: r.ID, UserID: r.OwnerID, UserName: dsapi.OrNull(r.OwnerName), Code: r.Code, Name: r.Name, Description: r.Description,
		CreateTime: dsapi.Time(r.CreatedAt), UpdateTime: dsapi.Time(r.UpdatedAt), DefCount: r.Workflows,
	}
	if r.Role != access.Admin {
		p.Perm = level(r.Role)
	}
	return p
}

func toDSAll(rows []Row) []dsProject {
	out := make([]dsProject, len(rows))
	for i, r := range rows {
		out[i] = toDS(r)
	}
	return out
}

func read(p *dsapi.Params) (Draft, error) {
	d := Draft{Name: p.RequiredText("projectName"), Description: p.Text("description")}
	return d, p.Err()
}

func (a api) answer(r *http.Request, p Project, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	row, err := a.svc.Row(r.Context(), p)
	return toDS(row), err
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := read(p)
	if err != nil {
		return nil, err
	}
	made, err := a.svc.Create(r.Context(), d)
	return a.answer(r, made, err)
}

func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	found, err := a.svc.ByCode(r.Context(), code)
	return a.answer(r, found, err)
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("project")
	d, err := read(p)
	if err != nil {
		return nil, err
	}
	saved, err := a.svc.Update(r.Context(), code, d, time.Time{})
	return a.answer(r, saved, err)
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return true, a.svc.Delete(r.Context(), code)
}

// byNewest is the order in which clients expect lists.
func byNewest() listing.Spec {
	spec := Spec()
	spec.Default = "-id"
	return spec
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	page, err := a.svc.List(r.Context(), listing.New(byNewest(), no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

// mine is every project for an administrator, and one's own for others.
func (a api) mine(r *http.Request, _ *dsapi.Params) (any, error) {
	rows, err := a.svc.All(r.Context())
	who, _ := access.From(r.Context())
	rows = slices.DeleteFunc(rows, func(row Row) bool { return !who.Admin && row.OwnerID != who.UserID })
	return toDSAll(rows), err
}

func (a api) visible(r *http.Request, _ *dsapi.Params) (any, error) {
	rows, err := a.svc.All(r.Context())
	return toDSAll(rows), err
}

// dependent fills code and name only.
func (a api) dependent(r *http.Request, _ *dsapi.Params) (any, error) {
	rows, err := a.svc.All(r.Context())
	out := make([]dsProject, len(rows))
	for i, row := range rows {
		out[i] = dsProject{Code: row.Code, Name: row.Name}
	}
	return out, err
}

// of reads userId and returns what that user holds in which project.
func (a api) of(r *http.Request, p *dsapi.Params) (map[int64]access.Role, error) {
	user := p.RequiredInt64("userId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return a.svc.RolesOf(r.Context(), user)
}

func (a api) levelPage(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	roles, err := a.of(r, p)
	if err != nil {
		return nil, err
	}
	page, err := a.svc.List(r.Context(), listing.New(byNewest(), no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, func(row Row) dsProject {
		out := toDS(row)
		out.Perm = level(roles[row.Code])
		return out
	}), nil
}

func (a api) levels(r *http.Request, p *dsapi.Params) (any, error) {
	roles, err := a.of(r, p)
	if err != nil {
		return nil, err
	}
	rows, err := a.svc.All(r.Context())
	out := toDSAll(rows)
	for i := range out {
		out[i].Perm = level(roles[out[i].Code])
	}
	return out, err
}

// authed are the projects that a user was granted, his own left out.
func (a api) authed(r *http.Request, p *dsapi.Params) (any, error) {
	return a.filtered(r, p, func(role access.Role) bool { return role != "" && role != access.Owner })
}

// unauthed are the projects that a user was not granted; his own are among them, as DolphinScheduler has it.
func (a api) unauthed(r *http.Request, p *dsapi.Params) (any, error) {
	return a.filtered(r, p, func(role access.Role) bool { return role == "" || role == access.Owner })
}

func (a api) filtered(r *http.Request, p *dsapi.Params, keep func(access.Role) bool) (any, error) {
	roles, err := a.of(r, p)
	if err != nil {
		return nil, err
	}
	rows, err := a.svc.All(r.Context())
	return toDSAll(slices.DeleteFunc(rows, func(row Row) bool { return !keep(roles[row.Code]) })), err
}

// dsMember is a user as the members of a project may see him: clients want all members of the object, so those that are
// nobody's business are null.
type dsMember struct {
	ID         int64      `json:"id"`
	UserName   string     `json:"userName"`
	Password   *string    `json:"userPassword"`
	Email      *string    `json:"email"`
	Phone      *string    `json:"phone"`
	UserType   string     `json:"userType"`
	TenantID   int64      `json:"tenantId"`
	State      int        `json:"state"`
	TenantCode *string    `json:"tenantCode"`
	QueueName  *string    `json:"queueName"`
	AlertGroup *string    `json:"alertGroup"`
	Queue      *string    `json:"queue"`
	TimeZone   *string    `json:"timeZone"`
	CreateTime dsapi.Time `json:"createTime"` // since when he is a member
	UpdateTime dsapi.Time `json:"updateTime"`
}

func (a api) users(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("projectCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	members, err := a.svc.Members(r.Context(), code)
	out := []dsMember{}
	for _, m := range members {
		if m.Role == access.Owner {
			continue
		}
		state := 0
		if m.IsEnabled {
			state = 1
		}
		since := dsapi.Time(m.Since)
		out = append(out, dsMember{
			ID: m.UserID, UserName: m.Name, UserType: "GENERAL_USER", TenantID: -1, State: state, CreateTime: since, UpdateTime: since,
		})
	}
	return out, err
}
