package pytorch

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	script       = "script"
	scriptParams = "scriptParams"
	pythonPath   = "pythonPath"
	create       = "isCreateEnvironment"
	tool         = "pythonEnvTool"
	requirements = "requirements"
	condaVersion = "condaPythonVersion"
	launcher     = "pythonLauncher"

	virtualenv      = "virtualenv"
	conda           = "conda"
	venv            = "venv"
	defaultLauncher = "${PYTHON_LAUNCHER}"
)

// Plugin returns the PYTORCH task type.
func Plugin() task.Plugin {
	with := launch.Choice(tool, "task.pytorch.tool", virtualenv, conda, venv)
	with.VisibleWhen = launch.When(create, "true")
	return task.Plugin{
		Type: "PYTORCH", Category: "ml", Icon: "box", Retryable: true,
		Label: "task.pytorch", Help: "task.pytorch.help",
		Aliases: []string{"python", "torch", "git", "机器学习"},
		Schema: form.Schema{
			{Name: script, Type: form.Text, Required: true, Label: "task.script", Help: "task.pytorch.script.help"},
			{Name: scriptParams, Type: form.TextArea, Label: "task.launch.main_args", Help: "task.launch.main_args.help"},
			{Name: pythonPath, Type: form.Text, Default: ".", Label: "task.pytorch.path", Help: "task.pytorch.path.help"},
			{Name: create, Type: form.Switch, Default: false, Label: "task.pytorch.create"},
			with,
			{
				Name: requirements, Type: form.Text, Default: "requirements.txt", VisibleWhen: launch.When(create, "true"),
				Label: "task.pytorch.requirements", Help: "task.pytorch.requirements.help",
			},
			{
				Name: condaVersion, Type: form.Text, Default: "3.9", VisibleWhen: launch.When(tool, conda),
				Label: "task.pytorch.version", Help: "task.pytorch.version.help",
			},
			{
				Name: launcher, Type: form.Text, Default: defaultLauncher, Literal: true, Advanced: true,
				Label: "task.pytorch.launcher", Help: "task.pytorch.launcher.help",
			},
			task.Resources(),
			task.Parameters(),
		},
		Process: process,
	}
}
