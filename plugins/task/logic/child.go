package logic

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// SubWorkflow returns the SUB_WORKFLOW task type: it runs another workflow of the project and ends as that ends.
func SubWorkflow() task.Plugin {
	return task.Plugin{
		Type: "SUB_WORKFLOW", Also: []string{"SUB_PROCESS"}, Category: "logic", Icon: "sub", Logic: true, Retryable: true,
		Label: "task.sub_workflow", Help: "task.sub_workflow.help",
		Aliases: []string{"subprocess", "sub process", "child", "nested", "子流程", "子工作流"},
		Schema:  form.Schema{child(), parameters()},
	}
}

// Dynamic returns the DYNAMIC task type: one run of a workflow for each combination of values.
func Dynamic() task.Plugin {
	return task.Plugin{
		Type: "DYNAMIC", Category: "logic", Icon: "grid", Logic: true, Retryable: true,
		Label: "task.dynamic", Help: "task.dynamic.help",
		Aliases: []string{"matrix", "product", "fan out", "动态", "笛卡尔积"},
		Schema: form.Schema{
			child(),
			{Name: "listParameters", Type: form.Lists, Required: true, Label: "task.dynamic.lists", Help: "task.dynamic.lists.help"},
			{
				Name: "degreeOfParallelism", Type: form.Number, Required: true, Default: 1.0, Min: new(1.0), Max: new(1000.0),
				Label: "task.dynamic.parallel", Help: "task.dynamic.parallel.help",
			},
			{
				Name: "maxNumOfSubWorkflowInstances", Type: form.Number, Required: true, Default: 1024.0, Min: new(1.0), Max: new(10_000.0),
				Label: "task.dynamic.most", Help: "task.dynamic.most.help",
			},
			{Name: "filterCondition", Type: form.Text, Label: "task.dynamic.filter", Help: "task.dynamic.filter.help", Placeholder: "task.dynamic.filter.placeholder"},
			parameters(),
		},
		Check: whole("degreeOfParallelism", "maxNumOfSubWorkflowInstances"),
	}
}

// ForEach returns the FOR_EACH task type: one run of a workflow for each element of a list.
func ForEach() task.Plugin {
	return task.Plugin{
		Type: "FOR_EACH", Category: "logic", Icon: "layers", Logic: true, Retryable: true,
		Label: "task.for_each", Help: "task.for_each.help",
		Aliases: []string{"map", "loop", "list", "iterate", "循环", "遍历", "列表"},
		Schema: form.Schema{
			child(),
			{
				Name: "items", Type: form.TextArea, Required: true,
				Label: "task.for_each.items", Help: "task.for_each.items.help", Placeholder: "task.for_each.items.placeholder",
			},
			{
				Name: "concurrency", Type: form.Number, Default: 1.0, Min: new(1.0), Max: new(1000.0),
				Label: "task.for_each.concurrency", Help: "task.for_each.concurrency.help",
			},
			{
				Name: "failurePolicy", Type: form.Select, Default: "STOP", Label: "task.for_each.failure", Help: "task.for_each.failure.help",
				Options: []form.Option{{Value: "STOP", Label: "task.for_each.stop"}, {Value: "CONTINUE", Label: "task.for_each.continue"}},
			},
			{Name: "separator", Type: form.Text, Default: ",", Advanced: true, Label: "task.for_each.separator", Help: "task.for_each.separator.help"},
			{Name: "itemParam", Type: form.Text, Default: "item", Advanced: true, Label: "task.for_each.item_param", Help: "task.for_each.item_param.help"},
			{Name: "indexParam", Type: form.Text, Default: "index", Advanced: true, Label: "task.for_each.index_param", Help: "task.for_each.index_param.help"},
			parameters(),
		},
		Check: whole("concurrency"),
	}
}
