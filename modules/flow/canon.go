package flow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Marshal encodes def for storage. Equal bytes go in and come out: Marshal(Unmarshal(b)) is b for every b that Marshal
// made. It fails when a task's Params are no JSON object.
func Marshal(def *Definition) ([]byte, error) {
	stored := *def
	stored.GlobalParams = present(stored.GlobalParams)
	stored.Edges = present(stored.Edges)
	stored.Locations = present(stored.Locations)
	stored.Tasks = slices.Clone(present(stored.Tasks))
	for i := range stored.Tasks {
		t := &stored.Tasks[i]
		switch raw := bytes.TrimSpace(t.Params); {
		case len(raw) == 0:
			t.Params = json.RawMessage("{}")
		case raw[0] != '{':
			return nil, fmt.Errorf("flow: the parameters of task %q are no JSON object", t.Name)
		}
	}
	out, err := encode(&stored)
	if err == nil && bytes.Contains(out, []byte(`\ufffd`)) {
		// Broken UTF-8 is written as an escape, but what the escape stands for as itself: settle on the latter.
		var settled *Definition
		if settled, err = Unmarshal(out); err == nil {
			out, err = encode(settled)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("flow: encode workflow %q: %w", def.Name, err)
	}
	return out, nil
}

func encode(def *Definition) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(def)
	return bytes.TrimSuffix(bytes.ToValidUTF8(out.Bytes(), []byte("\uFFFD")), []byte("\n")), err
}

// Unmarshal decodes what Marshal made. Lists are never nil.
func Unmarshal(stored []byte) (*Definition, error) {
	def := &Definition{}
	if err := json.Unmarshal(stored, def); err != nil {
		return nil, fmt.Errorf("flow: decode a stored workflow: %w", err)
	}
	def.GlobalParams, def.Edges = present(def.GlobalParams), present(def.Edges)
	def.Locations, def.Tasks = present(def.Locations), present(def.Tasks)
	for i := range def.Tasks {
		if raw := def.Tasks[i].Params; len(raw) == 0 || raw[0] != '{' {
			return nil, errors.New("flow: decode a stored workflow: task parameters are no JSON object")
		}
	}
	return def, nil
}

func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Equal reports whether two definitions say the same, so that saving b over a needs no new version. Versions do not
// count, nor do the order of tasks, edges and locations, nor white space and the order of names within Params.
func Equal(a, b *Definition) bool {
	if a.Code != b.Code || a.ProjectCode != b.ProjectCode || a.Name != b.Name || a.Description != b.Description ||
		a.TimeoutMinutes != b.TimeoutMinutes || a.ExecutionType != b.ExecutionType ||
		!slices.Equal(a.GlobalParams, b.GlobalParams) || len(a.Tasks) != len(b.Tasks) {
		return false
	}
	if !sameSet(a.Edges, b.Edges, func(x, y Edge) int {
		return cmp.Or(cmp.Compare(x.Pre, y.Pre), cmp.Compare(x.Post, y.Post), cmp.Compare(x.Name, y.Name))
	}) || !sameSet(a.Locations, b.Locations, func(x, y Location) int {
		return cmp.Or(cmp.Compare(x.TaskCode, y.TaskCode), cmp.Compare(x.X, y.X), cmp.Compare(x.Y, y.Y))
	}) {
		return false
	}
	other := make(map[int64]*Task, len(b.Tasks))
	for i := range b.Tasks {
		other[b.Tasks[i].Code] = &b.Tasks[i]
	}
	for i := range a.Tasks {
		twin, ok := other[a.Tasks[i].Code]
		if !ok || !EqualTask(&a.Tasks[i], twin) {
			return false
		}
		delete(other, a.Tasks[i].Code)
	}
	return true
}

func sameSet[T comparable](a, b []T, compare func(x, y T) int) bool {
	if slices.Equal(a, b) {
		return true
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, compare)
	slices.SortFunc(b, compare)
	return slices.Equal(a, b)
}

// EqualTask is Equal for one task.
func EqualTask(a, b *Task) bool {
	x, y := *a, *b
	x.Version, y.Version = 0, 0
	x.Params, y.Params = nil, nil
	return reflect.DeepEqual(x, y) && equalJSON(a.Params, b.Params)
}

// equalJSON compares two objects by content; nothing counts as {}.
func equalJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// canonical sorts the names and keeps numbers as they are written.
func canonical(raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 {
		return []byte("{}"), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
