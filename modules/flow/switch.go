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

// Bare reports whether values of the type stand in conditions as they are; all others are texts.
func (t ParamType) Bare() bool {
	switch t {
	case Integer, Long, Float, Double, Boolean:
		return true
	case Varchar, Date, Time, Timestamp, List, File:
	}
	return false
}

// Choose tries the conditions in their order and returns the code of the first whose condition is true, else the default
// (engine.md 4.6). What cannot be evaluated is not true. Parameters are those of the task, overlaid by what reached it
// from upstream. log says, a line each, what was compared and what came of it. The error is ErrNoBranch.
func (s Switch) Choose(params Params, upstream Pool) (next int64, log string, err error) {
	lookup := func(name string) (expr.Param, bool) {
		if i, ok := slices.BinarySearchFunc(upstream.entries, name, func(e PoolEntry, name string) int { return strings.Compare(e.Prop, name) }); ok {
			p := upstream.entries[i].Property
			return expr.Param{Text: p.Value, Bare: p.Type.Bare()}, true
		}
		if i, ok := slices.BinarySearchFunc(params.List, name, func(p Param, name string) int { return strings.Compare(p.Prop, name) }); ok {
			p := params.List[i].Property
			return expr.Param{Text: p.Value, Bare: p.Type.Bare()}, true
		}
		return expr.Param{}, false
	}
	var b strings.Builder
	for _, c := range s.Cases {
		holds, err := expr.Holds(c.Condition, lookup)
		fmt.Fprintf(&b, "%s  =>  %s  =>  %t", c.Condition, expr.Show(c.Condition, lookup), holds)
		if err != nil {
			b.WriteString(" (" + err.Error() + ")")
		}
		b.WriteByte('\n')
		if holds {
			return c.Next, b.String(), nil
		}
	}
	if s.Default == 0 {
		return 0, b.String(), ErrNoBranch
	}
	b.WriteString("default\n")
	return s.Default, b.String(), nil
}
