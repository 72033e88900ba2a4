package workflow

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/flow/layout"
	flowtext "dorado/modules/flow/text"
	"dorado/views/components"
	view "dorado/views/workflow"
)

const (
	// offered is how many versions the form of the comparison offers.
	offered = 200
	// drawnWhole is up to how many tasks the picture of a comparison shows all of them.
	drawnWhole = 300
	// drawnSmall is up to how many tasks the picture shrinks to the page.
	drawnSmall = 12
	// shownChanges is how many tasks the list of changes names.
	shownChanges = 500
	// longValue is from how many lines a field is compared line by line.
	longValue = 2
)

// Compare returns what is different in version b of a workflow. It returns ErrNotFound, ErrVersionNotFound.
func (s *Service) Compare(ctx context.Context, code int64, a, b int) (flowtext.Changes, *flow.Definition, *flow.Definition, error) {
	old, err := s.Definition(ctx, code, a)
	if err != nil {
		return flowtext.Changes{}, nil, nil, err
	}
	now, err := s.Definition(ctx, code, b)
	if err != nil {
		return flowtext.Changes{}, nil, nil, err
	}
	n := s.names(ctx)
	return flowtext.Compare(old, now, n), old, now, n.err
}

// pair reads which versions to compare: old and new, or two ticked ones, or the last two.
func (p *pages) pair(r *http.Request, w Workflow) (old, now int, err error) {
	q := r.URL.Query()
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0 // no version has it
		}
		return n
	}
	if ticked := q["v"]; len(ticked) >= 2 {
		all := make([]int, len(ticked))
		for i, s := range ticked {
			all[i] = number(s)
		}
		return slices.Min(all), slices.Max(all), nil
	}
	now = w.Version
	if s := q.Get("new"); s != "" {
		now = number(s)
	} else if len(q["v"]) == 1 {
		old = number(q.Get("v"))
	}
	if s := q.Get("old"); s != "" {
		old = number(s)
	}
	if old == 0 || old == now && q.Get("old") == "" {
		before, err := p.svc.store.versionBefore(r.Context(), w.Code, now)
		if err != nil {
			return 0, 0, err
		}
		old = max(before, 1)
	}
	return old, now, nil
}

func (p *pages) compare(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, w, err := p.found(r, Read)
	if err != nil {
		return nil, err
	}
	old, now, err := p.pair(r, w)
	if err != nil {
		return nil, err
	}
	before, _, err := p.svc.Version(ctx, w.Code, old)
	if err != nil {
		return nil, err
	}
	after, _, err := p.svc.Version(ctx, w.Code, now)
	if err != nil {
		return nil, err
	}
	changes, a, b, err := p.svc.Compare(ctx, w.Code, old, now)
	if err != nil {
		return nil, err
	}
	list, _, err := p.svc.Versions(ctx, w.Code, offered, 0)
	if err != nil {
		return nil, err
	}
	at := address(in.Code, w.Code) + "/versions"
	way := func(view string) string {
		q := url.Values{"old": {strconv.Itoa(old)}, "new": {strconv.Itoa(now)}}
		if view != "" {
			q.Set("view", view)
		}
		return at + "/compare?" + q.Encode()
	}
	title := i18n.T(ctx, "versions.compare.title", "old", old, "new", now)
	v := view.ComparePage{
		Shell: p.shell(r, in, w, title, components.Crumb{Label: i18n.T(ctx, "workflow.versions"), URL: at}),
		Name:  w.Name, Action: at + "/compare", BackURL: at, Old: note(before), New: note(after),
		Text: r.URL.Query().Get("view") == "text", VisualTo: way(""), TextTo: way("text"), Moved: changes.Moved,
	}
	v.Added, v.Changed, v.Removed = changes.Count()
	for _, one := range list {
		v.Versions = append(v.Versions, versionOption(ctx, one))
	}
	for _, chosen := range []Version{before, after} {
		o := versionOption(ctx, chosen)
		if !slices.ContainsFunc(v.Versions, func(there components.Option) bool { return there.Value == o.Value }) {
			v.Versions = append(v.Versions, o)
		}
	}
	if v.Text {
		if v.Lines, err = p.sourceLines(ctx, w.Code, old, now); err != nil {
			return nil, err
		}
		return web.Page(view.Compare(v)), nil
	}
	v.Changes, v.Wide = changeGroups(ctx, changes), len(b.Tasks) > drawnSmall
	if v.SVG, v.Left, err = compared(changes, a, b, w.Name); err != nil {
		return nil, err
	}
	return web.Page(view.Compare(v)), nil
}

func versionOption(ctx context.Context, v Version) components.Option {
	label := "v" + strconv.Itoa(v.Version) + " · " + i18n.DateTime(ctx, v.CreatedAt)
	if v.OperatorName != "" {
		label += " · " + v.OperatorName
	}
	return components.Option{Value: strconv.Itoa(v.Version), Label: label}
}

func note(v Version) view.VersionNote {
	return view.VersionNote{Version: v.Version, Author: v.OperatorName, At: v.CreatedAt, Message: v.Message}
}

// sourceLines compares the YAML of two versions.
func (p *pages) sourceLines(ctx context.Context, code int64, old, now int) ([]view.DiffLine, error) {
	a, err := p.svc.Source(ctx, code, old, flowtext.Style{})
	if err != nil {
		return nil, err
	}
	b, err := p.svc.Source(ctx, code, now, flowtext.Style{})
	if err != nil {
		return nil, err
	}
	return diffLines(a, b), nil
}

