package schedule

import (
	"context"

	"dorado/modules/flow"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

var (
	_ workflow.Referrer  = (*Service)(nil)
	_ workflow.Scheduler = (*Service)(nil)
	_ tenant.Referrer    = (*Service)(nil)
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

// TenantUses lists the schedules that run as a tenant.
func (s *Service) TenantUses(ctx context.Context, t tenant.Tenant, limit int) ([]tenant.Use, error) {
	list, err := s.store.users(ctx, "tenant_code", t.Code, limit)
	uses := make([]tenant.Use, 0, len(list))
	for k := range list {
		uses = append(uses, tenant.Use{Kind: "schedule.one", Name: list[k].WorkflowName + " · " + list[k].Label(), URL: address(&list[k])})
	}
	return uses, err
}

// CalendarChanged makes the clocks compute anew when the schedules of a calendar fire. It belongs into the transaction of
// the change.
func (s *Service) CalendarChanged(ctx context.Context, id int64) error {
	list, err := s.store.users(ctx, "calendar_id", id, maxTold)
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
