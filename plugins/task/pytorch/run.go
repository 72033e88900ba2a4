package pytorch

import (
	"cmp"
	"path"
	"regexp"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// project is the folder of the working directory into which a repository is cloned.
const project = "GIT_PROJECT"

// repository is what git can clone; a folder behind # is one within it.
var repository = regexp.MustCompile(`^(git@|ssh://|git://|https?://|file://)`)

// process writes each step as a line of its own and stops at the first that fails.
func process(v form.Values, env task.Env) (task.Command, error) {
	lines := []string{"set -e"}
	python := cmp.Or(strings.TrimSpace(v.Text(launcher)), defaultLauncher)
	if python == defaultLauncher {
		python = "${PYTHON_LAUNCHER:-python3}"
	}
	folder := cmp.Or(strings.TrimSpace(v.Text(pythonPath)), ".")
	file, needs := env.File(strings.TrimSpace(v.Text(script))), env.File(cmp.Or(strings.TrimSpace(v.Text(requirements)), "requirements.txt"))
	if repository.MatchString(folder) {
		url, within, _ := strings.Cut(folder, "#")
		folder = path.Join(env.Dir, project, within)
		lines = append(lines, launch.NewLine("git").Words("clone", url, project).String())
		file = path.Join(folder, file)
		if _, chosen := env.Files[needs]; !chosen && !path.IsAbs(needs) {
			needs = path.Join(folder, needs)
		}
	}
	lines = append(lines, "export PYTHONPATH="+launch.Quote(folder))
	if v.Bool(create) {
		switch cmp.Or(v.Text(tool), virtualenv) {
		case conda:
			version := cmp.Or(strings.TrimSpace(v.Text(condaVersion)), "3.9")
			lines = append(lines, launch.NewLine("conda").Words("create", "-y", "python="+version, "-p", "./venv").String(), ". activate ./venv")
		case venv:
			lines = append(lines, python+" -m venv ./venv", ". ./venv/bin/activate")
		default:
			lines = append(lines, "virtualenv -p "+python+" ./venv", ". ./venv/bin/activate")
		}
		python = "./venv/bin/python"
		lines = append(lines, launch.NewLine(python).Words("-m", "pip", "install", "-r", needs).String())
	}
	lines = append(lines, launch.NewLine(python).Words(file).Shell(v.Text(scriptParams)).String())
	return launch.Job{Lines: lines}.Command(env), nil
}
