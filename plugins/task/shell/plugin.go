package shell

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Plugin returns the SHELL task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "SHELL", Category: "universal", Icon: "shell", Retryable: true,
		Label: "task.shell", Help: "task.shell.help",
		Aliases: []string{"bash", "sh", "script", "command", "脚本", "命令"},
		Schema: form.Schema{
			{
				Name: rawScript, Type: form.Code, Language: "shell", Required: true,
				Label: "task.script", Help: "task.shell.script.help", Placeholder: "task.shell.script.placeholder",
			},
			task.Resources(),
			task.Parameters(),
		},
		Process: process,
	}
}
