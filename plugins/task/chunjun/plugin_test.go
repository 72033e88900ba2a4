package chunjun_test

import (
	"testing"

	"dorado/plugins/task"
	"dorado/plugins/task/chunjun"
	"dorado/plugins/task/tasktest"
)

func TestChunJun(t *testing.T) {
	t.Parallel()
	home := tasktest.Launchers(t, "bin/start-chunjun")
	tasktest.Run(t, tasktest.Suite{
		Plugin: chunjun.Plugin(),
		Vars:   []string{"CHUNJUN_HOME=" + home, "FLINK_HOME=/opt/my flink", "HADOOP_HOME=/opt/hadoop"},
		Cases: []tasktest.Case{
			{
				Name: "runs a job", Params: `{"json":"{}","deployMode":"standalone","others":"-confProp '{\"a\": 1}'"}`,
				Output: tasktest.Args("-chunjunDistDir", home+"/chunjun-dist", "-flinkConfDir", "/opt/my flink/conf", "-flinkLibDir", "/opt/my flink/lib",
					"-hadoopConfDir", "/opt/hadoop/etc/hadoop", "-confProp", `{"a": 1}`),
			},
			{Name: "fails with the program", Params: `{"json":"fails"}`, Fails: true},
		},
		Bad:  []string{`{"json":""}`, `{"json":"{}","deployMode":"moon"}`, `{"json":{}}`},
		Slow: `{"json":"sleeps"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	var all []tasktest.Golden
	for _, mode := range []string{"local", "standalone", "yarn-session", "yarn-per-job"} {
		all = append(all, tasktest.Golden{Name: mode, Params: `{"customConfig":1,"json":"{\"job\":{}}\r\n","deployMode":"` + mode + `","others":"-x y"}`})
	}
	all = append(all, tasktest.Golden{Name: "a lost attempt", Params: `{"json":"{}","deployMode":"yarn-per-job"}`, Env: func(env *task.Env) { env.Link = "application_1_1" }})
	tasktest.Commands(t, chunjun.Plugin(), all)
}
