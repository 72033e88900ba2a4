package engine

import (
	"errors"
	"fmt"
	"strings"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/flow/expr"
)

// switchLogLimit bounds what is kept of how a SWITCH came to its choice, in bytes.
const switchLogLimit = 8 << 10

// errNoBranch fails a SWITCH that found no way to go.
var errNoBranch = errors.New("no condition is true and there is no default branch")

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
	lookup, err := l.switchParams(node, s)
	if err != nil {
		return core.Choice{}, err
	}
	var log strings.Builder
	for i := range s.Cases {
		c := &s.Cases[i]
		holds, err := expr.Holds(c.Condition, lookup)
		if log.Len() < switchLogLimit {
			shown := c.Condition
			if strings.Contains(shown, "${") {
				shown = expr.Show(c.Condition, lookup)
			}
			fmt.Fprintf(&log, "%s = %t", shown, holds)
			if err != nil {
				fmt.Fprintf(&log, " (%s)", err)
			}
			log.WriteByte('\n')
		}
		if holds {
			return core.Choice{Next: []int64{c.Next}, Log: clip(log.String())}, nil
		}
	}
	if s.Default == 0 {
		return core.Choice{}, fmt.Errorf("%w\n%s", errNoBranch, log.String())
	}
	log.WriteString("default branch")
	return core.Choice{Next: []int64{s.Default}, Log: clip(log.String())}, nil
}

// switchParams looks parameters up for the conditions of a SWITCH. They are resolved only when a condition has any.
func (l *live) switchParams(node int32, s *flow.Switch) (expr.Lookup, error) {
	none := func(string) (expr.Param, bool) { return expr.Param{}, false }
	wanted := false
	for i := range s.Cases {
		wanted = wanted || strings.Contains(s.Cases[i].Condition, "${")
	}
	if !wanted {
		return none, nil
	}
	a := l.run.Attempt(node)
	if a == nil {
		a = &core.Attempt{Node: node, Submit: l.run.RestartTime}
	}
	params, err := l.resolve(a)
	if err != nil {
		return nil, err
	}
	return func(name string) (expr.Param, bool) {
		for i := range params.List {
			if p := &params.List[i]; p.Prop == name {
				return expr.Param{Text: p.Value, Bare: bare(p.Type)}, true
			}
		}
		return expr.Param{}, false
	}, nil
}

// bare reports whether a value of the type stands in a condition without quotes.
func bare(t flow.ParamType) bool {
	switch t {
	case flow.Integer, flow.Long, flow.Float, flow.Double, flow.Boolean:
		return true
	default:
		return false
	}
}
