package alertinstance

import (
	"strings"

	"dorado/app/kit/web/dsapi"
	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// warningField is the field that DolphinScheduler puts before those of every plugin.
const warningField = "WarningType"

// formText is the form of a plugin as clients draw it, with values.
func formText(p alert.Plugin, values form.Flat, warning string) (string, error) {
	fields := []dsapi.FormField{{
		Field: warningField, Name: "$t('warningType')", Title: "$t('warningType')", Type: "radio", Value: strings.ToLower(warning), Props: dsapi.FormProps{Size: "small"},
		Validate: []dsapi.FormRule{{Required: true, Type: "string", Trigger: "blur"}},
		Options:  []dsapi.FormOption{{Label: "success", Value: "success"}, {Label: "failure", Value: "failure"}, {Label: "all", Value: "all"}},
	}}
	for _, f := range p.Schema {
		fields = append(fields, fieldOf(f, values))
	}
	text, err := alert.EncodeJSON(fields)
	return string(text), err
}

func fieldOf(f form.Field, values form.Flat) dsapi.FormField {
	name := "$t('" + strings.ToLower(f.Name[:1]) + f.Name[1:] + "')"
	d := dsapi.FormField{
		Field: f.Name, Name: name, Title: name, Type: "input", Value: f.Default, Props: dsapi.FormProps{Size: "small"},
		Validate: []dsapi.FormRule{{Required: f.Required && f.VisibleWhen == nil, Type: "string", Trigger: "blur"}},
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
		d.Type, d.Options = "radio", []dsapi.FormOption{{Label: "YES", Value: "true"}, {Label: "NO", Value: "false"}}
		if v, ok := f.Default.(bool); ok && values[f.Name] == "" {
			d.Value = map[bool]string{true: "true", false: "false"}[v]
		}
	case form.Select:
		d.Type = "radio"
		if len(f.Options) > 3 {
			d.Type = "select"
		}
		for _, o := range f.Options {
			d.Options = append(d.Options, dsapi.FormOption{Label: o.Value, Value: o.Value})
		}
	case form.Text, form.MultiSelect, form.KeyValues, form.Params, form.Resources, form.Workflow, form.Outcomes, form.Conditions, form.Cases,
		form.Dependence, form.Lists, form.Resource, form.Source, form.AlertGroup, form.Texts, form.Table:
	}
	return d
}
