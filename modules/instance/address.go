package instance

import "strconv"

// listAddress is the page of a project's instances.
func listAddress(project int64) string {
	return "/projects/" + strconv.FormatInt(project, 10) + "/instances"
}

// address is the page of an instance.
func address(project, id int64) string { return listAddress(project) + "/" + strconv.FormatInt(id, 10) }

// tasksAddress is the page of a project's task instances.
func tasksAddress(project int64) string {
	return "/projects/" + strconv.FormatInt(project, 10) + "/task-instances"
}

// taskAddress is the page of one attempt.
func taskAddress(project, id int64) string {
	return tasksAddress(project) + "/" + strconv.FormatInt(id, 10)
}

// workflowAddress is the page of a workflow.
func workflowAddress(project, code int64) string {
	return "/projects/" + strconv.FormatInt(project, 10) + "/workflows/" + strconv.FormatInt(code, 10)
}

// Address is the page of an instance.
func Address(project, id int64) string { return address(project, id) }
