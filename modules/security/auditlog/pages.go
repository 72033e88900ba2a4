package auditlog

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/views/components"
	"dorado/views/security"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func verbOf(action string) string {
	_, verb, _ := strings.Cut(action, ".")
	return verb
}

// asked is what narrows the list beyond its Spec, and the texts of it.
type asked struct {
	audit.Filter
	said map[string]string
}

// filter reads what was asked for; days are those of the viewer's zone, both included.
func (m *Module) filter(r *http.Request) asked {
	a := asked{said: map[string]string{}}
	day := func(name string, after int) time.Time {
		text := strings.TrimSpace(r.URL.Query().Get(name))
		t, err := time.ParseInLocation(time.DateOnly, text, i18n.Zone(r.Context()))
		if err != nil {
			return time.Time{}
		}
		a.said[name] = text
		return t.AddDate(0, 0, after)
	}
	a.From, a.To = day("from", 0), day("to", 1)
	if verb := r.URL.Query().Get("verb"); slices.Contains(verbs(), verb) {
		a.Verbs, a.said["verb"] = []string{verb}, verb
	}
	if code, err := strconv.ParseInt(r.URL.Query().Get("project"), 10, 64); err == nil && code > 0 {
		a.Project, a.said["project"] = code, itoa(code)
	}
	return a
}

func (m *Module) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.access.Require(ctx, access.AuditRead); err != nil {
		return nil, err
	}
	q, f := frame.Query(r, audit.Spec()), m.filter(r)
	page, err := m.audit.List(ctx, q, f.Filter)
	if err != nil {
		return nil, err
	}
	view := security.AuditPage{
		Shell: m.frame.Page(r, i18n.T(ctx, "auditlog.title")), List: frame.Listed(Path, q, page), From: f.said["from"], To: f.said["to"],
		Zone:    i18n.Zone(ctx).String(),
		Objects: []components.Option{{Label: i18n.T(ctx, "auditlog.filter.kind")}},
		Verbs:   []components.Option{{Label: i18n.T(ctx, "auditlog.filter.verb")}},
		Names:   map[string]string{},
	}
	for _, kind := range kinds() {
		view.Objects = append(view.Objects, components.Option{Value: kind, Label: word(ctx, "auditlog.kind.", kind)})
	}
	for _, verb := range verbs() {
		view.Verbs = append(view.Verbs, components.Option{Value: verb, Label: word(ctx, "auditlog.verb.", verb)})
	}
	if view.Projects, err = m.projectNames(ctx); err != nil {
		return nil, err
	}
	for _, list := range [][]components.Option{view.Objects, view.Verbs, view.Projects} {
		for _, o := range list {
			view.Names[o.Value] = o.Label
		}
	}
	narrowed(&view.List, f.said)
	query := view.List.Query.Encode()
	view.CSV, view.JSON = Path+"/export?format=csv&"+query, Path+"/export?format=json&"+query
	for _, row := range page.Items {
		view.Rows = append(view.Rows, line(ctx, row))
	}
	return web.Page(security.Audit(view)), nil
}

// narrowed makes the list show what was asked for beyond its Spec as it shows the rest.
func narrowed(l *components.Listing, said map[string]string) {
	if l.Query == nil {
		l.Query = url.Values{}
	}
	for name, value := range said {
		l.Filters[name], l.Filtered = value, true
		l.Query.Set(name, value)
	}
	keep := url.Values{}
	for _, name := range []string{"sort", "size"} {
		if v := l.Query.Get(name); v != "" {
			keep.Set(name, v)
		}
	}
	if l.ClearURL = Path; len(keep) > 0 {
		l.ClearURL += "?" + keep.Encode()
	}
}

// projectNames are the projects one can filter by, behind one line for all.
func (m *Module) projectNames(ctx context.Context) ([]components.Option, error) {
	all := []components.Option{{Label: i18n.T(ctx, "auditlog.filter.project")}}
	if m.projects == nil {
		return all, nil
	}
	projects, err := m.projects(ctx)
	return append(all, projects...), err
}

