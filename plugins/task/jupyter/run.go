package jupyter

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// conda makes its commands known to the shell; CONDA_PATH of the environment says where it is installed.
const conda = `. "${CONDA_PATH:-/opt/anaconda3/etc/profile.d/conda.sh}"`

func process(v form.Values, env task.Env) (task.Command, error) {
	run, err := papermill(v, env)
	if err != nil {
		return task.Command{}, err
	}
	var lines []string
	switch name := strings.TrimSpace(v.Text(environment)); {
	case name == "":
		lines = []string{run}
	case strings.HasPrefix(name, "venv:"):
		lines = []string{". " + launch.Quote(strings.TrimSuffix(name[len("venv:"):], "/")+"/bin/activate") + " && " + run}
	case strings.HasSuffix(name, ".tar.gz"):
		lines = []string{"mkdir jupyter_env && tar -xzf " + launch.Quote(env.File(name)) + " -C jupyter_env && . jupyter_env/bin/activate && " + run}
	case strings.HasSuffix(name, ".txt"):
		lines = temporary("jupyter-tmp-env-"+env.ID(), env.File(name), run)
	default:
		lines = []string{conda + " && conda activate " + launch.Quote(name) + " && " + run}
	}
	return launch.Job{Lines: lines}.Command(env), nil
}

// temporary makes an environment for one run. It is removed whatever comes of the notebook, whose exit code counts.
func temporary(name, requirements, run string) []string {
	return []string{
		conda + " && conda create -n " + name + " -y && conda activate " + name + " && pip install -r " + launch.Quote(requirements) + " && " + run,
		"DORADO_RESULT=$?",
		"conda deactivate && conda remove --name " + name + " --all -y",
		"exit $DORADO_RESULT",
	}
}

func papermill(v form.Values, env task.Env) (string, error) {
	line := launch.NewLine("papermill").Words(env.File(strings.TrimSpace(v.Text(input))), strings.TrimSpace(v.Text(output)))
	all, err := pairs(v.Text(parameters))
	if err != nil {
		return "", fmt.Errorf("the parameters of the notebook are no JSON object: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		line.Words("--parameters", name, all[name])
	}
	line.Option("--kernel", v.Text(kernel)).Option("--engine", v.Text(engine))
	line.Option("--execution-timeout", v.Text(runTimeout)).Option("--start-timeout", v.Text(bootTimeout))
	return line.Shell(v.Text(launch.Others)).Words("--inject-paths", "--progress-bar").String(), nil
}

// pairs reads a JSON object. Texts are used as they are, everything else as JSON.
func pairs(text string) (map[string]string, error) {
	if launch.Blank(text) {
		return map[string]string{}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return nil, err
	}
	out := make(map[string]string, len(members))
	for name, raw := range members {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		out[name] = s
	}
	return out, nil
}
