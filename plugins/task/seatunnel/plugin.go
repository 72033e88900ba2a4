package seatunnel

import (
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	startupScript = "startupScript"
	useCustom     = "useCustom"
	runMode       = "runMode"
	master        = "master"
	masterURL     = "masterUrl"
	engineScript  = "seatunnel.sh"
)

// scripts are the programs of SeaTunnel, oldest last. No other name is accepted, because it becomes part of a path.
func scripts() []string {
	return []string{
		engineScript,
		"start-seatunnel-flink-13-connector-v2.sh", "start-seatunnel-flink-15-connector-v2.sh", "start-seatunnel-flink-20-connector-v2.sh",
		"start-seatunnel-flink-connector-v2.sh", "start-seatunnel-flink.sh",
		"start-seatunnel-spark-2-connector-v2.sh", "start-seatunnel-spark-3-connector-v2.sh",
		"start-seatunnel-spark-connector-v2.sh", "start-seatunnel-spark.sh",
	}
}

// of returns the scripts for one engine.
func of(engine string) []string {
	var out []string
	for _, s := range scripts() {
		if strings.HasPrefix(s, "start-seatunnel-"+engine) {
			out = append(out, s)
		}
	}
	return out
}

// Plugin returns the SEATUNNEL task type.
func Plugin() task.Plugin {
	script := launch.Choice(startupScript, "task.seatunnel.script", scripts()...)
	script.Required = true
	mode := launch.Choice(launch.DeployMode, "task.launch.deploy_mode", "client", "cluster", "local")
	mode.VisibleWhen = launch.When(startupScript, append(of("spark"), engineScript)...)
	run := launch.Choice(runMode, "task.seatunnel.run_mode", "RUN", "RUN_APPLICATION", "NONE")
	run.VisibleWhen = launch.When(startupScript, of("flink")...)
	on := launch.Choice(master, "task.seatunnel.master", "YARN", "LOCAL", "SPARK", "MESOS")
	on.VisibleWhen = launch.When(startupScript, of("spark")...)
	others := launch.OtherOptions()
	others.VisibleWhen = launch.When(startupScript, append(of("flink"), engineScript)...)
	return task.Plugin{
		Type: "SEATUNNEL", Also: []string{"WATERDROP"}, Category: "di", Icon: "share", Retryable: true,
		Label: "task.seatunnel", Help: "task.seatunnel.help",
		Aliases: []string{"waterdrop", "sync", "etl", "数据同步", "数据集成"},
		Schema: form.Schema{
			script, mode, run, on,
			{
				Name: masterURL, Type: form.Text, VisibleWhen: launch.When(master, "SPARK", "MESOS"),
				Label: "task.seatunnel.url", Help: "task.seatunnel.url.help", Placeholder: "task.seatunnel.url.placeholder",
			},
			{Name: useCustom, Type: form.Switch, Default: true, Label: "task.seatunnel.custom", Help: "task.seatunnel.custom.help"},
			{
				Name: launch.RawScript, Type: form.Code, Language: "json", Required: true, VisibleWhen: launch.When(useCustom, "true"),
				Label: "task.seatunnel.config", Help: "task.seatunnel.config.help",
			},
			others,
			task.Resources(),
			task.Parameters(),
		},
		Check:   check,
		Process: process,
	}
}

func spark(v form.Values) bool {
	return strings.HasPrefix(v.Text(startupScript), "start-seatunnel-spark")
}

func flink(v form.Values) bool {
	return strings.HasPrefix(v.Text(startupScript), "start-seatunnel-flink")
}

func check(v form.Values) []form.Problem {
	var problems []form.Problem
	if on := v.Text(master); spark(v) && (on == "SPARK" || on == "MESOS") && launch.Blank(v.Text(masterURL)) {
		problems = append(problems, form.Problem{Field: masterURL, Key: "form.required"})
	}
	if !v.Bool(useCustom) {
		problems = append(problems, launch.CheckOneFile(v)...)
	}
	return problems
}
