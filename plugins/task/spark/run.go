package spark

import (
	"cmp"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// apiServer finds where the cluster of the chosen namespace answers. A kubeconfig is YAML or JSON; the first server counts.
const apiServer = `: "${KUBECONFIG:?is not set: a namespace is chosen, but no cluster is attached to this task}"
DORADO_API_SERVER=$(sed -n 's/^.*"\{0,1\}server"\{0,1\}: *"\{0,1\}\([^",[:space:]]*\).*$/\1/p' "$KUBECONFIG" | head -n 1)`

// process builds the command line in the order in which DolphinScheduler writes it.
func process(v form.Values, env task.Env) (task.Command, error) {
	sql := v.Text(launch.ProgramType) == programSQL
	namespace, err := launch.NamespaceName(v.Text(launch.Namespace))
	if err != nil {
		return task.Command{}, err
	}
	job := launch.Job{Needs: []string{"SPARK_HOME"}, Remote: launch.Yarn()}
	line := launch.NewLine(`"${SPARK_HOME}/bin/spark-submit"`)
	if sql {
		line = launch.NewLine(`"${SPARK_HOME}/bin/spark-sql"`)
	}
	mode := cmp.Or(v.Text(launch.DeployMode), modeLocal)
	url := strings.TrimSpace(v.Text(master))
	switch {
	case url != "":
		line.Words("--master", url)
	case mode == modeLocal:
		line.Words("--master", "local")
	case namespace != "":
		job.Lines = append(job.Lines, apiServer)
		line.Words("--master").Shell(`"k8s://${DORADO_API_SERVER}"`)
	default:
		line.Words("--master", "yarn")
	}
	if mode != modeLocal {
		line.Words("--deploy-mode", mode)
	}
	if p := v.Text(launch.ProgramType); p != "PYTHON" && !sql {
		line.Option("--class", v.Text(launch.MainClass))
	}
	line.Conf("--conf", "spark.driver.cores", launch.Number(v.Number(driverCores)))
	line.Conf("--conf", "spark.driver.memory", v.Text(driverMemory))
	line.Conf("--conf", "spark.executor.instances", launch.Number(v.Number(numExecutors)))
	line.Conf("--conf", "spark.executor.cores", launch.Number(v.Number(executorCores)))
	line.Conf("--conf", "spark.executor.memory", v.Text(executorMemory))
	line.Option("--name", v.Text(launch.AppName))
	if mode != modeLocal {
		line.Option("--queue", launch.Queue(v, env, "--queue", "spark.yarn.queue"))
	}
	line.Shell(v.Text(launch.Others))
	if namespace != "" {
		line.Conf("--conf", "spark.kubernetes.driver.label.dolphinscheduler-label", env.ID())
		line.Conf("--conf", "spark.kubernetes.namespace", namespace)
		job.Remote = launch.Pods(namespace)
	}
	if sql {
		err = script(&job, line, v, env)
	} else {
		err = program(line, v, env)
	}
	job.Lines = append(job.Lines, line.String())
	return job.Command(env), err
}

func program(line *launch.Line, v form.Values, env task.Env) error {
	jar, err := launch.Local(env, v.Resource(launch.MainJar))
	line.Words(jar).Shell(v.Text(launch.MainArgs))
	return err
}

func script(job *launch.Job, line *launch.Line, v form.Values, env task.Env) error {
	if v.Text(sqlType) == typeFile {
		path, err := launch.OneFile(v, env)
		line.Words("-f", path)
		return err
	}
	file, path := launch.Text(env, "_node.sql", launch.Script(v.Text(launch.RawScript)))
	job.Files = append(job.Files, file)
	line.Words("-f", path)
	return nil
}
