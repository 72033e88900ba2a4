package instance

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/workflow"
)

// startCheck says whether all workflows that one starts are online.
func (a api) startCheck(r *http.Request, p *dsapi.Params) (any, error) {
	in, code := p.Path("project"), p.RequiredInt64("workflowDefinitionCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.CheckChildren(r.Context(), in, code)
}

// CheckChildren returns ErrSubOffline when a workflow starts one that is offline or gone. It returns workflow.ErrNotFound.
func (s *Service) CheckChildren(ctx context.Context, project, code int64) error {
	w, err := s.Workflows.In(ctx, project, code)
	if err != nil {
		return err
	}
	what, err := s.startable(ctx, code, w.Version)
	if err != nil {
		return err
	}
	return s.checkSubs(ctx, code, what)
}

// dsExecuting is a run as clients of DolphinScheduler 3.2 ask for it while it goes on. The older names are the only ones it
// ever had.
type dsExecuting struct {
	ID           int64              `json:"processInstanceId"`
	Name         string             `json:"processInstanceName"`
	State        flow.WorkflowState `json:"processInstanceState"`
	Host         string             `json:"processInstanceHost"`
	WorkflowCode int64              `json:"processDefinitionCode"`
	WorkflowName string             `json:"processDefinitionName"`
	Version      int                `json:"processDefinitionVersion"`
	StartTime    dsapi.Time         `json:"startTime"`
	Tasks        []dsTask           `json:"taskInstances"`
}

// executing answers a run that has not ended; null for one that has, or that there is not.
func (a api) executing(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.RequiredInt64("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	i, err := a.svc.GetIn(r.Context(), in, id)
	if errors.Is(err, ErrNotFound) || err == nil && i.State.Finished() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := a.tasksIn(r.Context(), i)
	return dsExecuting{
		ID: i.ID, Name: i.Name, State: i.State, Host: i.Host, WorkflowCode: i.WorkflowCode, WorkflowName: i.WorkflowName, Version: i.WorkflowVersion,
		StartTime: dsapi.Time(i.StartTime), Tasks: list,
	}, err
}

// startTask starts one task by itself: a streaming task has no run, another one is a run of its workflow that has no other.
func (a api) startTask(r *http.Request, p *dsapi.Params) (any, error) {
	in, code, version := p.Path("project"), p.Path("code"), p.RequiredInt("version")
	s := StartRequest{
		StartNodes: []int64{code}, Depend: flow.TaskOnly, WarningGroupID: p.Int64("warningGroupId", 0),
		WorkerGroup: p.TextOr("workerGroup", "default"), TenantCode: p.TextOr("tenantCode", "default"), EnvironmentCode: p.Int64("environmentCode", -1),
		DryRun: p.Bool("dryRun", false), TimeZone: i18n.Zone(r.Context()).String(), IdempotencyKey: r.Header.Get("Idempotency-Key"),
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	var err error
	if s.StartParams, err = startParams(p.Text("startParams")); err != nil {
		return nil, err
	}
	_, err = a.svc.StartTask(r.Context(), in, code, version, s)
	return err == nil, err
}

// StartTask starts a version of one task alone, as a run of the workflow that it is part of, or, when it is a streaming task,
// without one; r says how. It returns workflow.ErrTaskNotFound, workflow.ErrTaskVersionGone, and what Start returns.
func (s *Service) StartTask(ctx context.Context, project, task int64, version int, r StartRequest) (int64, error) {
	if err := s.may(ctx, project, Operate); err != nil {
		return 0, err
	}
	w, def, at, err := s.Workflows.Task(ctx, project, task)
	if err != nil {
		return 0, err
	}
	t := def.Tasks[at]
	r.WorkflowCode, r.Version = w.Code, w.Version
	if t.Version != version {
		_, all, err := s.Workflows.TaskVersions(ctx, project, task)
		if err != nil {
			return 0, err
		}
		n := slices.IndexFunc(all, func(v workflow.TaskVersion) bool { return v.Task.Version == version })
		if n < 0 {
			return 0, workflow.ErrTaskVersionGone.With("code", task, "version", version)
		}
		t, r.Version = all[n].Task, slices.Max(all[n].Versions)
	}
	r.stream = t.ExecuteType == flow.Stream
	r.StartNodes, r.Depend = []int64{task}, flow.TaskOnly
	return s.Start(ctx, project, r)
}

// editRun changes what a finished run does when it is run again.
func (a api) editRun(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.Path("id")
	if !p.Has("syncDefine") {
		p.RequiredText("syncDefine")
	}
	e := Edit{Definition: &flow.Definition{TimeoutMinutes: p.Int("timeout", 0)}, Sync: p.Bool("syncDefine", false)}
	if when := p.Time("scheduleTime"); !when.IsZero() {
		e.ScheduleTime = &when
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	if _, err := a.svc.GetIn(r.Context(), in, id); err != nil {
		return nil, err
	}
	if err := a.svc.may(r.Context(), in, Operate); err != nil { // who may not do it learns nothing about the rest
		return nil, err
	}
	if err := workflow.Decode(p, e.Definition); err != nil {
		return nil, err
	}
	w, def, err := a.svc.EditRun(r.Context(), in, id, e)
	if err != nil {
		return nil, err
	}
	return workflow.HeadData(w, def)
}
