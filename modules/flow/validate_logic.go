package flow

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"dorado/modules/flow/expr"
	"dorado/modules/flow/window"
)

// typeBlocking is a task type of old versions that is not carried out (engine.md 4.10).
const typeBlocking = "BLOCKING"

// logic checks the parameters of a logic task, and where it stands in the graph.
func (v *validator) logic(t *Task) {
	var err error
	switch KindOf(t.Type) {
	case KindPhysical:
		if t.Type == typeBlocking {
			v.fail(t, "taskType", "flow.problem.blocking")
		}
	case KindConditions:
		var c Conditions
		if c, err = DecodeConditions(t.Params); err == nil {
			v.conditions(t, &c)
		}
	case KindSwitch:
		var s Switch
		if s, err = DecodeSwitch(t.Params); err == nil {
			v.switches(t, &s)
		}
	case KindSubWorkflow:
		var s SubWorkflow
		if s, err = DecodeSubWorkflow(t.Params); err == nil {
			v.child(t, s.WorkflowCode)
		}
	case KindDependent:
		var d Dependent
		if d, err = DecodeDependent(t.Params); err == nil {
			v.dependent(t, &d)
		}
	case KindDynamic:
		var d Dynamic
		if d, err = DecodeDynamic(t.Params); err == nil {
			if v.child(t, d.WorkflowCode); len(d.Lists) == 0 {
				v.fail(t, "taskParams.listParameters", "flow.problem.list_missing")
			}
		}
	case KindForEach:
		var f ForEach
		if f, err = DecodeForEach(t.Params); err == nil {
			if v.child(t, f.WorkflowCode); strings.TrimSpace(f.Items) == "" {
				v.fail(t, "taskParams.items", "flow.problem.list_missing")
			}
		}
	case KindApproval:
		_, err = DecodeApproval(t.Params)
	}
	if wire, ok := errors.AsType[*WireError](err); ok {
		v.fail(t, wire.Path, "flow.problem.field_unreadable", "reason", wire.Reason)
	}
}

// follows reports whether there is an edge, and makes a problem of it when there is none.
func (v *validator) follows(t *Task, field string, code int64) {
	if v.edges[[2]int64{t.Code, code}] {
		return
	}
	v.fail(t, field, "flow.problem.not_successor", "name", v.nameOf(code))
}

func (v *validator) nameOf(code int64) string {
	if task := v.byCode[code]; task != nil {
		return task.Name
	}
	return strconv.FormatInt(code, 10)
}

func (v *validator) conditions(t *Task, c *Conditions) {
	for _, branch := range []struct {
		field string
		codes []int64
	}{{"taskParams.conditionResult.successNode", c.Success}, {"taskParams.conditionResult.failedNode", c.Failed}} {
		if len(branch.codes) == 0 {
			v.fail(t, branch.field, "flow.problem.branch_empty")
		}
		for _, code := range branch.codes {
			v.follows(t, branch.field, code)
		}
	}
	const field = "taskParams.dependence.dependTaskList"
	if len(c.Groups) == 0 || slices.ContainsFunc(c.Groups, func(g ConditionGroup) bool { return len(g.Items) == 0 }) {
		v.fail(t, field, "flow.problem.condition_missing")
	}
	for _, g := range c.Groups {
		for _, item := range g.Items {
			if !v.edges[[2]int64{item.TaskCode, t.Code}] {
				v.fail(t, field, "flow.problem.not_predecessor", "name", v.nameOf(item.TaskCode))
			}
		}
	}
}

