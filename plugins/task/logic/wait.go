package logic

import (
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Dependent returns the DEPENDENT task type: it waits until other workflows have run for the right dates.
func Dependent() task.Plugin {
	return task.Plugin{
		Type: "DEPENDENT", Category: "logic", Icon: "wait", Logic: true, Retryable: true,
		Label: "task.dependent", Help: "task.dependent.help",
		Aliases: []string{"sensor", "wait for", "dependency", "依赖", "等待", "跨工作流"},
		Schema: form.Schema{
			{Name: "dependence", Type: form.Dependence, Required: true, Label: "task.dependent.on", Help: "task.dependent.on.help"},
			parameters(),
		},
	}
}

// Approval returns the APPROVAL task type: it waits until a person says yes or no.
func Approval() task.Plugin {
	return task.Plugin{
		Type: "APPROVAL", Category: "logic", Icon: "user", Logic: true,
		Label: "task.approval", Help: "task.approval.help",
		Aliases: []string{"manual", "human", "confirm", "gate", "审批", "人工", "确认"},
		Schema: form.Schema{
			{
				Name: "question", Type: form.TextArea, Required: true,
				Label: "task.approval.question", Help: "task.approval.question.help", Placeholder: "task.approval.question.placeholder",
			},
			{
				Name: "role", Type: form.Select, Default: "OPERATE", Label: "task.approval.role", Help: "task.approval.role.help",
				Options: []form.Option{
					{Value: "OPERATE", Label: "task.approval.operate"},
					{Value: "ALL", Label: "task.approval.all"},
					{Value: "OWNER", Label: "task.approval.owner"},
					{Value: "ADMIN", Label: "task.approval.admin"},
				},
			},
			{
				Name: "expireMinutes", Type: form.Number, Default: 0.0, Min: new(0.0), Max: new(366.0 * 24 * 60),
				Label: "task.approval.expire", Help: "task.approval.expire.help",
			},
			{
				Name: "onExpire", Type: form.Select, Default: "REJECT", Label: "task.approval.on_expire", Help: "task.approval.on_expire.help",
				Options: []form.Option{{Value: "REJECT", Label: "task.approval.reject"}, {Value: "APPROVE", Label: "task.approval.approve"}},
			},
			parameters(),
		},
		Check: whole("expireMinutes"),
	}
}
