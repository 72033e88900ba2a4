package workflow

import (
	"context"

	"dorado/modules/flow"
)

// Scheduler is implemented by the module of schedules. boot hands it in.
type Scheduler interface {
	// WorkflowReleased is told, in the transaction of ctx, that a locked workflow went online or offline.
	WorkflowReleased(ctx context.Context, code int64, state flow.ReleaseState) error
}

// SetScheduler hands in what goes online and offline with workflows. It must not be called once requests are served.
func (s *Service) SetScheduler(x Scheduler) { s.scheduler = x }

// scheduled tells the scheduler of a release.
func (s *Service) scheduled(ctx context.Context, w Workflow) error {
	if s.scheduler == nil {
		return nil
	}
	return s.scheduler.WorkflowReleased(ctx, w.Code, w.ReleaseState)
}
