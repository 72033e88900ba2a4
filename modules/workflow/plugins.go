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
