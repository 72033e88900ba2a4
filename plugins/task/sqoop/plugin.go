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
	targetType     = "targetType"
	hadoopParams   = "hadoopCustomParams"
	advancedParams = "sqoopAdvancedParams"

	template   = "TEMPLATE"
	custom     = "CUSTOM"
	modeImport = "import"
	modeExport = "export"
	storeHive  = "HIVE"
	storeHDFS  = "HDFS"

	ofTable = "0" // all of a table, or some columns
	ofQuery = "1"

	allColumns  = "0"
	someColumns = "1"
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
	from, to := stores(sourceType, "task.sqoop.source_type", modeImport), stores(targetType, "task.sqoop.target_type", modeExport)
	to.Default = storeHive
	formed := slices.Concat(
		form.Schema{{Name: jobName, Type: form.Text, Required: true, Label: "task.sqoop.job_name", Help: "task.sqoop.job_name.help"}, mode, from},
		sourceFields(), form.Schema{to}, targetFields(),
		form.Schema{
			parallel,
			{Name: splitBy, Type: form.Text, Label: "task.sqoop.split_by", Help: "task.sqoop.split_by.help"},
			pairs(hadoopParams, "task.sqoop.hadoop", "task.sqoop.hadoop.help"),
			pairs(advancedParams, "task.sqoop.advanced", "task.sqoop.advanced.help"),
		})
	for i := range formed {
		formed[i].VisibleWhen = both(launch.When(jobType, template), formed[i].VisibleWhen)
	}
	return slices.Concat(form.Schema{
		kind,
		{
			Name: customShell, Type: form.Code, Language: "shell", Required: true, VisibleWhen: launch.When(jobType, custom),
			Label: "task.script", Help: "task.sqoop.script.help",
		},
	}, formed, form.Schema{task.Resources(), task.Parameters()})
}

// both is a condition in which a and b hold.
func both(a, b *form.Condition) *form.Condition {
	return &form.Condition{Field: a.Field, In: a.In, And: b}
}

// stores is the choice of what is read or written: a database in the mode base, Hive or HDFS in the other one.
func stores(name, label, base string) form.Field {
	other := modeImport
	if base == modeImport {
		other = modeExport
	}
	f := launch.Choice(name, label, slices.Concat(databases(), []string{storeHive, storeHDFS})...)
	for i, o := range f.Options {
		f.Options[i].When = launch.When(modelType, other)
		if slices.Contains(databases(), o.Value) {
			f.Options[i].When = launch.When(modelType, base)
		}
	}
	return f
}

// sourceFields are the members of sourceParams, a text that holds JSON. Parameters are put into each member by itself.
func sourceFields() form.Schema {
	base, hive, hdfs := launch.When(sourceType, databases()...), launch.When(sourceType, storeHive), launch.When(sourceType, storeHDFS)
	table, query := both(base, launch.When(source+"srcQueryType", ofTable)), both(base, launch.When(source+"srcQueryType", ofQuery))
	how := launch.Choice(source+"srcQueryType", "task.sqoop.query_type", ofTable, ofQuery)
	how.Options[0].Label, how.Options[1].Label = "task.sqoop.query_type.table", "task.sqoop.query_type.sql"
	how.Default, how.VisibleWhen = ofQuery, base
	columns := launch.Choice(source+"srcColumnType", "task.sqoop.column_type", allColumns, someColumns)
	columns.Options[0].Label, columns.Options[1].Label = "task.sqoop.column_type.all", "task.sqoop.column_type.some"
	columns.VisibleWhen = table
	hiveTypes, javaTypes := types("mapColumnHive", "task.sqoop.map_hive"), types("mapColumnJava", "task.sqoop.map_java")
	hiveTypes.VisibleWhen, javaTypes.VisibleWhen = base, base
	return packed(form.Schema{
		{Name: source + "srcType", Type: form.Text, SameAs: sourceType, Label: "task.sqoop.source_type", VisibleWhen: base},
		{Name: source + "srcDatasource", Type: form.Source, Of: sourceType, Required: true, Label: "task.sqoop.datasource", VisibleWhen: base},
		how,
		{Name: source + "srcTable", Type: form.Text, Required: true, Label: "task.sqoop.table", VisibleWhen: table},
		columns,
		{
			Name: source + "srcColumns", Type: form.Text, Label: "task.sqoop.columns", Help: "task.sqoop.columns.help",
			VisibleWhen: both(base, both(launch.When(source+"srcQueryType", ofTable), launch.When(source+"srcColumnType", someColumns))),
		},
		{Name: source + "srcQuerySql", Type: form.Code, Language: "sql", Required: true, Label: "task.sqoop.query", Help: "task.sqoop.query.help", VisibleWhen: query},
		hiveTypes, javaTypes,
		{Name: source + "hiveDatabase", Type: form.Text, Required: true, Label: "task.sqoop.hive_database", VisibleWhen: hive},
		{Name: source + "hiveTable", Type: form.Text, Required: true, Label: "task.sqoop.hive_table", VisibleWhen: hive},
		{Name: source + "hivePartitionKey", Type: form.Text, Label: "task.sqoop.partition_key", VisibleWhen: hive},
		{Name: source + "hivePartitionValue", Type: form.Text, Label: "task.sqoop.partition_value", VisibleWhen: hive},
		{Name: source + "exportDir", Type: form.Text, Required: true, Label: "task.sqoop.export_dir", VisibleWhen: hdfs},
	})
}