// diffLines compares two texts for the page: changed lines with three others around them.
func diffLines(a, b string) []view.DiffLine {
	var out []view.DiffLine
	for i, h := range flowtext.Hunks(flowtext.Lines(a, b), 3) {
		if first := h.Lines[0]; i > 0 || first.Old > 1 || first.New > 1 {
			out = append(out, view.DiffLine{Op: "gap", Text: "…"})
		}
		for _, l := range h.Lines {
			out = append(out, view.DiffLine{Op: opName(l.Op), Old: l.Old, New: l.New, Text: l.Text})
		}
	}
	return out
}

func opName(op flowtext.Op) string {
	switch op {
	case flowtext.Added:
		return "added"
	case flowtext.Removed:
		return "removed"
	case flowtext.Same:
		return "same"
	default:
		return "same"
	}
}

// changeName is opName for a whole, which has changed when it is on both sides.
func changeName(op flowtext.Op) string {
	if op == flowtext.Same {
		return "changed"
	}
	return opName(op)
}

// changeGroups lists the changes beside the picture: the workflow, its tasks, its edges.
func changeGroups(ctx context.Context, c flowtext.Changes) []view.ChangeGroup {
	var out []view.ChangeGroup
	if len(c.Fields) > 0 {
		out = append(out, view.ChangeGroup{ID: "change-workflow", Title: i18n.T(ctx, "versions.workflow"), Op: "changed", Fields: fieldChanges(c.Fields)})
	}
	for i, t := range c.Tasks {
		if i == shownChanges {
			break
		}
		out = append(out, view.ChangeGroup{ID: changeID(t.Code), Title: t.Name, Type: t.Type, Op: changeName(t.Op), Fields: fieldChanges(t.Fields)})
	}
	if len(c.Edges) > 0 {
		g := view.ChangeGroup{ID: "change-edges", Title: i18n.T(ctx, "versions.edges", "count", len(c.Edges)), Op: "changed"}
		for i, e := range c.Edges {
			if i == shownChanges {
				break
			}
			way := e.From + " → " + e.To
			switch e.Op {
			case flowtext.Added:
				g.Fields = append(g.Fields, view.FieldChange{New: labelled(way, e.New)})
			case flowtext.Removed:
				g.Fields = append(g.Fields, view.FieldChange{Old: labelled(way, e.Old)})
			case flowtext.Same:
				g.Fields = append(g.Fields, view.FieldChange{Name: way, Old: e.Old, New: e.New})
			}
		}
		out = append(out, g)
	}
	return out
}

func labelled(way, label string) string {
	if label == "" {
		return way
	}
	return way + " (" + label + ")"
}

func changeID(code int64) string { return "change-" + strconv.FormatInt(code, 10) }

func fieldChanges(fields []flowtext.Change) []view.FieldChange {
	out := make([]view.FieldChange, len(fields))
	for i, f := range fields {
		out[i] = view.FieldChange{Name: f.Field, Old: f.Old, New: f.New}
		if strings.Count(f.Old, "\n") >= longValue || strings.Count(f.New, "\n") >= longValue {
			out[i].Lines = diffLines(f.Old, f.New)
		}
	}
	return out
}

// compared draws both versions in one picture. Of a large workflow only what changed is drawn, and what is beside it.
func compared(c flowtext.Changes, a, b *flow.Definition, title string) (svg string, left int, err error) {
	state := make(map[int64]string, len(c.Tasks))
	for _, t := range c.Tasks {
		state[t.Code] = changeName(t.Op)
	}
	union := &flow.Definition{Tasks: slices.Clone(b.Tasks), Edges: slices.Clone(b.Edges), Locations: slices.Clone(b.Locations)}
	for _, t := range a.Tasks {
		if state[t.Code] == "removed" {
			union.Tasks = append(union.Tasks, t)
		}
	}
	for _, l := range a.Locations {
		if state[l.TaskCode] == "removed" {
			union.Locations = append(union.Locations, l)
		}
	}
	edges := make(map[[2]int64]string, len(c.Edges))
	for _, e := range c.Edges {
		edges[[2]int64{e.Pre, e.Post}] = changeName(e.Op)
		if e.Op == flowtext.Removed {
			union.Edges = append(union.Edges, flow.Edge{Pre: e.Pre, Post: e.Post})
		}
	}
	if len(union.Tasks) > drawnWhole {
		left = thin(union, state, edges)
	}
	g, points := arranged(union)
	d := layout.Drawing{
		Graph: g, Points: points, Labels: make([]layout.Label, len(union.Tasks)), Title: title,
		EdgeState: func(from, to int) string { return edges[[2]int64{union.Tasks[from].Code, union.Tasks[to].Code}] },
	}
	for i, t := range union.Tasks {
		d.Labels[i] = layout.Label{Name: t.Name, Detail: t.Type, State: state[t.Code]}
		if state[t.Code] != "" {
			d.Labels[i].Href = "#" + changeID(t.Code)
		}
	}
	var out strings.Builder
	err = layout.SVG(&out, d)
	return out.String(), left, wrap(err, "draw comparison")
}

// thin leaves of a workflow what changed and what is beside it, and says how many tasks it left out.
func thin(def *flow.Definition, state map[int64]string, edges map[[2]int64]string) int {
	keep := make(map[int64]bool, 2*len(state))
	for code := range state {
		keep[code] = true
	}
	for e := range edges {
		keep[e[0]], keep[e[1]] = true, true
	}
	for _, e := range def.Edges {
		if state[e.Pre] != "" || state[e.Post] != "" {
			keep[e.Pre], keep[e.Post] = true, true
		}
	}
	before := len(def.Tasks)
	def.Tasks = slices.DeleteFunc(def.Tasks, func(t flow.Task) bool { return !keep[t.Code] })
	if len(def.Tasks) > 2*drawnWhole {
		def.Tasks = def.Tasks[:2*drawnWhole]
	}
	def.Locations = nil // places of a large picture would leave wide gaps
	return before - len(def.Tasks)
}
