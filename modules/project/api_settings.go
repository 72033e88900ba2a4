package project

import (
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// settings adds the endpoints for parameters, preferences and worker groups of a project.
func (a api) settings(r chi.Router) {
	e := a.rest.Faults(Faults(dsapi.ProjectMissing)).Faults(dsapi.Faults{
		ErrParameterTaken.Key: 10218, ErrParameterNotFound.Key: 10219, ErrParameterNone.Key: 10220,
	})
	p := "/projects/{project}/project-parameter"
	r.Post(p, e.Faults(dsapi.Faults{ErrParameterValue.Key: 10214}).Created(10214, a.createParameter))
	r.Put(p+"/{code}", e.Faults(dsapi.Faults{ErrParameterValue.Key: 10215, ErrParameterReveal.Key: 10215}).OK(10215, a.updateParameter))
	r.Post(p+"/delete", e.OK(10216, a.deleteParameter))
	r.Post(p+"/batch-delete", e.OK(10216, a.deleteParameters))
	r.Get(p, e.OK(10217, a.pageParameters))
	r.Get(p+"/{code}", e.OK(10217, a.getParameter))

	p = "/projects/{project}/project-preference"
	r.Put(p, e.Faults(dsapi.Faults{ErrPreferenceForm.Key: 10301}).Created(10301, a.savePreference))
	r.Get(p, e.OK(10302, a.getPreference))
	r.Post(p, e.OK(10303, a.switchPreference))

	p = "/projects/{project}/worker-group"
	g := a.rest.Faults(Faults(ProjectGone)).Faults(dsapi.Faults{ErrGroupsEmpty.Key: 1402003, ErrGroupsUnknown.Key: 1402001, ErrGroupsUsed.Key: 1402004})
	r.Post(p, g.Created(1402002, a.assignGroups))
	r.Get(p, g.OK(dsapi.Internal, a.listGroups))
}

// dsParameter is a parameter as clients know it.
type dsParameter struct {
	ID         int64          `json:"id"`
	UserID     int64          `json:"userId"`
	Operator   int64          `json:"operator"`
	Code       int64          `json:"code"`
	Project    int64          `json:"projectCode"`
	Name       string         `json:"paramName"`
	Value      string         `json:"paramValue"`
	Type       flow.ParamType `json:"paramDataType"`
	CreateTime dsapi.Time     `json:"createTime"`
	UpdateTime dsapi.Time     `json:"updateTime"`
	CreateUser *string        `json:"createUser"`
	ModifyUser *string        `json:"modifyUser"`
}

func parameterToDS(p Parameter) dsParameter {
	return dsParameter{
		ID: p.ID, UserID: p.CreatorID, Operator: p.ModifierID, Code: p.Code, Project: p.ProjectCode, Name: p.Name, Value: p.Shown(), Type: p.Type,
		CreateTime: dsapi.Time(p.CreatedAt), UpdateTime: dsapi.Time(p.UpdatedAt), CreateUser: dsapi.OrNull(p.Creator), ModifyUser: dsapi.OrNull(p.Modifier),
	}
}

func readParameter(p *dsapi.Params) (int64, ParameterDraft, error) {
	code := p.Path("project")
	d := ParameterDraft{
		Name: p.RequiredText("projectParameterName"), Value: p.RequiredText("projectParameterValue"),
		Type:     flow.ParamType(p.TextOr("projectParameterDataType", string(flow.Varchar))),
		AsBefore: p.Text("projectParameterSecret") == "", Secret: p.Bool("projectParameterSecret", false),
	}
	return code, d, p.Err()
}

func (a api) createParameter(r *http.Request, p *dsapi.Params) (any, error) {
	project, d, err := readParameter(p)
	if err != nil {
		return nil, err
	}
	made, err := a.svc.CreateParameter(r.Context(), project, d)
	if err != nil {
		return nil, err
	}
	return parameterToDS(made), nil
}

func (a api) updateParameter(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.Path("code")
	project, d, err := readParameter(p)
	if err != nil {
		return nil, err
	}
	saved, err := a.svc.UpdateParameter(r.Context(), project, code, d)
	if err != nil {
		return nil, err
	}
	return parameterToDS(saved), nil
}

func (a api) deleteParameter(r *http.Request, p *dsapi.Params) (any, error) {
	project, code := p.Path("project"), p.RequiredInt64("code")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.DeleteParameters(r.Context(), project, code); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) deleteParameters(r *http.Request, p *dsapi.Params) (any, error) {
	project, codes := p.Path("project"), p.Int64s("codes")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.DeleteParameters(r.Context(), project, codes...)
}

func (a api) pageParameters(r *http.Request, p *dsapi.Params) (any, error) {
	project := p.Path("project")
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	q := listing.New(ParameterSpec(), no, size, p.Text("searchVal"))
	if kind := p.Text("projectParameterDataType"); kind != "" {
		q = q.WithFilter("type", kind)
	}
	page, err := a.svc.parameters(project).Page(r.Context(), q)
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, parameterToDS), nil
}

