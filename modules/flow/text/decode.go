package text

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"dorado/modules/flow"
)

// pair is one entry of a mapping.
type pair struct {
	name       string
	key, value *yaml.Node
}

// follow counts a piece and leads from an alias to what it stands for; nil when there are too many.
func (r *reader) follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if r.nodes++; r.nodes == maxNodes {
		r.fail(n, "too_many_nodes")
	}
	if r.nodes >= maxNodes {
		return nil
	}
	return n
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// entries lists a mapping as it is written, with what "<<" brings in behind its own entries.
func (r *reader) entries(n *yaml.Node) []pair {
	out := make([]pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.fail(key, "bad_key")
			continue
		}
		if key.ShortTag() != "!!merge" {
			out = append(out, pair{key.Value, key, value})
		}
	}
	return append(out, r.merged(n, out, 0)...)
}

// merged lists what "<<" adds to a mapping.
func (r *reader) merged(n *yaml.Node, own []pair, depth int) []pair {
	var out []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind != yaml.ScalarNode || n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		from := r.follow(n.Content[i+1])
		if from == nil || depth > 10 {
			return out
		}
		sources := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			sources = from.Content
		}
		for _, source := range sources {
			if source = r.follow(source); source == nil {
				return out
			}
			if source.Kind != yaml.MappingNode {
				r.fail(n.Content[i], "bad_merge")
				continue
			}
			for j := 0; j+1 < len(source.Content); j += 2 {
				key := source.Content[j]
				named := func(p pair) bool { return p.name == key.Value }
				if key.Kind == yaml.ScalarNode && key.ShortTag() != "!!merge" && !slices.ContainsFunc(own, named) && !slices.ContainsFunc(out, named) {
					out = append(out, pair{key.Value, key, source.Content[j+1]})
				}
			}
			out = append(out, r.merged(source, append(slices.Clip(own), out...), depth+1)...)
		}
	}
	return out
}

// pairs reads a mapping of known fields, or of any when known is nil. What holds nothing is no field.
func (r *reader) pairs(n *yaml.Node, known map[string]bool, what string) []pair {
	if n = r.follow(n); n == nil || null(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, "want_map", "field", what)
		return nil
	}
	all := r.entries(n)
	seen := make(map[string]*yaml.Node, len(all))
	out := all[:0]
	for _, p := range all {
		if first, twice := seen[p.name]; twice {
			r.fail(p.key, "field_twice", "name", p.name, "line", first.Line)
			continue
		}
		seen[p.name] = p.key
		switch {
		case known != nil && !known[p.name]:
			if strings.HasPrefix(p.name, "x-") {
				continue // a place for anchors and notes of one's own
			}
			r.unknown(p.key, "unknown_field", p.name, maps.Keys(known))
		case known != nil && p.value.Kind == yaml.ScalarNode && null(p.value):
		default:
			out = append(out, p)
		}
	}
	return out
}

// unknown tells of a name that means nothing, and which one may have been meant.
func (r *reader) unknown(n *yaml.Node, key, name string, known func(func(string) bool)) {
	if near := nearest(name, known); near != "" {
		r.fail(n, key+"_near", "name", name, "near", near)
		return
	}
	r.fail(n, key, "name", name)
}

func (r *reader) markField(task string, fields []field, p pair) {
	if r.doc.places == nil {
		return
	}
	for _, f := range fields {
		if f.name != p.name {
			continue
		}
		for of := range strings.SplitSeq(f.of, ",") {
			r.mark(task, of, p.key)
		}
	}
}

// scalar returns what a value says, as it is written.
func (r *reader) scalar(p pair) (string, bool) {
	n := r.follow(p.value)
	if n == nil {
		return "", false
	}
	if n.Kind != yaml.ScalarNode {
		r.fail(n, "want_text", "field", p.name)
		return "", false
	}
	if null(n) {
		return "", true
	}
	return n.Value, true
}

func (r *reader) text(p pair) string {
	s, _ := r.scalar(p)
	return s
}

func (r *reader) integer(p pair, limit int64) int64 {
	s, ok := r.scalar(p)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.fail(p.value, "want_number", "field", p.name)
		return 0
	}
	if n < -1 || n >= limit {
		r.fail(p.value, "out_of_range", "field", p.name)
		return 0
	}
	return n
}

func (r *reader) minutes(p pair) int { return int(r.integer(p, math.MaxInt32)) }

func (r *reader) boolean(p pair) bool {
	s, ok := r.scalar(p)
	if !ok {
		return false
	}
	switch s {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
	default:
		r.fail(p.value, "want_boolean", "field", p.name)
	}
	return false
}

func oneOf[T ~string](r *reader, p pair, fallback T, all ...T) T {
	s, ok := r.scalar(p)
	if !ok || s == "" {
		return fallback
	}
	if slices.Contains(all, T(s)) {
		return T(s)
	}
	values := make([]string, len(all))
	for i, v := range all {
		values[i] = string(v)
	}
	r.fail(p.value, "no_such_value", "field", p.name, "value", s, "values", strings.Join(values, ", "))
	return fallback
}

