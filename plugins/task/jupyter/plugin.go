package jupyter

import (
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	environment = "condaEnvName"
	input       = "inputNotePath"
	output      = "outputNotePath"
	parameters  = "parameters"
	kernel      = "kernel"
	engine      = "engine"
	runTimeout  = "executionTimeout"
	bootTimeout = "startTimeout"
)

// Plugin returns the JUPYTER task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "JUPYTER", Category: "ml", Icon: "book", Retryable: true,
		Label: "task.jupyter", Help: "task.jupyter.help",
		Aliases: []string{"notebook", "papermill", "ipynb", "机器学习"},
		Schema: form.Schema{
			{Name: environment, Type: form.Text, Label: "task.jupyter.env", Help: "task.jupyter.env.help"},
			{Name: input, Type: form.Text, Required: true, Label: "task.jupyter.input", Help: "task.jupyter.input.help"},
			{Name: output, Type: form.Text, Required: true, Label: "task.jupyter.output", Help: "task.jupyter.output.help"},
			{Name: parameters, Type: form.Code, Language: "json", Label: "task.jupyter.parameters", Help: "task.jupyter.parameters.help"},
			{Name: kernel, Type: form.Text, Label: "task.jupyter.kernel", Advanced: true},
			{Name: engine, Type: form.Text, Label: "task.jupyter.engine", Advanced: true},
			{Name: runTimeout, Type: form.Text, Label: "task.jupyter.run_timeout", Advanced: true},
			{Name: bootTimeout, Type: form.Text, Label: "task.jupyter.boot_timeout", Advanced: true},
			launch.OtherOptions(),
			task.Resources(),
			task.Parameters(),
		},
		Check:   check,
		Process: process,
	}
}

func check(v form.Values) []form.Problem {
	text := v.Text(parameters)
	if strings.Contains(text, "$") {
		return nil // what comes of it is only known when it runs
	}
	if _, err := pairs(text); err != nil {
		return []form.Problem{{Field: parameters, Key: "task.jupyter.bad_parameters"}}
	}
	return nil
}
