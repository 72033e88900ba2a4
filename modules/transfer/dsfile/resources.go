package dsfile

import (
	"bytes"
	"encoding/json"
	"strconv"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// Versions before 3.2 name files of the resource center by number, {"id": 3}, and some write the name beside it; 1.2 and
// before write {"res": "a.sh"}. Everything here goes by names.

// UnnamedResource is what stands for a file whose name the export does not tell: a name that nothing has, to be mapped.
func UnnamedResource(id int64) string { return neutral.UnnamedPrefix + strconv.FormatInt(id, 10) }

// nameResources gives the files that tasks use their names.
func nameResources(b *neutral.Bundle, w *neutral.Workflow) error {
	for i := range w.Definition.Tasks {
		t := &w.Definition.Tasks[i]
		if !bytes.Contains(t.Params, []byte(`"id"`)) && !bytes.Contains(t.Params, []byte(`"res"`)) {
			continue
		}
		params, err := decode(t.Params)
		if err != nil {
			continue // what is no object is found when the workflow is checked
		}
		n := naming{bundle: b, w: w, task: t}
		changed := false
		for _, member := range []string{"resourceList", "mainJar"} {
			raw, there := params.first(member)
			if !there {
				continue
			}
			made, touched, err := n.rewrite(raw)
			if err != nil {
				return err
			}
			if touched {
				params[member], changed = made, true
			}
		}
		if !changed {
			continue // not a byte of others
		}
		if t.Params, err = write(params); err != nil {
			return err
		}
	}
	return nil
}

// naming works on one task.
type naming struct {
	bundle *neutral.Bundle
	w      *neutral.Workflow
	task   *flow.Task
}

// rewrite gives one file, or those of a list, their names.
func (n naming) rewrite(raw json.RawMessage) (json.RawMessage, bool, error) {
	if bytes.HasPrefix(raw, []byte("{")) {
		return n.one(raw)
	}
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return raw, false, nil //nolint:nilerr // what is no list is left to the check of the settings
	}
	changed := false
	for i, item := range all {
		made, touched, err := n.one(item)
		if err != nil {
			return nil, false, err
		}
		all[i], changed = made, changed || touched
	}
	if !changed {
		return raw, false, nil
	}
	out, err := write(all)
	return out, true, err
}

func (n naming) one(raw json.RawMessage) (json.RawMessage, bool, error) {
	o, err := decode(raw)
	if err != nil || o.text("resourceName") != "" {
		return raw, false, nil //nolint:nilerr // what is no object is left to the check of the settings
	}
	name, id := o.text("res", "fullName", "name"), o.number("id")
	if name == "" && id <= 0 {
		return raw, false, nil
	}
	if name == "" {
		name = UnnamedResource(id)
		n.bundle.Note(neutral.Note{
			Level: neutral.Changed, File: n.w.File, Workflow: n.w.Name(), Node: n.task.Name, Key: "transfer.note.resource_by_number",
			Args: []any{"id", strconv.FormatInt(id, 10), "name", name},
		})
	}
	out, err := write(map[string]string{"resourceName": name})
	return out, true, err
}
