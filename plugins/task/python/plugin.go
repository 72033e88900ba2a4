package python

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Plugin returns the PYTHON task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "PYTHON", Category: "universal", Icon: "python", Retryable: true,
		Label: "task.python", Help: "task.python.help",
		Aliases: []string{"py", "python3", "script", "脚本"},
		Schema: form.Schema{
			{
				Name: rawScript, Type: form.Code, Language: "python", Required: true,
				Label: "task.script", Help: "task.python.script.help", Placeholder: "task.python.script.placeholder",
			},
			task.Resources(),
			task.Parameters(),
		},
		Process: process,
	}
}
