package flinkstream

import (
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// Plugin returns the FLINK_STREAM task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "FLINK_STREAM", Category: "universal", Icon: "activity", Stream: true,
		Label: "task.flink_stream", Help: "task.flink_stream.help",
		Aliases: []string{"flink", "sql-client", "yarn", "流", "大数据"},
		Schema:  launch.FlinkSchema(),
		Check:   launch.CheckFlink,
		Process: launch.FlinkStream,
	}
}
