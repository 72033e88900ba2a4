package mlflow

import (
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

const (
	trackingURI  = "mlflowTrackingUri"
	taskType     = "mlflowTaskType"
	jobType      = "mlflowJobType"
	experiment   = "experimentName"
	modelName    = "modelName"
	dataPath     = "dataPath"
	params       = "params"
	searchParams = "searchParams"
	algorithm    = "algorithm"
	autoMLTool   = "automlTool"
	repository   = "mlflowProjectRepository"
	version      = "mlflowProjectVersion"
	deployType   = "deployType"
	modelKey     = "deployModelKey"
	port         = "deployPort"

	projects = "MLflow Projects"
	models   = "MLflow Models"
	basic    = "BasicAlgorithm"
	autoML   = "AutoML"
	custom   = "CustomProject"
	serve    = "MLFLOW"
	docker   = "DOCKER"
)

// Plugin returns the MLFLOW task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "MLFLOW", Category: "ml", Icon: "box", Retryable: true,
		Label: "task.mlflow", Help: "task.mlflow.help",
		Aliases: []string{"automl", "model", "机器学习", "模型"},
		Schema:  schema(),
		Check:   check,
		Process: process,
	}
}

func schema() form.Schema {
	project, model := launch.When(taskType, projects), launch.When(taskType, models)
	shown := func(f form.Field, when *form.Condition) form.Field {
		f.VisibleWhen = when
		return f
	}
	kind := launch.Choice(taskType, "task.mlflow.kind", projects, models)
	kind.Required = true
	text := func(name, label, help string, when *form.Condition) form.Field {
		return form.Field{Name: name, Type: form.Text, Label: label, Help: help, VisibleWhen: when}
	}
	return form.Schema{
		{Name: trackingURI, Type: form.Text, Default: "http://127.0.0.1:5000", Label: "task.mlflow.uri", Help: "task.mlflow.uri.help"},
		kind,
		shown(launch.Choice(jobType, "task.mlflow.job", basic, autoML, custom), project),
		text(repository, "task.mlflow.repository", "task.mlflow.repository.help", launch.When(jobType, custom)),
		text(version, "task.mlflow.version", "task.mlflow.version.help", launch.When(jobType, custom)),
		text(experiment, "task.mlflow.experiment", "", project),
		text(modelName, "task.mlflow.model", "task.mlflow.model.help", project),
		text(dataPath, "task.mlflow.data", "task.mlflow.data.help", project),
		shown(launch.Choice(algorithm, "task.mlflow.algorithm", "svm", "lr", "lightgbm", "xgboost"), launch.When(jobType, basic)),
		shown(launch.Choice(autoMLTool, "task.mlflow.tool", "flaml", "autosklearn"), launch.When(jobType, autoML)),
		{Name: params, Type: form.TextArea, VisibleWhen: project, Label: "task.mlflow.params", Help: "task.mlflow.params.help"},
		text(searchParams, "task.mlflow.search", "task.mlflow.search.help", launch.When(jobType, basic)),
		shown(launch.Choice(deployType, "task.mlflow.deploy", serve, docker), model),
		{Name: modelKey, Type: form.Text, Required: true, VisibleWhen: model, Label: "task.mlflow.key", Help: "task.mlflow.key.help"},
		{Name: port, Type: form.Number, Required: true, Default: 7000.0, Min: new(1.0), Max: new(65535.0), VisibleWhen: model, Label: "task.mlflow.port"},
		task.Resources(),
		task.Parameters(),
	}
}

// check demands what a kind of project cannot do without. The fields of the form depend on one other field alone.
func check(v form.Values) []form.Problem {
	if v.Text(taskType) == models {
		key := strings.TrimSpace(v.Text(modelKey))
		if v.Text(deployType) == docker && !strings.HasPrefix(key, "runs:") && !strings.HasPrefix(key, "models:") && !strings.HasPrefix(key, "$") {
			return []form.Problem{{Field: modelKey, Key: "task.mlflow.bad_key"}}
		}
		return nil
	}
	needed := dataPath
	if v.Text(jobType) == custom {
		needed = repository
	}
	if launch.Blank(v.Text(needed)) {
		return []form.Problem{{Field: needed, Key: "form.required"}}
	}
	return nil
}
