package instance

import (
	"context"
	"slices"
	"time"

	"dorado/modules/access"
	"dorado/modules/flow"
)

// Failed is a run that failed and that nobody has recovered or run again since.
type Failed struct {
	Instance
	Tasks []string // that failed for good, at most three
}

// URL is the page of the run.
func (f *Failed) URL() string { return address(f.ProjectCode, f.ID) }

// OperateURL takes what is to be done with the run, as a form.
func (f *Failed) OperateURL() string { return f.URL() + "/operate" }

// FailedSince lists limit runs that began since then and failed, in all projects that whoever acts may see, the latest first;
// with mine only those that are run in his name.
func (s *Service) FailedSince(ctx context.Context, since time.Time, mine bool, limit int) ([]Failed, error) {
	who, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	within, args, err := inProjects(s.Access.ProjectsWith(ctx, Read))
	if err != nil {
		return nil, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	where := `w.` + within + ` AND w.start_time >= ? AND w.state = ? AND w.is_sub_workflow = ?` + hidden
	args = slices.Concat(args, []any{since, flow.WorkflowFailure, false}, more)
	if mine {
		where, args = where+` AND w.executor_id = ?`, append(args, who.UserID)
	}
	runs, err := s.store.some(ctx, where, args, limit)
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	ids := make([]int64, len(runs))
	for k := range runs {
		ids[k] = runs[k].ID
	}
	names, err := s.store.failedNames(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Failed, len(runs))
	for k := range runs {
		out[k] = Failed{runs[k], names[runs[k].ID]}
	}
	return out, nil
}
