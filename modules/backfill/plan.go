package backfill

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/workflow"
)

// Plan says what a request would do now; it is instance.Backfills.
func (s *Service) Plan(ctx context.Context, project int64, r instance.BackfillRequest) (*instance.BackfillPlan, error) {
	p, err := s.plan(ctx, project, &r)
	if err != nil {
		return nil, err
	}
	return &p.BackfillPlan, nil
}

// plan is a plan with what it was made from.
type plan struct {
	instance.BackfillPlan
	workflow workflow.Workflow
	version  int
}

func (s *Service) plan(ctx context.Context, project int64, r *instance.BackfillRequest) (*plan, error) {
	if r.TimeZone == "" {
		r.TimeZone = "UTC"
	}
	w, version, err := s.Instances.CheckStart(ctx, project, &r.StartRequest)
	if err != nil {
		return nil, err
	}
	timers, err := s.store.timers(ctx, w.Code)
	if err != nil {
		return nil, err
	}
	p := &plan{workflow: w, version: version}
	p.Scheduled = len(timers) > 0
	if p.Zone, err = zoneOf(timers, r.TimeZone); err != nil {
		return nil, err
	}
	list, err := dates(r, timers, p.Zone)
	if err != nil {
		return nil, err
	}
	existing, err := s.store.existing(ctx, w.Code, list)
	if err != nil {
		return nil, err
	}
	p.Dates = make([]instance.PlannedDate, 0, len(list))
	for _, at := range list {
		d := instance.PlannedDate{At: at}
		if run, ok := existing[at.UnixMilli()]; ok {
			d.State, d.Instance, d.Skip = run.State, run.ID, skips(r.Skip, run.State)
		}
		if !d.Skip {
			p.Runs++
		}
		p.Dates = append(p.Dates, d)
	}
	if p.Width, err = width(r.Width, p.Runs); err != nil {
		return nil, err
	}
	if r.Dependents {
		if p.Dependents, err = s.dependents(ctx, w, timers, r); err != nil {
			return nil, err
		}
	}
	if err := s.estimate(ctx, p); err != nil {
		return nil, err
	}
	p.ID = p.fingerprint(timers, r)
	return p, nil
}

// skips reports whether a date whose latest run is in state is left out.
func skips(choice instance.Skip, state flow.WorkflowState) bool {
	switch choice {
	case instance.SkipSucceeded:
		return state == flow.WorkflowSuccess
	case instance.SkipExisting:
		return state == flow.WorkflowSuccess || !state.Finished()
	case instance.SkipNone:
	}
	return false
}

// estimate guesses how long the plan takes from how long the latest successful runs did.
func (s *Service) estimate(ctx context.Context, p *plan) error {
	runs, err := s.Instances.RunHistory(ctx, []int64{p.workflow.Code})
	if err != nil {
		return err
	}
	var took []time.Duration
	for _, r := range runs[p.workflow.Code] {
		if r.State == flow.WorkflowSuccess {
			took = append(took, r.Took)
		}
	}
	if len(took) == 0 {
		return nil
	}
	slices.Sort(took)
	p.Median = took[len(took)/2]
	rounds := (p.Runs + p.Width - 1) / p.Width
	p.Estimate = p.Median * time.Duration(rounds)
	return nil
}

// fingerprint changes with everything that a plan was made from.
func (p *plan) fingerprint(timers []timer, r *instance.BackfillRequest) string {
	type date struct {
		At    int64
		State flow.WorkflowState
		ID    int64
		Skip  bool
	}
	type dependent struct {
		Code    int64
		Version int
		Nodes   []int64
		Refused bool
	}
	var list []date
	for _, d := range p.Dates {
		list = append(list, date{d.At.UnixMilli(), d.State, d.Instance, d.Skip})
	}
	var along []dependent
	for _, d := range p.Dependents {
		along = append(along, dependent{d.WorkflowCode, d.Version, d.StartNodes, d.Refused != nil})
	}
	data, err := json.Marshal([]any{
		p.workflow.Code, p.version, timers, list, p.Width, along, r.ContinueChain, keep(r.StartRequest, p.Zone),
	})
	if err != nil {
		panic(err) // only our own types
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
