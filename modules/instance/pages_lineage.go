package instance

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/flow/layout"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/instance"
)

const (
	// lineageShown bounds the workflows of one picture, lineageRead the relations that are read.
	lineageShown = 300
	lineageRead  = 20_000
)

// lineageEdge is one task's reference to another workflow: a DEPENDENT comes after it, a sub-workflow is started by it.
type lineageEdge struct {
	Workflow int64  `db:"workflow_code"`
	Task     int64  `db:"task_code"`
	Kind     string `db:"kind"`
	Other    int64  `db:"dependent_workflow_code"`
	TaskName string `db:"task_name"`
}

// from is the workflow that comes first.
func (e *lineageEdge) from() int64 {
	if e.Kind == "DEPENDENT" {
		return e.Other
	}
	return e.Workflow
}

func (e *lineageEdge) to() int64 {
	if e.Kind == "DEPENDENT" {
		return e.Workflow
	}
	return e.Other
}

// lineageHead is a workflow of the picture. One that is not there any more, or not to be seen, has no name.
type lineageHead struct {
	Code    int64             `db:"code"`
	Project int64             `db:"project_code"`
	Name    string            `db:"name"`
	State   flow.ReleaseState `db:"release_state"`
	Owner   string            `db:"project_name"`
	visible bool
}

// lineageEdges reads all relations that touch a project, or with depth those around one workflow, however many projects they
// lead through. Relations between workflows that are both hidden from whoever acts are left out.
func (s *Service) lineageEdges(ctx context.Context, projectCode, around int64, depth int) ([]lineageEdge, error) {
	const columns = `SELECT DISTINCT l.workflow_code, l.task_code, l.kind, l.dependent_workflow_code, COALESCE(t.name, '') AS task_name FROM workflow_lineage l
		JOIN workflow_definition w ON w.code = l.workflow_code LEFT JOIN task_definition t ON t.code = l.task_code AND t.workflow_code = l.workflow_code `
	const order = ` ORDER BY l.workflow_code, l.task_code, l.dependent_workflow_code LIMIT ?`
	if around == 0 {
		return db.Select[lineageEdge](ctx, s.DB, columns+`LEFT JOIN workflow_definition d ON d.code = l.dependent_workflow_code
			WHERE w.project_code = ? OR d.project_code = ?`+order, projectCode, projectCode, lineageRead)
	}
	seen, next := map[int64]bool{around: true}, []int64{around}
	var out []lineageEdge
	known := map[lineageEdge]bool{}
	for level := 0; level < depth && len(next) > 0 && len(out) < lineageRead; level++ {
		query, args, err := db.In(columns+`WHERE l.workflow_code IN (?) OR l.dependent_workflow_code IN (?)`+order, next, next, lineageRead)
		if err != nil {
			return nil, err
		}
		rows, err := db.Select[lineageEdge](ctx, s.DB, query, args...)
		if err != nil {
			return nil, err
		}
		next = nil
		for _, e := range rows {
			if !known[e] {
				known[e], out = true, append(out, e)
			}
			for _, code := range []int64{e.Workflow, e.Other} {
				if !seen[code] && len(seen) <= lineageShown {
					seen[code], next = true, append(next, code)
				}
			}
		}
		// What comes next is looked around only where one may see it: hidden workflows end the picture.
		heads, err := s.lineageHeads(ctx, next)
		if err != nil {
			return nil, err
		}
		next = slices.DeleteFunc(next, func(code int64) bool { h, ok := heads[code]; return !ok || !h.visible })
	}
	return out, nil
}

func (s *Service) lineageHeads(ctx context.Context, codes []int64) (map[int64]lineageHead, error) {
	out := make(map[int64]lineageHead, len(codes))
	for part := range slices.Chunk(codes, 500) {
		query, args, err := db.In(`SELECT w.code, w.project_code, w.name, w.release_state, p.name AS project_name FROM workflow_definition w
			JOIN project p ON p.code = w.project_code WHERE w.code IN (?)`, part)
		if err != nil {
			return nil, err
		}
		rows, err := db.Select[lineageHead](ctx, s.DB, query, args...)
		if err != nil {
			return nil, err
		}
		for _, h := range rows {
			h.visible = s.Access.CanWorkflow(ctx, h.Project, h.Code, Read)
			out[h.Code] = h
		}
	}
	return out, nil
}

