package chunjun

import (
	"cmp"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// process leaves the directories to the shell, which knows them from the environment of the task.
func process(v form.Values, env task.Env) (task.Command, error) {
	file, path := launch.Text(env, "_job.json", launch.Script(v.Text(jobJSON)))
	job := launch.Job{Needs: []string{"CHUNJUN_HOME"}, Files: []task.File{file}}
	mode := cmp.Or(v.Text(launch.DeployMode), local)
	line := launch.NewLine(`"${CHUNJUN_HOME}/bin/start-chunjun"`)
	line.Words("-mode", mode, "-jobType", "sync", "-job", path).Shell(`-chunjunDistDir "${CHUNJUN_HOME}/chunjun-dist"`)
	if mode != local {
		line.Shell(`-flinkConfDir "${FLINK_HOME}/conf" -flinkLibDir "${FLINK_HOME}/lib" -hadoopConfDir "${HADOOP_HOME}/etc/hadoop"`)
	}
	if mode == "yarn-per-job" { // an application of yarn-session belongs to everybody
		job.Remote = launch.Yarn()
	}
	job.Lines = []string{line.Shell(v.Text(launch.Others)).String()}
	return job.Command(env), nil
}
