package quality

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	dataquality "dorado/plugins/task/data_quality"
)

// API adds the REST endpoints. That of data sources as choices is in modules/datasource.
func (m *Module) API(r chi.Router) {
	e := m.rest.Faults(dsapi.Faults{ErrNoRule.Key: 1200015})
	r.Get("/data-quality/getRuleFormCreateJson", e.OK(1200012, m.form))
	r.Get("/data-quality/rule/page", e.OK(1200013, m.rulePage))
	r.Get("/data-quality/ruleList", e.OK(1200014, m.ruleList))
	r.Get("/data-quality/result/page", e.OK(1200016, m.resultPage))
}

// anything is what clients send for a number that is to narrow nothing.
const anything = -1

// dsRule is a rule as clients know it.
type dsRule struct {
	ID         int        `json:"id"`
	Name       string     `json:"name"`
	Type       int        `json:"type"`
	RuleJSON   string     `json:"ruleJson"`
	UserID     int        `json:"userId"`
	UserName   *string    `json:"userName"` // nobody made it
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
}

// made is when DolphinScheduler's rules were made; clients want a time.
func made() time.Time { return time.Date(2020, 1, 12, 0, 0, 0, 0, time.UTC) }

// named is the name of a rule as clients translate it.
func named(name string) string {
	if name == "" {
		return ""
	}
	return "$t(" + name + ")"
}

func (m *Module) toRule(d dataquality.Rule) (dsRule, error) {
	definition, err := encode(m.definition(d))
	return dsRule{
		ID: d.ID, Name: named(d.Name), Type: d.Group, RuleJSON: definition, UserID: 1, CreateTime: dsapi.Time(made()), UpdateTime: dsapi.Time(made()),
	}, err
}

func (m *Module) ruleList(r *http.Request, _ *dsapi.Params) (any, error) {
	if err := m.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	out := []dsRule{}
	for _, d := range dataquality.Rules() {
		one, err := m.toRule(d)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (m *Module) rulePage(r *http.Request, p *dsapi.Params) (any, error) {
	if err := m.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	no, size := p.Paging()
	kind, from, to, search := p.Int("ruleType", anything), p.Time("startDate"), p.Time("endDate"), p.Text("searchVal")
	if err := p.Err(); err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(dataquality.Rules(), func(d dataquality.Rule) bool {
		return kind != anything && d.Group != kind || !matches(search, d.Name) || !from.IsZero() && made().Before(from) || !to.IsZero() && made().After(to)
	})
	q := listing.New(rulesSpec(), no, size, "")
	first := min(q.Offset(), len(all))
	var fault error
	page := dsapi.Listed(listing.NewPage(q, all[first:min(first+q.Size, len(all))], len(all)), no, size, func(d dataquality.Rule) dsRule {
		one, err := m.toRule(d)
		if err != nil {
			fault = err
		}
		return one
	})
	return page, fault
}

func (m *Module) form(r *http.Request, p *dsapi.Params) (any, error) {
	if err := m.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	id := p.RequiredInt("ruleId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	d, err := ruleBy(id)
	if err != nil {
		return nil, err
	}
	return encode(m.fields(d))
}

// encode writes JSON in which < and > stand for themselves.
func encode(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// double is a number as Java writes it: with a point, or with E.
type double float64

// MarshalJSON is part of json.Marshaler.
func (d double) MarshalJSON() ([]byte, error) {
	f := float64(d)
	if size := math.Abs(f); size != 0 && (size < 1e-3 || size >= 1e7) {
		digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		if !strings.Contains(digits, ".") {
			digits += ".0"
		}
		n, err := strconv.Atoi(exponent)
		return []byte(digits + "E" + strconv.Itoa(n)), err
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return []byte(text), nil
}

// number reads a number of a result; one that is none, or too large, counts as 0.
func number(text string) double {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	return double(f)
}

// dsResult is a result as clients know it.
type dsResult struct {
	ID              int64      `json:"id"`
	WorkflowID      *int64     `json:"workflowDefinitionId"`
	WorkflowName    string     `json:"workflowDefinitionName"`
	WorkflowCode    int64      `json:"processDefinitionCode"`
	InstanceID      int64      `json:"processInstanceId"`
	InstanceName    string     `json:"processInstanceName"`
	ProjectCode     int64      `json:"projectCode"`
	TaskInstanceID  int64      `json:"taskInstanceId"`
	TaskName        string     `json:"taskName"`
	RuleType        int        `json:"ruleType"`
	RuleName        string     `json:"ruleName"`
	StatisticsValue double     `json:"statisticsValue"`
	ComparisonValue double     `json:"comparisonValue"`
	ComparisonType  int        `json:"comparisonType"`
	ComparisonName  *string    `json:"comparisonTypeName"`
	CheckType       int        `json:"checkType"`
	Threshold       double     `json:"threshold"`
	Operator        int        `json:"operator"`
	FailureStrategy int        `json:"failureStrategy"`
	UserID          int64      `json:"userId"`
	UserName        *string    `json:"userName"`
	State           int        `json:"state"`
	ErrorOutputPath *string    `json:"errorOutputPath"`
	CreateTime      dsapi.Time `json:"createTime"`
	UpdateTime      dsapi.Time `json:"updateTime"`
}

func toResult(r Result) dsResult {
	f := r.Found
	return dsResult{
		ID: r.ID, WorkflowID: r.WorkflowID, WorkflowName: r.Workflow, WorkflowCode: r.WorkflowCode, InstanceID: r.InstanceID, InstanceName: r.Instance,
		ProjectCode: r.ProjectCode, TaskInstanceID: r.ID, TaskName: r.Task, RuleType: f.RuleType, RuleName: named(f.RuleName),
		StatisticsValue: number(f.StatisticsValue), ComparisonValue: number(f.ComparisonValue), ComparisonType: f.ComparisonType,
		ComparisonName: dsapi.OrNull(comparison(f.ComparisonType)), CheckType: f.CheckType, Threshold: number(f.Threshold), Operator: f.Operator,
		FailureStrategy: f.FailureStrategy, UserID: r.UserID, UserName: dsapi.OrNull(r.User), State: f.State,
		ErrorOutputPath: dsapi.OrNull(f.ErrorOutputPath), CreateTime: dsapi.Time(r.At), UpdateTime: dsapi.Time(r.At),
	}
}

func (m *Module) resultPage(r *http.Request, p *dsapi.Params) (any, error) {
	if err := m.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	no, size := p.Paging()
	kind, state, rng := p.Int("ruleType", anything), p.Int("state", anything), Range{From: p.Time("startDate"), To: p.Time("endDate")}
	if err := p.Err(); err != nil {
		return nil, err
	}
	if !rng.To.IsZero() {
		rng.To = rng.To.Add(time.Second) // the last second counts
	}
	spec := m.spec()
	spec.Search = []string{"t.name"}
	q := listing.New(spec, no, size, p.Text("searchVal"))
	if kind != anything {
		q = q.WithFilter("type", cmp.Or(typeOf(kind), unknown))
	}
	if state != anything {
		q = q.WithFilter("state", stateOf(state))
	}
	page, err := m.Results(r.Context(), q, rng)
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toResult), nil
}
