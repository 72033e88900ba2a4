package foreign

import (
	"context"
	"errors"
	"fmt"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// kind is one type of the list.
type kind struct {
	name, category, icon, label string
	also                        []string
}

// kinds is the palette of DolphinScheduler without what this program runs itself.
func kinds() []kind {
	return []kind{
		{name: "DINKY", category: "universal", icon: "zap", label: "task.foreign.dinky"},

		{name: "GRPC", category: "universal", icon: "network", label: "task.foreign.grpc"},

		{name: "EMR", category: "cloud", icon: "cloud", label: "task.foreign.emr"},
		{name: "EMR_SERVERLESS", category: "cloud", icon: "cloud", label: "task.foreign.emr_serverless"},
		{name: "DMS", category: "cloud", icon: "cloud", label: "task.foreign.dms"},
		{name: "DATA_FACTORY", category: "cloud", icon: "cloud", label: "task.foreign.data_factory"},
		{name: "ALIYUN_SERVERLESS_SPARK", category: "cloud", icon: "cloud", label: "task.foreign.aliyun_spark"},

		{name: "SAGEMAKER", category: "ml", icon: "cloud", label: "task.foreign.sagemaker"},
		{name: "KUBEFLOW", category: "ml", icon: "container", label: "task.foreign.kubeflow"},

		{name: "ZEPPELIN", category: "other", icon: "book", label: "task.foreign.zeppelin"},
		{name: "DATASYNC", category: "other", icon: "cloud", label: "task.foreign.datasync"},
	}
}

// Plugins returns the types, in the order of the palette.
func Plugins() []task.Plugin {
	all := kinds()
	out := make([]task.Plugin, len(all))
	for i, k := range all {
		out[i] = task.Plugin{
			Type: k.name, Also: k.also, Category: k.category, Icon: k.icon, Foreign: true,
			Label: k.label, Help: "task.foreign.help",
			// Parameters are understood, because tasks hand values on by them. All else is the type's own business.
			Schema: form.Schema{task.Parameters()},
			Run:    refuse(k.name),
		}
	}
	return out
}

// ErrForeign is why an attempt of such a task fails.
var ErrForeign = errors.New("tasks of this type are kept and exported, but not run")

func refuse(name string) func(context.Context, form.Values, task.Env) (task.Outcome, error) {
	return func(_ context.Context, _ form.Values, env task.Env) (task.Outcome, error) {
		err := fmt.Errorf("no worker of this version can run %s tasks: %w", name, ErrForeign)
		if env.Log != nil {
			if _, failed := fmt.Fprintf(env.Log, "no worker of this version can run %s tasks; forbid the task, replace it, or run it in a dry run\n", name); failed != nil {
				return task.Outcome{}, errors.Join(err, failed)
			}
		}
		return task.Outcome{}, err
	}
}
