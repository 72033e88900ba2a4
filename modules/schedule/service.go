package schedule

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

// Services are the parts that the service is built from.
type Services struct {
	DB        *db.DB
	Audit     *audit.Service
	Projects  *project.Service
	Workflows *workflow.Service
	Tenants   *tenant.Service
	Calendars Calendars // nil = there are none
	Known     Known
	Now       func() time.Time
}

// Service is the door to schedules. Every method checks what whoever acts may do in the project, and returns
// project.ErrNotFound, project.ErrNoAccess or project.ErrNoGrant when it is not enough.
type Service struct {
	Services
	store  store
	lookup workflow.Lookup // nil: texts have numbers
}

// NewService returns the service.
func NewService(d Services) *Service { return &Service{Services: d, store: store{d.DB}} }

func (s *Service) now() time.Time { return db.Cut(s.Now()) }

// Get returns a schedule of a project. It returns ErrNotFound.
func (s *Service) Get(ctx context.Context, project, id int64) (Schedule, error) {
	return s.found(ctx, project, id, Read)
}

// found reads a schedule of a project for somebody who has the permission for its workflow. One of a workflow that a policy
// hides from him looks as if it were not there.
func (s *Service) found(ctx context.Context, project, id int64, p access.Permission) (Schedule, error) {
	if _, err := s.Projects.Require(ctx, project, Read); err != nil {
		return Schedule{}, err
	}
	r, err := within(project)(s.store.byID(ctx, id))
	if errors.Is(err, ErrNotFound) || err == nil && !s.Projects.CanWorkflow(ctx, project, r.WorkflowCode, Read) {
		if _, err := s.Projects.Require(ctx, project, p); err != nil {
			return Schedule{}, err
		}
		return Schedule{}, ErrNotFound.With("id", id)
	}
	if err != nil {
		return r, err
	}
	_, err = s.Projects.RequireWorkflow(ctx, project, r.WorkflowCode, p)
	return r, err
}

// within makes a schedule of another project look as if it were not there.
func within(project int64) func(Schedule, error) (Schedule, error) {
	return func(r Schedule, err error) (Schedule, error) {
		if err == nil && r.ProjectCode != project {
			return Schedule{}, ErrNotFound.With("id", r.ID)
		}
		return r, err
	}
}

// List returns one page of the schedules of a project.
func (s *Service) List(ctx context.Context, project int64, q listing.Query) (listing.Page[Schedule], error) {
	if _, err := s.Projects.Require(ctx, project, Read); err != nil {
		return listing.Page[Schedule]{}, err
	}
	hidden, args := s.Projects.Access.NotHidden(ctx, "s.workflow_code", Read)
	return s.store.page(ctx, project, q, hidden, args)
}

// All returns the schedules of a project, the one changed last first.
func (s *Service) All(ctx context.Context, project int64) ([]Schedule, error) {
	if _, err := s.Projects.Require(ctx, project, Read); err != nil {
		return nil, err
	}
	all, err := s.store.ofProject(ctx, project)
	hidden := s.Projects.Access.HiddenWorkflows(ctx, Read)
	return slices.DeleteFunc(all, func(r Schedule) bool { return slices.Contains(hidden, r.WorkflowCode) }), err
}

// OfWorkflow returns the schedules of a workflow, oldest first. It returns workflow.ErrNotFound.
func (s *Service) OfWorkflow(ctx context.Context, project, code int64) ([]Schedule, error) {
	if _, err := s.Projects.RequireWorkflow(ctx, project, code, Read); err != nil {
		return nil, err
	}
	if _, err := s.Workflows.In(ctx, project, code); err != nil {
		return nil, err
	}
	return s.store.ofWorkflow(ctx, code)
}

// Create adds a schedule, offline, to a workflow that is online. It returns field faults, workflow.ErrNotFound,
// ErrWorkflowOffline, ErrTooMany.
func (s *Service) Create(ctx context.Context, project, code int64, d Draft) (Schedule, error) {
	return s.create(ctx, project, code, d, false)
}

