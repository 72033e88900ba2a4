package mr

import (
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// process puts the name and the queue behind the class, where only programs see them that read generic options.
func process(v form.Values, env task.Env) (task.Command, error) {
	jar, err := launch.Local(env, v.Resource(launch.MainJar))
	line := launch.NewLine("hadoop").Words("jar", jar)
	if class := strings.TrimSpace(v.Text(launch.MainClass)); class != "" && v.Text(launch.ProgramType) != "PYTHON" {
		line.Words(class)
	}
	line.Joined("-Dmapreduce.job.name=", v.Text(launch.AppName))
	line.Joined("-Dmapreduce.job.queuename=", launch.Queue(v, env, "mapreduce.job.queuename"))
	line.Shell(v.Text(launch.Others)).Shell(v.Text(launch.MainArgs))
	return launch.Job{Lines: []string{line.String()}, Remote: launch.Yarn()}.Command(env), err
}
