package gateway

import (
	"context"
	"errors"

	"dorado/modules/flow"
	"dorado/modules/gateway/py4j"
	"dorado/modules/instance"
	"dorado/modules/workflow"
)

// exec starts a workflow: userName, projectName, workflowName, cronTime, workerGroup, warningType, warningGroupId, timeout.
func (e *entry) exec(ctx context.Context, a args) (py4j.Value, error) {
	return e.start(ctx, a.text(0), a.text(1), a.text(2), a.text(4), a.text(5), a.number(6))
}

// execShort is without cronTime and timeout, as newer clients call it.
func (e *entry) execShort(ctx context.Context, a args) (py4j.Value, error) {
	return e.start(ctx, a.text(0), a.text(1), a.text(2), a.text(3), a.text(4), a.number(5))
}

func (e *entry) start(ctx context.Context, user, in, name, workerGroup, warning string, warningGroup int64) (py4j.Value, error) {
	ctx, u, err := e.as(ctx, user)
	if err != nil {
		return py4j.Value{}, err
	}
	w, err := e.workflowNamed(ctx, in, name)
	if err != nil {
		return py4j.Value{}, err
	}
	kind, err := flow.ParseWarningType(warning)
	if err != nil {
		return py4j.Value{}, illegal(err.Error())
	}
	t, err := e.tenantOf(ctx, u)
	if err != nil {
		return py4j.Value{}, err
	}
	if err := e.released(ctx, w.Code, true); err != nil {
		return py4j.Value{}, err
	}
	_, err = e.Instances.Start(ctx, w.ProjectCode, instance.StartRequest{
		WorkflowCode: w.Code, FailureStrategy: flow.FailureContinue, WarningType: kind, WarningGroupID: warningGroup, Priority: flow.Medium,
		WorkerGroup: workerGroup, TenantCode: t.Code, EnvironmentCode: -1, TimeZone: u.Zone,
	})
	return py4j.OfVoid(), err
}

// workflowNamed is a workflow of whoever acts; the message names what does not exist.
func (e *entry) workflowNamed(ctx context.Context, in, name string) (workflow.Workflow, error) {
	p, err := e.projectNamed(ctx, in)
	if err != nil {
		return workflow.Workflow{}, err
	}
	w, err := e.Workflows.ByName(ctx, p.Code, name)
	if errors.Is(err, workflow.ErrNotFound) {
		err = illegal("Can not find valid workflow by name " + name)
	}
	return w, err
}

// getWorkflowInfo also puts the workflow online: what asks is a task that will start it.
func (e *entry) getWorkflowInfo(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	w, err := e.workflowNamed(ctx, a.text(1), a.text(2))
	if err != nil {
		return py4j.Value{}, err
	}
	if err := e.released(ctx, w.Code, true); err != nil {
		return py4j.Value{}, err
	}
	return mapOf(pair("id", py4j.OfInt(w.ID)), pair("name", py4j.OfText(w.Name)), pair("code", py4j.OfLong(w.Code))), nil
}

// getDependentInfo tells the codes of what a task waits for. It names no user, so the program looks.
func (e *entry) getDependentInfo(ctx context.Context, a args) (py4j.Value, error) {
	ctx = program(ctx)
	w, err := e.workflowNamed(ctx, a.text(0), a.text(1))
	if err != nil {
		return py4j.Value{}, err
	}
	found := []py4j.Pair{
		pair("projectCode", py4j.OfLong(w.ProjectCode)),
		pair("workflowDefinitionCode", py4j.OfLong(w.Code)), pair("processDefinitionCode", py4j.OfLong(w.Code)), // by either name
	}
	if name := a.text(2); name != "" {
		tasks, err := e.tasksOf(ctx, w)
		if err != nil {
			return py4j.Value{}, err
		}
		t, ok := tasks[name]
		if !ok {
			return py4j.Value{}, illegal("Can not find valid task by name " + name)
		}
		found = append(found, pair("taskDefinitionCode", py4j.OfLong(t.Code)))
	}
	return mapOf(found...), nil
}
