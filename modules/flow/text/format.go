package text

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"dorado/modules/flow"
)

// Style says what Format writes beyond what a workflow does.
type Style struct {
	Codes  bool // of the workflow and its tasks, so that a renamed task is still the same one
	Layout bool // where the editor draws the tasks
	// Schedules are written by whoever knows them (WithTimers); Format does not.
	Schedules bool
}

// Format writes the canonical text of a definition: the same definition, the same bytes. outside may be nil.
func Format(def *flow.Definition, outside Resolver, style Style) []byte {
	var e emitter
	e.mapping(tree(def, outside, style), 0)
	return []byte(e.String())
}

// tree is the canonical text as a tree.
func tree(def *flow.Definition, outside Resolver, style Style) *node {
	w := writerOf(def, outside)
	w.style = style
	root := object()
	if style.Codes && def.Code != 0 {
		root.add("code", number(def.Code))
	}
	root.add("name", str(def.Name))
	if def.Description != "" {
		root.add("description", str(def.Description))
	}
	if def.ExecutionType != flow.Parallel && def.ExecutionType != "" {
		root.add("execution", str(string(def.ExecutionType)))
	}
	if def.TimeoutMinutes != 0 {
		root.add("timeout", number(int64(def.TimeoutMinutes)))
	}
	if len(def.GlobalParams) > 0 {
		root.add("params", params(def.GlobalParams))
	}
	root.add("tasks", w.tasks())
	if style.Layout {
		if places := w.layout(); len(places.entries)+len(places.items) > 0 {
			root.add("layout", places)
		}
	}
	return root
}

func writerOf(def *flow.Definition, outside Resolver) *writer {
	w := &writer{
		def: def, names: namesOf(def, outside), unique: true,
		before: make(map[int64][]flow.Edge, len(def.Tasks)), called: make(map[int64]string, len(def.Tasks)),
	}
	seen := make(map[string]bool, len(def.Tasks))
	for i := range def.Tasks {
		t := &def.Tasks[i]
		w.unique = w.unique && t.Name != "" && !seen[t.Name]
		seen[t.Name], w.called[t.Code] = true, t.Name
	}
	for _, e := range def.Edges {
		w.before[e.Post] = append(w.before[e.Post], e)
	}
	return w
}

type writer struct {
	def    *flow.Definition
	names  *names
	style  Style
	unique bool // names tell all tasks apart
	called map[int64]string
	before map[int64][]flow.Edge
}

// tasks is a mapping by name, or a list when names do not tell the tasks apart.
func (w *writer) tasks() *node {
	if w.unique {
		out := &node{kind: mapping, apart: true}
		for i := range w.def.Tasks {
			out.add(w.def.Tasks[i].Name, w.task(&w.def.Tasks[i], object()))
		}
		return out
	}
	out := &node{kind: list}
	for i := range w.def.Tasks {
		t := &w.def.Tasks[i]
		out.items = append(out.items, w.task(t, object(entry{"name", str(t.Name)}, entry{"code", number(t.Code)})))
	}
	return out
}

func (w *writer) task(t *flow.Task, n *node) *node {
	if w.style.Codes && n.get("code") == nil {
		n.add("code", number(t.Code))
	}
	n.add("type", str(t.Type))
	if t.Description != "" {
		n.add("description", str(t.Description))
	}
	if needs := w.needs(t.Code); len(needs.items) > 0 {
		n.add("needs", needs)
	}
	w.parameters(t, n)
	w.settings(t, n)
	return n
}

// needs lists the tasks before one, by name, so that the order in which edges were drawn does not matter.
func (w *writer) needs(code int64) *node {
	edges := slices.Clone(w.before[code])
	slices.SortFunc(edges, func(a, b flow.Edge) int { return strings.Compare(w.sibling(a.Pre).text, w.sibling(b.Pre).text) })
	out := &node{kind: list, inline: true}
	for _, e := range edges {
		item := w.sibling(e.Pre)
		if e.Name != "" {
			item, out.inline = object(entry{"task", item}, entry{"label", str(e.Name)}), false
		}
		out.items = append(out.items, item)
	}
	return out
}

func (w *writer) sibling(code int64) *node {
	if name, ok := w.called[code]; ok && w.unique {
		return str(name)
	}
	return number(code)
}

