package form

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// resource is the name of one file; "" for none.
type resource string

// NumberedFile begins what stands for the name of a file that a definition of an older release knows by a number alone.
// The definition is kept, and whoever asks for the file is told this name.
const NumberedFile = "id:"

// UnmarshalJSON reads {"resourceName"}, older spellings of it, and a bare name.
func (r *resource) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		var name string
		if err := json.Unmarshal(raw, &name); err != nil {
			return err
		}
		*r = resource(strings.TrimSpace(name))
		return nil
	}
	var ref struct {
		ResourceName string          `json:"resourceName"`
		Res          string          `json:"res"`
		ID           json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(raw, &ref); err != nil {
		return err
	}
	if ref.ResourceName == "" {
		ref.ResourceName = ref.Res
	}
	if text, err := readText(ref.ID); ref.ResourceName == "" && err == nil { // an id of another form counts for nothing
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
			ref.ResourceName = NumberedFile + text
		}
	}
	*r = resource(strings.TrimSpace(ref.ResourceName))
	return nil
}

func (r resource) empty() bool { return r == "" }

func (r resource) check(problem func(string, ...any) []Problem) []Problem {
	if !clean(string(r)) {
		return problem("form.bad_character")
	}
	return nil
}

// texts is a list of strings of any number of lines.
type texts []string

func (l texts) empty() bool { return len(l) == 0 }

func (l texts) check(problem func(string, ...any) []Problem) []Problem {
	if slices.ContainsFunc(l, func(s string) bool { return !clean(s) }) {
		return problem("form.bad_character")
	}
	return nil
}

// Row is one row of a Table: the text of each member that it has.
type Row map[string]string

type rows []Row

// UnmarshalJSON reads members of any scalar type as text.
func (l *rows) UnmarshalJSON(raw []byte) error {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	out := make(rows, 0, len(list))
	for _, members := range list {
		row := make(Row, len(members))
		for name, value := range members {
			if string(value) == "null" {
				continue
			}
			text, err := readText(value)
			if err != nil {
				return err
			}
			row[name] = text
		}
		out = append(out, row)
	}
	*l = out
	return nil
}

// checkRows applies the rules of a Table's columns.
func checkRows(f Field, l rows) []Problem {
	for i, row := range l {
		for _, c := range f.Columns {
			value := row[c.Name]
			switch {
			case !clean(value):
				return []Problem{{Field: f.Name, Key: "form.bad_character"}}
			case c.Options != nil && value != "" && !slices.ContainsFunc(c.Options, func(o Option) bool { return o.Value == value }):
				return []Problem{{Field: f.Name, Key: "form.table.unknown_option", Args: []any{"row", i + 1, "value", value}}}
			}
		}
	}
	return nil
}

func readRich(t Type, raw json.RawMessage) (any, error) {
	switch t {
	case Resource:
		var r resource
		err := json.Unmarshal(raw, &r)
		return r, err
	case Source, AlertGroup:
		var c code
		err := json.Unmarshal(raw, &c)
		return c, err
	case Texts:
		var l texts
		if len(raw) > 0 && raw[0] == '"' { // one statement, as some clients write it
			var one string
			if err := json.Unmarshal(raw, &one); err != nil || one == "" {
				return texts(nil), err
			}
			return texts{one}, nil
		}
		err := json.Unmarshal(raw, &l)
		return l, err
	case Table:
		var l rows
		err := json.Unmarshal(raw, &l)
		return l, err
	case Text, TextArea, Code, Number, Select, MultiSelect, Switch, Secret, KeyValues, Params, Resources, Workflow, Outcomes, Conditions, Cases,
		Dependence, Lists:
	}
	return nil, errType
}