func (v *validator) switches(t *Task, s *Switch) {
	const field = "taskParams.switchResult.dependTaskList"
	for i, c := range s.Cases {
		path := field + "[" + strconv.Itoa(i) + "]"
		if _, err := expr.Parse(c.Condition); err != nil {
			v.fail(t, path+".condition", "flow.problem.condition_bad", "number", i+1, "reason", err.Error())
		}
		if c.Next == 0 {
			v.fail(t, path+".nextNode", "flow.problem.branch_empty")
		} else {
			v.follows(t, path+".nextNode", c.Next)
		}
	}
	switch {
	case s.Default != 0:
		v.follows(t, "taskParams.switchResult.nextNode", s.Default)
	case len(s.Cases) == 0:
		v.fail(t, field, "flow.problem.condition_missing")
	default:
		v.add(t, SeverityWarning, "taskParams.switchResult.nextNode", "flow.problem.no_default")
	}
}

// child checks the workflow that a task starts; whether it exists is asked elsewhere.
func (v *validator) child(t *Task, code int64) {
	if code == v.def.Code {
		v.fail(t, "taskParams.workflowDefinitionCode", "flow.problem.child_itself")
	}
}

func (v *validator) dependent(t *Task, d *Dependent) {
	const field = "taskParams.dependence.dependTaskList"
	if len(d.Groups) == 0 || slices.ContainsFunc(d.Groups, func(g DependentGroup) bool { return len(g.Items) == 0 }) {
		v.fail(t, field, "flow.problem.condition_missing")
	}
	for i, g := range d.Groups {
		for k, item := range g.Items {
			path := field + "[" + strconv.Itoa(i) + "].dependItemList[" + strconv.Itoa(k) + "]"
			if !window.Known(item.DateValue) {
				v.unknown(t, path+".dateValue", item.DateValue)
			}
			if item.TaskCode < AllTasks {
				v.unknown(t, path+".depTaskCode", strconv.FormatInt(item.TaskCode, 10))
			}
		}
	}
}

// finally checks that finally tasks and others do not depend on each other.
func (v *validator) finally() {
	ordinary := len(v.def.Tasks) == 0
	for i := range v.def.Tasks {
		ordinary = ordinary || !v.def.Tasks[i].Finally
	}
	if !ordinary {
		v.fail(nil, "tasks", "flow.problem.finally_only")
	}
	for _, e := range v.def.Edges {
		if pre, post := v.byCode[e.Pre], v.byCode[e.Post]; pre != nil && post != nil && pre.Finally != post.Finally {
			v.fail(post, "relations", "flow.problem.finally_edge", "from", pre.Name, "to", post.Name)
		}
	}
}

// circles warns about global parameters whose values refer to each other in a ring: such references stay as they are.
func (v *validator) circles() {
	refers := make(map[string][]string, len(v.def.GlobalParams))
	for _, p := range v.def.GlobalParams {
		if refers[p.Prop] == nil {
			refers[p.Prop] = placeholders(p.Value)
		}
	}
	done := make(map[string]bool, len(refers))
	for _, p := range v.def.GlobalParams {
		var path []string
		if ring := circle(p.Prop, refers, done, path); len(ring) > 0 {
			v.add(nil, SeverityWarning, "globalParams", "flow.problem.param_cycle", "path", strings.Join(append(ring, ring[0]), " → "))
		}
	}
}

// circle follows references from name and returns the first ring it finds. A name that refers to itself means the value
// below, and is none.
func circle(name string, refers map[string][]string, done map[string]bool, path []string) []string {
	if at := slices.Index(path, name); at >= 0 {
		return slices.Clone(path[at:])
	}
	if done[name] || len(path) > maxNames {
		return nil
	}
	path = append(path, name)
	for _, next := range refers[name] {
		if next == name {
			continue
		}
		if ring := circle(next, refers, done, path); len(ring) > 0 {
			done[name] = true
			return ring
		}
	}
	done[name] = true
	return nil
}

// placeholders lists the names in ${} of a text, without nested ones.
func placeholders(text string) []string {
	var out []string
	for len(out) < maxNames {
		at := strings.Index(text, "${")
		if at < 0 {
			break
		}
		text = text[at+2:]
		if end := strings.IndexAny(text, "{}$"); end > 0 && text[end] == '}' {
			out = append(out, text[:end])
		}
	}
	return out
}
