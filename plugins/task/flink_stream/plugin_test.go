package flinkstream_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	flinkstream "dorado/plugins/task/flink_stream"
	"dorado/plugins/task/tasktest"
)

func TestFlinkStream(t *testing.T) {
	t.Parallel()
	home := tasktest.Launchers(t, "bin/flink", "bin/sql-client.sh", "yarn")
	require.False(t, flinkstream.Plugin().Retryable, "a stream that fails is looked at by a person")
	tasktest.Run(t, tasktest.Suite{
		Plugin: flinkstream.Plugin(),
		Vars:   []string{"FLINK_HOME=" + home},
		Path:   home,
		Marked: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"hunter2"}`,
		Cases: []tasktest.Case{
			{
				Name: "submits", Params: `{"mainJar":{"resourceName":"/a.jar"},"deployMode":"local","others":"-d","mainArgs":"x"}`,
				Output: tasktest.Args("run", "-p", "1", "-sae", "-d", "/a.jar", "x"),
			},
			{Name: "fails with the program", Params: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"fails"}`, Fails: true},
		},
		Bad:  []string{`{"programType":"SQL","rawScript":" "}`, `{"mainJar":{"resourceName":"/a"},"deployMode":"application"}`},
		Slow: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"sleeps"}`,
	})
}

func TestTheCommandLineIsThatOfFlink(t *testing.T) {
	t.Parallel()
	const jar = `"mainJar":{"resourceName":"/jars/app.jar"}`
	tasktest.Commands(t, flinkstream.Plugin(), []tasktest.Golden{
		{Name: "session cluster, detached", Params: `{` + jar + `,"deployMode":"local","others":"-d"}`},
		{Name: "yarn application", Params: `{` + jar + `,"deployMode":"application","flinkVersion":">=1.12","appName":"clicks"}`},
		{Name: "sql", Params: `{"programType":"SQL","deployMode":"standalone","rawScript":"insert into b select * from a;"}`},
		{Name: "a lost attempt", Params: `{` + jar + `,"deployMode":"local"}`, Env: func(env *task.Env) { env.Link = "a1b2" }},
	})
}
