package engine

import (
	"fmt"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/flow/expr"
)

// choose decides a SWITCH (engine.md 4.6): the first condition that is true wins.
func (l *live) choose(node int32) (core.Choice, error) {
	spec := l.program.logic[node]
	if err, bad := spec.(error); bad {
		return core.Choice{}, err
	}
	s, ok := spec.(*flow.Switch)
	if !ok {
		return core.Choice{}, fmt.Errorf("task type %s makes no choice", l.program.graph.Tasks[node].Type)
	}
	params, err := l.switchParams(node, s)
	if err != nil {
		return core.Choice{}, err
	}
	next, log, err := s.Choose(params)
	if err != nil {
		return core.Choice{}, fmt.Errorf("%w\n%s", err, log)
	}
	return core.Choice{Next: []int64{next}, Log: clip(log)}, nil
}

// switchParams looks parameters up for the conditions of a SWITCH. They are resolved only when a condition has any.
func (l *live) switchParams(node int32, s *flow.Switch) (expr.Lookup, error) {
	if !s.UsesParams() {
		return func(string) (expr.Param, bool) { return expr.Param{}, false }, nil
	}
	a := l.run.Attempt(node)
	if a == nil {
		a = &core.Attempt{Node: node, Submit: l.run.RestartTime}
	}
	params, err := l.resolve(a)
	if err != nil {
		return nil, err
	}
	return flow.ConditionParams(params, l.inherited(node)), nil
}
