package auditlog

import (
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// listFailed is the code of every failure without one of its own.
const listFailed = 10057

// dsEntry is an entry as clients know it.
type dsEntry struct {
	UserName    string     `json:"userName"`
	ModelType   string     `json:"modelType"`
	ModelName   string     `json:"modelName"`
	Operation   string     `json:"operation"`
	CreateTime  dsapi.Time `json:"createTime"`
	Description *string    `json:"description"`
	Detail      *string    `json:"detail"`
	Latency     string     `json:"latency"` // ms
}

func toDS(r audit.Row) dsEntry {
	return dsEntry{
		UserName: r.UserName, ModelType: modelOf(r.ObjectType), ModelName: r.ObjectName, Operation: operationOf(verbOf(r.Action)),
		CreateTime: dsapi.Time(r.At), Detail: dsapi.OrNull(r.Detail), Latency: strconv.FormatInt(r.LatencyMS, 10),
	}
}

// restList lists what DolphinScheduler has words for. What it has none for (sign-ins, refusals, workers) is on the page.
func (m *Module) restList(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	f := audit.Filter{
		User: p.Text("userName"), Object: p.Text("modelName"), From: p.Time("startDate"), To: p.Time("endDate"),
		Types: kindsOf(p.List("modelTypes")), Verbs: verbsOf(p.List("operationTypes")),
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	if !f.To.IsZero() {
		f.To = f.To.Add(time.Second) // the last second counts
	}
	q := listing.New(audit.Spec(), no, size, "")
	if len(f.Types) == 0 || len(f.Verbs) == 0 { // nothing can have such names
		if err := m.access.Require(r.Context(), access.AuditRead); err != nil {
			return nil, err
		}
		return dsapi.Listed(listing.NewPage[audit.Row](q, nil, 0), no, size, toDS), nil
	}
	page, err := m.audit.List(r.Context(), q, f)
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

type dsName struct {
	Name string `json:"name"`
}

func (m *Module) restOperations(r *http.Request, _ *dsapi.Params) (any, error) {
	if err := m.access.Require(r.Context(), access.AuditRead); err != nil {
		return nil, err
	}
	var out []dsName
	for _, o := range operations() {
		out = append(out, dsName{o.name})
	}
	return out, nil
}

type dsTree struct {
	Name  string   `json:"name"`
	Child []dsTree `json:"child"` // null at leaves
}

func (m *Module) restModels(r *http.Request, _ *dsapi.Params) (any, error) {
	if err := m.access.Require(r.Context(), access.AuditRead); err != nil {
		return nil, err
	}
	return tree(models()), nil
}

func tree(list []dsModel) []dsTree {
	var out []dsTree
	for _, m := range list {
		out = append(out, dsTree{m.name, tree(m.child)})
	}
	return out
}
