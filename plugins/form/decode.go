package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxName is the longest name of a declared parameter, in characters.
const maxName = 256

// Problem is one thing wrong with settings. Key is a message key; Args are alternating names and values for its
// placeholders.
type Problem struct {
	Field string
	Key   string
	Args  []any
}

// errType says that a member has the wrong JSON type.
var errType = errors.New("form: wrong type")

// Validate returns what is wrong with raw, nothing when it may be saved and run.
func Validate(s Schema, raw json.RawMessage) []Problem {
	_, problems := Decode(s, raw)
	return problems
}

// Decode reads raw, fills in defaults and returns the values with everything that is wrong. Values are complete only
// when there is no problem. Empty raw counts as {}.
func Decode(s Schema, raw json.RawMessage) (Values, []Problem) {
	members := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := json.Unmarshal(raw, &members); err != nil {
			return Values{}, []Problem{{Key: "form.not_an_object"}}
		}
	}
	values := make(Values, len(s))
	var problems []Problem
	failed := map[string]bool{}
	all := lookup{members, map[string]map[string]json.RawMessage{}}
	for _, f := range s {
		member, given, ok := all.find(f.Name, f.Packed)
		if ok && !given && f.Alias != "" {
			member, given, ok = all.find(f.Alias, f.Packed)
		}
		object, _, _ := Inner(f.Name)
		switch {
		case !ok && f.Packed && failed[object]: // said already
			failed[f.Name] = true
			continue
		case !ok && f.Packed:
			problems = append(problems, Problem{Field: f.Name, Key: "form.not_packed", Args: []any{"name", object}})
			failed[f.Name], failed[object] = true, true
			continue
		case !ok:
			problems = append(problems, Problem{Field: f.Name, Key: "form.wrong_type", Args: []any{"type", string(f.Type)}})
			failed[f.Name] = true
			continue
		case f.SameAs != "":
			continue
		}
		if !given || string(member) == "null" {
			if f.Default != nil {
				values[f.Name] = f.Default
			}
			continue
		}
		v, err := read(f.Type, member)
		if err != nil {
			problems = append(problems, Problem{Field: f.Name, Key: "form.wrong_type", Args: []any{"type", string(f.Type)}})
			failed[f.Name] = true
			continue
		}
		if v != nil {
			values[f.Name] = v
		}
	}
	for _, f := range s {
		if failed[f.Name] || !s.Shown(f, values) {
			continue
		}
		problems = append(problems, check(f, values[f.Name])...)
	}
	return values, problems
}

// read decodes one member. It returns nil for a number field left empty.
func read(t Type, raw json.RawMessage) (any, error) {
	switch t {
	case Text, TextArea, Code, Secret, Select:
		return readText(raw)
	case Number:
		s, err := readText(raw)
		if s == "" || err != nil {
			return nil, err
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return nil, errType
		}
		return n, nil
	case Switch:
		s, err := readText(raw)
		if s == "" || err != nil {
			return nil, err
		}
		return strconv.ParseBool(s)
	case MultiSelect:
		var l []string
		err := json.Unmarshal(raw, &l)
		return l, err
	case KeyValues:
		var l []KeyValue
		err := json.Unmarshal(raw, &l)
		return l, err
	case Params:
		return readParams(raw)
	case Resources:
		var refs []resource
		if err := json.Unmarshal(raw, &refs); err != nil {
			return nil, err
		}
		names := make([]string, 0, len(refs))
		for _, r := range refs {
			names = append(names, string(r))
		}
		return names, nil
	case Workflow, Outcomes, Conditions, Cases, Dependence, Lists:
		return readLogic(t, raw)
	case Resource, Source, AlertGroup, Texts, Table:
		return readRich(t, raw)
	}
	return nil, errType
}

