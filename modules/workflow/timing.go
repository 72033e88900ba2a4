package workflow

import (
	"context"
	"time"

	"dorado/app/kit/i18n"
	"dorado/modules/access"
	view "dorado/views/workflow"
)

// Timing is what the list says about the schedules of a workflow.
type Timing struct {
	Online, Offline int
	Next            time.Time // the next fire of those that are online; zero when there is none
	Words           string    // of a single schedule: what its expression means
}

// Timings tells lists of workflows about their schedules. The module that has schedules gives them; their pages are
// {workflow}/schedules.
type Timings struct {
	Of   func(ctx context.Context, codes []int64) (map[int64]Timing, error)
	Edit access.Permission // makes new ones
}

func (t *Timings) of(ctx context.Context, rows ...Workflow) (map[int64]Timing, error) {
	if t == nil || len(rows) == 0 {
		return map[int64]Timing{}, nil
	}
	codes := make([]int64, len(rows))
	for i, w := range rows {
		codes[i] = w.Code
	}
	return t.Of(ctx, codes)
}

// timed writes the timing of a workflow into its row.
func (p *pages) timed(ctx context.Context, w Workflow, t Timing, row *view.Row) {
	if p.timings == nil {
		return
	}
	at := address(w.ProjectCode, w.Code) + "/schedules"
	switch {
	case t.Online > 0:
		row.Timing, row.TimingNext = "ONLINE", t.Next
	case t.Offline > 0:
		row.Timing = "OFFLINE"
	}
	row.TimingURL, row.TimingText = at, t.Words
	if n := t.Online + t.Offline; n > 1 {
		row.TimingText = i18n.T(ctx, "timing.several", "count", n)
	} else if n == 0 && p.svc.Can(ctx, w.ProjectCode, p.timings.Edit) {
		row.TimingURL, row.TimingNew = at+"/new", true
		if !w.Online() {
			row.TimingDisabled = i18n.T(ctx, "schedule.workflow_offline", "name", w.Name)
		}
	}
}
