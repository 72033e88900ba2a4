package mlflow

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// presets is where the projects of DolphinScheduler are; an installation without the internet names a copy.
const presets = `"${MLFLOW_PRESET_REPOSITORY:-https://github.com/apache/dolphinscheduler-mlflow}`

// git is what has versions; a folder has none.
var git = regexp.MustCompile(`^(git@|ssh://|git://|https?://|file://)|\.git(#|$)`)

func process(v form.Values, env task.Env) (task.Command, error) {
	lines := []string{"export MLFLOW_TRACKING_URI=" + launch.Quote(strings.TrimSpace(v.Text(trackingURI)))}
	if v.Text(taskType) != models {
		return launch.Job{Lines: append(lines, project(v)...)}.Command(env), nil
	}
	key := strings.TrimSpace(v.Text(modelKey))
	if v.Text(deployType) != docker {
		line := launch.NewLine("mlflow").Words("models", "serve", "-m", key, "--port", launch.Number(v.Number(port)), "-h", "0.0.0.0")
		return launch.Job{Lines: append(lines, line.String())}.Command(env), nil
	}
	_, name, ok := strings.Cut(key, ":/")
	if !ok {
		return task.Command{}, fmt.Errorf("the model %q begins neither with runs:/ nor with models:/", key)
	}
	return launch.Job{Lines: append(lines, container(key, name, launch.Number(v.Number(port)))...)}.Command(env), nil
}

// project runs one of the projects of DolphinScheduler, or the user's own.
func project(v form.Values) []string {
	lines := []string{"data_path=" + launch.Quote(strings.TrimSpace(v.Text(dataPath)))}
	line := launch.NewLine("mlflow").Words("run").Shell(`"$repo"`)
	versioned := true
	parameter := func(name, value string) { line.Words("-P", name+"="+value) } // an empty value is one, too
	switch kind := cmp.Or(v.Text(jobType), basic); kind {
	case custom:
		repo := strings.TrimSpace(v.Text(repository))
		versioned = git.MatchString(repo)
		lines = append(lines, "repo="+launch.Quote(repo))
		line.Shell(v.Text(params))
	case autoML:
		lines = append(lines, "repo="+presets+`#Project-AutoML"`)
		parameter("tool", cmp.Or(v.Text(autoMLTool), "flaml"))
		line.Shell(`-P data_path="$data_path"`)
		parameter("params", v.Text(params))
		parameter("model_name", v.Text(modelName))
	default:
		lines = append(lines, "repo="+presets+`#Project-BasicAlgorithm"`)
		parameter("algorithm", cmp.Or(v.Text(algorithm), "svm"))
		line.Shell(`-P data_path="$data_path"`)
		parameter("params", v.Text(params))
		parameter("search_params", v.Text(searchParams))
		parameter("model_name", v.Text(modelName))
	}
	line.Words("--experiment-name=" + v.Text(experiment))
	if versioned {
		line.Joined("--version=", v.Text(version))
	}
	return append(lines, line.String())
}

// container builds an image of a model, starts it in place of an older one, and waits until it answers.
func container(key, name, port string) []string {
	image, called := "mlflow/"+strings.ReplaceAll(name, "/", ":"), "ds-mlflow-"+strings.ReplaceAll(name, "/", "-")
	health := "curl --fail http://127.0.0.1:8080/ping || exit 1"
	return []string{
		"set -e",
		launch.NewLine("mlflow").Words("models", "build-docker", "-m", key, "-n", image, "--enable-mlserver").String(),
		launch.NewLine("docker").Words("rm", "-f", called).String(),
		launch.NewLine("docker").Words("run", "-d", "--name="+called, "-p="+port+":8080", "--health-cmd", health, "--health-interval", "5s", "--health-retries", "20", image).String(),
		"DORADO_TRIES=0",
		`while [ "$DORADO_TRIES" -lt 20 ]; do`,
		`  DORADO_HEALTH=$(` + launch.NewLine("docker").Words("inspect", "--format", "{{.State.Health.Status}}", called).String() + `) || DORADO_HEALTH=unknown`,
		`  echo "The container is $DORADO_HEALTH"`,
		`  [ "$DORADO_HEALTH" != healthy ] || exit 0`,
		`  sleep "${DORADO_MLFLOW_INTERVAL:-5}"`,
		`  DORADO_TRIES=$((DORADO_TRIES + 1))`,
		"done",
		`echo "The container did not become healthy" >&2`,
		"exit 1",
	}
}
