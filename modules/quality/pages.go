package quality

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/instance"
	"dorado/modules/project"
	dataquality "dorado/plugins/task/data_quality"
	"dorado/views/components"
	view "dorado/views/quality"
)

// rulesSpec is what the list of rules can be asked for; its columns are no SQL, since the rules are in the program.
func rulesSpec() listing.Spec {
	return listing.Spec{Columns: map[string]string{"id": "id", "rule": "rule", "type": "type"}, Default: "id", Filters: map[string]string{"type": "type"}}
}

func (m *Module) rules(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.access.Require(ctx, View); err != nil {
		return nil, err
	}
	q := frame.Query(r, rulesSpec())
	all := dataquality.Rules()
	label := func(d dataquality.Rule) string { return i18n.T(ctx, labelKey(d.ID)) }
	all = slices.DeleteFunc(all, func(d dataquality.Rule) bool {
		return q.Search != "" && !matches(q.Search, d.Name, label(d), computes(ctx, d)) ||
			len(q.Filters["type"]) > 0 && !slices.Contains(q.Filters["type"], typeOf(d.Group))
	})
	slices.SortStableFunc(all, func(a, b dataquality.Rule) int {
		n := cmp.Compare(a.ID, b.ID)
		switch q.Sort {
		case "rule":
			n = strings.Compare(label(a), label(b))
		case "type":
			n = cmp.Compare(a.Group, b.Group)
		}
		if q.Desc {
			return -n
		}
		return n
	})
	q = q.Clamp(len(all))
	first := min(q.Offset(), len(all))
	v := view.RulesPage{
		Shell: m.frame.Page(r, i18n.T(ctx, "quality.rules.title")), Types: typeOptions(ctx),
		List: frame.Listing(RulesPath, q, len(all)),
	}
	v.Chips = v.List.Chips(map[string]string{"type": i18n.T(ctx, "quality.field.type")}, names(v.Types))
	for _, d := range all[first:min(first+q.Size, len(all))] {
		row := view.Rule{
			ID: strconv.Itoa(d.ID), Name: label(d), Code: d.Name, Type: typeLabel(ctx, d.Group), Computes: computes(ctx, d), Count: d.Count, Broken: d.Rows,
			ResultsURL: ResultsPath + "?rule=" + url.QueryEscape(d.Name),
		}
		for _, f := range d.Inputs {
			row.Inputs = append(row.Inputs, i18n.T(ctx, f.Label))
		}
		v.Rows = append(v.Rows, row)
	}
	return web.Page(view.Rules(v)), nil
}

func computes(ctx context.Context, d dataquality.Rule) string {
	return i18n.T(ctx, "quality.computes."+strconv.Itoa(d.ID))
}

func typeLabel(ctx context.Context, group int) string {
	if name := typeOf(group); name != "" {
		return i18n.T(ctx, "quality.type."+name)
	}
	return ""
}

func typeOptions(ctx context.Context) []components.Option {
	out := []components.Option{{Label: i18n.T(ctx, "quality.filter.any_type")}}
	for n, name := range types() {
		out = append(out, components.Option{Value: name, Label: typeLabel(ctx, n)})
	}
	return out
}

// names are what the values of filters are called.
func names(lists ...[]components.Option) map[string]string {
	out := map[string]string{}
	for _, list := range lists {
		for _, o := range list {
			if o.Value != "" {
				out[o.Value] = o.Label
			}
		}
	}
	return out
}

// during reads the days of the viewer's zone that narrow the list, both included, and what was said of them.
func during(r *http.Request) (Range, map[string]string) {
	said := map[string]string{}
	day := func(name string, after int) time.Time {
		text := strings.TrimSpace(r.URL.Query().Get(name))
		t, err := time.ParseInLocation(time.DateOnly, text, i18n.Zone(r.Context()))
		if err != nil {
			return time.Time{}
		}
		said[name] = text
		return t.AddDate(0, 0, after)
	}
	return Range{From: day("from", 0), To: day("to", 1)}, said
}

