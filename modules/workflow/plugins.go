package workflow

import (
	"context"
	"encoding/json"

	"dorado/modules/flow"
	"dorado/plugins/catalog"
)

// checker lets package flow, which knows no plugins, ask the catalogue.
type checker struct{ catalog *catalog.Catalog }

// CheckParams returns what the plugin finds wrong with the parameters of a task.
func (c checker) CheckParams(taskType string, params json.RawMessage) []flow.FieldProblem {
	found := c.catalog.CheckParams(taskType, params)
	out := make([]flow.FieldProblem, len(found))
	for i, p := range found {
		out[i] = flow.FieldProblem{Field: p.Field, Key: p.Key, Args: p.Args}
	}
	return out
}

// validate lists what is wrong with a definition, apart from what it says about other workflows.
func (s *Service) validate(ctx context.Context, def *flow.Definition) ([]flow.Problem, error) {
	params, err := s.Projects.Properties(ctx, def.ProjectCode)
	if err != nil {
		return nil, err
	}
	known := make([]string, len(params))
	for i, p := range params {
		known[i] = p.Prop
	}
	return flow.Validate(def, checker{s.Catalog}, known...), nil
}

// deniedGroups are the tasks in worker groups that are granted to others than whoever saves: what a task does there is his
// doing, whoever chose the group. Who releases or starts the workflow later is not asked again.
func (s *Service) deniedGroups(ctx context.Context, def *flow.Definition) []flow.Problem {
	var out []flow.Problem
	for _, t := range def.Tasks {
		if !s.Projects.Access.MayUseWorkerGroup(ctx, t.WorkerGroup) {
			out = append(out, flow.Problem{
				TaskCode: t.Code, TaskName: t.Name, Field: "workerGroup", Key: "workergroup.error.denied", Args: []any{"name", t.WorkerGroup},
				Severity: flow.SeverityError,
			})
		}
	}
	return out
}
