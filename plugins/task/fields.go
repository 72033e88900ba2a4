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