// lineage shows which workflows start others and which wait for others (P-REL-1).
func (p pages) lineage(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	asked := r.URL.Query()
	around, _ := strconv.ParseInt(asked.Get("workflow"), 10, 64)
	depth, _ := strconv.Atoi(asked.Get("depth"))
	if depth < 1 || depth > 5 {
		depth = 0
	}
	if around != 0 {
		if _, err := p.Workflows.In(ctx, owner.Code, around); err != nil {
			return nil, err
		}
	}
	levels := depth
	if levels == 0 {
		levels = lineageShown
	}
	edges, err := p.lineageEdges(ctx, owner.Code, around, levels)
	if err != nil {
		return nil, fmt.Errorf("read the lineage of project %d: %w", owner.Code, err)
	}
	workflows, err := p.Workflows.All(ctx, owner.Code)
	if err != nil {
		return nil, err
	}
	v := view.Lineage{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "operate.lineage.title")), Here: project.Address(owner.Code, "/lineage"), Workflow: asked.Get("workflow"),
		Depth: strconv.Itoa(depth),
	}
	for _, w := range workflows {
		v.Workflows = append(v.Workflows, components.Option{Value: strconv.FormatInt(w.Code, 10), Label: w.Name})
	}
	err = p.drawLineage(ctx, &v, owner.Code, around, edges)
	return web.Page(view.LineagePage(v)), err
}

// drawLineage lays the workflows out from left to right and lists their relations.
func (p pages) drawLineage(ctx context.Context, v *view.Lineage, projectCode, around int64, edges []lineageEdge) error {
	var codes []int64
	index := map[int64]int{}
	for _, e := range edges {
		for _, code := range []int64{e.from(), e.to()} {
			if _, known := index[code]; known {
				continue
			}
			index[code] = len(codes)
			codes = append(codes, code)
		}
	}
	heads, err := p.lineageHeads(ctx, codes)
	if err != nil {
		return err
	}
	history, err := p.RunHistory(ctx, codes)
	if err != nil {
		return err
	}
	shown := codes[:min(len(codes), lineageShown)]
	v.More = len(codes) - len(shown)
	g := layout.Graph{Nodes: make([]layout.Size, len(shown))}
	drawn := map[[2]int]string{}
	for k := range edges {
		e := &edges[k]
		from, to := index[e.from()], index[e.to()]
		a, b := p.lineageNode(ctx, heads, history, e.from(), around, projectCode), p.lineageNode(ctx, heads, history, e.to(), around, projectCode)
		row := view.LineageRow{From: a, To: b, Kind: i18n.T(ctx, "operate.lineage."+e.Kind), Task: e.TaskName}
		if h, ok := heads[e.Workflow]; !ok || !h.visible {
			row.Task = ""
		}
		v.Rows = append(v.Rows, row)
		if from < len(shown) && to < len(shown) && from != to {
			drawn[[2]int{from, to}] = e.Kind
		}
	}
	for edge := range drawn {
		g.Edges = append(g.Edges, edge)
	}
	slices.SortFunc(g.Edges, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	points := layout.Layout(g, layout.Options{})
	for n, code := range shown {
		node := p.lineageNode(ctx, heads, history, code, around, projectCode)
		node.X, node.Y = points[n].X+lineageEdgeRoom, points[n].Y+lineageEdgeRoom
		v.Width, v.Height = max(v.Width, node.X+layout.NodeWidth+lineageEdgeRoom), max(v.Height, node.Y+layout.NodeHeight+lineageEdgeRoom)
		v.Nodes = append(v.Nodes, node)
	}
	for _, e := range g.Edges {
		a, b := v.Nodes[e[0]], v.Nodes[e[1]]
		x1, y1, x2, y2 := a.X+layout.NodeWidth, a.Y+layout.NodeHeight/2, b.X, b.Y+layout.NodeHeight/2
		bend := max(24, (x2-x1)/2)
		v.Edges = append(v.Edges, view.LineageEdge{
			Path: fmt.Sprintf("M%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2), Sub: drawn[e] != "DEPENDENT",
		})
	}
	return nil
}

// lineageEdgeRoom is the margin of the picture.
const lineageEdgeRoom = 8.0

func (p pages) lineageNode(ctx context.Context, heads map[int64]lineageHead, history map[int64][]Run, code, around, projectCode int64) view.LineageNode {
	h, there := heads[code]
	node := view.LineageNode{State: NodeNone, Center: code == around}
	switch {
	case !there:
		node.Name = i18n.T(ctx, "operate.lineage.gone")
	case !h.visible:
		node.Name = i18n.T(ctx, "operate.lineage.hidden")
	default:
		node.Name, node.URL = h.Name, workflowAddress(h.Project, h.Code)
		node.AroundURL = project.Address(h.Project, "/lineage") + "?workflow=" + strconv.FormatInt(code, 10)
		if h.Project != projectCode {
			node.Project = h.Owner
		}
		if h.State != flow.Online {
			node.Note = i18n.T(ctx, "operate.lineage.offline")
		}
		if runs := history[code]; len(runs) > 0 {
			last := runs[len(runs)-1]
			node.State, node.RunURL, node.At = string(last.State), last.URL(), last.Start
		}
	}
	return node
}
