package user

import (
	"context"
	"net/http"
	"regexp"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/identity"
	"dorado/modules/security/tenant"
)

// defaultTenant is the id under which clients know the tenant without a row.
const defaultTenant = -1

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) {
	e := m.rest.Faults(dsapi.Faults{
		identity.ErrNotFound.Key: 10010, identity.ErrNameTaken.Key: 10003, identity.ErrInUse.Key: 10179, identity.ErrSelf.Key: 130020,
		"identity.user.tenant_unknown": 10017, "identity.preferences.zone": 130031, "identity.password.length": 1300017,
		identity.ErrActive.Key: dsapi.InvalidParameter,
	})
	r.Post("/users/create", e.Created(10090, m.createREST))
	r.Get("/users/list-paging", e.OK(10091, m.pageREST))
	r.Post("/users/update", e.OK(10092, m.updateREST))
	r.Post("/users/delete", e.OK(10093, m.deleteREST))
	r.Get("/users/get-user-info", e.OK(10098, m.infoREST))
	r.Get("/users/list", e.OK(10099, m.listREST(false)))
	r.Get("/users/list-all", e.OK(10099, m.listREST(true)))
	// Alert groups have no users here, as in today's DolphinScheduler: nobody is authorised, everybody else is not.
	r.Get("/users/authed-user", e.OK(10102, m.ofAlertGroup(false)))
	r.Get("/users/unauth-user", e.OK(10101, m.ofAlertGroup(true)))
	r.Get("/users/verify-user-name", e.OK(10100, m.verifyREST))
	r.Post("/users/register", e.OK(10090, m.registerREST))
	r.Post("/users/activate", e.OK(10092, m.activateREST))
	r.Post("/users/batch/activate", e.OK(10092, m.activateAllREST))
}

// dsUser is a user as clients know it. The password is never sent.
type dsUser struct {
	ID           int64      `json:"id"`
	UserName     string     `json:"userName"`
	UserPassword *string    `json:"userPassword"`
	Email        string     `json:"email"`
	Phone        string     `json:"phone"`
	UserType     string     `json:"userType"`
	TenantID     int64      `json:"tenantId"`
	State        int        `json:"state"`
	TenantCode   *string    `json:"tenantCode"`
	QueueName    *string    `json:"queueName"`
	AlertGroup   *string    `json:"alertGroup"`
	Queue        *string    `json:"queue"`
	TimeZone     *string    `json:"timeZone"`
	CreateTime   dsapi.Time `json:"createTime"`
	UpdateTime   dsapi.Time `json:"updateTime"`
}

func toDS(u identity.User, codes map[int64]string) dsUser {
	out := dsUser{
		ID: u.ID, UserName: u.Name, Email: u.Email, Phone: u.Phone, UserType: string(u.Type), TenantID: u.TenantID,
		TenantCode: dsapi.OrNull(codes[u.TenantID]), Queue: dsapi.OrNull(u.Queue), QueueName: dsapi.OrNull(u.Queue), TimeZone: dsapi.OrNull(u.Zone),
		CreateTime: dsapi.Time(u.CreatedAt), UpdateTime: dsapi.Time(u.UpdatedAt),
	}
	if u.TenantID == 0 {
		out.TenantID = defaultTenant
	}
	if u.Enabled {
		out.State = 1
	}
	return out
}

func (m *Module) answer(ctx context.Context, u identity.User) (any, error) {
	codes, err := m.tenantCodes(ctx)
	if err != nil {
		return nil, err
	}
	return toDS(u, codes), nil
}

// chinesePhone is how clients of DolphinScheduler write phone numbers.
var chinesePhone = regexp.MustCompile(`^1[3-9][0-9]{9}$`)

func phone(p *dsapi.Params) string {
	text := p.Text("phone")
	if chinesePhone.MatchString(text) {
		return "+86" + text
	}
	return text
}

func tenantID(p *dsapi.Params) int64 {
	id := p.RequiredInt64("tenantId")
	if id == defaultTenant {
		return 0
	}
	return id
}

