package schedule

import (
	"context"

	"dorado/modules/flow"
	"dorado/modules/identity"
	"dorado/modules/security/crud"
	"dorado/modules/security/tenant"
	"dorado/modules/security/user"
	"dorado/modules/workflow"
)

var (
	_ workflow.Referrer  = (*Service)(nil)
	_ workflow.Scheduler = (*Service)(nil)
	_ tenant.Referrer    = (*Service)(nil)
	_ user.Referrer      = (*Service)(nil)
	_ identity.Referrer  = (*Service)(nil)
)

// WorkflowReleased takes the schedules of a workflow offline with it, and puts those online again that went with it
// before. It runs in the transaction of the release, in which the workflow is locked.
func (s *Service) WorkflowReleased(ctx context.Context, code int64, state flow.ReleaseState) error {
	list, err := s.store.ofWorkflow(ctx, code)
	if err != nil {
		return err
	}
	for k := range list {
		r, err := s.store.lock(ctx, list[k].ID)
		if err != nil {
			return err
		}
		if r.ReleaseState == state || state == flow.Online && !r.WishOnline {
			continue
		}
		if err := s.release(ctx, &r, state, state == flow.Offline, map[string]any{"with": "workflow", "workflow": code}); err != nil {
			return err
		}
	}
	return nil
}

// WorkflowInUse lets a workflow be deleted: its schedules go with it.
func (s *Service) WorkflowInUse(context.Context, int64) ([]string, error) { return nil, nil }

// DeleteInstances removes the schedules of a workflow that is deleted.
func (s *Service) DeleteInstances(ctx context.Context, code int64) error {
	list, err := s.store.ofWorkflow(ctx, code)
	if err != nil {
		return err
	}
	ids := make([]int64, len(list))
	for k := range list {
		ids[k] = list[k].ID
		if err := s.record(ctx, &list[k], "delete", map[string]any{"with": "workflow", "workflow": code}); err != nil {
			return err
		}
	}
	if err := s.store.remove(ctx, ids...); err != nil {
		return err
	}
	return s.store.tell(ctx, ids...)
}

// using lists the schedules that name something, at most limit of them.
func (s *Service) using(ctx context.Context, limit int, where string, args ...any) ([]crud.Use, error) {
	list, err := s.store.where(ctx, limit, where, args...)
	uses := make([]crud.Use, 0, len(list))
	for k := range list {
		uses = append(uses, crud.Use{Kind: "schedule.one", Name: list[k].WorkflowName + " · " + list[k].Label(), URL: address(&list[k])})
	}
	return uses, err
}

// TenantUses lists the schedules that run as a tenant.
func (s *Service) TenantUses(ctx context.Context, t tenant.Tenant, limit int) ([]tenant.Use, error) {
	uses, err := s.using(ctx, limit, "s.tenant_code = ?", t.Code)
	out := make([]tenant.Use, 0, len(uses))
	for _, u := range uses {
		out = append(out, tenant.Use(u))
	}
	return out, err
}

// UserUses lists the schedules in whose name workflows run.
func (s *Service) UserUses(ctx context.Context, id int64, limit int) ([]user.Use, error) {
	uses, err := s.using(ctx, limit, "s.user_id = ?", id)
	out := make([]user.Use, 0, len(uses))
	for _, u := range uses {
		out = append(out, user.Use(u))
	}
	return out, err
}

// UserInUse reports whether a user has a schedule; it is identity.Referrer.
func (s *Service) UserInUse(ctx context.Context, id int64) (bool, error) {
	uses, err := s.UserUses(ctx, id, 1)
	return len(uses) > 0, err
}

// WorkerGroupUses lists the schedules that send their runs to a worker group.
func (s *Service) WorkerGroupUses(ctx context.Context, name string, limit int) ([]crud.Use, error) {
	return s.using(ctx, limit, "s.worker_group = ?", name)
}

// EnvironmentUses lists the schedules that name an environment; with a group only those of this worker group.
func (s *Service) EnvironmentUses(ctx context.Context, code int64, group string, limit int) ([]crud.Use, error) {
	if group == "" {
		return s.using(ctx, limit, "s.environment_code = ?", code)
	}
	return s.using(ctx, limit, "s.environment_code = ? AND s.worker_group = ?", code, group)
}

// AlertGroupUses lists the schedules that tell a group of their runs.
func (s *Service) AlertGroupUses(ctx context.Context, id int64, limit int) ([]crud.Use, error) {
	return s.using(ctx, limit, "s.warning_group_id = ? AND s.warning_type <> 'NONE'", id)
}

// CalendarUses lists the schedules that follow a calendar.
func (s *Service) CalendarUses(ctx context.Context, id int64, limit int) ([]crud.Use, error) {
	return s.using(ctx, limit, "s.calendar_id = ?", id)
}

// CalendarChanged makes the clocks compute anew when the schedules of a calendar fire. It belongs into the transaction of
// the change.
func (s *Service) CalendarChanged(ctx context.Context, id int64) error {
	list, err := s.store.where(ctx, maxTold, "s.calendar_id = ?", id)
	if err != nil || len(list) == 0 {
		return err
	}
	if len(list) == maxTold {
		return s.DB.Notify(ctx, channel, "")
	}
	ids := make([]int64, len(list))
	for k := range list {
		ids[k] = list[k].ID
	}
	return s.store.tell(ctx, ids...)
}

// maxTold is from how many schedules on a clock reads all of them again.
const maxTold = 2000
