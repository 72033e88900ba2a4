package workflow

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
)

// lineageRoutes mounts what depends on what. A project that is missing has the number of those that write here.
func (a api) lineageRoutes(r chi.Router, e *dsapi.API, base string) {
	e = e.Faults(project.Faults(dsapi.ProjectMissing))
	r.Get(base+"/list", e.OK(dsapi.Internal, a.lineage))
	r.Get(base+"/query-by-name", e.OK(10161, a.lineageByName))
	r.Get(base+"/query-dependent-tasks", e.OK(10161, a.dependentTasks))
	r.Get(base+"/{code}", e.OK(10161, a.lineageOf))
	r.Post(base+"/tasks/verify-delete", e.OK(10195, a.verifyTaskDelete))
}

// dsLineageNode is a workflow in a graph of what depends on what.
type dsLineageNode struct {
	Code          int64      `json:"workFlowCode"`
	Name          string     `json:"workFlowName"`
	State         string     `json:"workFlowPublishStatus"` // "0" offline, "1" online
	ScheduleStart dsapi.Time `json:"scheduleStartTime"`
	ScheduleEnd   dsapi.Time `json:"scheduleEndTime"`
	Crontab       *string    `json:"crontab"`
	ScheduleState int        `json:"schedulePublishStatus"`
	Sources       *string    `json:"sourceWorkFlowCode"`
}

type dsLineageEdge struct {
	Source int64 `json:"sourceWorkFlowCode"` // 0 = nothing
	Target int64 `json:"targetWorkFlowCode"`
}

type dsLineage struct {
	Edges []dsLineageEdge `json:"workFlowRelationList"`
	Nodes []dsLineageNode `json:"workFlowRelationDetailList"`
}

// dsLineageBoth is a graph in the forms of both generations: today's is nested once more.
type dsLineageBoth struct {
	Data  dsLineage       `json:"data"`
	Old   []dsLineageNode `json:"workFlowList"`
	Edges []dsLineageEdge `json:"workFlowRelationList"`
	Nodes []dsLineageNode `json:"workFlowRelationDetailList"`
}

func toDSNode(n LineageNode) dsLineageNode {
	out := dsLineageNode{Code: n.Workflow.Code, Name: n.Workflow.Name, State: "0"}
	if n.Workflow.Online() {
		out.State = "1"
	}
	if len(n.Sources) > 0 {
		text := ""
		for i, code := range n.Sources {
			if i > 0 {
				text += ","
			}
			text += number64(code)
		}
		out.Sources = &text
	}
	if s := n.Schedule; s != nil {
		out.ScheduleStart, out.ScheduleEnd, out.Crontab = dsapi.Time(s.Start), dsapi.Time(s.End), &s.Crontab
		if s.State == flow.Online {
			out.ScheduleState = 1
		}
	}
	return out
}

func nodes(list []LineageNode) []dsLineageNode {
	out := make([]dsLineageNode, len(list))
	for i, n := range list {
		out[i] = toDSNode(n)
	}
	return out
}

func toDSLineage(g LineageGraph, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	list := nodes(g.Nodes)
	edges := make([]dsLineageEdge, 0, len(g.Edges)+len(g.Nodes))
	for _, e := range g.Edges {
		edges = append(edges, dsLineageEdge(e))
	}
	for _, n := range g.Nodes {
		if len(n.Sources) == 0 {
			edges = append(edges, dsLineageEdge{0, n.Workflow.Code})
		}
	}
	return dsLineageBoth{dsLineage{edges, list}, list, edges, list}, nil
}

func (a api) lineage(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return toDSLineage(a.svc.ProjectLineage(r.Context(), projectCode))
}

func (a api) lineageOf(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	return toDSLineage(a.svc.WorkflowLineage(r.Context(), projectCode, code))
}

func (a api) lineageByName(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	found, err := a.svc.LineageByName(r.Context(), projectCode, p.Text("workflowDefinitionName"))
	return nodes(found), err
}

// verifyTaskDelete says whether a task, or with task 0 a workflow, may be deleted as far as other workflows go.
func (a api) verifyTaskDelete(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, task := p.Path("project"), p.RequiredInt64("workflowDefinitionCode"), p.RequiredInt64("taskCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.TaskFree(r.Context(), projectCode, code, task)
}

// dsDependentTask is a task that depends on a workflow.
type dsDependentTask struct {
	ProjectCode  int64  `json:"projectCode"`
	WorkflowCode int64  `json:"workflowDefinitionCode"`
	WorkflowName string `json:"workflowDefinitionName"`
	TaskCode     int64  `json:"taskDefinitionCode"`
	TaskName     string `json:"taskDefinitionName"`
}

func (a api) dependentTasks(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, task := p.Path("project"), p.RequiredInt64("workFlowCode"), p.Int64("taskCode", 0)
	if err := p.Err(); err != nil {
		return nil, err
	}
	found, err := a.svc.DependantsOn(r.Context(), projectCode, code, task)
	out := []dsDependentTask{}
	for _, d := range found {
		if !d.Hidden {
			out = append(out, dsDependentTask{d.ProjectCode, d.WorkflowCode, d.WorkflowName, d.TaskCode, d.TaskName})
		}
	}
	return struct {
		Data []dsDependentTask `json:"data"`
	}{out}, err
}
