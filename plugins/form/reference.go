package form

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Reference is another workflow that settings name.
type Reference struct {
	Field    string
	Project  int64 // 0: that of the task
	Workflow int64
	Task     int64 // of the workflow; 0 the workflow as a whole, -1 all its tasks
	Waits    bool  // for runs of the workflow; otherwise the task starts them
}

// References lists the workflows that decoded settings name, in the order of the form.
func (v Values) References(s Schema) []Reference {
	var all []Reference
	for _, f := range s {
		switch x := v[f.Name].(type) {
		case code:
			if x > 0 && f.Type == Workflow {
				all = append(all, Reference{Field: f.Name, Workflow: int64(x)})
			}
		case dependence:
			for _, g := range x.Groups {
				for _, item := range g.Items {
					all = append(all, Reference{
						Field: f.Name, Project: int64(item.Project), Workflow: int64(item.Workflow), Task: int64(item.Task), Waits: true,
					})
				}
			}
		}
	}
	return all
}

// Retarget replaces the codes of tasks of the same workflow in raw settings, for a copy whose tasks have new codes. All
// else stays as it is written; so does raw when it is no object.
func Retarget(s Schema, raw json.RawMessage, codes map[int64]int64) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return raw
	}
	changed := false
	for _, f := range s {
		switch f.Type {
		case Outcomes, Conditions, Cases:
			if member, ok := members[f.Name]; ok {
				members[f.Name], changed = retarget(member, codes), true
			}
		case Text, TextArea, Code, Number, Select, MultiSelect, Switch, Secret, KeyValues, Params, Resources, Workflow, Dependence, Lists,
			Resource, Source, AlertGroup, Texts, Table:
		}
	}
	if !changed {
		return raw
	}
	out, err := json.Marshal(members)
	if err != nil {
		return raw
	}
	return out
}

func retarget(raw json.RawMessage, codes map[int64]int64) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(walk(v, false, codes))
	if err != nil {
		return raw
	}
	return out
}

// walk replaces the codes within the members that hold some.
func walk(v any, code bool, codes map[int64]int64) any {
	switch x := v.(type) {
	case map[string]any:
		for key, value := range x {
			x[key] = walk(value, key == "depTaskCode" || key == "nextNode" || key == "successNode" || key == "failedNode", codes)
		}
	case []any:
		for i := range x {
			x[i] = walk(x[i], code, codes)
		}
	case json.Number:
		if n, err := x.Int64(); err == nil && code && codes[n] != 0 {
			return json.Number(strconv.FormatInt(codes[n], 10))
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64); err == nil && code && codes[n] != 0 {
			return strconv.FormatInt(codes[n], 10)
		}
	}
	return v
}
