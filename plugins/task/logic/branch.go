package logic

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Conditions returns the CONDITIONS task type: how earlier tasks ended decides which tasks follow.
func Conditions() task.Plugin {
	return task.Plugin{
		Type: "CONDITIONS", Category: "logic", Icon: "branch", Logic: true,
		Label: "task.conditions", Help: "task.conditions.help",
		Aliases: []string{"if", "branch", "on failure", "条件", "分支", "失败处理"},
		Schema: form.Schema{
			{Name: "dependence", Type: form.Conditions, Required: true, Label: "task.conditions.when", Help: "task.conditions.when.help"},
			{Name: "conditionResult", Type: form.Outcomes, Required: true, Label: "task.conditions.then", Help: "task.conditions.then.help"},
			parameters(),
		},
	}
}

// Switch returns the SWITCH task type: the first condition that is true chooses the task that follows.
func Switch() task.Plugin {
	return task.Plugin{
		Type: "SWITCH", Category: "logic", Icon: "route", Logic: true,
		Label: "task.switch", Help: "task.switch.help",
		Aliases: []string{"case", "if", "expression", "branch", "分支", "表达式"},
		Schema: form.Schema{
			{Name: "switchResult", Type: form.Cases, Required: true, Label: "task.switch.cases", Help: "task.switch.cases.help"},
			parameters(),
		},
	}
}
