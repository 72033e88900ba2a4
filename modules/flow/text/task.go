package text

import (
	"bytes"
	"encoding/json"
	"maps"

	"go.yaml.in/yaml/v3"

	"dorado/modules/flow"
)

// task reads one task and the edges that end at it.
func (r *reader) task(w *written) flow.Task {
	t := flow.Task{
		Code: w.is, Name: w.name, Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default",
		EnvironmentCode: -1, RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1, ExecuteType: flow.Batch,
	}
	if r.fields == nil {
		r.fields = taskFields()
		r.known = fieldNames(r.fields)
	}
	fields, content := r.fields, contents{}
	for _, p := range r.pairs(w.body, r.known, w.name) {
		r.markField(w.name, fields, p)
		switch p.name {
		case "type":
			t.Type = r.text(p)
		case "needs":
			r.needs(w, p)
		case "script", "with", "params", "resources":
			content[p.name] = p
		default:
			r.setting(&t, p)
		}
	}
	if t.Type == "" {
		r.fail(w.at, "no_type", "name", w.name)
	}
	t.Params = r.parameters(&t, content)
	return t
}

// setting reads what every type of task has.
func (r *reader) setting(t *flow.Task, p pair) {
	switch p.name {
	case "description":
		t.Description = r.text(p)
	case "retry":
		r.retry(t, p)
	case "timeout":
		r.timeout(t, p)
	case "delay":
		t.DelayMinutes = r.minutes(p)
	case "priority":
		t.Priority = oneOf(r, p, flow.Medium, flow.Priorities()...)
	case "workerGroup":
		t.WorkerGroup = r.text(p)
	case "environment":
		t.EnvironmentCode = r.reference(Environment, p)
	case "taskGroup":
		r.taskGroup(t, p)
	case "enabled":
		if !r.boolean(p) {
			t.Flag = flow.FlagNo
		}
	case "cache":
		if r.boolean(p) {
			t.IsCache = flow.FlagYes
		}
	case "finally":
		t.Finally = r.boolean(p)
	case "stream":
		if r.boolean(p) {
			t.ExecuteType = flow.Stream
		}
	case "cpu":
		t.CPUQuota = r.minutes(p)
	case "memory":
		t.MemoryMax = r.minutes(p)
	}
}

func (r *reader) retry(t *flow.Task, p pair) {
	if n := r.follow(p.value); n == nil || n.Kind != yaml.MappingNode {
		t.RetryTimes = r.minutes(p)
		return
	}
	for _, one := range r.pairs(p.value, map[string]bool{"times": true, "interval": true}, p.name) {
		switch one.name {
		case "times":
			t.RetryTimes = r.minutes(one)
		case "interval":
			t.RetryInterval = r.minutes(one)
		}
	}
}

func (r *reader) timeout(t *flow.Task, p pair) {
	t.TimeoutFlag, t.TimeoutStrategy = flow.TimeoutOpen, flow.TimeoutWarn
	if n := r.follow(p.value); n == nil || n.Kind != yaml.MappingNode {
		t.TimeoutMinutes = r.minutes(p)
		return
	}
	strategy := flow.TimeoutStrategy("")
	for _, one := range r.pairs(p.value, map[string]bool{"minutes": true, "strategy": true, "enabled": true}, p.name) {
		switch one.name {
		case "minutes":
			t.TimeoutMinutes = r.minutes(one)
		case "strategy":
			strategy = oneOf(r, one, flow.TimeoutWarn, flow.TimeoutWarn, flow.TimeoutFailed, flow.TimeoutWarnFailed)
		case "enabled":
			if !r.boolean(one) {
				t.TimeoutFlag, t.TimeoutStrategy = flow.TimeoutClose, ""
			}
		}
	}
	if strategy != "" {
		t.TimeoutStrategy = strategy
	}
}

