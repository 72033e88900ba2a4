package k8s

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Names of the fields; definitions hold them.
const (
	fieldSource  = "datasource"
	fieldImage   = "image"
	fieldPull    = "imagePullPolicy"
	fieldSecret  = "pullSecret"
	fieldCommand = "command"
	fieldArgs    = "args"
	fieldCPU     = "minCpuCores"
	fieldMemory  = "minMemorySpace"
	fieldLabels  = "customizedLabels"
	fieldNodes   = "nodeSelectors"
	// fieldNamespace is where definitions before data sources for clusters name one.
	fieldNamespace = "namespace"
)

// Plugin returns the K8S task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "K8S", Category: "cloud", Icon: "container", Retryable: true,
		Label: "task.k8s", Help: "task.k8s.help",
		Aliases: []string{"kubernetes", "job", "pod", "container", "容器"},
		Schema:  schema(),
		Check:   check,
		Run:     run,
	}
}

func schema() form.Schema {
	source := task.SourceFields("K8S")
	source[1].Required = false // check asks for it, but not where an older definition names a cluster
	return slices.Concat(form.Schema{}, source, form.Schema{
		{Name: fieldImage, Type: form.Text, Required: true, Label: "task.k8s.image", Help: "task.k8s.image.help", Placeholder: "task.k8s.image.placeholder"},
		{
			Name: fieldPull, Type: form.Select, Required: true, Default: "IfNotPresent", Label: "task.k8s.pull",
			Options: []form.Option{{Value: "IfNotPresent"}, {Value: "Always"}, {Value: "Never"}},
		},
		{Name: fieldSecret, Type: form.Text, Label: "task.k8s.secret", Help: "task.k8s.secret.help", Advanced: true},
		{Name: fieldCommand, Type: form.Code, Language: "yaml", Label: "task.k8s.command", Help: "task.k8s.command.help", Placeholder: "task.k8s.command.placeholder"},
		{Name: fieldArgs, Type: form.Code, Language: "yaml", Label: "task.k8s.args", Help: "task.k8s.args.help", Placeholder: "task.k8s.args.placeholder"},
		{Name: fieldCPU, Type: form.Number, Default: 0.0, Min: new(0.0), Label: "task.k8s.cpu", Help: "task.k8s.cpu.help"},
		{Name: fieldMemory, Type: form.Number, Default: 0.0, Min: new(0.0), Label: "task.k8s.memory", Help: "task.k8s.memory.help"},
		{
			Name: fieldLabels, Type: form.Table, Label: "task.k8s.labels", Help: "task.k8s.labels.help", Advanced: true,
			Columns: []form.Column{{Name: "label", Label: "task.k8s.label"}, {Name: "value", Label: "task.k8s.label.value"}},
		},
		{
			Name: fieldNodes, Type: form.Table, Label: "task.k8s.nodes", Help: "task.k8s.nodes.help", Advanced: true,
			Columns: []form.Column{
				{Name: "key", Label: "task.k8s.nodes.key"},
				{Name: "operator", Label: "task.k8s.nodes.operator", Options: []form.Option{
					{Value: "In"}, {Value: "NotIn"}, {Value: "Exists"}, {Value: "DoesNotExist"}, {Value: "Gt"}, {Value: "Lt"},
				}},
				{Name: "values", Label: "task.k8s.nodes.values"},
			},
		},
		{Name: fieldNamespace, Type: form.Text, Label: "task.k8s.namespace", Help: "task.k8s.namespace.help", Advanced: true},
		task.Resources(),
		task.Parameters(),
	})
}
