package alertgroup

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNotFound.Key: 10011, ErrNameTaken.Key: 10012, ErrDescription.Key: 1400004, ErrAdmins.Key: 130030,
	})
	r.Post("/alert-groups", e.Created(10027, a.create))
	r.Get("/alert-groups/list", e.OK(10028, a.list))
	r.Get("/alert-groups/normal-list", e.OK(10028, a.list))
	r.Get("/alert-groups", e.OK(10029, a.page))
	r.Post("/alert-groups/query", e.OK(10180, a.get))
	r.Get("/alert-groups/verify-name", e.OK(dsapi.Internal, a.verify))
	r.Put("/alert-groups/{id}", e.OK(10030, a.update))
	r.Delete("/alert-groups/{id}", e.OK(10031, a.remove))
}

// dsGroup is a group as clients know it.
type dsGroup struct {
	ID               int64      `json:"id"`
	GroupName        string     `json:"groupName"`
	AlertInstanceIDs string     `json:"alertInstanceIds"`
	Description      string     `json:"description"`
	CreateTime       dsapi.Time `json:"createTime"`
	UpdateTime       dsapi.Time `json:"updateTime"`
	CreateUserID     int64      `json:"createUserId"`
}

func toDS(g Group) dsGroup {
	return dsGroup{
		ID: g.ID, GroupName: g.Name, AlertInstanceIDs: joined(g.Instances), Description: g.Description, CreateTime: dsapi.Time(g.CreatedAt), UpdateTime: dsapi.Time(g.UpdatedAt),
		CreateUserID: g.UserID,
	}
}

func form(p *dsapi.Params) (Draft, error) {
	d := Draft{Name: p.RequiredText("groupName"), Description: p.Text("description")}
	instances := p.RequiredText("alertInstanceIds")
	if err := p.Err(); err != nil {
		return d, err
	}
	for item := range strings.SplitSeq(instances, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		id, err := strconv.ParseInt(item, 10, 64)
		if err != nil {
			return d, &dsapi.ParamError{Name: "alertInstanceIds"}
		}
		d.Instances = append(d.Instances, id)
	}
	return d, nil
}

// joined are ids as clients know them: separated by commas.
func joined(ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	return b.String()
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	g, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return toDS(g), nil
}

func (a api) list(r *http.Request, _ *dsapi.Params) (any, error) {
	all, err := a.svc.All(r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]dsGroup, 0, len(all))
	for _, g := range all {
		out = append(out, toDS(g))
	}
	return out, nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := Spec()
	spec.Search = []string{"name"}
	page, err := a.svc.Page(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.RequiredInt64("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	g, err := a.svc.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return toDS(g), nil
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("groupName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.CheckName(r.Context(), name)
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	g, err := a.svc.Update(r.Context(), id, d, time.Time{})
	if err != nil {
		return nil, hidden(err)
	}
	return toDS(g), nil
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.Delete(r.Context(), id); err != nil {
		return nil, hidden(err)
	}
	return true, nil
}

// hidden says of a group that is missing what clients know: that one may not.
func hidden(err error) error {
	if errors.Is(err, ErrNotFound) {
		return access.ErrDenied.With("permission", string(Manage)).Because(err)
	}
	return err
}
