package text

// field is one name of the form. The parser knows no others, and the schema is made from them.
type field struct {
	name string
	of   string   // names of what flow.Validate calls it, by comma
	help string   // for the schema
	kind string   // JSON type for the schema, or the name of a definition in it
	enum []string // the only values
	def  any      // what leaving it out means
}

func workflowFields() []field {
	return []field{
		{name: "code", of: "code", kind: "integer", help: "Number of the workflow. Left out: the workflow is found by its name."},
		{name: "name", of: "name", kind: "string", help: "Name of the workflow, unique in its project."},
		{name: "description", of: "description", kind: "string", help: "What the workflow is for."},
		{
			name: "execution", of: "executionType", kind: "string", enum: []string{"PARALLEL", "SERIAL_WAIT", "SERIAL_DISCARD", "SERIAL_PRIORITY"}, def: "PARALLEL",
			help: "What happens when the workflow is triggered while it runs.",
		},
		{name: "timeout", of: "timeout", kind: "integer", help: "Minutes after which a run that is not done is reported.", def: 0},
		{name: "params", of: "globalParams", kind: "#params", help: "Global parameters, by name."},
		{name: "tasks", of: "tasks", kind: "#tasks", help: "The tasks, by name."},
		{name: "schedules", of: "schedules", kind: "#schedules", help: "When the workflow starts by the clock, by name. Left out: the schedules stay as they are."},
		{name: "layout", of: "locations", kind: "#layout", help: "Where the editor draws each task: its name and [x, y]. Left out: the places stay as they are, new tasks are laid out."},
	}
}

func taskFields() []field {
	return []field{
		{name: "name", of: "name", kind: "string", help: "Name of the task; only where tasks are a list."},
		{name: "code", of: "code", kind: "integer", help: "Number of the task. Left out: the task of that name, else a new one."},
		{name: "type", of: "taskType", kind: "string", help: "Task type, such as SHELL."},
		{name: "description", of: "description", kind: "string", help: "What the task does."},
		{name: "needs", of: "relations", kind: "#needs", help: "Tasks that come before this one."},
		{name: "script", of: "taskParams.rawScript", kind: "string", help: "The script of the task."},
		{name: "with", of: "taskParams", kind: "object", help: "What this type of task has besides the script. References to tasks and workflows are written by name."},
		{name: "params", of: "taskParams.localParams", kind: "#params", help: "Parameters of the task, by name."},
		{name: "resources", of: "taskParams.resourceList", kind: "#names", help: "Files of the resource centre that the task needs."},
		{name: "retry", of: "failRetryTimes,failRetryInterval", kind: "#retry", help: "How often a failed task is tried again.", def: 0},
		{name: "timeout", of: "timeout,timeoutFlag,timeoutNotifyStrategy", kind: "#timeout", help: "Minutes that the task may take."},
		{name: "delay", of: "delayTime", kind: "integer", help: "Minutes to wait before the task begins.", def: 0},
		{name: "priority", of: "taskPriority", kind: "string", enum: []string{"HIGHEST", "HIGH", "MEDIUM", "LOW", "LOWEST"}, def: "MEDIUM", help: "Which task goes first when workers are scarce."},
		{name: "workerGroup", of: "workerGroup", kind: "string", help: "Workers that may run the task.", def: "default"},
		{name: "environment", of: "environmentCode", kind: "#reference", help: "Environment whose settings come before the script, by name or code."},
		{name: "taskGroup", of: "taskGroupId,taskGroupPriority", kind: "#taskGroup", help: "Task group that limits how many run at once."},
		{name: "enabled", of: "flag", kind: "boolean", help: "false: the task is passed over.", def: true},
		{name: "cache", of: "isCache", kind: "boolean", help: "Use the result of an earlier run with the same input.", def: false},
		{name: "finally", of: "finally", kind: "boolean", help: "Run when everything else is over, whatever happened.", def: false},
		{name: "stream", of: "taskExecuteType", kind: "boolean", help: "A streaming task: it does not end by itself.", def: false},
		{name: "cpu", of: "cpuQuota", kind: "integer", help: "Percent of one core; -1: no limit.", def: -1},
		{name: "memory", of: "memoryMax", kind: "integer", help: "Megabytes; -1: no limit.", def: -1},
	}
}

func fieldNames(fields []field) map[string]bool {
	out := make(map[string]bool, len(fields))
	for _, f := range fields {
		out[f.name] = true
	}
	return out
}
