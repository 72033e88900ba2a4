package environment

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
)

var errGroupsForm = fault.New(fault.Invalid, "environment.error.groups_form")

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNameTaken.Key: 120002, ErrNameMissing.Key: 120003, ErrConfigMissing.Key: 120004, ErrDescription.Key: 1400004,
		errGroupsForm.Key: 130015, ErrGroupUnknown.Key: 130015, ErrGroupInUse.Key: 130016, ErrInUse.Key: 120007,
	})
	r.Post("/environment/create", e.Created(120001, a.create))
	r.Post("/environment/update", e.OK(120005, a.update))
	r.Get("/environment/query-by-code", e.OK(1200009, a.get))
	r.Get("/environment/list-paging", e.OK(1200010, a.page))
	r.Post("/environment/delete", e.OK(120006, a.remove))
	r.Get("/environment/query-environment-list", e.OK(1200010, a.list))
	r.Post("/environment/verify-environment", e.OK(1200011, a.verify))
}

// dsBase is an environment as updating answers with it.
type dsBase struct {
	ID          *int64     `json:"id"`
	Code        int64      `json:"code"`
	Name        string     `json:"name"`
	Config      string     `json:"config"`
	Description string     `json:"description"`
	Operator    int64      `json:"operator"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
}

// dsEnvironment is an environment as lists show it.
type dsEnvironment struct {
	ID           int64      `json:"id"`
	Code         int64      `json:"code"`
	Name         string     `json:"name"`
	Config       string     `json:"config"`
	Description  string     `json:"description"`
	WorkerGroups []string   `json:"workerGroups"`
	Operator     int64      `json:"operator"`
	CreateTime   dsapi.Time `json:"createTime"`
	UpdateTime   dsapi.Time `json:"updateTime"`
}

func toDS(e Environment) dsEnvironment {
	groups := e.WorkerGroups
	if groups == nil {
		groups = []string{}
	}
	return dsEnvironment{
		ID: e.ID, Code: e.Code, Name: e.Name, Config: e.Config, Description: e.Description, WorkerGroups: groups, Operator: e.OperatorID,
		CreateTime: dsapi.Time(e.CreatedAt), UpdateTime: dsapi.Time(e.UpdatedAt),
	}
}

func form(p *dsapi.Params) (Draft, error) {
	d := Draft{Name: p.RequiredText("name"), Config: p.RequiredText("config"), Description: p.Text("description")}
	if err := p.Err(); err != nil {
		return d, err
	}
	if groups := strings.TrimSpace(p.Text("workerGroups")); groups != "" {
		if err := json.Unmarshal([]byte(groups), &d.WorkerGroups); err != nil {
			return d, errGroupsForm.Because(err)
		}
	}
	return d, nil
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	e, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return e.Code, nil
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("code")
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	was, err := a.svc.ByCode(r.Context(), code)
	if err != nil {
		return nil, err
	}
	e, err := a.svc.Update(r.Context(), was.ID, d, time.Time{})
	if err != nil {
		return nil, err
	}
	return dsBase{
		Code: e.Code, Name: e.Name, Config: e.Config, Description: e.Description, Operator: e.OperatorID, UpdateTime: dsapi.Time(e.UpdatedAt),
	}, nil
}

func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("environmentCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	e, err := a.svc.ByCode(r.Context(), code)
	if err != nil {
		return nil, err
	}
	return toDS(e), nil
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
	return dsapi.Listed(page, no, size, toDS), nil
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("environmentCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	e, err := a.svc.ByCode(r.Context(), code)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), e.ID)
}

func (a api) list(r *http.Request, _ *dsapi.Params) (any, error) {
	all, err := a.svc.All(r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]dsEnvironment, 0, len(all))
	for _, e := range all {
		out = append(out, toDS(e))
	}
	return out, nil
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("environmentName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.CheckName(r.Context(), name)
}
