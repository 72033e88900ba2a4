package procedure

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/statement"
)

// Plugin returns the PROCEDURE task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "PROCEDURE", Category: "universal", Icon: "sql", Retryable: true,
		Label: "task.procedure", Help: "task.procedure.help",
		Aliases: []string{"stored procedure", "function", "call", "routine", "存储过程"},
		Schema: slices.Concat(task.SourceFields(statement.Types()...), form.Schema{
			{
				Name: method, Type: form.Code, Language: "sql", Required: true, Literal: true, Label: "task.procedure.method",
				Help: "task.procedure.method.help", Placeholder: "task.procedure.method.placeholder",
			},
			task.Resources(),
			{Name: task.LocalParams, Type: form.Params, Label: "task.params", Help: "task.procedure.params.help", Literal: true},
		}),
		Run: run,
	}
}