// Check returns what Create would say about a draft: field faults.
func (s *Service) Check(ctx context.Context, project int64, d Draft) error {
	if _, err := s.Projects.Require(ctx, project, Edit); err != nil {
		return err
	}
	_, err := s.check(ctx, d)
	return err
}

// Import is Create for a workflow that may be offline, since what is brought in from files is.
func (s *Service) Import(ctx context.Context, project, code int64, d Draft) (Schedule, error) {
	return s.create(ctx, project, code, d, true)
}

func (s *Service) create(ctx context.Context, project, code int64, d Draft, offline bool) (Schedule, error) {
	if _, err := s.Projects.RequireWorkflow(ctx, project, code, Edit); err != nil {
		return Schedule{}, err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return Schedule{}, err
	}
	w, err := s.Workflows.In(ctx, project, code)
	if err != nil {
		return Schedule{}, err
	}
	if !offline && !w.Online() {
		return Schedule{}, ErrWorkflowOffline.With("name", w.Name)
	}
	c, err := s.check(ctx, d)
	if err != nil {
		return Schedule{}, err
	}
	now := s.now()
	r := Schedule{ProjectCode: project, WorkflowCode: code, UserID: who.UserID, CreatedAt: now}
	c.fill(&r, now)
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		state, name, err := s.store.workflowState(ctx, project, code) // so that nobody deletes it meanwhile
		if err != nil {
			return err
		}
		if !offline && state != flow.Online {
			return ErrWorkflowOffline.With("name", name)
		}
		others, err := s.store.ofWorkflow(ctx, code)
		if err != nil {
			return err
		}
		if len(others) >= MaxPerWorkflow {
			return ErrTooMany.With("max", MaxPerWorkflow)
		}
		id, err := s.store.insert(ctx, &r)
		if err != nil {
			return err
		}
		if r, err = s.store.byID(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, &r, "create", audit.Change{After: r})
	})
	return r, err
}

// fill writes a draft into a row.
func (k *checked) fill(r *Schedule, now time.Time) {
	r.Name, r.Start, r.End, r.TimeZone, r.Crontab = k.Name, k.start, k.end, k.TimeZone, k.Crontab
	r.Misfire, r.CalendarPolicy, r.DoneBy, r.CalendarID = k.Misfire, k.CalendarPolicy, k.DoneBy, nil
	if k.CalendarID != 0 {
		r.CalendarID = &k.CalendarID
	}
	r.FailureStrategy, r.WarningType, r.WarningGroupID, r.Priority = k.FailureStrategy, k.WarningType, k.WarningGroupID, k.Priority
	r.WorkerGroup, r.TenantCode, r.EnvironmentCode, r.StartParams = k.WorkerGroup, k.TenantCode, k.EnvironmentCode, k.params
	r.UpdatedAt = now
}

// AnyRevision as the revision of an update means whatever there is.
const AnyRevision = 0

// Update changes a schedule that is offline and was read with this revision. It returns field faults, ErrNotFound,
// ErrOnline, ErrChanged.
func (s *Service) Update(ctx context.Context, project, id int64, d Draft, revision int) (Schedule, error) {
	r, err := s.editable(ctx, project, id)
	if err != nil {
		return r, err
	}
	c, err := s.check(ctx, d)
	if err != nil {
		return r, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if r, err = within(project)(s.store.lock(ctx, id)); err != nil {
			return err
		}
		switch {
		case r.Online():
			return ErrOnline.With("name", r.Label())
		case revision != AnyRevision && revision != r.Revision:
			return ErrChanged
		}
		was := r
		c.fill(&r, s.now())
		if err := s.store.update(ctx, &r); err != nil {
			return err
		}
		if r, err = s.store.byID(ctx, id); err != nil {
			return err
		}
		if err := s.store.tell(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, &r, "update", audit.Change{Before: was, After: r})
	})
	return r, err
}

