package dvc

import (
	"fmt"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// present names the missing program before anything is cloned.
const present = `command -v dvc || { echo "dvc is not in PATH: choose an environment for this task that has it" >&2; exit 1; }`

// process stops at the first step that fails: a version that was not pushed must not count as a success.
func process(v form.Values, env task.Env) (task.Command, error) {
	set := func(name, field string) string { return name + "=" + launch.Quote(v.Text(field)) }
	lines := []string{"set -e", present, set("DVC_REPO", repository)}
	clone := []string{`git clone "$DVC_REPO" dvc-repository`, "cd dvc-repository", "pwd"}
	switch kind := v.Text(taskType); kind {
	case upload, "":
		lines = append(lines, set("DVC_DATA_PATH", dataPath), set("DVC_DATA_LOCATION", location), set("DVC_VERSION", version), set("DVC_MESSAGE", message))
		lines = append(append(lines, clone...),
			"dvc config core.autostage true --local",
			`dvc add "$DVC_DATA_PATH" -v -o "$DVC_DATA_LOCATION" --to-remote`,
			`git commit -am "$DVC_MESSAGE"`,
			`git tag "$DVC_VERSION" -m "$DVC_MESSAGE"`,
			"git push --all", "git push --tags",
		)
	case download:
		lines = append(lines, set("DVC_DATA_PATH", dataPath), set("DVC_DATA_LOCATION", location), set("DVC_VERSION", version),
			`dvc get "$DVC_REPO" "$DVC_DATA_LOCATION" -o "$DVC_DATA_PATH" -v --rev "$DVC_VERSION"`)
	case initDVC:
		lines = append(append(lines, clone...),
			"dvc init",
			launch.NewLine("dvc").Words("remote", "add", "origin", v.Text(storeURL), "-d").String(),
			`git commit -am "init dvc project and add remote"`,
			"git push",
		)
	default:
		return task.Command{}, fmt.Errorf("there is no %s %q", taskType, kind)
	}
	return launch.Job{Lines: lines}.Command(env), nil
}
