package chunjun

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	jobJSON = "json"
	local   = "local"
)

// Plugin returns the CHUNJUN task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "CHUNJUN", Category: "other", Icon: "share", Retryable: true,
		Label: "task.chunjun", Help: "task.chunjun.help",
		Aliases: []string{"flinkx", "sync", "数据同步"},
		Schema: form.Schema{
			{
				Name: jobJSON, Type: form.Code, Language: "json", Required: true,
				Label: "task.chunjun.json", Help: "task.chunjun.json.help",
			},
			launch.Choice(launch.DeployMode, "task.launch.deploy_mode", local, "standalone", "yarn-session", "yarn-per-job"),
			launch.OtherOptions(),
			task.Resources(),
			task.Parameters(),
		},
		Process: process,
	}
}
