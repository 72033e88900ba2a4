package shell

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// process runs the script with the options an interactive user would expect of a script, which are the shell's own: no
// set -e, so the last command decides the exit code.
func process(v form.Values, _ task.Env) (task.Command, error) {
	return task.Command{Interpreter: []string{"bash", "sh"}, Script: read(v).script, Shell: true}, nil
}
