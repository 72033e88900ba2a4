package keep

import "fmt"

// decision is what a backup does with a table.
type decision struct {
	skip string // why its rows are left out; "" = they are kept
	// seeds is how many rows the migrations themselves insert: a database with just these is still empty.
	seeds int64
}

// decisions names every table of the newest schema. A backup of a table that is not here fails.
func decisions() map[string]decision {
	kept := decision{}
	return map[string]decision{
		"queue": kept, "tenant": kept, "users": kept, "access_token": kept, "role_grant": kept, "audit_log": kept,
		"project": kept, "workflow_definition": kept, "workflow_version": kept, "task_definition": kept, "workflow_draft": kept,
		"id_block": {seeds: 1}, "master": kept, "workflow_instance": kept, "task_instance": kept, "command": kept, "error_command": kept,
		"worker_group": kept, "project_worker_group": kept, "environment": kept, "environment_worker_group": kept,
		"project_parameter": kept, "project_preference": kept, "task_group": kept, "alert_group": {seeds: 1}, "alert": kept,
		"calendar": kept, "calendar_day": kept, "schedule": kept, "schedule_fire": kept, "schedule_mark": kept,
		"backfill": kept, "backfill_date": kept, "serial_queue": kept, "instance_link": kept, "workflow_lineage": kept,
		"approval": kept, "task_log": kept, "task_result": kept, "task_measure": kept, "savepoint": kept, "run_preset": kept,
		"task_group_slot": kept, "worker_setting": kept, "cluster_event": kept, "setting": {seeds: 1},
		"password_history": kept, "object_grant": kept, "policy_rule": kept, "k8s_cluster": kept, "k8s_namespace": kept,
		"alert_plugin_instance": kept, "alert_group_instance": kept, "datasource": kept, "favourite_task": kept,
		"alert_delivery": kept, "udf_func": kept,
		"resource": kept, "resource_revision": kept, "resource_garbage": kept, "task_resource": kept, "task_source": kept,

		"shared_key":           {skip: "keys are kept apart from backups"},
		"schema_migration":     {skip: "the schema version is in the header"},
		"session":              {skip: "nobody stays signed in"},
		"sign_in_link":         {skip: "links that sign in are for once and for minutes"},
		"login_throttle":       {skip: "blocks last for minutes"},
		"oidc_attempt":         {skip: "a sign-in under way begins again"},
		"resource_upload":      {skip: "an upload that is not complete is sent again"},
		"resource_upload_part": {skip: "an upload that is not complete is sent again"},
		"visit":                {skip: "what somebody opened lately is soon something else"},
		"node_sample":          {skip: "figures of one day, of machines that may be gone"},
		"registry_session":     {skip: "who lives is found out anew"},
		"registry_node":        {skip: "who lives is found out anew"},
	}
}

// decide returns the decision about a table, or an error for one that nobody decided about.
func decide(table string) (decision, error) {
	d, ok := decisions()[table]
	if !ok {
		return d, fmt.Errorf("table %s: this program does not know whether it belongs into a backup; is the database that of a newer program?", table)
	}
	return d, nil
}
