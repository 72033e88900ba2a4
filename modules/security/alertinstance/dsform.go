package alertinstance

import (
	"strings"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// warningField is the field that DolphinScheduler puts before those of every plugin.
const warningField = "WarningType"

// dsField is a field of a form as clients know it.
type dsField struct {
	Field    string       `json:"field"`
	Name     string       `json:"name"`
	Props    dsProps      `json:"props"`
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Info     *string      `json:"info"`
	Value    any          `json:"value"`
	Validate []dsValidate `json:"validate"`
	Options  []dsOption   `json:"options,omitempty"`
	Emit     []string     `json:"emit"`
	Hidden   *bool        `json:"hidden"`
	Display  *bool        `json:"display"`
}

type dsProps struct {
	Type        *string `json:"type"`
	Placeholder *string `json:"placeholder"`
	Rows        int     `json:"rows"`
	Disabled    *bool   `json:"disabled"`
	Size        string  `json:"size"`
}

type dsValidate struct {
	Required bool     `json:"required"`
	Message  *string  `json:"message"`
	Type     string   `json:"type"`
	Trigger  string   `json:"trigger"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
}

type dsOption struct {
	Label    string `json:"label"`
	Value    any    `json:"value"`
	Disabled bool   `json:"disabled"`
}

// formText is the form of a plugin as clients draw it, with values.
func formText(p alert.Plugin, values form.Flat, warning string) (string, error) {
	fields := []dsField{{
		Field: warningField, Name: "$t('warningType')", Title: "$t('warningType')", Type: "radio", Value: strings.ToLower(warning), Props: dsProps{Size: "small"},
		Validate: []dsValidate{{Required: true, Type: "string", Trigger: "blur"}},
		Options:  []dsOption{{Label: "success", Value: "success"}, {Label: "failure", Value: "failure"}, {Label: "all", Value: "all"}},
	}}
	for _, f := range p.Schema {
		fields = append(fields, dsFieldOf(f, values))
	}
	text, err := alert.EncodeJSON(fields)
	return string(text), err
}

func dsFieldOf(f form.Field, values form.Flat) dsField {
	name := "$t('" + strings.ToLower(f.Name[:1]) + f.Name[1:] + "')"
	d := dsField{
		Field: f.Name, Name: name, Title: name, Type: "input", Value: f.Default, Props: dsProps{Size: "small"},
		Validate: []dsValidate{{Required: f.Required && f.VisibleWhen == nil, Type: "string", Trigger: "blur"}},
	}
	if v, ok := values[f.Name]; ok {
		d.Value = v
	}
	switch f.Type {
	case form.Secret:
		d.Props.Type = new("password")
	case form.TextArea, form.Code:
		d.Props.Type, d.Props.Rows = new("textarea"), 4
	case form.Number:
		d.Type, d.Validate[0].Type, d.Validate[0].Min, d.Validate[0].Max = "inputNumber", "number", f.Min, f.Max
	case form.Switch:
		d.Type, d.Options = "radio", []dsOption{{Label: "YES", Value: "true"}, {Label: "NO", Value: "false"}}
		if v, ok := f.Default.(bool); ok && values[f.Name] == "" {
			d.Value = map[bool]string{true: "true", false: "false"}[v]
		}
	case form.Select:
		d.Type = "radio"
		if len(f.Options) > 3 {
			d.Type = "select"
		}
		for _, o := range f.Options {
			d.Options = append(d.Options, dsOption{Label: o.Value, Value: o.Value})
		}
	case form.Text, form.MultiSelect, form.KeyValues, form.Params, form.Resources, form.Workflow, form.Outcomes, form.Conditions, form.Cases,
		form.Dependence, form.Lists, form.Resource, form.Source, form.AlertGroup, form.Texts, form.Table:
	}
	return d
}