func (r *reader) taskGroup(t *flow.Task, p pair) {
	if n := r.follow(p.value); n == nil || n.Kind != yaml.MappingNode {
		t.TaskGroupID = r.reference(TaskGroup, p)
		return
	}
	for _, one := range r.pairs(p.value, map[string]bool{"group": true, "priority": true}, p.name) {
		switch one.name {
		case "group":
			t.TaskGroupID = r.reference(TaskGroup, one)
		case "priority":
			t.TaskGroupPriority = r.minutes(one)
		}
	}
}

// needs reads the tasks before one.
func (r *reader) needs(w *written, p pair) {
	n := r.follow(p.value)
	if n == nil {
		return
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	seen := make(map[int64]bool, len(items))
	for _, item := range items {
		if item = r.follow(item); item == nil {
			return
		}
		at, label := item, ""
		if item.Kind == yaml.MappingNode {
			at = nil
			for _, one := range r.pairs(item, map[string]bool{"task": true, "label": true}, "needs") {
				switch one.name {
				case "task":
					at = r.follow(one.value)
				case "label":
					label = r.text(one)
				}
			}
		}
		if at == nil || at.Kind != yaml.ScalarNode {
			r.fail(item, "want_tasks", "field", "needs")
			continue
		}
		pre, ok := r.sibling(at.Value)
		switch {
		case !ok:
			r.unknown(at, "unknown_task", at.Value, maps.Keys(r.names.byName))
		case pre == w.is:
			r.fail(at, "needs_itself", "name", w.name)
		case seen[pre]:
			r.fail(at, "needs_twice", "name", at.Value)
		default:
			seen[pre] = true
			r.def.Edges = append(r.def.Edges, flow.Edge{Name: label, Pre: pre, Post: w.is})
		}
	}
}

// contents are the parts of a task's parameters that have a field of their own.
type contents map[string]pair

// parameters puts the parts of a task's parameters together again.
func (r *reader) parameters(t *flow.Task, c contents) json.RawMessage {
	with := map[string]bool{}
	var rest []pair
	if p, ok := c["with"]; ok {
		rest = r.pairs(p.value, nil, "with")
	}
	for _, p := range rest {
		with[p.name] = true
		r.mark(t.Name, "taskParams."+p.name, p.key)
	}
	var out bytes.Buffer
	member := func(name string) {
		if out.Len() == 0 {
			out.WriteByte('{')
		} else {
			out.WriteByte(',')
		}
		quote(&out, name)
		out.WriteByte(':')
	}
	both := func(field, name string) bool {
		if p, ok := c[field]; ok && with[name] {
			r.fail(p.key, "field_twice", "name", name, "line", c["with"].key.Line)
		}
		return with[name]
	}
	if !both("params", "localParams") {
		member("localParams")
		r.value(&out, present(r.optional(c)))
	}
	if p, ok := c["script"]; ok && !both("script", "rawScript") {
		member("rawScript")
		quote(&out, r.text(p))
	}
	if !both("resources", "resourceList") {
		member("resourceList")
		r.value(&out, present(r.resources(c)))
	}
	refs := references(t.Type)
	for _, p := range rest {
		member(p.name)
		r.json(&out, p.value, p.name, refs, 0)
	}
	if out.Len() == 0 {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return out.Bytes()
}

func (r *reader) optional(c contents) []flow.Property {
	if p, ok := c["params"]; ok {
		return r.params(p)
	}
	return nil
}

func (r *reader) value(out *bytes.Buffer, v any) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // lists of texts are always encoded
	out.Truncate(out.Len() - 1)
}

func (r *reader) resources(c contents) []flow.ResourceRef {
	p, ok := c["resources"]
	if !ok {
		return nil
	}
	n := r.follow(p.value)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "want_list", "field", p.name)
		return nil
	}
	var out []flow.ResourceRef
	for _, item := range n.Content {
		out = append(out, flow.ResourceRef{ResourceName: r.text(pair{p.name, p.key, item})})
	}
	return out
}
