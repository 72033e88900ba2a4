package form

import (
	"slices"
	"strconv"
)

// Values are decoded settings, defaults filled in. Asking for a name or a type that the schema does not have is a
// mistake of the plugin and gives the zero value.
type Values map[string]any

// Param is a parameter that a user declares on a task; the fields are those of DolphinScheduler's Property.
type Param struct {
	Prop   string `json:"prop"`
	Direct string `json:"direct"` // IN or OUT; "" counts as IN
	Type   string `json:"type"`   // VARCHAR, INTEGER, …; "" counts as VARCHAR
	Value  string `json:"value"`
}

// KeyValue is one row of a KeyValues field.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Text returns the value of a textual field or of a Select.
func (v Values) Text(name string) string { s, _ := v[name].(string); return s }

// Number returns the value of a Number field.
func (v Values) Number(name string) float64 { n, _ := v[name].(float64); return n }

// Bool returns the value of a Switch.
func (v Values) Bool(name string) bool { b, _ := v[name].(bool); return b }

// List returns the values of a MultiSelect or the names of a Resources field.
func (v Values) List(name string) []string { l, _ := v[name].([]string); return l }

// KeyValues returns the rows of a KeyValues field.
func (v Values) KeyValues(name string) []KeyValue { l, _ := v[name].([]KeyValue); return l }

// Params returns the rows of a Params field.
func (v Values) Params(name string) []Param { l, _ := v[name].([]Param); return l }

// is reports whether the field called name has one of the values in.
func (v Values) is(name string, in []string) bool {
	switch x := v[name].(type) {
	case string:
		return slices.Contains(in, x)
	case bool:
		return slices.Contains(in, strconv.FormatBool(x))
	case float64:
		return slices.Contains(in, strconv.FormatFloat(x, 'f', -1, 64))
	case []string:
		return slices.ContainsFunc(x, func(s string) bool { return slices.Contains(in, s) })
	default:
		return false
	}
}

// Expand replaces every text in which placeholders are allowed by what replace makes of it, key-value rows included.
// Literal fields, choices and declared parameters stay. It stops at the first error.
func (v Values) Expand(s Schema, replace func(text string) (string, error)) error {
	for _, f := range s {
		if f.Literal {
			continue
		}
		switch x := v[f.Name].(type) {
		case string:
			if !f.Type.textual() {
				continue
			}
			text, err := replace(x)
			if err != nil {
				return err
			}
			v[f.Name] = text
		case []KeyValue:
			rows := slices.Clone(x)
			for i := range rows {
				var err error
				if rows[i].Key, err = replace(rows[i].Key); err != nil {
					return err
				}
				if rows[i].Value, err = replace(rows[i].Value); err != nil {
					return err
				}
			}
			v[f.Name] = rows
		}
	}
	return nil
}
