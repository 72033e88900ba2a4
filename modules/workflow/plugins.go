package workflow

import (
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

// validate lists what is wrong with a definition.
func (s *Service) validate(def *flow.Definition) []flow.Problem {
	return flow.Validate(def, checker{s.Catalog})
}