// targetFields are those of targetParams.
func targetFields() form.Schema {
	base, hive, hdfs := launch.When(targetType, databases()...), launch.When(targetType, storeHive), launch.When(targetType, storeHDFS)
	files := launch.When(targetType, append([]string{storeHDFS}, databases()...)...)
	update := both(base, launch.When(target+"isUpdate", "true"))
	codec := launch.Choice(target+"compressionCodec", "task.sqoop.codec", "snappy", "lzo", "gzip", "")
	codec.Options[3].Label, codec.Default, codec.VisibleWhen = "task.sqoop.codec.none", "", hdfs
	kind := launch.Choice(target+"fileType", "task.sqoop.file_type", "--as-avrodatafile", "--as-sequencefile", "--as-textfile", "--as-parquetfile")
	for i, label := range []string{"avro", "sequence", "text", "parquet"} {
		kind.Options[i].Label = "task.sqoop.file_type." + label
	}
	kind.VisibleWhen = hdfs
	mode := launch.Choice(target+"targetUpdateMode", "task.sqoop.update_mode", "allowinsert", "updateonly")
	mode.Options[0].Label, mode.Options[1].Label = "task.sqoop.update_mode.allowinsert", "task.sqoop.update_mode.updateonly"
	mode.VisibleWhen = update
	toggle := func(name, label string, on bool, when *form.Condition) form.Field {
		return form.Field{Name: target + name, Type: form.Switch, Default: on, Label: label, VisibleWhen: when}
	}
	return packed(form.Schema{
		{Name: target + "hiveDatabase", Type: form.Text, Required: true, Label: "task.sqoop.hive_database", VisibleWhen: hive},
		{Name: target + "hiveTable", Type: form.Text, Required: true, Label: "task.sqoop.hive_table", VisibleWhen: hive},
		toggle("createHiveTable", "task.sqoop.create_table", false, hive),
		toggle("dropDelimiter", "task.sqoop.drop_delimiter", false, hive),
		toggle("hiveOverWrite", "task.sqoop.overwrite", true, hive),
		{Name: target + "hiveTargetDir", Type: form.Text, Label: "task.sqoop.hive_dir", Help: "task.sqoop.hive_dir.help", VisibleWhen: hive},
		{Name: target + "replaceDelimiter", Type: form.Text, Label: "task.sqoop.replace_delimiter", Help: "task.sqoop.replace_delimiter.help", VisibleWhen: hive},
		{Name: target + "hivePartitionKey", Type: form.Text, Label: "task.sqoop.partition_key", VisibleWhen: hive},
		{Name: target + "hivePartitionValue", Type: form.Text, Label: "task.sqoop.partition_value", VisibleWhen: hive},
		{Name: target + "targetPath", Type: form.Text, Required: true, Label: "task.sqoop.target_path", VisibleWhen: hdfs},
		toggle("deleteTargetDir", "task.sqoop.delete_dir", true, hdfs),
		codec, kind,
		{Name: target + "targetType", Type: form.Text, SameAs: targetType, Label: "task.sqoop.target_type", VisibleWhen: base},
		{Name: target + "targetDatasource", Type: form.Source, Of: targetType, Required: true, Label: "task.sqoop.datasource", VisibleWhen: base},
		{Name: target + "targetTable", Type: form.Text, Required: true, Label: "task.sqoop.table", VisibleWhen: base},
		{Name: target + "targetColumns", Type: form.Text, Label: "task.sqoop.columns", Help: "task.sqoop.columns.help", VisibleWhen: base},
		{Name: target + "fieldsTerminated", Type: form.Text, Label: "task.sqoop.fields_end", Help: "task.sqoop.ends.help", VisibleWhen: files},
		{Name: target + "linesTerminated", Type: form.Text, Label: "task.sqoop.lines_end", Help: "task.sqoop.ends.help", VisibleWhen: files},
		toggle("isUpdate", "task.sqoop.update", false, base),
		{Name: target + "targetUpdateKey", Type: form.Text, Label: "task.sqoop.update_key", Help: "task.sqoop.columns.help", VisibleWhen: update},
		mode,
	})
}

// packed marks members of a text that holds JSON. What they hold is put together where it is used.
func packed(schema form.Schema) form.Schema {
	for i := range schema {
		schema[i].Packed, schema[i].Literal = true, true
	}
	return schema
}

// types is a field for columns with their types.
func types(name, label string) form.Field {
	f := pairs(source+name, label, "task.sqoop.map.help")
	f.Columns[0].Label, f.Columns[1].Label = "task.sqoop.map.column", "task.sqoop.map.type"
	return f
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
	in := v.Text(modelType) != modeExport
	if in != slices.Contains(databases(), v.Text(sourceType)) {
		bad(sourceType, "task.sqoop.bad_direction")
	} else if in == slices.Contains(databases(), v.Text(targetType)) {
		bad(targetType, "task.sqoop.bad_direction")
	}
	if v.Number(concurrency) > 1 && launch.Blank(v.Text(splitBy)) {
		bad(splitBy, "form.required")
	}
	return problems
}
