package engine

import (
	"context"
	"fmt"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// decodeLogic reads what a logic task is to do; an error stands for parameters that cannot be understood.
func decodeLogic(t *flow.Task) any {
	or := func(v any, err error) any {
		if err != nil {
			return err
		}
		return v
	}
	switch flow.KindOf(t.Type) {
	case flow.KindSwitch:
		v, err := flow.DecodeSwitch(t.Params)
		return or(&v, err)
	case flow.KindSubWorkflow:
		v, err := flow.DecodeSubWorkflow(t.Params)
		return or(&v, err)
	case flow.KindDependent:
		v, err := flow.DecodeDependent(t.Params)
		return or(&v, err)
	case flow.KindDynamic:
		v, err := flow.DecodeDynamic(t.Params)
		return or(&v, err)
	case flow.KindForEach:
		v, err := flow.DecodeForEach(t.Params)
		return or(&v, err)
	case flow.KindApproval:
		v, err := flow.DecodeApproval(t.Params)
		return or(&v, err)
	case flow.KindPhysical, flow.KindConditions:
	}
	return nil
}

// logicTasks describes attempts that begin, while their run holds still.
func (e *Engine) logicTasks(l *live, attempts []*core.Attempt) []*logicTask {
	if len(attempts) == 0 {
		return nil
	}
	tasks := make([]*logicTask, 0, len(attempts))
	for _, a := range attempts {
		t := &l.program.graph.Tasks[a.Node]
		tasks = append(tasks, &logicTask{
			attempt: a.ID, run: l.run.InstanceID, node: a.Node, number: a.Number, code: t.Code, name: t.Name,
			workflow: l.instance.WorkflowCode, started: a.Start, base: l.base(a).In(l.zone), context: a.Context,
			work: newLogicWork(l, a),
		})
	}
	return tasks
}

// newLogicWork prepares what a task does; whatever is wrong with its parameters ends it in its first step.
func newLogicWork(l *live, a *core.Attempt) logicWork {
	fail := func(err error) logicWork { return &failing{err.Error()} }
	spec := l.program.logic[a.Node]
	if err, bad := spec.(error); bad {
		return fail(err)
	}
	if d, ok := spec.(*flow.Dependent); ok {
		return newDependentWork(l, a, d)
	}
	if l.run.Graph.Kinds[a.Node].Children() && l.param.Depth >= flow.MaxDepth {
		return fail(fmt.Errorf("sub-workflows are nested deeper than %d", flow.MaxDepth))
	}
	params, err := l.resolve(a)
	if err != nil {
		return fail(err)
	}
	base := l.base(a).In(l.zone)
	expand := func(text string) (string, error) { return flow.Expand(text, params.Values, base) }
	switch s := spec.(type) {
	case *flow.SubWorkflow:
		given, err := l.handedDown(a.Node, expand)
		if err != nil {
			return fail(err)
		}
		return &subWork{workflow: s.WorkflowCode, params: given}
	case *flow.ForEach:
		given, err := l.handedDown(a.Node, expand)
		if err != nil {
			return fail(err)
		}
		w, err := newForEachWork(s, given, expand)
		if err != nil {
			return fail(err)
		}
		return w
	case *flow.Dynamic:
		given, err := l.handedDown(a.Node, expand)
		if err != nil {
			return fail(err)
		}
		w, err := newDynamicWork(s, given, expand, l.program.graph.Tasks[a.Node].Name)
		if err != nil {
			return fail(err)
		}
		return w
	case *flow.Approval:
		question, err := expand(s.Question)
		if err != nil {
			return fail(err)
		}
		return &approvalWork{spec: s, question: clip(question), project: l.run.ProjectCode}
	}
	return fail(fmt.Errorf("task type %s is not carried out here", l.program.graph.Tasks[a.Node].Type))
}

// handedDown are the parameters with which a child of a node starts (engine.md 4.8): the parent's globals, its start
// parameters, what the tasks before put out, and the task's own, the later the stronger.
func (l *live) handedDown(node int32, expand func(string) (string, error)) ([]flow.Property, error) {
	at := map[string]int{}
	var list []flow.Property
	put := func(p flow.Property) {
		if p.Prop == "" {
			return
		}
		p.Direct = flow.In
		if i, known := at[p.Prop]; known {
			list[i] = p
			return
		}
		at[p.Prop] = len(list)
		list = append(list, p)
	}
	for _, p := range l.globals {
		put(p)
	}
	for _, p := range l.startup {
		put(p)
	}
	for _, p := range l.inherited(node).Properties() {
		put(p)
	}
	for _, p := range l.program.locals[node] {
		if p.Direct == flow.Out {
			continue
		}
		value, err := expand(p.Value)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Prop, err)
		}
		p.Value = value
		put(p)
	}
	return list, nil
}

// failing is a task that cannot be carried out.
type failing struct{ why string }

func (f *failing) step(_ context.Context, _ *logic, t *logicTask, _ wakeUp) (*logicEnd, error) {
	t.log(f.why)
	return &logicEnd{outcome: flow.TaskFailure, message: f.why}, nil
}
