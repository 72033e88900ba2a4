package task

import "dorado/plugins/form"

// Resources is the field for files that are brought into the working directory; every task type has it.
func Resources() form.Field {
	return form.Field{
		Name: ResourceList, Type: form.Resources, Label: "task.resources", Help: "task.resources.help",
	}
}

// Parameters is the field for the parameters a user declares; every task type has it. Their values are resolved before
// the attempt is dispatched.
func Parameters() form.Field {
	return form.Field{
		Name: LocalParams, Type: form.Params, Label: "task.params", Help: "task.params.help", Literal: true,
	}
}

// SourceFields are the two fields for a data source: its type, one of types, and its id.
func SourceFields(types ...string) []form.Field {
	options := make([]form.Option, len(types))
	for i, t := range types {
		options[i] = form.Option{Value: t}
	}
	return []form.Field{
		{Name: "type", Type: form.Select, Required: true, Default: types[0], Options: options, Label: "task.source.type"},
		{Name: "datasource", Type: form.Source, Required: true, Of: "type", Label: "task.source", Help: "task.source.help"},
	}
}
