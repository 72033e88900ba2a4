package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"dorado/modules/flow"
)

// TaskParams are the parameters of one task in a run.
type TaskParams struct {
	Task    *flow.Task
	Inputs  []Input         // without the built-in ones that nothing overrides
	Builtin []Input         // system.*
	Outputs []flow.Property // what the last successful attempt put out
	Problem string          // why the inputs cannot be resolved
}

// Input is one parameter that a task gets.
type Input struct {
	flow.Param
	From string // name of the task it came from, for the level upstream
}

// Hidden replaces the value of a parameter whose name says that it is a secret.
const Hidden = "******"

var secretName = regexp.MustCompile(`(?i)(passw|secret|token|api_?key|private_?key|credential)`)

func conceal(p flow.Property) flow.Property {
	if p.Value != "" && secretName.MatchString(p.Prop) {
		p.Value = Hidden
	}
	return p
}

// Params resolves the parameters of every task of the run as they are, or would be now, handed to its worker: from the
// same sources, and by the same rules, as the engine's.
func (s *Service) Params(ctx context.Context, d *Detail) ([]TaskParams, error) {
	owner, err := s.Projects.ByCode(ctx, d.ProjectCode)
	if err != nil {
		return nil, err
	}
	var globals []flow.Property
	if err := json.Unmarshal([]byte(d.GlobalParams), &globals); err != nil {
		return nil, fmt.Errorf("workflow instance %d: global_params: %w", d.ID, err)
	}
	zone, err := location(d.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("workflow instance %d: %w", d.ID, err)
	}
	pools := d.pools()
	out := make([]TaskParams, len(d.Nodes))
	for n := range d.Nodes {
		node := &d.Nodes[n]
		out[n] = TaskParams{Task: node.Task, Outputs: outputs(node)}
		base, id := s.now(), int64(0)
		if a := node.Current; a != nil {
			base, id = a.SubmitTime, a.ID
		}
		if d.ScheduleTime != nil {
			base = *d.ScheduleTime
		}
		base = base.In(zone)
		params, err := flow.Resolve(flow.ParamSources{
			Builtin: flow.Builtins(flow.BuiltinInput{
				Base: base, TaskInstanceID: id, TaskName: node.Task.Name, TaskCode: node.Task.Code, WorkflowID: d.ID,
				WorkflowName: d.WorkflowName, WorkflowCode: d.WorkflowCode, ProjectName: owner.Name, ProjectCode: d.ProjectCode,
				ExecutePath: executePath(node),
			}),
			Global: globals, Upstream: pools[n], Local: d.program.locals[n], Startup: d.param.CommandParams,
			Base: base, Scheduled: d.ScheduleTime != nil,
		})
		if err != nil {
			out[n].Problem = err.Error()
			continue
		}
		for _, p := range params.List {
			in := Input{Param: p}
			if in.Property = conceal(p.Property); in.Value != p.Value {
				in.Raw = Hidden
			}
			if up := d.Node(p.Source.TaskCode); p.Source.Level == flow.LevelUpstream && up != nil {
				in.From = up.Task.Name
			}
			if p.Source.Level == flow.LevelBuiltin {
				out[n].Builtin = append(out[n].Builtin, in)
			} else {
				out[n].Inputs = append(out[n].Inputs, in)
			}
		}
	}
	return out, nil
}

func executePath(n *Node) string {
	if n.Current == nil {
		return ""
	}
	return n.Current.ExecutePath
}

// pools computes what reaches each task along the part of the graph that runs, from the attempts that count.
func (d *Detail) pools() []flow.Pool {
	received := make([]flow.Pool, len(d.Nodes))
	for n := range d.Nodes {
		var preds []flow.Pool
		for _, p := range d.Nodes[n].Pred {
			pred := &d.Nodes[p]
			if !pred.In {
				continue
			}
			pool := received[p]
			if a := pred.Current; a != nil && a.State.Succeeded() {
				pool = pool.Emit(pred.Task.Code, endOf(a), varPool(a))
			}
			preds = append(preds, pool)
		}
		received[n] = flow.Inherit(preds...)
	}
	return received
}

func endOf(a *Task) time.Time {
	if a.EndTime == nil {
		return a.SubmitTime
	}
	return *a.EndTime
}

// varPool reads what an attempt put out; a text that is none counts as nothing.
func varPool(a *Task) []flow.Property {
	var p []flow.Property
	if json.Unmarshal([]byte(a.VarPool), &p) != nil {
		return nil
	}
	return p
}

func outputs(n *Node) []flow.Property {
	for _, a := range slices.Backward(n.All) {
		if a.State.Succeeded() {
			list := varPool(&a)
			for i := range list {
				list[i] = conceal(list[i])
			}
			return list
		}
	}
	return nil
}
