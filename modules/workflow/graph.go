package workflow

import (
	"net/http"
	"strings"

	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/flow/layout"
	view "dorado/views/workflow"
)

// layoutLimit keeps one request from occupying the server: it is beyond what a definition may hold.
const layoutLimit = flow.MaxTasks

// layout arranges the tasks that the editor sends.
func (p *pages) layout(r *http.Request) (web.Response, error) {
	if _, err := p.inProject(r, Read); err != nil {
		return nil, err
	}
	var req layout.Request
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	if len(req.Nodes) > layoutLimit || len(req.Edges) > flow.MaxEdges {
		return nil, ErrMalformed.With("value", "nodes")
	}
	return web.JSON(http.StatusOK, layout.Arrange(req)), nil
}

// arranged gives every task a place: its own, or one that the layout finds among the placed ones.
func arranged(def *flow.Definition) (layout.Graph, []layout.Point) {
	at := make(map[int64]int, len(def.Tasks))
	g := layout.Graph{Nodes: make([]layout.Size, len(def.Tasks)), Pinned: make(map[int]layout.Point, len(def.Locations))}
	for i, t := range def.Tasks {
		at[t.Code] = i
	}
	for _, e := range def.Edges {
		pre, okPre := at[e.Pre]
		post, okPost := at[e.Post]
		if okPre && okPost {
			g.Edges = append(g.Edges, [2]int{pre, post})
		}
	}
	for _, l := range def.Locations {
		if i, ok := at[l.TaskCode]; ok {
			g.Pinned[i] = layout.Point{X: l.X, Y: l.Y}
		}
	}
	if len(g.Pinned) < len(g.Nodes) {
		return g, layout.Layout(g, layout.Options{})
	}
	points := make([]layout.Point, len(g.Nodes))
	for i, point := range g.Pinned {
		points[i] = point
	}
	return g, points
}

// picture is a definition as readers without scripts see it.
func (p *pages) picture(def *flow.Definition) (view.Graph, error) {
	g, points := arranged(def)
	d := layout.Drawing{Graph: g, Points: points, Labels: make([]layout.Label, len(def.Tasks)), Title: def.Name}
	out := view.Graph{Name: def.Name, Description: def.Description}
	names := make(map[int64]string, len(def.Tasks))
	before := make(map[int64][]string, len(def.Tasks))
	for i, t := range def.Tasks {
		names[t.Code] = t.Name
		d.Labels[i] = layout.Label{Name: t.Name, Detail: t.Type}
	}
	for _, e := range def.Edges {
		before[e.Post] = append(before[e.Post], names[e.Pre])
	}
	for _, t := range def.Tasks {
		out.Tasks = append(out.Tasks, view.TaskRow{
			Name: t.Name, Type: t.Type, After: strings.Join(before[t.Code], ", "), WorkerGroup: t.WorkerGroup,
			Retries: t.RetryTimes, Forbidden: t.Flag == flow.FlagNo, Description: t.Description,
		})
	}
	var svg strings.Builder
	if err := layout.SVG(&svg, d); err != nil {
		return out, wrap(err, "draw workflow")
	}
	out.SVG = svg.String()
	return out, nil
}