func (a api) getParameter(r *http.Request, p *dsapi.Params) (any, error) {
	project, code := p.Path("project"), p.Path("code")
	if err := p.Err(); err != nil {
		return nil, err
	}
	found, err := a.svc.Parameter(r.Context(), project, code)
	if err != nil {
		return nil, err
	}
	return parameterToDS(found), nil
}

// dsPreference is a preference as clients know it. They know it by a code; the number of its row is the project's.
type dsPreference struct {
	ID          int64      `json:"id"`
	Code        int64      `json:"code"`
	ProjectCode int64      `json:"projectCode"`
	Preferences string     `json:"preferences"`
	UserID      int64      `json:"userId"`
	State       int        `json:"state"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
}

func (a api) preferenceToDS(r *http.Request, s SavedPreference) (any, error) {
	in, err := a.svc.ByCode(r.Context(), s.ProjectCode)
	if err != nil {
		return nil, err
	}
	out := dsPreference{
		ID: in.ID, Code: s.Code, ProjectCode: s.ProjectCode, Preferences: s.Body, UserID: s.OperatorID,
		CreateTime: dsapi.Time(s.CreatedAt), UpdateTime: dsapi.Time(s.UpdatedAt),
	}
	if s.Enabled {
		out.State = 1
	}
	return out, nil
}

func (a api) savePreference(r *http.Request, p *dsapi.Params) (any, error) {
	project, body := p.Path("project"), p.RequiredText("projectPreferences")
	if err := p.Err(); err != nil {
		return nil, err
	}
	saved, err := a.svc.SavePreference(r.Context(), project, body, nil)
	if err != nil {
		return nil, err
	}
	return a.preferenceToDS(r, saved)
}

func (a api) getPreference(r *http.Request, p *dsapi.Params) (any, error) {
	project := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	saved, err := a.svc.SavedPreference(r.Context(), project)
	if errors.Is(err, ErrNoPreference) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return a.preferenceToDS(r, saved)
}

func (a api) switchPreference(r *http.Request, p *dsapi.Params) (any, error) {
	project, state := p.Path("project"), p.RequiredInt("state")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.SwitchPreference(r.Context(), project, state == 1)
}

func (a api) assignGroups(r *http.Request, p *dsapi.Params) (any, error) {
	project := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	groups := p.List("workerGroups")
	if len(groups) == 0 {
		if err := a.svc.Access.Require(r.Context(), AssignGroups); err != nil {
			return nil, err
		}
		return nil, ErrGroupsEmpty
	}
	return nil, a.svc.AssignGroups(r.Context(), project, groups, false)
}

// dsProjectGroup is a worker group that a project may use.
type dsProjectGroup struct {
	ID          *int64  `json:"id"`
	ProjectCode int64   `json:"projectCode"`
	WorkerGroup string  `json:"workerGroup"`
	CreateTime  *string `json:"createTime"`
	UpdateTime  *string `json:"updateTime"`
}

// listGroups answers, as DolphinScheduler does here alone, without the envelope.
func (a api) listGroups(r *http.Request, p *dsapi.Params) (any, error) {
	project := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	groups, err := a.svc.WorkerGroups(r.Context(), project)
	if err != nil {
		return nil, err
	}
	data := make([]dsProjectGroup, len(groups))
	for i, g := range groups {
		data[i] = dsProjectGroup{ProjectCode: project, WorkerGroup: g}
	}
	return dsapi.Bare{Value: struct {
		Status string           `json:"status"`
		Msg    string           `json:"msg"`
		Data   []dsProjectGroup `json:"data"`
	}{"SUCCESS", "success", data}}, nil
}