// readText reads a string; numbers and booleans count as the text they are written as, which is how older clients save
// them.
func readText(raw json.RawMessage) (string, error) {
	switch {
	case len(raw) > 0 && raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[':
		return "", errType
	default:
		return string(raw), nil
	}
}

// readParams accepts values of any scalar type, because clients write {"value": 5} as well as {"value": "5"}.
func readParams(raw json.RawMessage) ([]Param, error) {
	var rows []struct {
		Prop   string          `json:"prop"`
		Direct string          `json:"direct"`
		Type   string          `json:"type"`
		Value  json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, err
	}
	params := make([]Param, 0, len(rows))
	for _, r := range rows {
		p := Param{Prop: r.Prop, Direct: r.Direct, Type: r.Type}
		if len(r.Value) > 0 && string(r.Value) != "null" {
			if v, err := readText(r.Value); err == nil {
				p.Value = v
			} else {
				p.Value = string(r.Value) // a LIST may be written as a JSON array
			}
		}
		if p.Direct == "" {
			p.Direct = "IN"
		}
		if p.Type == "" {
			p.Type = "VARCHAR"
		}
		params = append(params, p)
	}
	return params, nil
}

// check applies the rules of a visible field to its decoded value.
func check(f Field, v any) []Problem {
	problem := func(key string, args ...any) []Problem { return []Problem{{Field: f.Name, Key: key, Args: args}} }
	if f.Required && empty(v) {
		return problem("form.required")
	}
	switch x := v.(type) {
	case string:
		if !clean(x) {
			return problem("form.bad_character")
		}
		if f.Type == Select && x != "" && !f.offers(x) {
			return problem("form.unknown_option", "value", x)
		}
	case float64:
		if f.Min != nil && x < *f.Min {
			return problem("form.too_small", "min", number(*f.Min))
		}
		if f.Max != nil && x > *f.Max {
			return problem("form.too_large", "max", number(*f.Max))
		}
	case []string:
		for _, s := range x {
			switch {
			case !clean(s):
				return problem("form.bad_character")
			case f.Type == MultiSelect && !f.offers(s):
				return problem("form.unknown_option", "value", s)
			case f.Type == Resources && strings.TrimSpace(s) == "":
				return problem("form.resource_name_missing")
			}
		}
	case []KeyValue:
		for _, row := range x {
			if strings.TrimSpace(row.Key) == "" {
				return problem("form.key_missing")
			}
			if !clean(row.Key) || !clean(row.Value) {
				return problem("form.bad_character")
			}
		}
	case []Param:
		return checkParams(f.Name, x)
	case rows:
		return checkRows(f, x)
	case checker:
		return x.check(problem)
	}
	return nil
}

// checker is a value that knows its own rules.
type checker interface {
	check(problem func(key string, args ...any) []Problem) []Problem
}

func checkParams(field string, params []Param) []Problem {
	var problems []Problem
	add := func(key string, args ...any) {
		problems = append(problems, Problem{Field: field, Key: key, Args: args})
	}
	seen := map[[2]string]bool{}
	for _, p := range params {
		id := [2]string{p.Prop, p.Direct}
		switch {
		case strings.TrimSpace(p.Prop) == "":
			add("form.param.name_missing")
		case utf8.RuneCountInString(p.Prop) > maxName:
			add("form.param.name_too_long", "max", maxName)
		case !clean(p.Prop) || !clean(p.Value):
			add("form.bad_character")
		case seen[id]:
			add("form.param.name_taken", "name", p.Prop)
		case p.Direct != "IN" && p.Direct != "OUT":
			add("form.param.bad_direction", "name", p.Prop)
		case !slices.Contains(paramTypes(), p.Type):
			add("form.param.bad_type", "name", p.Prop)
		}
		seen[id] = true
	}
	return problems
}

// paramTypes are the declared types of parameters, in the words of DolphinScheduler.
func paramTypes() []string {
	return []string{
		"VARCHAR", "INTEGER", "LONG", "FLOAT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "BOOLEAN", "LIST", "FILE",
	}
}

func (f Field) offers(value string) bool {
	return slices.ContainsFunc(f.Options, func(o Option) bool { return o.Value == value })
}

func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(x) == ""
	case []string:
		return len(x) == 0
	case []KeyValue:
		return len(x) == 0
	case []Param:
		return len(x) == 0
	case rows:
		return len(x) == 0
	case interface{ empty() bool }:
		return x.empty()
	default:
		return false
	}
}

// clean reports whether databases and processes can carry s: they know no NUL.
func clean(s string) bool { return strings.IndexByte(s, 0) < 0 }

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
