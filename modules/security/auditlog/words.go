package auditlog

import (
	"slices"

	"dorado/modules/audit"
)

// kinds are the object types that one can filter by.
func kinds() []string {
	return []string{
		"project", "parameter", "workflow", "workflow_instance", "task_instance", "schedule", "backfill", "taskgroup", "resource", "datasource",
		"tenant", "user", "token", "access", "policy", "grant", "workergroup", "environment", "alertgroup", "alertinstance", "cluster", "namespace",
		"calendar", "queue", "backup", "retention", "worker", "command", "auditlog",
	}
}

// verbs are the actions that one can filter by.
func verbs() []string {
	return []string{
		"create", "update", "edit", "save", "delete", "copy", "move", "import", "export", "online", "offline", "delete_version", "start", "run",
		"pause", "resume", "stop", "kill", "rerun", "recover", "force_success", "force_start", "clear_cache", "cancel", "close", "grant", "revoke",
		"sign_in", "sign_in_by_link", "sign_in_failed", "sign_out", "session_end", "password", "profile", "link", "unlock", "refused", "drain",
		"undrain", "restore", "retry", "discard",
	}
}

// dsModel is an object type in DolphinScheduler's words. Kinds are ours.
type dsModel struct {
	name  string
	kinds []string
	child []dsModel
}

// models is the tree of DolphinScheduler's object types.
func models() []dsModel {
	return []dsModel{
		{"Project", []string{"project", "parameter"}, []dsModel{
			{"Workflow", []string{"workflow", "backfill"}, []dsModel{
				{"WorkflowInstance", []string{"workflow_instance"}, nil},
				{"Task", nil, []dsModel{{"TaskInstance", []string{"task_instance"}, nil}}},
				{"Schedule", []string{"schedule"}, nil},
			}},
		}},
		{"Resource", nil, []dsModel{
			{"Folder", nil, []dsModel{{"File", []string{"resource"}, nil}}},
			{"TaskGroup", []string{"taskgroup"}, nil},
		}},
		{"Datasource", []string{"datasource"}, nil},
		{"Security", nil, []dsModel{
			{"Tenant", []string{"tenant"}, nil},
			{"User", []string{"user", "policy", "grant"}, nil},
			{"AlarmGroup", []string{"alertgroup"}, nil},
			{"AlarmInstance", []string{"alertinstance"}, nil},
			{"WorkerGroup", []string{"workergroup"}, nil},
			{"YarnQueue", []string{"queue"}, nil},
			{"Environment", []string{"environment"}, nil},
			{"Cluster", []string{"cluster"}, nil},
			{"K8sNamespace", []string{"namespace"}, nil},
			{"Token", []string{"token"}, nil},
		}},
	}
}

// dsOperation is an action in DolphinScheduler's words.
type dsOperation struct {
	name  string
	verbs []string
}

// operations lists DolphinScheduler's actions. Those that nothing here does have no verbs.
func operations() []dsOperation {
	return []dsOperation{
		{"Create", []string{"create", "link"}},
		{"Update", []string{"update", "edit", "save", "profile", "password", "worker_groups", "put_days", "remove_day", "toggle_day", "clear_cache", "unlock"}},
		{"BatchDelete", nil},
		{"BatchStart", nil},
		{"Delete", []string{"delete", "tokens_end"}},
		{"Close", []string{"close"}},
		{"Release", nil},
		{"Online", []string{"online"}},
		{"Offline", []string{"offline"}},
		{"ResumePause", []string{"resume"}},
		{"ResumeFailure", []string{"recover"}},
		{"Import", []string{"import"}},
		{"Export", []string{"export"}},
		{"Execute", []string{"test"}},
		{"Start", []string{"start", "force_start"}},
		{"Modify", []string{"group_priority"}},
		{"Run", []string{"run"}},
		{"Rerun", []string{"rerun"}},
		{"BatchRerun", nil},
		{"Stop", []string{"stop", "cancel"}},
		{"Kill", []string{"kill"}},
		{"Pause", []string{"pause"}},
		{"Move", []string{"move"}},
		{"SwitchStatus", nil},
		{"SwitchVersion", []string{"switch_version"}},
		{"DeleteVersion", []string{"delete_version"}},
		{"ForceSuccess", []string{"force_success"}},
		{"Rename", []string{"rename"}},
		{"Upload", []string{"upload"}},
		{"Authorize", []string{"grant"}},
		{"UnAuthorize", []string{"revoke"}},
		{"Copy", []string{"copy", "branch"}},
	}
}

// kindsOf returns our kinds of the models with these names, all for none. With a model come those below it only when they
// are named, too, as there.
func kindsOf(names []string) []string {
	var out []string
	var walk func([]dsModel)
	walk = func(list []dsModel) {
		for _, m := range list {
			if len(names) == 0 || slices.Contains(names, m.name) {
				out = append(out, m.kinds...)
			}
			walk(m.child)
		}
	}
	walk(models())
	return out
}

// verbsOf returns our verbs of the operations with these names, all for none.
func verbsOf(names []string) []string {
	var out []string
	for _, o := range operations() {
		if len(names) == 0 || slices.Contains(names, o.name) {
			out = append(out, o.verbs...)
		}
	}
	return out
}

// modelOf is the name of the model of a kind.
func modelOf(kind string) string {
	found := ""
	var walk func([]dsModel)
	walk = func(list []dsModel) {
		for _, m := range list {
			if slices.Contains(m.kinds, kind) {
				found = m.name
			}
			walk(m.child)
		}
	}
	walk(models())
	return found
}

func operationOf(verb string) string {
	for _, o := range operations() {
		if slices.Contains(o.verbs, verb) {
			return o.name
		}
	}
	return ""
}

// address is the page of what an entry is about, "" when there is none, or none any more.
func address(r audit.Row) string {
	project := "/projects/" + itoa(r.ProjectCode)
	if verbOf(r.Action) == "delete" {
		return ""
	}
	switch r.ObjectType {
	case "project":
		return "/projects/" + r.ObjectID
	case "parameter":
		return project + "/parameters"
	case "workflow":
		return project + "/workflows/" + r.ObjectID
	case "workflow_instance":
		return project + "/instances/" + r.ObjectID
	}
	return ""
}
