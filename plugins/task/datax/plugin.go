package datax

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	customConfig   = "customConfig"
	jobJSON        = "json"
	sourceType     = "dsType"
	source         = "dataSource"
	targetType     = "dtType"
	target         = "dataTarget"
	sqlText        = "sql"
	targetTable    = "targetTable"
	preStatements  = "preStatements"
	postStatements = "postStatements"
	speedByte      = "jobSpeedByte"
	speedRecord    = "jobSpeedRecord"
	heapFirst      = "xms"
	heapMost       = "xmx"
	fromForm       = "0"
	fromJSON       = "1"
	engine         = "engine"
	whichever      = "auto"
	ourEngine      = "native"
	theirEngine    = "datax"
)

// Plugin returns the DATAX task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "DATAX", Category: "di", Icon: "share", Retryable: true,
		Label: "task.datax", Help: "task.datax.help",
		Aliases: []string{"sync", "etl", "数据同步", "数据集成"},
		Schema:  schema(),
		Process: process,
	}
}

func schema() form.Schema {
	custom := launch.Choice(customConfig, "task.datax.config", fromForm, fromJSON)
	custom.Options[0].Label, custom.Options[1].Label = "task.datax.config.form", "task.datax.config.json"
	types := []string{"MYSQL", "POSTGRESQL", "ORACLE", "SQLSERVER", "CLICKHOUSE", "DATABEND", "HIVE", "PRESTO", "OCEANBASE"}
	filled := form.Schema{
		launch.Choice(sourceType, "task.datax.source_type", types...),
		{Name: source, Type: form.Source, Required: true, Of: sourceType, Label: "task.datax.source", Help: "task.source.help"},
		{Name: sqlText, Type: form.Code, Language: "sql", Required: true, Label: "task.launch.sql", Help: "task.datax.sql.help"},
		launch.Choice(targetType, "task.datax.target_type", types...),
		{Name: target, Type: form.Source, Required: true, Of: targetType, Label: "task.datax.target", Help: "task.source.help"},
		{Name: targetTable, Type: form.Text, Required: true, Label: "task.datax.table"},
		{Name: preStatements, Type: form.Texts, Label: "task.datax.pre", Help: "task.datax.statements.help"},
		{Name: postStatements, Type: form.Texts, Label: "task.datax.post", Help: "task.datax.statements.help"},
		launch.Count(speedByte, "task.datax.bytes", 0),
		launch.Count(speedRecord, "task.datax.records", 1000),
	}
	filled[8].Help, filled[9].Help = "task.datax.speed.help", "task.datax.speed.help"
	for i := range filled {
		filled[i].VisibleWhen = launch.When(customConfig, fromForm)
	}
	engines := launch.Choice(engine, "task.datax.engine", whichever, ourEngine, theirEngine)
	engines.Help = "task.datax.engine.help"
	engines.Options[0].Label, engines.Options[1].Label, engines.Options[2].Label = "task.datax.engine.auto", "task.datax.engine.native", "task.datax"
	return slices.Concat(form.Schema{custom}, filled, form.Schema{
		{
			Name: jobJSON, Type: form.Code, Language: "json", Required: true, VisibleWhen: launch.When(customConfig, fromJSON),
			Label: "task.datax.json", Help: "task.datax.json.help",
		},
		engines,
		launch.Count(heapFirst, "task.datax.xms", 1),
		launch.Count(heapMost, "task.datax.xmx", 1),
		task.Resources(),
		task.Parameters(),
	})
}
