package launch

import (
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

const flinkBin = `"${FLINK_HOME}/bin/flink"`

// Flink builds the command of a Flink program, or of a text for Flink's SQL client.
func Flink(v form.Values, env task.Env) (task.Command, error) {
	job := Job{Needs: []string{"FLINK_HOME"}, Remote: flinkRemote(v)}
	line, err := flinkLine(&job, v, env, true)
	job.Lines = append(job.Lines, line.String())
	return job.Command(env), err
}

// flinkLine is the line that submits; with together, the job ends when whoever submitted it is ended.
func flinkLine(job *Job, v form.Values, env task.Env, together bool) (*Line, error) {
	if v.Text(ProgramType) == flinkSQL {
		return flinkScript(job, v, env), nil
	}
	return flinkProgram(v, env, together)
}

// flinkPlace is where the work goes on without the process that submitted it.
type flinkPlace int

const (
	onSession    flinkPlace = iota // a cluster that is there anyway: the job is ours
	onYarn                         // an application of its own
	onKubernetes                   // a deployment of its own
	inClient                       // nowhere: it ends with its client
)

// flinkWhere says where the work of the settings goes on. In the session mode of version 2 the application on YARN belongs to
// everybody, and only the job is ours.
func flinkWhere(v form.Values) flinkPlace {
	modern, sql := v.Text(FlinkVersion) == since20, v.Text(ProgramType) == flinkSQL
	switch mode := v.Text(DeployMode); {
	case mode == flinkKubernetes:
		return onKubernetes
	case mode == flinkApplication, (mode == flinkCluster || mode == "") && !modern:
		return onYarn
	case mode == flinkLocal && (modern || sql):
		return inClient
	}
	return onSession
}

// flinkRemote says how to end the work.
func flinkRemote(v form.Values) *task.Remote {
	switch flinkWhere(v) {
	case onKubernetes:
		return &task.Remote{
			Pattern: `application cluster (\S+) successfully`, Cancel: `kubectl delete deployment --ignore-not-found $DORADO_REMOTE_IDS`,
		}
	case onYarn:
		return Yarn()
	case onSession, inClient:
	}
	return &task.Remote{Pattern: `Job ?ID:? (\w+)`, Cancel: flinkEach("cancel")} // flink run says "JobID …", the SQL client "Job ID: …"
}

// flinkEach is a script that does something to each job of a session cluster.
func flinkEach(action string) string {
	return "failed=0\nfor id in $DORADO_REMOTE_IDS; do\n  " + flinkBin + " " + action + " \"$id\" || failed=$?\ndone\nexit $failed"
}

// flinkProgram writes the options in the order of DolphinScheduler.
func flinkProgram(v form.Values, env task.Env, together bool) (*Line, error) {
	jar, err := Local(env, v.Resource(MainJar))
	line := NewLine(flinkBin)
	if v.Text(FlinkVersion) == since20 {
		flink2(line, v, env)
	} else {
		flink1(line, v, env, together)
	}
	python := v.Text(ProgramType) == "PYTHON"
	if !python {
		line.Option("-c", v.Text(MainClass))
	} else {
		line.Words("-py")
	}
	return line.Words(jar).Shell(v.Text(MainArgs)), err
}

// flink1 are the options of the versions before 2.
func flink1(line *Line, v form.Values, env task.Env, together bool) {
	version, mode := v.Text(FlinkVersion), v.Text(DeployMode)
	modern := version == since112 || version == since113
	yarn := true
	switch {
	case mode == flinkApplication:
		line.Words("run-application", "-t", "yarn-application")
	case mode == flinkLocal || mode == flinkStandalone:
		line.Words("run")
		yarn = false
	case modern:
		line.Words("run", "-t", "yarn-per-job")
	default:
		line.Words("run", "-m", "yarn-cluster")
	}
	if yarn {
		line.Option("-ys", Number(v.Number(slot)))
		line.Option("-ynm", v.Text(AppName))
		if version == before110 || version == "" {
			line.Option("-yn", Number(v.Number(taskManager)))
		}
		line.Option("-yjm", v.Text(jmMemory))
		line.Option("-ytm", v.Text(tmMemory))
	}
	line.Option("-p", Number(v.Number(parallelism)))
	if mode != flinkApplication && together {
		line.Words("-sae")
	}
	line.Shell(v.Text(Others))
	if queue := Queue(v, env, "-yqu", "--yarnqueue", "yarn.application.queue"); yarn && modern {
		line.Joined("-Dyarn.application.queue=", queue)
	} else if yarn {
		line.Option("-yqu", queue)
	}
}

// flinkTarget is the execution target of version 2 for a deploy mode. Per-job mode is gone; a session takes its place.
func flinkTarget(mode string) string {
	switch mode {
	case flinkApplication:
		return "yarn-application"
	case flinkLocal:
		return "local"
	case flinkStandalone:
		return "remote"
	case flinkKubernetes:
		return flinkKubernetes
	}
	return "yarn-session"
}

// flink2 are the options of version 2, which knows neither run-application nor the options that begin with -y. Settings of
// machines only count where the program gets machines of its own.
func flink2(line *Line, v form.Values, env task.Env) {
	mode := v.Text(DeployMode)
	line.Words("run", "-t", flinkTarget(mode))
	if mode == flinkApplication || mode == flinkKubernetes {
		line.Joined("-Dtaskmanager.numberOfTaskSlots=", Number(v.Number(slot)))
		if mode == flinkApplication {
			line.Joined("-Dyarn.application.name=", v.Text(AppName))
		} else {
			line.Joined("-Dkubernetes.cluster-id=", v.Text(AppName))
		}
		line.Joined("-Djobmanager.memory.process.size=", v.Text(jmMemory))
		line.Joined("-Dtaskmanager.memory.process.size=", v.Text(tmMemory))
	}
	line.Option("-p", Number(v.Number(parallelism)))
	line.Shell(v.Text(Others))
	if mode == flinkApplication {
		line.Joined("-Dyarn.application.queue=", Queue(v, env, "yarn.application.queue"))
	}
}

// flinkScript puts the settings of the form before the lines of the user, so that those can change them.
func flinkScript(job *Job, v form.Values, env task.Env) *Line {
	var text strings.Builder
	set := func(key, value string) {
		if value = strings.TrimSpace(value); value != "" {
			text.WriteString("SET '" + key + "' = '" + strings.ReplaceAll(value, "'", "''") + "';\n")
		}
	}
	mode, modern := v.Text(DeployMode), v.Text(FlinkVersion) == since20
	switch {
	case mode == flinkStandalone: // the configuration of the installation says where the cluster is
	case mode == flinkLocal:
		set("execution.target", "local")
	case modern:
		set("execution.target", flinkTarget(mode))
	case mode == flinkApplication:
		set("execution.target", "yarn-application")
	case mode == flinkKubernetes:
		set("execution.target", flinkKubernetes)
	default:
		set("execution.target", "yarn-per-job")
	}
	if mode != flinkStandalone {
		if mode != flinkLocal && (!modern || mode == flinkApplication || mode == flinkKubernetes) {
			set("taskmanager.numberOfTaskSlots", Number(v.Number(slot)))
			if mode == flinkKubernetes {
				set("kubernetes.cluster-id", v.Text(AppName))
			} else {
				set("yarn.application.name", v.Text(AppName))
			}
			set("jobmanager.memory.process.size", v.Text(jmMemory))
			set("taskmanager.memory.process.size", v.Text(tmMemory))
			if mode != flinkKubernetes {
				set("yarn.application.queue", Queue(v, env, "yarn.application.queue"))
			}
		}
		set("parallelism.default", Number(v.Number(parallelism)))
	}
	text.WriteString(Script(v.Text(InitScript)))
	first, firstPath := Text(env, "_init.sql", text.String())
	node, nodePath := Text(env, "_node.sql", Script(v.Text(RawScript)))
	job.Files = append(job.Files, first, node)
	return NewLine(`"${FLINK_HOME}/bin/sql-client.sh"`).Words("-i", firstPath, "-f", nodePath).Shell(v.Text(Others))
}