func line(ctx context.Context, row audit.Row) security.AuditRow {
	text := detail(row.Detail)
	if text == "" {
		text = changedNames(row)
	}
	return security.AuditRow{
		URL: Path + "/" + itoa(row.ID), At: row.At, User: row.UserName, Client: row.Client, Action: word(ctx, "auditlog.verb.", verbOf(row.Action)),
		Kind: word(ctx, "auditlog.kind.", row.ObjectType), Object: row.ObjectName, Detail: text,
		Refused: row.Action == "access.refused" || row.Action == "user.sign_in_failed",
	}
}

// changedNames lists the members that an update changed.
func changedNames(row audit.Row) string {
	if row.Before == "" || row.After == "" {
		return ""
	}
	var names []string
	for _, f := range diff(row.Before, row.After) {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// show answers with all about one entry.
func (m *Module) show(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.access.Require(ctx, access.AuditRead); err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	row, err := m.audit.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	l := line(ctx, row)
	title := i18n.T(ctx, "auditlog.entry", "action", l.Action, "object", row.ObjectName)
	view := security.AuditEntry{
		Shell: m.frame.Page(r, title, components.Crumb{Label: i18n.T(ctx, "auditlog.title"), URL: Path}),
		Title: title, BackURL: Path, Created: row.Before == "" && row.After != "", Deleted: row.Before != "" && row.After == "",
		Fields: diff(row.Before, row.After),
	}
	fact := func(key, value string) {
		if value != "" && value != "0" {
			view.Facts = append(view.Facts, components.Datum{Label: i18n.T(ctx, "auditlog.field."+key), Value: value})
		}
	}
	view.Facts = append(view.Facts, components.Datum{Label: i18n.T(ctx, "auditlog.field.at"), Body: components.Time(components.TimeProps{At: row.At})})
	fact("user", row.UserName)
	fact("kind", l.Kind)
	view.Facts = append(view.Facts, components.Datum{Label: i18n.T(ctx, "auditlog.field.object"), Value: row.ObjectName, URL: address(row)})
	fact("object_id", row.ObjectID)
	projects, err := m.projectNames(ctx)
	if err != nil {
		return nil, err
	}
	project := itoa(row.ProjectCode)
	for _, o := range projects {
		if o.Value == project {
			project = o.Label
		}
	}
	fact("project", project)
	fact("detail", detail(row.Detail))
	fact("client", row.Client)
	if row.RequestID != "" {
		view.Facts = append(view.Facts,
			components.Datum{Label: i18n.T(ctx, "auditlog.field.latency"), Value: itoa(row.LatencyMS)},
			components.Datum{Label: i18n.T(ctx, "auditlog.field.request"), Value: row.RequestID, Mono: true, Copy: true})
	}
	return web.Page(security.AuditShow(view)), nil
}

// diff compares the two states of an entry, member by member.
func diff(before, after string) []security.AuditField {
	was, is := members(before), members(after)
	names := slices.Collect(maps.Keys(was))
	for name := range is {
		if _, both := was[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := make([]security.AuditField, 0, len(names))
	for _, name := range names {
		out = append(out, security.AuditField{Name: name, Before: was[name], After: is[name]})
	}
	return out
}

// members reads a JSON object: texts as they are, everything else as JSON. Something else than an object is one member.
func members(text string) map[string]string {
	if text == "" {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		return map[string]string{"": text}
	}
	out := make(map[string]string, len(fields))
	for name, value := range fields {
		var plain string
		if json.Unmarshal(value, &plain) != nil {
			plain = string(value)
		}
		out[name] = plain
	}
	return out
}

// detail makes "name: value" pairs of the JSON object in the log.
func detail(text string) string {
	fields := members(text)
	if _, other := fields[""]; other {
		return text
	}
	pairs := make([]string, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		pairs = append(pairs, name+": "+fields[name])
	}
	return strings.Join(pairs, ", ")
}

// word translates a name from the log; one without a translation stands for itself.
func word(ctx context.Context, prefix, name string) string {
	if i18n.Has(prefix + name) {
		return i18n.T(ctx, prefix+name)
	}
	return name
}
