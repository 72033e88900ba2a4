package logic

import (
	"math"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Plugins returns the logic task types, in the order of the palette.
func Plugins() []task.Plugin {
	return []task.Plugin{Conditions(), Switch(), SubWorkflow(), Dependent(), ForEach(), Dynamic(), Approval()}
}

// child is the field for the workflow that a task starts. DolphinScheduler called it differently over time.
func child() form.Field {
	return form.Field{
		Name: "workflowDefinitionCode", Alias: "processDefinitionCode", Type: form.Workflow, Required: true,
		Label: "task.child", Help: "task.child.help",
	}
}

// parameters is the field for the parameters that a logic task hands on.
func parameters() form.Field {
	f := task.Parameters()
	f.Help = "task.logic.params.help"
	return f
}

// whole refuses fractions in the named fields, which count things.
func whole(names ...string) func(form.Values) []form.Problem {
	return func(v form.Values) []form.Problem {
		var problems []form.Problem
		for _, name := range names {
			if n := v.Number(name); n != math.Trunc(n) {
				problems = append(problems, form.Problem{Field: name, Key: "form.not_whole"})
			}
		}
		return problems
	}
}