func (m *Module) createREST(r *http.Request, p *dsapi.Params) (any, error) {
	d := identity.Draft{
		Name: p.RequiredText("userName"), Password: secret.String(p.RequiredText("userPassword")), TenantID: tenantID(p),
		Queue: p.Text("queue"), Email: p.RequiredText("email"), Phone: phone(p), Enabled: p.Int("state", 1) != 0,
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	u, err := m.identity.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return m.answer(r.Context(), u)
}

func (m *Module) pageREST(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := identity.Spec()
	spec.Search = []string{"name"}
	page, err := m.identity.List(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	codes, err := m.tenantCodes(r.Context())
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, func(u identity.User) dsUser { return toDS(u, codes) }), nil
}

func (m *Module) updateREST(r *http.Request, p *dsapi.Params) (any, error) {
	ctx := r.Context()
	id := p.RequiredInt64("id")
	d := identity.Draft{
		Name: p.RequiredText("userName"), Password: secret.String(p.RequiredText("userPassword")), TenantID: tenantID(p),
		Queue: p.Text("queue"), Email: p.RequiredText("email"), Phone: phone(p), Enabled: p.Int("state", 1) != 0,
	}
	zone := p.Text("timeZone")
	if err := p.Err(); err != nil {
		return nil, err
	}
	before, err := m.identity.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	me, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	u := before
	if m.access.Can(ctx, identity.UserEdit) {
		d.Admin = before.Admin()
		if u, err = m.identity.Update(ctx, id, d); err != nil {
			return nil, err
		}
	} else if u, err = m.updateSelf(ctx, before, d); err != nil {
		return nil, err
	}
	if zone != "" && me.UserID == id {
		pref := identity.Preferences{Zone: zone, Locale: u.Locale, Theme: u.Theme, PageSize: u.PageSize}
		if err := m.identity.UpdatePreferences(ctx, pref); err != nil {
			return nil, err
		}
		u.Zone = zone
	}
	return m.answer(ctx, u)
}

// updateSelf is what general users may change of themselves by REST. A new
// password needs the current one, which this call does not carry.
func (m *Module) updateSelf(ctx context.Context, before identity.User, d identity.Draft) (identity.User, error) {
	if d.Password != "" {
		return before, identity.ErrCurrent
	}
	if d.Name != before.Name || d.TenantID != before.TenantID || d.Queue != before.Queue || !d.Enabled {
		return before, access.ErrDenied.With("permission", string(identity.UserEdit))
	}
	return m.identity.UpdateProfile(ctx, identity.Profile{Email: d.Email, Phone: d.Phone})
}

func (m *Module) deleteREST(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.RequiredInt64("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, m.identity.Delete(r.Context(), id)
}

func (m *Module) infoREST(r *http.Request, _ *dsapi.Params) (any, error) {
	u, err := m.identity.Me(r.Context())
	if err != nil {
		return nil, err
	}
	if u.Zone == "" {
		u.Zone = i18n.Zone(r.Context()).String()
	}
	return m.answer(r.Context(), u)
}

// listREST answers with all enabled users, or with general users only.
func (m *Module) listREST(all bool) dsapi.Func {
	return func(r *http.Request, _ *dsapi.Params) (any, error) {
		codes, err := m.tenantCodes(r.Context())
		if err != nil {
			return nil, err
		}
		out := []dsUser{}
		q := listing.New(listing.Spec{Columns: map[string]string{"name": "name"}, Default: "name", ID: "id"}, 1, listing.MaxSize, "")
		for {
			page, err := m.identity.List(r.Context(), q)
			if err != nil {
				return nil, err
			}
			for _, u := range page.Items {
				if all && u.Enabled || !all && !u.Admin() {
					out = append(out, toDS(u, codes))
				}
			}
			if q.Page >= page.Pages() {
				return out, nil
			}
			q.Page++
		}
	}
}

// ofAlertGroup answers with the general users that are, or are not, authorised for an alert group.
func (m *Module) ofAlertGroup(not bool) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		p.RequiredInt64("alertgroupId")
		if err := p.Err(); err != nil {
			return nil, err
		}
		all, err := m.listREST(false)(r, p)
		if err != nil || not {
			return all, err
		}
		return []dsUser{}, nil
	}
}

func (m *Module) verifyREST(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("userName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	taken, err := m.identity.NameTaken(r.Context(), name)
	if err == nil && taken {
		err = identity.ErrNameTaken
	}
	return nil, err
}

// errRepeat is the fault of two passwords that differ.
var errRepeat = fault.New(fault.Invalid, "account.password.differ").OnField("repeatPassword", "account.password.differ")

// registerREST is open to everybody, where the configuration lets people register.
func (m *Module) registerREST(r *http.Request, p *dsapi.Params) (any, error) {
	ctx := r.Context()
	reg := identity.Registration{
		Name: p.RequiredText("userName"), Password: secret.String(p.RequiredText("userPassword")), Email: p.RequiredText("email"),
		Client: web.ClientAddress(ctx),
	}
	repeat := p.RequiredText("repeatPassword")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if !reg.Password.Equal(repeat) {
		return nil, errRepeat
	}
	u, err := m.identity.Register(ctx, reg)
	if err != nil {
		return nil, err
	}
	return toDS(u, map[int64]string{0: tenant.Default}), nil
}

func (m *Module) activateREST(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("userName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	u, err := m.identity.Activate(r.Context(), name)
	if err != nil {
		return nil, err
	}
	return m.answer(r.Context(), u)
}

func (m *Module) activateAllREST(r *http.Request, p *dsapi.Params) (any, error) {
	var names []string
	if err := p.JSON(&names); err != nil {
		return nil, err
	}
	if err := m.access.Require(r.Context(), identity.UserEdit); err != nil {
		return nil, err
	}
	type reason struct {
		UserName string `json:"userName"`
		Msg      string `json:"msg"`
	}
	done, failed := []string{}, []reason{}
	for _, name := range names {
		if _, err := m.identity.Activate(r.Context(), name); err != nil {
			failed = append(failed, reason{name, web.Message(r.Context(), err)})
			continue
		}
		done = append(done, name)
	}
	return map[string]any{
		"success": map[string]any{"sum": len(done), "userName": done},
		"failed":  map[string]any{"sum": len(failed), "info": failed},
	}, nil
}
