package form

import (
	"maps"
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

// ID returns the value of a Source or AlertGroup field; 0 for none.
func (v Values) ID(name string) int64 { c, _ := v[name].(code); return int64(c) }

// Resource returns the name in a Resource field; "" for none.
func (v Values) Resource(name string) string { r, _ := v[name].(resource); return string(r) }

// Texts returns the values of a Texts field.
func (v Values) Texts(name string) []string { l, _ := v[name].(texts); return l }

// Rows returns the rows of a Table, each by the names of its columns.
func (v Values) Rows(name string) []Row { l, _ := v[name].(rows); return l }

// Resources lists every file that settings name, in the order of the form and without repetition.
func (v Values) Resources(s Schema) []string {
	var all []string
	for _, f := range s {
		switch x := v[f.Name].(type) {
		case resource:
			if x != "" && !slices.Contains(all, string(x)) {
				all = append(all, string(x))
			}
		case []string:
			if f.Type != Resources {
				continue
			}
			for _, name := range x {
				if name != "" && !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
		}
	}
	return all
}

// Shown reports whether a field is shown with these values: hidden ones are neither required, checked nor used.
func (s Schema) Shown(f Field, v Values) bool {
	for c := f.VisibleWhen; c != nil; c = c.And {
		if !v.is(c.Field, c.In) {
			return false
		}
	}
	return true
}

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
		case resource:
			text, err := replace(string(x))
			if err != nil {
				return err
			}
			v[f.Name] = resource(text)
		case texts:
			all := slices.Clone(x)
			for i := range all {
				var err error
				if all[i], err = replace(all[i]); err != nil {
					return err
				}
			}
			v[f.Name] = all
		case rows:
			all := make(rows, len(x))
			for i, row := range x {
				all[i] = maps.Clone(row)
				for _, c := range f.Columns {
					if c.Options != nil {
						continue
					}
					var err error
					if all[i][c.Name], err = replace(row[c.Name]); err != nil {
						return err
					}
				}
			}
			v[f.Name] = all
		}
	}
	return nil
}