func decimalOf(n *yaml.Node) (float64, bool) {
	f, err := strconv.ParseFloat(n.Value, 64)
	return f, err == nil && n.Kind == yaml.ScalarNode && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// params reads parameters by name, or a list of them.
func (r *reader) params(p pair) []flow.Property {
	n := r.follow(p.value)
	if n == nil {
		return nil
	}
	known := map[string]bool{"name": true, "direct": true, "type": true, "value": true}
	if n.Kind == yaml.SequenceNode {
		out := make([]flow.Property, 0, len(n.Content))
		for _, item := range n.Content {
			out = append(out, r.property("", r.pairs(item, known, p.name)))
		}
		return out
	}
	delete(known, "name")
	var out []flow.Property
	for _, one := range r.pairs(n, nil, p.name) {
		value := r.follow(one.value)
		if value == nil {
			return out
		}
		if value.Kind == yaml.MappingNode {
			out = append(out, r.property(one.name, r.pairs(value, known, one.name)))
			continue
		}
		out = append(out, flow.Property{Prop: one.name, Direct: flow.In, Type: flow.Varchar, Value: r.text(one)})
	}
	return out
}

func (r *reader) property(name string, pairs []pair) flow.Property {
	out := flow.Property{Prop: name, Direct: flow.In, Type: flow.Varchar}
	for _, p := range pairs {
		switch p.name {
		case "name":
			out.Prop = r.text(p)
		case "direct":
			out.Direct = oneOf(r, p, flow.In, flow.In, flow.Out)
		case "type":
			out.Type = oneOf(r, p, flow.Varchar, flow.ParamTypes()...)
		case "value":
			out.Value = r.text(p)
		}
	}
	return out
}

// reference reads a name or a code of something outside the workflow.
func (r *reader) reference(kind Kind, p pair) int64 {
	s, ok := r.scalar(p)
	if !ok || s == "" {
		return 0
	}
	if code, ok := r.names.code(kind, s); ok {
		return code
	}
	if code, err := strconv.ParseInt(s, 10, 64); err == nil {
		return code
	}
	r.fail(p.value, unknownOf(kind), "name", s)
	return 0
}

func unknownOf(kind Kind) string {
	switch kind {
	case Project:
		return "unknown_project"
	case Workflow:
		return "unknown_workflow"
	case Environment:
		return "unknown_environment"
	case TaskGroup:
		return "unknown_task_group"
	case Task, sibling:
		return "unknown_task"
	default:
		return "unknown_task"
	}
}

// json writes a value as JSON; key is the nearest name above it.
func (r *reader) json(out *bytes.Buffer, n *yaml.Node, key string, refs map[string]Kind, depth int) {
	if depth > maxDepth {
		r.fail(n, "too_deep")
		return
	}
	if n = r.follow(n); n == nil {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		out.WriteByte('{')
		for i, p := range r.pairs(n, nil, key) {
			if i > 0 {
				out.WriteByte(',')
			}
			quote(out, p.name)
			out.WriteByte(':')
			r.json(out, p.value, p.name, refs, depth+1)
		}
		out.WriteByte('}')
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			r.json(out, item, key, refs, depth+1)
		}
		out.WriteByte(']')
	case yaml.ScalarNode:
		r.jsonScalar(out, n, key, refs)
	case yaml.DocumentNode, yaml.AliasNode:
	}
}

func (r *reader) jsonScalar(out *bytes.Buffer, n *yaml.Node, key string, refs map[string]Kind) {
	bare := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	kind, isRef := refs[key]
	if bare && jsonNumber(n.Value) {
		value := n.Value
		if isRef && kind == sibling {
			value = r.current(n)
		}
		out.WriteString(value)
		return
	}
	tag := n.ShortTag()
	switch {
	case tag == "!!bool" && bare:
		out.WriteString(strings.ToLower(n.Value))
	case tag == "!!null" && bare:
		out.WriteString("null")
	case (tag == "!!int" || tag == "!!float") && bare:
		var v any
		if n.Decode(&v) != nil {
			r.fail(n, "want_number", "field", key)
			return
		}
		text, err := json.Marshal(v)
		if err != nil { // no number is infinite in JSON
			r.fail(n, "want_number", "field", key)
			return
		}
		out.Write(text)
	case isRef && n.Value != "" && !digits(n.Value):
		if code, ok := r.names.code(kind, n.Value); ok {
			out.WriteString(strconv.FormatInt(code, 10))
			return
		}
		if kind == sibling {
			r.unknown(n, "unknown_task", n.Value, maps.Keys(r.names.byName))
			return
		}
		r.fail(n, unknownOf(kind), "name", n.Value)
	default:
		quote(out, n.Value)
	}
}

// current brings a code of a task that the text wrote in line with the code that the task has now.
func (r *reader) current(n *yaml.Node) string {
	code, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return n.Value
	}
	if is, ok := r.codes[code]; ok {
		return strconv.FormatInt(is, 10)
	}
	return n.Value
}

func quote(out *bytes.Buffer, s string) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string is always encoded
	out.Truncate(out.Len() - 1)
}

// withoutEmpty drops the empty lists from now that before does not have either, and takes before's spelling when both
// say the same.
func withoutEmpty(before, now json.RawMessage) json.RawMessage {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(before, &a) != nil && len(before) > 0 || json.Unmarshal(now, &b) != nil {
		return now
	}
	changed := false
	for _, key := range []string{"localParams", "resourceList"} {
		if _, had := a[key]; !had && string(b[key]) == "[]" {
			delete(b, key)
			changed = true
		}
	}
	if flow.EqualTask(&flow.Task{Params: before}, &flow.Task{Params: encoded(b)}) {
		return before
	}
	if changed {
		return encoded(b)
	}
	return now
}

func encoded(members map[string]json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(members) != nil {
		return nil // it was JSON a moment ago
	}
	return bytes.TrimSpace(out.Bytes())
}
