package python

import (
	"fmt"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// process puts the script into a file, because tracebacks, multiprocessing and importlib want one. Nothing is put before
// the user's text, so the line numbers of a traceback are those of the editor.
func process(v form.Values, env task.Env) (task.Command, error) {
	return task.Command{
		Interpreter: []string{"python3", "python"},
		Launcher:    "PYTHON_LAUNCHER",
		Script:      read(v).script,
		File:        fmt.Sprintf("py_%d_%d.py", env.WorkflowInstanceID, env.TaskInstanceID),
		Env:         []string{"PYTHONUNBUFFERED=1"}, // lines reach the log when they are printed
	}, nil
}
