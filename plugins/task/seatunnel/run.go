package seatunnel

import (
	"cmp"
	"encoding/json"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

func process(v form.Values, env task.Env) (task.Command, error) {
	job := launch.Job{Needs: []string{"SEATUNNEL_HOME"}, Remote: launch.Yarn()}
	var path string
	if v.Bool(useCustom) {
		// SeaTunnel tells JSON from HOCON by the name of the file.
		name, text := "seatunnel_"+env.ID()+".conf", launch.Script(v.Text(launch.RawScript))
		if json.Valid([]byte(text)) {
			name = "seatunnel_" + env.ID() + ".json"
		}
		job.Files = []task.File{{Name: name, Text: text}}
		path = env.Dir + "/" + name
	} else {
		var err error
		if path, err = launch.OneFile(v, env); err != nil {
			return task.Command{}, err
		}
	}
	script := cmp.Or(v.Text(startupScript), engineScript)
	line := launch.NewLine(`"${SEATUNNEL_HOME}/bin/`+script+`"`).Words("--config", path)
	mode := cmp.Or(v.Text(launch.DeployMode), "client")
	switch {
	case spark(v):
		sparkOptions(line, mode, v)
	case flink(v):
		switch cmp.Or(v.Text(runMode), "RUN") {
		case "RUN":
			line.Words("--deploy-mode", "run")
		case "RUN_APPLICATION":
			line.Words("--deploy-mode", "run-application")
		}
		line.Shell(v.Text(launch.Others))
	default:
		line.Words("--deploy-mode", mode).Shell(v.Text(launch.Others))
		job.Remote = engine()
	}
	job.Lines = []string{line.String()}
	return job.Command(env), nil
}

func sparkOptions(line *launch.Line, mode string, v form.Values) {
	url := strings.TrimSpace(v.Text(masterURL))
	on := map[string]string{"LOCAL": "local", "SPARK": prefixed("spark://", url), "MESOS": prefixed("mesos://", url)}[v.Text(master)]
	on = cmp.Or(on, "yarn")
	if mode == "local" { // Spark knows it as a master only
		mode, on = "client", "local"
	}
	line.Words("--deploy-mode", mode, "--master", on)
}

func prefixed(scheme, url string) string {
	if strings.HasPrefix(url, scheme) {
		return url
	}
	return scheme + url
}

// engine is a job on SeaTunnel's own cluster.
func engine() *task.Remote {
	return &task.Remote{
		Pattern: `(?i)job ?id: ?(\d+)`,
		Cancel:  "failed=0\nfor id in $DORADO_REMOTE_IDS; do\n  \"${SEATUNNEL_HOME}/bin/" + engineScript + "\" -can \"$id\" || failed=$?\ndone\nexit $failed",
	}
}
