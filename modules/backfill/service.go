package backfill

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/project"
)

// Services are the parts that the service is built from.
type Services struct {
	DB        *db.DB
	Access    *access.Service
	Audit     *audit.Service
	Projects  *project.Service
	Instances *instance.Service
	Now       func() time.Time
	Logger    *slog.Logger
}

// Service is the door to backfills.
type Service struct {
	Services
	store  store
	runner *runner
}

var _ instance.Backfills = (*Service)(nil)

// NewService returns the service.
func NewService(d Services) *Service {
	s := &Service{Services: d, store: store{d.DB}}
	s.runner = newRunner(s)
	return s
}

func (s *Service) now() time.Time { return db.Cut(s.Now()) }

// Start writes a plan down and starts its first runs; it is instance.Backfills. It returns what Plan returns, ErrAllSkipped,
// or ErrChanged when the plan with the id plan is not what r would do any more.
func (s *Service) Start(ctx context.Context, project int64, r instance.BackfillRequest, planID string) (instance.BackfillStarted, error) {
	var out instance.BackfillStarted
	who, err := access.Must(ctx)
	if err != nil {
		return out, err
	}
	if r.IdempotencyKey, err = instance.OwnKey(ctx, r.IdempotencyKey); err != nil {
		return out, err
	}
	if known, found, err := s.again(ctx, project, r.IdempotencyKey); err != nil || found {
		return known, err
	}
	p, err := s.plan(ctx, project, &r)
	switch {
	case err != nil:
		return out, err
	case planID != "" && planID != p.ID:
		return out, ErrChanged
	case p.Runs == 0:
		return out, ErrAllSkipped.With("count", len(p.Dates))
	}
	now := s.now()
	b := &Backfill{
		ProjectCode: project, WorkflowCode: p.workflow.Code, WorkflowVersion: p.version, State: Running, Width: p.Width, Order: order(r.Ascending),
		Policy: policy(r.ContinueChain), Request: text(keep(r.StartRequest, p.Zone)), UserID: who.UserID, UserName: who.Name, CreatedAt: now,
	}
	along := []int64{}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.write(ctx, b, p.Dates); err != nil {
			return err
		}
		for _, d := range p.Dependents {
			if d.Refused != nil {
				continue
			}
			id, err := s.take(ctx, b, d, &r, p)
			if err != nil {
				return err
			}
			along = append(along, id)
		}
		err := s.Audit.Record(ctx, audit.Entry{
			Action: "backfill.start", ObjectType: "backfill", ObjectID: strconv.FormatInt(b.ID, 10), ObjectName: p.workflow.Name, ProjectCode: project,
			Detail: map[string]any{"dates": p.Runs, "skipped": len(p.Dates) - p.Runs, "width": p.Width, "dependents": len(along)},
		})
		if err != nil {
			return err
		}
		out.Instances, err = s.step(ctx, b.ID, r.IdempotencyKey)
		return err
	})
	if name, ok := db.Conflict(err); ok && name == "uq_workflow_instance_idempotency_key" {
		out, _, err = s.again(ctx, project, r.IdempotencyKey) // somebody was quicker with the same key
		return out, err
	}
	out.ID, out.URL = b.ID, b.URL()
	if err != nil {
		return out, err
	}
	for _, id := range append(along, b.ID) {
		s.nudge(ctx, id)
	}
	return out, nil
}

// write inserts a backfill with its dates.
func (s *Service) write(ctx context.Context, b *Backfill, dates []instance.PlannedDate) error {
	if err := s.store.insert(ctx, b); err != nil {
		return fmt.Errorf("insert backfill: %w", err)
	}
	rows := make([]Date, 0, len(dates))
	runs := 0
	for k, d := range dates {
		row := Date{Position: k, ScheduleTime: d.At, State: DateWaiting}
		if d.Skip {
			row.State = DateSkipped
		} else {
			row.Chain = runs % b.Width
			runs++
		}
		rows = append(rows, row)
	}
	return s.store.insertDates(ctx, b.ID, rows)
}

