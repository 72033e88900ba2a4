package dvc

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	taskType   = "dvcTaskType"
	repository = "dvcRepository"
	version    = "dvcVersion"
	location   = "dvcDataLocation"
	message    = "dvcMessage"
	dataPath   = "dvcLoadSaveDataPath"
	storeURL   = "dvcStoreUrl"

	upload   = "Upload"
	download = "Download"
	initDVC  = "Init DVC"
)

// Plugin returns the DVC task type.
func Plugin() task.Plugin {
	kind := launch.Choice(taskType, "task.dvc.kind", upload, download, initDVC)
	kind.Required = true
	kind.Options[0].Label, kind.Options[1].Label, kind.Options[2].Label = "task.dvc.upload", "task.dvc.download", "task.dvc.init"
	needed := func(name, label, help string, in ...string) form.Field {
		return form.Field{Name: name, Type: form.Text, Required: true, Label: label, Help: help, VisibleWhen: launch.When(taskType, in...)}
	}
	return task.Plugin{
		Type: "DVC", Category: "ml", Icon: "git-branch", Retryable: true,
		Label: "task.dvc", Help: "task.dvc.help",
		Aliases: []string{"git", "data", "version", "机器学习", "数据版本"},
		Schema: form.Schema{
			kind,
			{Name: repository, Type: form.Text, Required: true, Label: "task.dvc.repository", Help: "task.dvc.repository.help"},
			needed(location, "task.dvc.location", "task.dvc.location.help", upload, download),
			needed(dataPath, "task.dvc.path", "task.dvc.path.help", upload, download),
			needed(version, "task.dvc.version", "task.dvc.version.help", upload, download),
			needed(message, "task.dvc.message", "", upload),
			needed(storeURL, "task.dvc.store", "task.dvc.store.help", initDVC),
			task.Resources(),
			task.Parameters(),
		},
		Process: process,
	}
}
