package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dorado/modules/flow/expr"
)

// ErrNoBranch says that no condition of a SWITCH holds and that it has no default.
var ErrNoBranch = errors.New("no condition is true and there is no default branch")

// switchLogLimit bounds what is told of how a SWITCH came to its choice, in bytes.
const switchLogLimit = 8 << 10

// Bare reports whether values of the type stand in conditions as they are; all others are texts.
func (t ParamType) Bare() bool {
	switch t {
	case Integer, Long, Float, Double, Boolean:
		return true
	case Varchar, Date, Time, Timestamp, List, File:
	}
	return false
}

// UsesParams reports whether a condition names a parameter.
func (s *Switch) UsesParams() bool {
	return slices.ContainsFunc(s.Cases, func(c SwitchCase) bool { return strings.Contains(c.Condition, "${") })
}

// Choose tries the conditions in their order and returns the code of the first whose condition is true, else the default
// (engine.md 4.6). What cannot be evaluated is not true. log says, a line each, what was compared and what came of it. The
// error is ErrNoBranch.
func (s *Switch) Choose(params expr.Lookup) (next int64, log string, err error) {
	var b strings.Builder
	for i := range s.Cases {
		c := &s.Cases[i]
		holds, err := expr.Holds(c.Condition, params)
		if b.Len() < switchLogLimit {
			b.WriteString(c.Condition)
			if shown := expr.Show(c.Condition, params); shown != c.Condition {
				fmt.Fprintf(&b, "  =>  %.*s", switchLogLimit, shown)
			}
			fmt.Fprintf(&b, " = %t", holds)
			if err != nil {
				fmt.Fprintf(&b, " (%s)", err)
			}
			b.WriteByte('\n')
		}
		if holds {
			return c.Next, b.String(), nil
		}
	}
	if s.Default == 0 {
		return 0, b.String(), ErrNoBranch
	}
	b.WriteString("default branch")
	return s.Default, b.String(), nil
}

// ConditionParams finds the parameters of conditions: what reached the task from upstream, else what it resolved to.
func ConditionParams(params Params, upstream Pool) expr.Lookup {
	return func(name string) (expr.Param, bool) {
		if i, ok := slices.BinarySearchFunc(upstream.entries, name, func(e PoolEntry, name string) int { return strings.Compare(e.Prop, name) }); ok {
			p := &upstream.entries[i]
			return expr.Param{Text: p.Value, Bare: p.Type.Bare()}, true
		}
		if i, ok := slices.BinarySearchFunc(params.List, name, func(p Param, name string) int { return strings.Compare(p.Prop, name) }); ok {
			p := &params.List[i]
			return expr.Param{Text: p.Value, Bare: p.Type.Bare()}, true
		}
		return expr.Param{}, false
	}
}
