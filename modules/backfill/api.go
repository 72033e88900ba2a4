package backfill

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/project"
)

// API adds the endpoints for looking after backfills. DolphinScheduler has none: it knows no backfill but its runs.
func (m *Module) API(r chi.Router) {
	e := m.rest.Faults(project.Faults(project.ProjectGone)).Faults(dsapi.Faults{ErrNotFound.Key: 50001, ErrOver.Key: 50006})
	const base = "/projects/{project}/backfills"
	r.Get(base, e.OK(10113, m.pageREST))
	r.Get(base+"/{id}", e.OK(10116, m.getREST))
	r.Post(base+"/{id}/cancel", e.OK(50015, m.cancelREST))
}

// dsBackfill is a backfill as clients see it; dates counts the dates in each state.
type dsBackfill struct {
	ID              int64          `json:"id"`
	ProjectCode     int64          `json:"projectCode"`
	WorkflowCode    int64          `json:"workflowDefinitionCode"`
	WorkflowVersion int            `json:"workflowDefinitionVersion"`
	WorkflowName    string         `json:"workflowDefinitionName"`
	ParentID        *int64         `json:"parentId"`
	State           string         `json:"state"`
	Width           int            `json:"width"`
	UserName        string         `json:"userName"`
	Dates           map[string]int `json:"dates"`
	CreateTime      dsapi.Time     `json:"createTime"`
	EndTime         *dsapi.Time    `json:"endTime"`
}

func toDS(b *Backfill, counts Counts) dsBackfill {
	out := dsBackfill{
		ID: b.ID, ProjectCode: b.ProjectCode, WorkflowCode: b.WorkflowCode, WorkflowVersion: b.WorkflowVersion, WorkflowName: b.WorkflowName,
		ParentID: b.ParentID, State: string(b.State), Width: b.Width, UserName: b.UserName, Dates: map[string]int{}, CreateTime: dsapi.Time(b.CreatedAt),
	}
	for state, n := range counts {
		out.Dates[string(state)] = n
	}
	if b.EndedAt != nil {
		at := dsapi.Time(*b.EndedAt)
		out.EndTime = &at
	}
	return out
}

func (m *Module) pageREST(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	no, size := p.Paging()
	code := p.Int64("workflowDefinitionCode", 0)
	if err := p.Err(); err != nil {
		return nil, err
	}
	q := listing.New(Spec(), no, size, p.Text("searchVal"))
	if code != 0 {
		q = q.WithFilter("workflow", strconv.FormatInt(code, 10))
	}
	page, err := m.List(r.Context(), in, q)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(page.Items))
	for i := range page.Items {
		ids[i] = page.Items[i].ID
	}
	counts, err := m.Counts(r.Context(), ids...)
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, func(b Backfill) dsBackfill { return toDS(&b, counts[b.ID]) }), nil
}

func (m *Module) getREST(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return m.answer(r, in, id)
}

func (m *Module) answer(r *http.Request, in, id int64) (any, error) {
	b, err := m.Get(r.Context(), in, id)
	if err != nil {
		return nil, err
	}
	counts, err := m.Counts(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return toDS(b, counts[id]), nil
}

// cancelREST takes the dates out that wait; stopRuns also stops what runs.
func (m *Module) cancelREST(r *http.Request, p *dsapi.Params) (any, error) {
	in, id, stop := p.Path("project"), p.Path("id"), p.Bool("stopRuns", false)
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := m.Cancel(r.Context(), in, id, stop); err != nil {
		return nil, err
	}
	return m.answer(r, in, id)
}
