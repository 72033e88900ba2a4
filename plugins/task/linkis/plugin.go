package linkis

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	useCustom   = "useCustom"
	paramScript = "paramScript"
)

// Plugin returns the LINKIS task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "LINKIS", Category: "other", Icon: "plug", Retryable: true,
		Label: "task.linkis", Help: "task.linkis.help",
		Aliases: []string{"spark", "hive", "计算中间件"},
		Schema: form.Schema{
			{Name: useCustom, Type: form.Switch, Default: false, Label: "task.linkis.custom", Help: "task.linkis.custom.help"},
			{
				Name: launch.RawScript, Type: form.TextArea, Required: true, VisibleWhen: launch.When(useCustom, "true"),
				Label: "task.linkis.options", Help: "task.launch.others.help",
			},
			{
				Name: paramScript, Type: form.Table, Required: true, VisibleWhen: launch.When(useCustom, "false"),
				Label: "task.linkis.options", Help: "task.linkis.rows.help",
				Columns: []form.Column{{Name: "prop", Label: "task.launch.name"}, {Name: "value", Label: "task.launch.value"}},
			},
			task.Resources(),
			task.Parameters(),
		},
		Process: process,
	}
}
