package instance

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/modules/flow"
	"dorado/modules/flow/layout"
	"dorado/plugins/task"
	"dorado/views/components"
)

// canvasData is the contract with the canvas (static/js/dag/types.js, PageData), read-only and with the states of a run.
type canvasData struct {
	Definition   canvasDefinition  `json:"definition"`
	Draft        *struct{}         `json:"draft"`
	Mode         string            `json:"mode"`
	URLs         map[string]string `json:"urls"`
	Schema       canvasSchema      `json:"schema"`
	WorkerGroups []string          `json:"workerGroups"`
	Features     map[string]bool   `json:"features"`
	Instance     canvasRun         `json:"instance"`
}

type canvasDefinition struct {
	*flow.Definition
	Locations    []flow.Location   `json:"locations"`
	ReleaseState flow.ReleaseState `json:"releaseState"`
}

type canvasSchema struct {
	Types []task.Description `json:"types"`
}

type canvasRun struct {
	ID     int64                `json:"id"`
	Name   string               `json:"name"`
	States map[string]TaskState `json:"states"`
}

// canvas describes a run for the canvas. The states that follow come with the stream of the page, as the event dag-states.
func (p pages) canvas(ctx context.Context, d *Detail) canvasData {
	points := d.places()
	locations := make([]flow.Location, len(points))
	for n, at := range points {
		locations[n] = flow.Location{TaskCode: d.Nodes[n].Task.Code, X: at.X, Y: at.Y}
	}
	return canvasData{
		Definition: canvasDefinition{Definition: d.Version, Locations: locations, ReleaseState: flow.Offline}, Mode: "read",
		URLs:   map[string]string{"close": workflowAddress(d.ProjectCode, d.WorkflowCode)},
		Schema: canvasSchema{Types: p.catalog.Describe(func(key string) string { return i18n.T(ctx, key) })},
		// Groups are not checked in a picture of what ran.
		WorkerGroups: []string{}, Features: map[string]bool{},
		Instance: canvasRun{ID: d.ID, Name: d.Name, States: d.states(ctx)},
	}
}

// graphOf is the version as the layout takes it: nodes in topological order, with the places that its author chose.
func (d *Detail) graphOf() layout.Graph {
	g := layout.Graph{Nodes: make([]layout.Size, len(d.Nodes)), Pinned: map[int]layout.Point{}}
	for n := range d.Nodes {
		for _, p := range d.Nodes[n].Pred {
			g.Edges = append(g.Edges, [2]int{int(p), n})
		}
	}
	for _, l := range d.Version.Locations {
		if n, ok := d.program.graph.Index[l.TaskCode]; ok {
			g.Pinned[int(n)] = layout.Point{X: l.X, Y: l.Y}
		}
	}
	return g
}

// places is where each task is drawn: where its author put it, else where the layout does.
func (d *Detail) places() []layout.Point {
	g := d.graphOf()
	if len(g.Pinned) < len(g.Nodes) {
		return layout.Layout(g, layout.Options{})
	}
	points := make([]layout.Point, len(g.Nodes))
	for n, p := range g.Pinned {
		points[n] = p
	}
	return points
}

// drawing is the graph without script.
func drawing(ctx context.Context, d *Detail) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		labels := make([]layout.Label, len(d.Nodes))
		for n := range d.Nodes {
			node := &d.Nodes[n]
			labels[n] = layout.Label{Name: node.Task.Name, Detail: node.Task.Type + " · " + components.StateLabel(ctx, node.State), State: node.State}
			if a := node.Current; a != nil {
				labels[n].Href = taskAddress(d.ProjectCode, a.ID)
			}
		}
		return layout.SVG(w, layout.Drawing{Graph: d.graphOf(), Points: d.places(), Labels: labels, Title: d.WorkflowName})
	})
}

// duration shows how long an attempt worked, counting on while it does.
func duration(a *Task, now time.Time) templ.Component {
	if a.EndTime == nil {
		return components.Running(*a.StartTime, now)
	}
	return components.Duration(a.Duration(now))
}

func itoa(n int) string { return strconv.Itoa(n) }
