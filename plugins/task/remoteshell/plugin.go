package remoteshell

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Members of the settings.
const (
	rawScript  = "rawScript"
	dataSource = "datasource"
	sourceType = "SSH"
)

// Plugin returns the REMOTESHELL task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "REMOTESHELL", Category: "universal", Icon: "terminal", Retryable: true,
		Label: "task.remoteshell", Help: "task.remoteshell.help",
		Aliases: []string{"ssh", "remote", "shell", "bash", "远程", "脚本"},
		Schema: slices.Concat(task.SourceFields(sourceType), form.Schema{
			{
				Name: rawScript, Type: form.Code, Language: "shell", Required: true,
				Label: "task.script", Help: "task.remoteshell.script.help", Placeholder: "task.remoteshell.script.placeholder",
			},
			task.Resources(),
			task.Parameters(),
		}),
		Run: run,
	}
}