// parameters splits a task's parameters into those with a place of their own and the rest.
func (w *writer) parameters(t *flow.Task, n *node) {
	members := ordered(t.Params, references(t.Type), w.names)
	with := object()
	var local, resources *node
	for _, m := range members {
		switch {
		case m.key == "rawScript" && m.value.kind == word:
			n.add("script", m.value)
		case m.key == "localParams" && m.value.kind == list:
			if list, ok := properties(m.raw); ok {
				local = params(list)
				continue
			}
			with.add(m.key, m.value)
		case m.key == "resourceList" && m.value.kind == list:
			if list, ok := files(m.raw); ok {
				resources = list
				continue
			}
			with.add(m.key, m.value)
		default:
			with.add(m.key, m.value)
		}
	}
	if len(with.entries) > 0 {
		n.add("with", with)
	}
	if local != nil && len(local.entries)+len(local.items) > 0 {
		n.add("params", local)
	}
	if resources != nil && len(resources.items) > 0 {
		n.add("resources", resources)
	}
}

func (w *writer) settings(t *flow.Task, n *node) {
	switch {
	case t.RetryInterval != 1:
		n.add("retry", object(entry{"times", number(int64(t.RetryTimes))}, entry{"interval", number(int64(t.RetryInterval))}))
	case t.RetryTimes != 0:
		n.add("retry", number(int64(t.RetryTimes)))
	}
	if limit := timeout(t); limit != nil {
		n.add("timeout", limit)
	}
	if t.DelayMinutes != 0 {
		n.add("delay", number(int64(t.DelayMinutes)))
	}
	if t.Priority != flow.Medium && t.Priority != "" {
		n.add("priority", str(string(t.Priority)))
	}
	if t.WorkerGroup != "default" && t.WorkerGroup != "" {
		n.add("workerGroup", str(t.WorkerGroup))
	}
	if t.EnvironmentCode != -1 && t.EnvironmentCode != 0 {
		n.add("environment", w.reference(Environment, t.EnvironmentCode))
	}
	switch {
	case t.TaskGroupPriority != 0:
		group := object()
		if t.TaskGroupID != 0 {
			group.add("group", w.reference(TaskGroup, t.TaskGroupID))
		}
		group.add("priority", number(int64(t.TaskGroupPriority)))
		n.add("taskGroup", group)
	case t.TaskGroupID != 0:
		n.add("taskGroup", w.reference(TaskGroup, t.TaskGroupID))
	}
	if t.Flag == flow.FlagNo {
		n.add("enabled", boolean(false))
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"cache", t.IsCache == flow.FlagYes}, {"finally", t.Finally}, {"stream", t.ExecuteType == flow.Stream}} {
		if flag.set {
			n.add(flag.name, boolean(true))
		}
	}
	for _, limit := range []struct {
		name  string
		value int
	}{{"cpu", t.CPUQuota}, {"memory", t.MemoryMax}} {
		if limit.value != -1 {
			n.add(limit.name, number(int64(limit.value)))
		}
	}
}

func (w *writer) reference(kind Kind, code int64) *node {
	if name, ok := w.names.name(kind, code); ok {
		return str(name)
	}
	return number(code)
}

func timeout(t *flow.Task) *node {
	open := t.TimeoutFlag == flow.TimeoutOpen
	switch {
	case open && t.TimeoutStrategy == flow.TimeoutWarn:
		return number(int64(t.TimeoutMinutes))
	case !open && t.TimeoutMinutes == 0 && t.TimeoutStrategy == "":
		return nil
	}
	n := object(entry{"minutes", number(int64(t.TimeoutMinutes))})
	if t.TimeoutStrategy != "" {
		n.add("strategy", str(string(t.TimeoutStrategy)))
	}
	if !open {
		n.add("enabled", boolean(false))
	}
	return n
}

// params is a mapping by name, or a list when names do not tell the parameters apart.
func params(properties []flow.Property) *node {
	seen := make(map[string]bool, len(properties))
	unique := true
	for _, p := range properties {
		unique = unique && p.Prop != "" && !seen[p.Prop]
		seen[p.Prop] = true
	}
	if !unique {
		out := &node{kind: list}
		for _, p := range properties {
			out.items = append(out.items, property(p, object(entry{"name", str(p.Prop)})))
		}
		return out
	}
	out := &node{kind: mapping, ordered: true}
	for _, p := range properties {
		if short(p) {
			out.add(p.Prop, str(p.Value))
			continue
		}
		out.add(p.Prop, property(p, object()))
	}
	return out
}

