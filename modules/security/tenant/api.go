package tenant

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNotFound.Key: 10017, ErrCodeTaken.Key: 10009, ErrCodeForm.Key: 10164, ErrCodeTooLong.Key: 1300016,
		ErrDescriptionTooLong.Key: 1400004, ErrInUse.Key: 10144,
	})
	r.Post("/tenants", e.Created(10084, a.create))
	r.Get("/tenants", e.OK(10085, a.page))
	r.Get("/tenants/list", e.OK(10086, a.list))
	r.Get("/tenants/verify-code", e.OK(10089, a.verify))
	r.Put("/tenants/{id}", e.OK(10087, a.update))
	r.Delete("/tenants/{id}", e.OK(10088, a.remove))
}

// dsTenant is a tenant as clients know it.
type dsTenant struct {
	ID          int64      `json:"id"`
	TenantCode  string     `json:"tenantCode"`
	Description string     `json:"description"`
	QueueID     int64      `json:"queueId"`
	QueueName   *string    `json:"queueName"`
	Queue       *string    `json:"queue"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
}

func toDS(t Tenant) dsTenant {
	return dsTenant{
		ID: t.ID, TenantCode: t.Code, Description: t.Description, QueueID: t.QueueID, QueueName: dsapi.OrNull(t.QueueName),
		CreateTime: dsapi.Time(t.CreatedAt), UpdateTime: dsapi.Time(t.UpdatedAt),
	}
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	t, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return toDS(t), nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := Spec()
	spec.Search = []string{"t.code"}
	page, err := a.svc.Page(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

// list is what forms of clients offer: the default tenant too, under the id they
// know it by.
func (a api) list(r *http.Request, _ *dsapi.Params) (any, error) {
	all, err := a.svc.All(r.Context())
	if err != nil {
		return nil, err
	}
	since := dsapi.Time(time.Date(2018, 3, 27, 15, 48, 50, 0, time.UTC)) // clients want a time; so old is theirs
	out := []dsTenant{{ID: -1, TenantCode: Default, Description: "", QueueID: 1, CreateTime: since, UpdateTime: since}}
	for _, t := range all {
		out = append(out, toDS(t))
	}
	return out, nil
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredText("tenantCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.CheckCode(r.Context(), code); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.Update(r.Context(), id, d, time.Time{}); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.Delete(r.Context(), id); err != nil {
		return nil, err
	}
	return true, nil
}

func form(p *dsapi.Params) (Draft, error) {
	d := Draft{Code: p.RequiredText("tenantCode"), QueueID: p.RequiredInt64("queueId"), Description: p.Text("description")}
	return d, p.Err()
}
