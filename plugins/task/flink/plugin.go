package flink

import (
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// Plugin returns the FLINK task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "FLINK", Category: "universal", Icon: "zap", Retryable: true,
		Label: "task.flink", Help: "task.flink.help",
		Aliases: []string{"flink", "sql-client", "yarn", "流", "大数据"},
		Schema:  launch.FlinkSchema(),
		Check:   launch.CheckFlink,
		Process: launch.Flink,
	}
}
