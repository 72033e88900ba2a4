package k8scluster

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/app/kit/web/dsapi"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNotFound.Key: 120033, ErrNameTaken.Key: 120021, ErrNameMissing.Key: 120022, ErrConfigMissing.Key: 120023,
		ErrDescription.Key: 1400004, ErrInUse.Key: 120034,
	})
	r.Post("/cluster/create", e.Created(120020, a.create))
	r.Post("/cluster/update", e.OK(120024, a.update))
	r.Post("/cluster/delete", e.OK(120025, a.remove))
	r.Get("/cluster/list-paging", e.OK(1200029, a.page))
	r.Get("/cluster/query-cluster-list", e.OK(1200029, a.list))
	r.Post("/cluster/verify-cluster", e.OK(1200030, a.verify))
	r.Get("/cluster/query-by-code", a.rest.Faults(dsapi.Faults{ErrNotFound.Key: 1200028}).OK(1200028, a.get))
}

// dsCluster is a cluster as updating answers with it.
type dsCluster struct {
	ID          int64      `json:"id"`
	Code        int64      `json:"code"`
	Name        string     `json:"name"`
	Config      string     `json:"config"`
	Description string     `json:"description"`
	Operator    int64      `json:"operator"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
}

// dsListed is a cluster as lists show it.
type dsListed struct {
	dsCluster
	WorkflowDefinitions []string `json:"workflowDefinitions"` // always null
}

func toDS(c Cluster) dsCluster {
	return dsCluster{
		ID: c.ID, Code: c.Code, Name: c.Name, Config: `{"k8s":"` + Masked + `"}`, Description: c.Description, Operator: c.OperatorID,
		CreateTime: dsapi.Time(c.CreatedAt), UpdateTime: dsapi.Time(c.UpdatedAt),
	}
}

func toListed(c Cluster) dsListed { return dsListed{dsCluster: toDS(c)} }

// form reads a draft. The kubeconfig comes as it is, or wrapped into a JSON object.
func form(p *dsapi.Params) (Draft, error) {
	d := Draft{Name: p.RequiredText("name"), Description: p.Text("description")}
	text := strings.TrimSpace(p.RequiredText("config"))
	if err := p.Err(); err != nil {
		return d, err
	}
	var wrapped map[string]any
	if json.Unmarshal([]byte(text), &wrapped) == nil {
		if inner, ok := wrapped["k8s"].(string); ok {
			text = inner
			if strings.TrimSpace(text) == "" {
				return d, ErrConfigMissing
			}
		}
	}
	d.Config = secret.String(text)
	return d, nil
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	c, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return c.Code, nil
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("code")
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	if err := a.svc.MayChange(r.Context(), nil); err != nil {
		return nil, err
	}
	was, err := a.svc.ByCode(r.Context(), code)
	if err != nil {
		return nil, err
	}
	c, err := a.svc.Update(r.Context(), was.ID, d, time.Time{})
	if err != nil {
		return nil, err
	}
	return toDS(c), nil
}

func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("clusterCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	c, err := a.svc.ByCode(r.Context(), code)
	if err != nil {
		return nil, err
	}
	return toListed(c), nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := Spec()
	spec.Search, spec.Default = []string{"name"}, "-created"
	page, err := a.svc.Page(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toListed), nil
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("clusterCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.MayChange(r.Context(), nil); err != nil {
		return nil, err
	}
	c, err := a.svc.ByCode(r.Context(), code)
	if err != nil {
		return nil, err
	}
	return true, a.svc.Delete(r.Context(), c.ID)
}

func (a api) list(r *http.Request, _ *dsapi.Params) (any, error) {
	all, err := a.svc.All(r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]dsListed, 0, len(all))
	for _, c := range all {
		out = append(out, toListed(c))
	}
	return out, nil
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("clusterName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return true, a.svc.CheckName(r.Context(), name)
}
