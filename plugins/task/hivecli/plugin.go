package hivecli

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	executionType = "hiveCliTaskExecutionType"
	script        = "hiveSqlScript"
	options       = "hiveCliOptions"
	client        = "client"
	source        = "datasource"
	typeFile      = "FILE"
	beeline       = "beeline"
)

// Plugin returns the HIVECLI task type.
func Plugin() task.Plugin {
	from := launch.Choice(executionType, "task.launch.sql_from", "SCRIPT", typeFile)
	from.Required = true
	from.Options[0].Label, from.Options[1].Label = "task.launch.from_script", "task.launch.from_file"
	with := launch.Choice(client, "task.hivecli.client", "hive", beeline)
	with.Help = "task.hivecli.client.help"
	return task.Plugin{
		Type: "HIVECLI", Category: "universal", Icon: "terminal", Retryable: true,
		Label: "task.hivecli", Help: "task.hivecli.help",
		Aliases: []string{"hive", "beeline", "sql", "hql", "大数据"},
		Schema: form.Schema{
			from,
			{
				Name: script, Type: form.Code, Language: "sql", Required: true, VisibleWhen: launch.When(executionType, "SCRIPT"),
				Label: "task.launch.sql", Help: "task.launch.sql.help",
			},
			with,
			{
				Name: source, Type: form.Source, Required: true, SourceTypes: []string{"HIVE", "SPARK", "KYUUBI"}, VisibleWhen: launch.When(client, beeline),
				Label: "task.source", Help: "task.source.help",
			},
			{Name: options, Type: form.TextArea, Label: "task.launch.others", Help: "task.launch.others.help"},
			task.Resources(),
			task.Parameters(),
		},
		Check:   check,
		Process: process,
	}
}

func check(v form.Values) []form.Problem {
	if v.Text(executionType) == typeFile {
		return launch.CheckOneFile(v)
	}
	return nil
}
