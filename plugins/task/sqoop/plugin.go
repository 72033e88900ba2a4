package sqoop

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	jobType        = "jobType"
	customShell    = "customShell"
	jobName        = "jobName"
	modelType      = "modelType"
	concurrency    = "concurrency"
	splitBy        = "splitBy"
	sourceType     = "sourceType"
	sourceParams   = "sourceParams"
	targetType     = "targetType"
	targetParams   = "targetParams"
	hadoopParams   = "hadoopCustomParams"
	advancedParams = "sqoopAdvancedParams"

	template    = "TEMPLATE"
	custom      = "CUSTOM"
	modeImport  = "import"
	modeExport  = "export"
	storeHive   = "HIVE"
	storeHDFS   = "HDFS"
	missingKey  = "task.sqoop.missing"
	queryOfRows = "1"
)

// databases are the types of data source that Sqoop reaches by JDBC.
func databases() []string { return []string{"MYSQL", "ORACLE", "SQLSERVER", "HANA"} }

// Plugin returns the SQOOP task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "SQOOP", Category: "di", Icon: "share", Retryable: true,
		Label: "task.sqoop", Help: "task.sqoop.help",
		Aliases: []string{"import", "export", "hive", "hdfs", "导入", "导出", "数据同步"},
		Schema:  schema(),
		Sources: sources,
		Check:   check,
		Process: process,
	}
}

func schema() form.Schema {
	kind := launch.Choice(jobType, "task.sqoop.job_type", template, custom)
	kind.Options[0].Label, kind.Options[1].Label = "task.sqoop.template", "task.sqoop.custom"
	mode := launch.Choice(modelType, "task.sqoop.direction", modeImport, modeExport)
	mode.Options[0].Label, mode.Options[1].Label = "task.sqoop.import", "task.sqoop.export"
	parallel := launch.Count(concurrency, "task.sqoop.concurrency", 1)
	parallel.Min = new(1.0)
	from := launch.Choice(sourceType, "task.sqoop.source_type", slices.Concat(databases(), []string{storeHive, storeHDFS})...)
	to := launch.Choice(targetType, "task.sqoop.target_type", slices.Concat([]string{storeHive, storeHDFS}, databases())...)
	schema := form.Schema{
		{Name: jobName, Type: form.Text, Required: true, Label: "task.sqoop.job_name", Help: "task.launch.app_name.help"},
		mode, from,
		{
			Name: sourceParams, Type: form.Code, Language: "json", Required: true, Literal: true,
			Label: "task.sqoop.source", Help: "task.sqoop.source.help", Placeholder: "task.sqoop.source.placeholder",
		},
		to,
		{
			Name: targetParams, Type: form.Code, Language: "json", Required: true, Literal: true,
			Label: "task.sqoop.target", Help: "task.sqoop.target.help", Placeholder: "task.sqoop.target.placeholder",
		},
		parallel,
		{Name: splitBy, Type: form.Text, Label: "task.sqoop.split_by", Help: "task.sqoop.split_by.help"},
		pairs(hadoopParams, "task.sqoop.hadoop", "task.sqoop.hadoop.help"),
		pairs(advancedParams, "task.sqoop.advanced", "task.sqoop.advanced.help"),
	}
	for i := range schema {
		schema[i].VisibleWhen = launch.When(jobType, template)
	}
	return slices.Concat(form.Schema{
		kind,
		{
			Name: customShell, Type: form.Code, Language: "shell", Required: true, VisibleWhen: launch.When(jobType, custom),
			Label: "task.script", Help: "task.sqoop.script.help",
		},
	}, schema, form.Schema{task.Resources(), task.Parameters()})
}

// pairs is a field for names with values. Its rows may have further members, which do not count.
func pairs(name, label, help string) form.Field {
	return form.Field{
		Name: name, Type: form.Table, Label: label, Help: help, Advanced: true,
		Columns: []form.Column{{Name: "prop", Label: "task.launch.name"}, {Name: "value", Label: "task.launch.value"}},
	}
}

func check(v form.Values) []form.Problem {
	if v.Text(jobType) == custom {
		return nil
	}
	var problems []form.Problem
	bad := func(field, key string, args ...any) {
		problems = append(problems, form.Problem{Field: field, Key: key, Args: args})
	}
	from, to := v.Text(sourceType), v.Text(targetType)
	in := v.Text(modelType) != modeExport
	if in != slices.Contains(databases(), from) {
		bad(sourceType, "task.sqoop.bad_direction")
	} else if in == slices.Contains(databases(), to) {
		bad(targetType, "task.sqoop.bad_direction")
	}
	if v.Number(concurrency) > 1 && launch.Blank(v.Text(splitBy)) {
		bad(splitBy, "form.required")
	}
	if s, err := read(v.Text(sourceParams)); err != nil {
		bad(sourceParams, "task.sqoop.bad_json")
	} else if name := s.lacksAsSource(from); name != "" {
		bad(sourceParams, missingKey, "name", name)
	}
	if s, err := read(v.Text(targetParams)); err != nil {
		bad(targetParams, "task.sqoop.bad_json")
	} else if name := s.lacksAsTarget(to); name != "" {
		bad(targetParams, missingKey, "name", name)
	}
	return problems
}

// sources finds the data source in the settings of the side that is a database.
func sources(v form.Values) []int64 {
	if v.Text(jobType) == custom {
		return nil
	}
	if v.Text(modelType) == modeExport {
		s, _ := read(v.Text(targetParams))
		return []int64{s.TargetDatasource.id()}
	}
	s, _ := read(v.Text(sourceParams))
	return []int64{s.SrcDatasource.id()}
}
