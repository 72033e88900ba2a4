package launch

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Names of settings of Flink programs.
const (
	FlinkVersion = "flinkVersion"
	InitScript   = "initScript"
	slot         = "slot"
	taskManager  = "taskManager"
	parallelism  = "parallelism"
	jmMemory     = "jobManagerMemory"
	tmMemory     = "taskManagerMemory"
)

// Versions of Flink, as definitions name them. since110 is what releases before 3.0 wrote.
const (
	before110 = "<1.10"
	since110  = ">=1.10"
	only111   = "1.11"
	since112  = ">=1.12"
	since113  = ">=1.13"
	since20   = ">=2.0"
)

// Where a Flink program runs.
const (
	flinkCluster     = "cluster"
	flinkApplication = "application"
	flinkLocal       = "local"
	flinkStandalone  = "standalone"
	flinkKubernetes  = "kubernetes-application"
)

const flinkSQL = "SQL"

// FlinkSchema are the fields of a Flink program.
func FlinkSchema() form.Schema {
	modes := Choice(DeployMode, "task.launch.deploy_mode", flinkCluster, flinkApplication, flinkLocal, flinkStandalone, flinkKubernetes)
	modes.Help = "task.flink.mode.help"
	modes.Options[4].Label = "task.flink.mode.kubernetes"
	version := Choice(FlinkVersion, "task.flink.version", before110, only111, since112, since113, since20, since110)
	version.Help, version.Options[5].Label = "task.flink.version.help", "task.flink.version.old"
	managers := Count(taskManager, "task.flink.task_managers", 2)
	managers.VisibleWhen = When(FlinkVersion, before110)
	return slices.Concat(
		form.Schema{ProgramTypes(flinkSQL)},
		Program(),
		form.Schema{
			{
				Name: RawScript, Type: form.Code, Language: "sql", Required: true, VisibleWhen: When(ProgramType, flinkSQL),
				Label: "task.launch.sql", Help: "task.launch.sql.help",
			},
			{
				Name: InitScript, Type: form.Code, Language: "sql", VisibleWhen: When(ProgramType, flinkSQL),
				Label: "task.flink.init", Help: "task.flink.init.help",
			},
			modes, version,
		},
		Submission(),
		form.Schema{
			Size(jmMemory, "task.flink.jm_memory", "1G"),
			Size(tmMemory, "task.flink.tm_memory", "2G"),
			Count(slot, "task.flink.slots", 1),
			managers,
			Count(parallelism, "task.flink.parallelism", 1),
		},
		Arguments(),
		form.Schema{task.Resources(), task.Parameters()},
	)
}

// CheckFlink returns what does not fit together.
func CheckFlink(v form.Values) []form.Problem {
	problems := CheckSizes(v, jmMemory, tmMemory)
	version, mode, sql := v.Text(FlinkVersion), v.Text(DeployMode), v.Text(ProgramType) == flinkSQL
	switch {
	case sql && version != since20:
		// The version of the form does not count: the client for SQL came with 1.13.
	case mode == flinkApplication && (version == before110 || version == ""):
		problems = append(problems, form.Problem{Field: FlinkVersion, Key: "task.flink.application_too_old"})
	case mode == flinkKubernetes && version != since20:
		problems = append(problems, form.Problem{Field: FlinkVersion, Key: "task.flink.kubernetes_too_old"})
	}
	return problems
}