// editable reads a schedule for somebody who wants to change it: that it is online is said before the rest is looked at.
func (s *Service) editable(ctx context.Context, project, id int64) (Schedule, error) {
	r, err := s.found(ctx, project, id, Edit)
	if err == nil && r.Online() {
		err = ErrOnline.With("name", r.Label())
	}
	return r, err
}

// Online puts a schedule online: it fires from now on. It does nothing when it is online already. It returns ErrNotFound,
// ErrWorkflowOffline.
func (s *Service) Online(ctx context.Context, project, id int64) (Schedule, error) {
	return s.switched(ctx, project, id, flow.Online)
}

// Offline takes a schedule offline; its runs go on. It does nothing when it is offline already, except that it no longer
// comes back with its workflow. It returns ErrNotFound.
func (s *Service) Offline(ctx context.Context, project, id int64) (Schedule, error) {
	return s.switched(ctx, project, id, flow.Offline)
}

func (s *Service) switched(ctx context.Context, project, id int64, state flow.ReleaseState) (Schedule, error) {
	r, err := s.found(ctx, project, id, Release)
	if err != nil {
		return r, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		// The workflow first, as its own release does, so that the two cannot wait for each other.
		home, name, err := s.store.workflowState(ctx, project, r.WorkflowCode)
		if err != nil {
			return err
		}
		if r, err = within(project)(s.store.lock(ctx, id)); err != nil {
			return err
		}
		if r.ReleaseState == state && (state == flow.Online || !r.WishOnline) {
			return nil
		}
		if state == flow.Online && home != flow.Online {
			return ErrWorkflowOffline.With("name", name)
		}
		if err := s.release(ctx, &r, state, false, nil); err != nil {
			return err
		}
		r, err = s.store.byID(ctx, id)
		return err
	})
	return r, err
}

func (s *Service) release(ctx context.Context, r *Schedule, state flow.ReleaseState, wish bool, detail any) error {
	if err := s.store.release(ctx, r.ID, state, wish, s.now()); err != nil {
		return err
	}
	if err := s.store.tell(ctx, r.ID); err != nil {
		return err
	}
	verb := "offline"
	if state == flow.Online {
		verb = "online"
	}
	if detail != nil {
		return s.record(ctx, r, verb, detail)
	}
	return s.record(ctx, r, verb, audit.Change{
		Before: map[string]any{"ReleaseState": r.ReleaseState}, After: map[string]any{"ReleaseState": state},
	})
}

// Delete removes a schedule that is offline; what it started stays. Only who made it, an owner of the project or an
// administrator may. It returns ErrNotFound, ErrDeleteOnline, ErrNotOwner.
func (s *Service) Delete(ctx context.Context, project, id int64) error {
	if _, err := s.found(ctx, project, id, Delete); err != nil {
		return err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		r, err := within(project)(s.store.lock(ctx, id))
		if err != nil {
			return err
		}
		if r.Online() {
			return ErrDeleteOnline.With("name", r.Label())
		}
		if role := s.Projects.Role(ctx, project); who.UserID != r.UserID && role != access.Admin && role != access.Owner {
			return ErrNotOwner.With("name", r.Label(), "owner", r.UserName)
		}
		if err := s.store.remove(ctx, id); err != nil {
			return err
		}
		if err := s.store.tell(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, &r, "delete", audit.Change{Before: r})
	})
}

// Can reports whether whoever acts has the permission in the project.
func (s *Service) Can(ctx context.Context, project int64, p access.Permission) bool {
	return s.Projects.Can(ctx, project, p)
}

func (s *Service) record(ctx context.Context, r *Schedule, verb string, detail any) error {
	if c, ok := detail.(audit.Change); detail == nil || ok && c.Detail == nil {
		c.Detail = map[string]any{"workflow": r.WorkflowCode, "crontab": r.Crontab, "timeZone": r.TimeZone}
		detail = c
	}
	return s.Audit.Record(ctx, audit.Entry{
		Action: "schedule." + verb, ObjectType: "schedule", ObjectID: strconv.FormatInt(r.ID, 10), ObjectName: r.Label(),
		ProjectCode: r.ProjectCode, Detail: detail,
	})
}