// take writes the backfill of a workflow that waits for the one of b: the same dates one after the other, from its DEPENDENT
// tasks on.
func (s *Service) take(ctx context.Context, b *Backfill, d instance.PlannedDependent, r *instance.BackfillRequest, p *plan) (int64, error) {
	req := r.StartRequest
	req.WorkflowCode, req.Version, req.StartNodes, req.Depend = d.WorkflowCode, d.Version, d.StartNodes, flow.TaskPost
	req.StartParams = nil
	if d.WorkerGroup != "" {
		req.WorkerGroup = d.WorkerGroup
	}
	dates := make([]instance.PlannedDate, 0, len(p.Dates))
	for _, date := range p.Dates {
		if !date.Skip {
			dates = append(dates, instance.PlannedDate{At: date.At})
		}
	}
	below := &Backfill{
		ProjectCode: d.ProjectCode, WorkflowCode: d.WorkflowCode, WorkflowVersion: d.Version, ParentID: &b.ID, State: Running, Width: 1,
		Order: b.Order, Policy: b.Policy, Request: text(keep(req, p.Zone)), UserID: b.UserID, UserName: b.UserName, CreatedAt: b.CreatedAt,
	}
	if err := s.write(ctx, below, dates); err != nil {
		return 0, fmt.Errorf("backfill of the dependent workflow %d: %w", below.WorkflowCode, err)
	}
	return below.ID, nil
}

// again finds what a repeated idempotency key started.
func (s *Service) again(ctx context.Context, project int64, key string) (out instance.BackfillStarted, found bool, err error) {
	if key == "" {
		return out, false, nil
	}
	text, found, err := s.store.started(ctx, key)
	if err != nil || !found {
		return out, false, err
	}
	var param flow.CommandParam
	if err := json.Unmarshal([]byte(text), &param); err != nil || param.BackfillID == 0 {
		return out, false, err
	}
	b, err := s.Get(ctx, project, param.BackfillID)
	if err != nil {
		return out, false, err
	}
	dates, err := s.store.dates(ctx, b.ID, "", MaxDates, 0)
	for _, d := range dates {
		if d.InstanceID != 0 {
			out.Instances = append(out.Instances, d.InstanceID)
		}
	}
	out.ID, out.URL = b.ID, b.URL()
	return out, true, err
}

func order(ascending bool) string {
	if ascending {
		return Ascending
	}
	return Descending
}

func policy(goOn bool) Policy {
	if goOn {
		return ContinueChain
	}
	return StopChain
}

// text encodes one of our own types, which always can be.
func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// Get returns a backfill of a project. It returns ErrNotFound, or what project.Service.Require returns.
func (s *Service) Get(ctx context.Context, project, id int64) (*Backfill, error) {
	if _, err := s.Projects.Require(ctx, project, instance.Read); err != nil {
		return nil, err
	}
	b, err := s.store.get(ctx, id)
	if err == nil && (b.ProjectCode != project || !s.Projects.CanWorkflow(ctx, project, b.WorkflowCode, instance.Read)) {
		return nil, ErrNotFound.With("id", id)
	}
	return b, err
}

// Counts says how many dates of backfills are in each state. Whoever asks must have been allowed to see them.
func (s *Service) Counts(ctx context.Context, ids ...int64) (map[int64]Counts, error) {
	return s.store.counts(ctx, ids)
}

// Dates lists dates of a backfill in the order in which they run; state "" means all. Whoever asks must have been allowed to
// see it.
func (s *Service) Dates(ctx context.Context, b *Backfill, state DateState, limit, offset int) ([]Date, error) {
	return s.store.dates(ctx, b.ID, state, limit, offset)
}

// Along lists the backfills that one took along. Whoever asks must have been allowed to see it; those of projects that he
// may not see are left out.
func (s *Service) Along(ctx context.Context, b *Backfill) ([]Backfill, error) {
	list, err := s.store.children(ctx, b.ID)
	out := list[:0]
	for _, c := range list {
		if s.Access.CanWorkflow(ctx, c.ProjectCode, c.WorkflowCode, instance.Read) {
			out = append(out, c)
		}
	}
	return out, err
}

// Spec is what the list can be sorted and narrowed by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"created": "b.id", "workflow": "d.name", "state": "b.state"},
		Search:  []string{"d.name", "b.user_name"}, Default: "-created", ID: "b.id",
		Filters: map[string]string{"state": "b.state", "workflow": "CAST(b.workflow_code AS TEXT)"},
	}
}

// List lists the backfills of a project.
func (s *Service) List(ctx context.Context, project int64, q listing.Query) (listing.Page[Backfill], error) {
	if _, err := s.Projects.Require(ctx, project, instance.Read); err != nil {
		return listing.Page[Backfill]{}, err
	}
	hidden, args := s.Access.NotHidden(ctx, "b.workflow_code", instance.Read)
	rows, total, err := s.store.list(ctx, project, q, hidden, args)
	return listing.NewPage(q.Clamp(total), rows, total), err
}
