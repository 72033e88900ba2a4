package mr_test

import (
	"testing"

	"dorado/plugins/task"
	"dorado/plugins/task/mr"
	"dorado/plugins/task/tasktest"
)

func TestMR(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: mr.Plugin(),
		Path:   tasktest.Launchers(t, "hadoop", "yarn"),
		Marked: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"hunter2","others":"hunter2","appName":"hunter2"}`,
		Cases: []tasktest.Case{
			{
				Name: "hands every word over as it was typed",
				Params: `{"programType":"JAVA","mainJar":{"resourceName":"/我的 it's.jar"},"mainClass":"a.B","appName":"日报 $(id)","yarnQueue":"q 1",
					"others":"-D\n'a=b c'","mainArgs":"/in \"/out put\""}`,
				Output: "program hadoop\n" + tasktest.Args("jar", "/我的 it's.jar", "a.B", "-Dmapreduce.job.name=日报 $(id)", "-Dmapreduce.job.queuename=q 1",
					"-D", "a=b c", "/in", "/out put") + "Submitted application application_1700000000000_0001",
			},
			{Name: "fails with the program", Params: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"fails"}`, Fails: true},
		},
		Bad: []string{
			`{"programType":"SQL","mainJar":{"resourceName":"/a"}}`, `{"mainJar":{}}`, `{"mainJar":null}`, `{"mainJar":{"resourceName":"/a"},"mainArgs":{}}`,
		},
		Slow: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"sleeps"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	const jar = `"mainJar":{"resourceName":"/jars/app.jar"}`
	files := func(env *task.Env) { env.Files = map[string]string{"/jars/app.jar": "jars/app.jar"} }
	queue := func(env *task.Env) { files(env); env.Queue = "tenant" }
	tasktest.Commands(t, mr.Plugin(), []tasktest.Golden{
		{Name: "nothing but the jar", Params: `{` + jar + `}`, Env: files},
		{Name: "java", Params: `{` + jar + `,"programType":"JAVA","mainClass":"a.WordCount","appName":"count","yarnQueue":"q1","others":"-Dx=y","mainArgs":"/in /out"}`, Env: queue},
		{Name: "scala, queue of the tenant", Params: `{` + jar + `,"programType":"SCALA","mainClass":"a.WordCount","mainArgs":"/in /out"}`, Env: queue},
		{Name: "queue in the options", Params: `{` + jar + `,"mainClass":"a.WordCount","yarnQueue":"q1","others":"-Dmapreduce.job.queuename=q2"}`, Env: queue},
		{Name: "python streams", Params: `{` + jar + `,"programType":"PYTHON","mainClass":"left over","mainArgs":"-mapper 'python m.py' -reducer r.py"}`, Env: files},
		{Name: "a lost attempt", Params: `{` + jar + `}`, Env: func(env *task.Env) { files(env); env.Link = "application_1_1" }},
		{Name: "a file of an older release", Params: `{"mainJar":{"id":3}}`},
	})
}