func (m *Module) results(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	q := frame.Query(r, m.spec())
	rng, said := during(r)
	page, err := m.Results(ctx, q, rng)
	if err != nil {
		return nil, err
	}
	v := view.ResultsPage{
		Shell: m.frame.Page(r, i18n.T(ctx, "quality.results.title")), List: frame.Listed(ResultsPath, q, page), Types: typeOptions(ctx),
		Rules: []components.Option{{Label: i18n.T(ctx, "quality.filter.any_rule")}}, From: said["from"], To: said["to"],
		Zone: i18n.Zone(ctx).String(), RulesURL: RulesPath,
		States: []components.Option{
			{Label: i18n.T(ctx, "quality.filter.any_state")},
			{Value: kept, Label: components.StateLabel(ctx, kept)},
			{Value: broken, Label: components.StateLabel(ctx, broken)},
			{Value: unknown, Label: i18n.T(ctx, "quality.state.none")},
		},
	}
	for _, d := range dataquality.Rules() {
		v.Rules = append(v.Rules, components.Option{Value: d.Name, Label: i18n.T(ctx, labelKey(d.ID))})
	}
	if v.Projects, err = m.projects(ctx); err != nil {
		return nil, err
	}
	narrowed(&v.List, said)
	labels := map[string]string{"from": i18n.T(ctx, "quality.filter.from"), "to": i18n.T(ctx, "quality.filter.to")}
	for _, name := range []string{"rule", "type", "state", "project"} {
		labels[name] = i18n.T(ctx, "quality.field."+name)
	}
	v.Chips = v.List.Chips(labels, names(v.Rules, v.Types, v.States, v.Projects))
	for k := range page.Items {
		one := row(ctx, &page.Items[k])
		points, err := m.trend(ctx, &page.Items[k], shortTrend)
		if err != nil {
			return nil, err
		}
		one.Trend = bars(ctx, &page.Items[k], points)
		v.Rows = append(v.Rows, one)
	}
	return web.Page(view.Results(v)), nil
}

// narrowed makes the list show the days as it shows other filters.
func narrowed(l *components.Listing, said map[string]string) {
	for name, value := range said {
		if l.Query == nil {
			l.Query = url.Values{}
		}
		l.Filters[name], l.Filtered = value, true
		l.Query.Set(name, value)
	}
	keep := url.Values{}
	for _, name := range []string{"sort", "size"} {
		if v := l.Query.Get(name); v != "" {
			keep.Set(name, v)
		}
	}
	if l.ClearURL = ResultsPath; len(keep) > 0 {
		l.ClearURL += "?" + keep.Encode()
	}
}

// projects are the projects one can filter by, behind one line for all.
func (m *Module) projects(ctx context.Context) ([]components.Option, error) {
	out := []components.Option{{Label: i18n.T(ctx, "quality.filter.any_project")}}
	query, args := "SELECT code, name FROM project", []any(nil)
	if codes, all := m.access.ProjectsWith(ctx, instance.Read); !all {
		if len(codes) == 0 {
			return out, nil
		}
		var err error
		if query, args, err = db.In(query+" WHERE code IN (?)", codes); err != nil {
			return nil, err
		}
	}
	type named struct {
		Code int64  `db:"code"`
		Name string `db:"name"`
	}
	list, err := db.Select[named](ctx, m.db, query+" ORDER BY name", args...)
	for _, p := range list {
		out = append(out, components.Option{Value: strconv.FormatInt(p.Code, 10), Label: p.Name})
	}
	return out, err
}

func row(ctx context.Context, r *Result) view.Result {
	f := &r.Found
	here := project.Address(r.ProjectCode, "/task-instances/"+strconv.FormatInt(r.ID, 10))
	v := view.Result{
		Task: r.Task, TaskURL: here, LogURL: here + "/log", Instance: r.Instance, Project: r.Project, Rule: f.RuleName, Type: typeLabel(ctx, f.RuleType),
		InstanceURL: project.Address(r.ProjectCode, "/instances/"+strconv.FormatInt(r.InstanceID, 10)), Name: f.StatisticsName,
		Actual: f.StatisticsValue, Expected: f.ComparisonValue, Check: dataquality.Formula(f.CheckType), Limit: dataquality.Sign(f.Operator) + " " + f.Threshold,
		Strategy: i18n.T(ctx, "task.quality.strategy.0"), State: stateOf(f.State), Rows: f.ErrorOutputPath, User: r.User, At: r.At,
		URL: here + "/quality",
	}
	if f.ErrorOutputPath != "" && r.Rows {
		v.RowsURL = v.URL + "#rows"
	} else if f.ErrorOutputPath != "" {
		v.RowsURL = v.LogURL
	}
	if f.CheckType >= 0 && f.CheckType <= 3 {
		v.Check = i18n.T(ctx, "task.quality.check."+strconv.Itoa(f.CheckType))
	}
	if d, err := ruleBy(f.RuleID); err == nil {
		v.Rule = i18n.T(ctx, labelKey(d.ID))
	}
	if f.FailureStrategy == 1 {
		v.Strategy = i18n.T(ctx, "task.quality.strategy.1")
	}
	if f.CheckValue != "" {
		v.Check += " = " + f.CheckValue
	} else {
		v.Reason = f.Reason // with a value it says the same as the check
	}
	if f.ComparisonType >= 1 && f.ComparisonType <= 8 && f.RuleType != 3 {
		v.Kind = i18n.T(ctx, "task.quality.expected."+strconv.Itoa(f.ComparisonType))
	}
	return v
}
