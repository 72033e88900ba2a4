package openmldb

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	zk      = "zk"
	zkPath  = "zkPath"
	mode    = "executeMode"
	sqlText = "sql"
	offline = "offline"
)

// Plugin returns the OPENMLDB task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "OPENMLDB", Category: "ml", Icon: "data", Retryable: true,
		Label: "task.openmldb", Help: "task.openmldb.help",
		Aliases: []string{"sql", "feature", "机器学习", "特征"},
		Schema: form.Schema{
			{Name: zk, Type: form.Text, Required: true, Label: "task.openmldb.zk", Help: "task.openmldb.zk.help", Placeholder: "task.openmldb.zk.placeholder"},
			{Name: zkPath, Type: form.Text, Required: true, Label: "task.openmldb.path", Placeholder: "task.openmldb.path.placeholder"},
			launch.Choice(mode, "task.openmldb.mode", offline, "online"),
			{Name: sqlText, Type: form.Code, Language: "sql", Required: true, Label: "task.launch.sql", Help: "task.openmldb.sql.help"},
			task.Resources(),
			task.Parameters(),
		},
		Process: process,
	}
}