// short reports whether a parameter is a text that goes in, which needs no more than its value.
func short(p flow.Property) bool {
	return (p.Direct == flow.In || p.Direct == "") && (p.Type == flow.Varchar || p.Type == "")
}

func property(p flow.Property, n *node) *node {
	if p.Direct != flow.In && p.Direct != "" {
		n.add("direct", str(string(p.Direct)))
	}
	if p.Type != flow.Varchar && p.Type != "" {
		n.add("type", str(string(p.Type)))
	}
	if p.Value != "" || len(n.entries) == 0 {
		n.add("value", str(p.Value))
	}
	return n
}

func (w *writer) layout() *node {
	places := make(map[int64]flow.Location, len(w.def.Locations))
	for _, l := range w.def.Locations {
		places[l.TaskCode] = l
	}
	out := object()
	for i := range w.def.Tasks {
		t := &w.def.Tasks[i]
		at, ok := places[t.Code]
		if !ok {
			continue
		}
		out.add(w.sibling(t.Code).text, &node{kind: list, inline: true, items: []*node{decimal(at.X), decimal(at.Y)}})
	}
	return out
}

func decimal(f float64) *node {
	return &node{kind: literal, text: strconv.FormatFloat(f, 'f', -1, 64)}
}

// part is one member of a JSON object.
type part struct {
	key   string
	value *node
	raw   json.RawMessage
}

// ordered reads a JSON object with the order of its members; what is no object has none.
func ordered(raw json.RawMessage, refs map[string]Kind, n *names) []part {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	var out []part
	at := map[string]int{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return out
		}
		name, _ := key.(string) // object keys are strings
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return out
		}
		m := part{name, fromJSON(value, name, refs, n), value}
		if i, twice := at[name]; twice {
			out[i] = m // the last one counts
			continue
		}
		at[name] = len(out)
		out = append(out, m)
	}
	return out
}

// fromJSON turns a value into text; key is the nearest name above it.
func fromJSON(raw json.RawMessage, key string, refs map[string]Kind, n *names) *node {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return &node{kind: literal, text: "null"}
	case raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return str("")
		}
		return str(s)
	case raw[0] == '{':
		out := object()
		for _, m := range ordered(raw, refs, n) {
			out.add(m.key, m.value)
		}
		return out
	case raw[0] == '[':
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return &node{kind: list}
		}
		out := &node{kind: list, inline: len(items) <= 12}
		for _, item := range items {
			v := fromJSON(item, key, refs, n)
			out.items = append(out.items, v)
			out.inline = out.inline && v.kind != mapping && v.kind != list && len(v.text) <= 60
		}
		return out
	default:
		if kind, ok := refs[key]; ok {
			if code, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
				if name, ok := n.name(kind, code); ok {
					return str(name)
				}
			}
		}
		return &node{kind: literal, text: string(raw)}
	}
}

// properties reads a parameter list that the short form can say without losing anything.
func properties(raw json.RawMessage) ([]flow.Property, bool) {
	var rows []map[string]any
	if json.Unmarshal(raw, &rows) != nil {
		return nil, false
	}
	out := make([]flow.Property, len(rows))
	for i, row := range rows {
		if len(row) != 4 {
			return nil, false
		}
		for _, part := range []struct {
			key  string
			into *string
		}{{"prop", &out[i].Prop}, {"direct", (*string)(&out[i].Direct)}, {"type", (*string)(&out[i].Type)}, {"value", &out[i].Value}} {
			s, ok := row[part.key].(string)
			if !ok {
				return nil, false
			}
			*part.into = s
		}
		if out[i].Direct != flow.In && out[i].Direct != flow.Out || !slices.Contains(flow.ParamTypes(), out[i].Type) {
			return nil, false
		}
	}
	return out, true
}

// files reads a list of resources that can be said by their names alone.
func files(raw json.RawMessage) (*node, bool) {
	var rows []map[string]any
	if json.Unmarshal(raw, &rows) != nil {
		return nil, false
	}
	out := &node{kind: list}
	for _, row := range rows {
		name, ok := row["resourceName"].(string)
		if !ok || len(row) != 1 {
			return nil, false
		}
		out.items = append(out.items, str(name))
	}
	return out, true
}
