package seatunnel_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/seatunnel"
	"dorado/plugins/task/tasktest"
)

func TestSeaTunnel(t *testing.T) {
	t.Parallel()
	home := tasktest.Launchers(t, "bin/seatunnel.sh", "bin/start-seatunnel-spark-3-connector-v2.sh", "bin/start-seatunnel-flink-15-connector-v2.sh")
	require.Equal(t, []string{"WATERDROP"}, seatunnel.Plugin().Also)
	tasktest.Run(t, tasktest.Suite{
		Plugin: seatunnel.Plugin(),
		Vars:   []string{"SEATUNNEL_HOME=" + home},
		Marked: `{"rawScript":"hunter2"}`,
		Cases: []tasktest.Case{
			{Name: "runs on its own engine", Params: `{"rawScript":"env {}","others":"-i 'a=b c'"}`, Output: tasktest.Args("--deploy-mode", "client", "-i", "a=b c")},
			{
				Name:   "runs on Spark",
				Params: `{"startupScript":"start-seatunnel-spark-3-connector-v2.sh","master":"SPARK","masterUrl":"h:7077 $(id)","useCustom":false,"resourceList":[{"resourceName":"/我的.conf"}]}`,
				Output: tasktest.Args("--config", "/我的.conf", "--deploy-mode", "client", "--master", "spark://h:7077 $(id)"),
			},
			{Name: "fails with the program", Params: `{"rawScript":"fails"}`, Fails: true},
		},
		Bad: []string{
			`{"rawScript":" "}`, `{"useCustom":false}`, `{"startupScript":"../../bin/sh","rawScript":"x"}`, `{"startupScript":"start-seatunnel-x;id.sh","rawScript":"x"}`,
			`{"startupScript":"start-seatunnel-spark.sh","rawScript":"x","master":"MESOS"}`, `{"rawScript":"x","deployMode":"moon"}`,
		},
		Slow: `{"rawScript":"sleeps"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	const hocon = `"rawScript":"env { parallelism = 1 }\r\nsource { FakeSource { x = \"${x}\" } }"`
	all := []tasktest.Golden{
		{Name: "JSON", Params: `{"rawScript":"{\"env\":{}}","deployMode":"local"}`},
		{Name: "a file", Params: `{"useCustom":false,"resourceList":[{"resourceName":"/job.conf"}],"deployMode":"cluster","others":"-n job"}`, Env: func(env *task.Env) {
			env.Files = map[string]string{"/job.conf": "conf/job.conf"}
		}},
		{Name: "a lost attempt", Params: `{` + hocon + `,"deployMode":"cluster"}`, Env: func(env *task.Env) { env.Link = "7331" }},
		{Name: "a file of an older release", Params: `{"useCustom":"false","resourceList":[{"id":4}]}`},
	}
	for _, mode := range []string{"client", "cluster", "local"} {
		all = append(all, tasktest.Golden{Name: "engine " + mode, Params: `{` + hocon + `,"deployMode":"` + mode + `","others":"-n job"}`})
		for _, master := range []string{"YARN", "LOCAL", "SPARK", "MESOS"} {
			all = append(all, tasktest.Golden{Name: "spark " + mode + " " + master, Params: `{"startupScript":"start-seatunnel-spark-2-connector-v2.sh",` + hocon +
				`,"deployMode":"` + mode + `","master":"` + master + `","masterUrl":"h:1"}`})
		}
	}
	for _, mode := range []string{"RUN", "RUN_APPLICATION", "NONE"} {
		all = append(all, tasktest.Golden{Name: "flink " + mode, Params: `{"startupScript":"start-seatunnel-flink-13-connector-v2.sh",` + hocon + `,"runMode":"` + mode + `","others":"-p 2"}`})
	}
	tasktest.Commands(t, seatunnel.Plugin(), all)
}
