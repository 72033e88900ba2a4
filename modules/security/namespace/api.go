package namespace

import (
	"net/http"

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
		ErrNotFound.Key: 1300005, ErrTaken.Key: 1300002, ErrCluster.Key: 120033, ErrName.Key: 10001, ErrInUse.Key: 1300008,
	})
	r.Get("/k8s-namespace", e.OK(1300001, a.page))
	r.Post("/k8s-namespace", e.Created(1300003, a.create))
	r.Post("/k8s-namespace/verify", e.OK(1300007, a.verify))
	r.Post("/k8s-namespace/delete", e.OK(1300008, a.remove))
	r.Get("/k8s-namespace/unauth-namespace", e.OK(1300012, a.of(true)))
	r.Get("/k8s-namespace/authed-namespace", e.OK(1300013, a.of(false)))
	r.Get("/k8s-namespace/available-list", e.OK(1300018, a.available))
}

type dsNamespace struct {
	ID          int64      `json:"id"`
	Code        int64      `json:"code"`
	Namespace   string     `json:"namespace"`
	UserID      int64      `json:"userId"`
	UserName    *string    `json:"userName"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
	ClusterCode int64      `json:"clusterCode"`
	ClusterName *string    `json:"clusterName"`
}

func toDS(n Namespace) dsNamespace {
	return dsNamespace{
		ID: n.ID, Code: n.Code, Namespace: n.Name, UserID: n.UserID, UserName: dsapi.OrNull(n.UserName), CreateTime: dsapi.Time(n.CreatedAt),
		UpdateTime: dsapi.Time(n.UpdatedAt), ClusterCode: n.ClusterCode, ClusterName: dsapi.OrNull(n.ClusterName),
	}
}

func all(list []Namespace, err error) (any, error) {
	out := make([]dsNamespace, 0, len(list))
	for _, n := range list {
		out = append(out, toDS(n))
	}
	return out, err
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := Spec()
	spec.Search, spec.Default = []string{"n.namespace"}, "-created"
	page, err := a.svc.Page(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

func form(p *dsapi.Params) (Draft, error) {
	return Draft{p.RequiredText("namespace"), p.RequiredInt64("clusterCode")}, p.Err()
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	n, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return toDS(n), nil
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.Check(r.Context(), d)
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.RequiredInt64("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), id)
}

// of lists what a user is granted, or the rest.
func (a api) of(not bool) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		user := p.RequiredInt64("userId")
		if err := p.Err(); err != nil {
			return nil, err
		}
		return all(a.svc.GrantedTo(r.Context(), user, not))
	}
}

func (a api) available(r *http.Request, _ *dsapi.Params) (any, error) {
	return all(a.svc.Available(r.Context()))
}
