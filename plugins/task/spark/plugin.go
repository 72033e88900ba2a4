package spark

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	master         = "master"
	driverCores    = "driverCores"
	driverMemory   = "driverMemory"
	numExecutors   = "numExecutors"
	executorCores  = "executorCores"
	executorMemory = "executorMemory"
	sqlType        = "sqlExecutionType"
	programSQL     = "SQL"
	typeFile       = "FILE"
	modeLocal      = "local"
	modeClient     = "client"
	modeCluster    = "cluster"
)

// Plugin returns the SPARK task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "SPARK", Category: "universal", Icon: "spark", Retryable: true,
		Label: "task.spark", Help: "task.spark.help",
		Aliases: []string{"spark-submit", "spark-sql", "pyspark", "yarn", "大数据"},
		Schema:  schema(),
		Check:   check,
		Process: process,
	}
}

func schema() form.Schema {
	sqlFrom := launch.Choice(sqlType, "task.launch.sql_from", "SCRIPT", typeFile)
	sqlFrom.Options[0].Label, sqlFrom.Options[1].Label = "task.launch.from_script", "task.launch.from_file"
	sqlFrom.VisibleWhen = launch.When(launch.ProgramType, programSQL)
	return slices.Concat(
		[]form.Field{launch.ProgramTypes(programSQL)},
		launch.Program(),
		[]form.Field{
			sqlFrom,
			{
				Name: launch.RawScript, Type: form.Code, Language: "sql", VisibleWhen: launch.When(launch.ProgramType, programSQL),
				Label: "task.launch.sql", Help: "task.launch.sql.help",
			},
			launch.Choice(launch.DeployMode, "task.launch.deploy_mode", modeLocal, modeClient, modeCluster),
			{Name: master, Type: form.Text, Label: "task.spark.master", Help: "task.spark.master.help", Placeholder: "task.spark.master.placeholder"},
			{Name: launch.Namespace, Type: form.Text, Label: "task.launch.namespace", Help: "task.launch.namespace.help", Advanced: true},
		},
		launch.Submission(),
		[]form.Field{
			launch.Count(driverCores, "task.spark.driver_cores", 1),
			launch.Size(driverMemory, "task.spark.driver_memory", "512M"),
			launch.Count(numExecutors, "task.spark.num_executors", 2),
			launch.Size(executorMemory, "task.spark.executor_memory", "2G"),
			launch.Count(executorCores, "task.spark.executor_cores", 2),
		},
		launch.Arguments(),
		[]form.Field{task.Resources(), task.Parameters()},
	)
}

// check holds what one field alone does not show. mainClass is not demanded, because a jar may name its own.
func check(v form.Values) []form.Problem {
	problems := launch.CheckSizes(v, driverMemory, executorMemory)
	if _, err := launch.NamespaceName(v.Text(launch.Namespace)); err != nil {
		problems = append(problems, form.Problem{Field: launch.Namespace, Key: "task.launch.bad_namespace"})
	}
	if v.Text(launch.ProgramType) != programSQL {
		return problems
	}
	if v.Text(launch.DeployMode) == modeCluster {
		problems = append(problems, form.Problem{Field: launch.DeployMode, Key: "task.spark.sql_in_cluster"})
	}
	if v.Text(sqlType) == typeFile {
		return append(problems, launch.CheckOneFile(v)...)
	}
	if launch.Blank(v.Text(launch.RawScript)) {
		problems = append(problems, form.Problem{Field: launch.RawScript, Key: "form.required"})
	}
	return problems
}
