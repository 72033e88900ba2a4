package mr

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// Plugin returns the MR task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "MR", Category: "universal", Icon: "layers", Retryable: true,
		Label: "task.mr", Help: "task.mr.help",
		Aliases: []string{"mapreduce", "hadoop", "yarn", "大数据"},
		Schema: slices.Concat(
			form.Schema{launch.ProgramTypes()}, launch.Program(), launch.Submission(), launch.Arguments(),
			form.Schema{task.Resources(), task.Parameters()},
		),
		Process: process,
	}
}
