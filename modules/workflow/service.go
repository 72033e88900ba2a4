package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/plugins/catalog"
)

// Deps is what the service needs.
type Deps struct {
	DB       *db.DB
	Projects *project.Service
	Audit    *audit.Service
	Codes    *ids.Generator
	// Catalog knows the task types and checks their parameters.
	Catalog *catalog.Catalog
	Now     func() time.Time
}

// Service is the only door to definitions. Every method checks what whoever acts may do in the workflow's project, and
// returns project.ErrNotFound, project.ErrNoAccess or project.ErrNoGrant when it is not enough.
type Service struct {
	Deps
	store     store
	referrers []Referrer
	schedules Schedules // nil: texts say nothing about them
	lookup    Lookup
	scheduler Scheduler
	sources   Sources
}

// New returns the service.
func New(d Deps) *Service { return &Service{Deps: d, store: store{d.DB}} }

// AddReferrer makes r asked before a workflow is deleted. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

// SetSources hands in who knows data sources; without, no task may use one. It must not be called once requests are served.
func (s *Service) SetSources(d Sources) { s.sources = d }

// Get returns the head of a workflow. It returns ErrNotFound.
func (s *Service) Get(ctx context.Context, code int64) (Workflow, error) {
	return s.need(ctx, code, Read)
}

// In is Get for a workflow of a project: one of another project is not found.
func (s *Service) In(ctx context.Context, projectCode, code int64) (Workflow, error) {
	return s.in(ctx, projectCode, code, Read)
}

// need reads a workflow and checks the permission.
func (s *Service) need(ctx context.Context, code int64, p access.Permission) (Workflow, error) {
	w, err := s.store.byCode(ctx, code)
	if err != nil {
		return w, err
	}
	return w, s.permitted(ctx, w.ProjectCode, code, p)
}

// permitted checks the permission for one workflow of a project. One that a policy hides from whoever acts looks as if it
// were not there.
func (s *Service) permitted(ctx context.Context, projectCode, code int64, p access.Permission) error {
	_, err := s.Projects.RequireWorkflow(ctx, projectCode, code, p)
	if errors.Is(err, project.ErrNoGrant) && s.Projects.Can(ctx, projectCode, Read) && !s.Projects.CanWorkflow(ctx, projectCode, code, Read) {
		return ErrNotFound.With("code", code)
	}
	return err
}

func (s *Service) in(ctx context.Context, projectCode, code int64, p access.Permission) (Workflow, error) {
	if err := s.permitted(ctx, projectCode, code, p); err != nil {
		return Workflow{}, err
	}
	w, err := s.store.byCode(ctx, code)
	if err == nil && w.ProjectCode != projectCode {
		return Workflow{}, ErrNotFound.With("code", code)
	}
	return w, err
}

// ByName finds a workflow of a project by its exact name. It returns ErrNotFound.
func (s *Service) ByName(ctx context.Context, projectCode int64, name string) (Workflow, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return Workflow{}, err
	}
	w, err := s.store.byName(ctx, projectCode, strings.TrimSpace(name))
	if err == nil && !s.Projects.CanWorkflow(ctx, projectCode, w.Code, Read) {
		return Workflow{}, ErrNotFound.With("name", name)
	}
	return w, err
}

// Definition returns what one version of a workflow says; version 0 is the current one. The result is the caller's. It
// returns ErrNotFound, ErrVersionNotFound.
func (s *Service) Definition(ctx context.Context, code int64, version int) (*flow.Definition, error) {
	w, err := s.need(ctx, code, Read)
	if err != nil {
		return nil, err
	}
	if version == 0 {
		version = w.Version
	}
	return s.store.body(ctx, code, version)
}

// List returns one page of the workflows of a project.
func (s *Service) List(ctx context.Context, projectCode int64, q listing.Query) (listing.Page[Workflow], error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return listing.Page[Workflow]{}, err
	}
	hidden, args := s.Projects.Access.NotHidden(ctx, "w.code", Read)
	rows, total, err := s.store.page(ctx, projectCode, q, hidden, args)
	return listing.NewPage(q.Clamp(total), rows, total), err
}

// All returns the workflows of a project, newest first.
func (s *Service) All(ctx context.Context, projectCode int64) ([]Workflow, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return nil, err
	}
	all, err := s.store.all(ctx, projectCode)
	hidden := s.Projects.Access.HiddenWorkflows(ctx, Read)
	return slices.DeleteFunc(all, func(w Workflow) bool { return slices.Contains(hidden, w.Code) }), err
}

// Definitions calls each with every workflow of a project and what its current version says, newest first. It holds
// one definition at a time.
func (s *Service) Definitions(ctx context.Context, projectCode int64, each func(Workflow, *flow.Definition) error) error {
	heads, err := s.All(ctx, projectCode)
	if err != nil {
		return err
	}
	byCode := make(map[int64]Workflow, len(heads))
	for _, w := range heads {
		byCode[w.Code] = w
	}
	return s.store.bodies(ctx, projectCode, func(def *flow.Definition) error {
		w, known := byCode[def.Code]
		if !known {
			return nil // saved since the heads were read
		}
		return each(w, def)
	})
}

// TaskHome finds the workflow whose current version has the task. It returns ErrTaskNotFound.
func (s *Service) TaskHome(ctx context.Context, projectCode, task int64) (Workflow, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return Workflow{}, err
	}
	code, err := s.store.taskHome(ctx, projectCode, task)
	if err != nil {
		return Workflow{}, err
	}
	return s.in(ctx, projectCode, code, Read)
}

// NameTaken reports whether another workflow of the project than code has the name.
func (s *Service) NameTaken(ctx context.Context, projectCode int64, name string, code int64) (bool, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return false, err
	}
	w, err := s.store.byName(ctx, projectCode, strings.TrimSpace(name)) // one that is hidden takes its name, too
	switch {
	case err == nil:
		return w.Code != code, nil
	case fault.KindOf(err) == fault.NotFound && !isProjectMissing(err):
		return false, nil
	default:
		return false, err
	}
}

// NewCodes returns n codes for tasks of the project. n is between 1 and MaxCodes, else ErrMalformed.
func (s *Service) NewCodes(ctx context.Context, projectCode int64, n int) ([]int64, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return nil, err
	}
	if n < 1 || n > MaxCodes {
		return nil, ErrMalformed.With("value", n)
	}
	return s.Codes.NextN(n), nil
}

// MaxCodes is how many task codes NewCodes gives out at once.
const MaxCodes = 10_000

// Check lists what is wrong with a definition that may not be saved yet, without saving it.
func (s *Service) Check(ctx context.Context, projectCode int64, def *flow.Definition) ([]flow.Problem, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return nil, err
	}
	tidy(def)
	def.ProjectCode = projectCode
	problems, err := s.validate(ctx, def)
	if err != nil {
		return nil, err
	}
	problems = append(problems, s.deniedGroups(ctx, def)...)
	related, err := s.related(ctx, def, s.links(def))
	return append(problems, related...), err
}

// Release puts a workflow online or takes it offline; it does nothing when it is there already. Online needs a current
// version without errors, since plugins may have changed, and that all workflows that it starts are online, too; offline
// that none that is online starts it. It returns ErrNotFound, an InvalidError, ErrChildOffline, ErrNeededOnline.
func (s *Service) Release(ctx context.Context, code int64, state flow.ReleaseState) (Workflow, error) {
	if _, err := s.need(ctx, code, Release); err != nil {
		return Workflow{}, err
	}
	var w Workflow
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		var err error
		if w, err = s.store.lock(ctx, code); err != nil || w.ReleaseState == state {
			return err
		}
		if state == flow.Online {
			def, err := s.store.body(ctx, code, w.Version)
			if err != nil {
				return err
			}
			problems, err := s.validate(ctx, def)
			if err != nil {
				return err
			}
			if err := refuse(problems); err != nil {
				return err
			}
		} else if err := s.unneeded(ctx, w); err != nil {
			return err
		}
		return s.release(ctx, &w, state)
	})
	return w, err
}

// release writes the new state of a locked workflow.
func (s *Service) release(ctx context.Context, w *Workflow, state flow.ReleaseState) error {
	if state == flow.Online {
		if err := s.readyBelow(ctx, *w); err != nil {
			return err
		}
	}
	before := head(*w)
	w.ReleaseState = state
	s.touch(ctx, w)
	if err := s.store.update(ctx, *w); err != nil {
		return err
	}
	if err := s.scheduled(ctx, *w); err != nil {
		return err
	}
	action := "workflow.offline"
	if state == flow.Online {
		action = "workflow.online"
	}
	return s.record(ctx, *w, action, audit.Change{Before: before, After: head(*w), Detail: map[string]any{"version": w.Version}})
}

// touch notes who changed the head, and when.
func (s *Service) touch(ctx context.Context, w *Workflow) {
	p, _ := access.From(ctx)
	w.ModifiedBy, w.ModifierName, w.UpdatedAt = p.UserID, p.Name, now(s.Now)
}

// Delete removes an offline workflow with its versions, drafts and instances. It returns ErrNotFound, ErrDeleteOnline,
// ErrInUse.
func (s *Service) Delete(ctx context.Context, code int64) error {
	return s.DeleteAll(ctx, []int64{code})
}

// DeleteAll is Delete for several workflows: all of them or none.
func (s *Service) DeleteAll(ctx context.Context, codes []int64) error {
	for _, code := range codes {
		if _, err := s.need(ctx, code, Delete); err != nil {
			return err
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		for _, code := range codes {
			if err := s.remove(ctx, code, codes); err != nil {
				return err
			}
		}
		return nil
	})
}

// remove deletes a workflow that goes together with others.
func (s *Service) remove(ctx context.Context, code int64, together []int64) error {
	w, err := s.store.lock(ctx, code)
	if err != nil {
		return err
	}
	if w.Online() {
		return ErrDeleteOnline.With("name", w.Name)
	}
	uses, err := s.Uses(ctx, code)
	if err != nil {
		return err
	}
	dependants, err := s.dependants(ctx, code)
	if err != nil {
		return err
	}
	for _, d := range dependants {
		if !slices.Contains(together, d.WorkflowCode) {
			uses = append(uses, d.Label())
		}
	}
	if len(uses) > 0 {
		return ErrInUse.With("name", w.Name, "uses", strings.Join(uses, ", "), "count", len(uses))
	}
	for _, r := range s.referrers {
		if err := r.DeleteInstances(ctx, code); err != nil {
			return fmt.Errorf("delete instances of workflow %d: %w", code, err)
		}
	}
	if err := s.store.remove(ctx, code); err != nil {
		return err
	}
	return s.record(ctx, w, "workflow.delete", audit.Change{Before: head(w)})
}

// Uses names what keeps a workflow from being deleted, besides its Dependants.
func (s *Service) Uses(ctx context.Context, code int64) ([]string, error) {
	if _, err := s.need(ctx, code, Read); err != nil {
		return nil, err
	}
	var all []string
	for _, r := range s.referrers {
		uses, err := r.WorkflowInUse(ctx, code)
		if err != nil {
			return nil, fmt.Errorf("find uses of workflow %d: %w", code, err)
		}
		all = append(all, uses...)
	}
	return all, nil
}

// Can reports whether whoever acts has the permission in the workflow's project.
func (s *Service) Can(ctx context.Context, projectCode int64, p access.Permission) bool {
	return s.Projects.Can(ctx, projectCode, p)
}

// head is what the audit log says of a workflow: what its tasks are is in its versions.
func head(w Workflow) map[string]any {
	return map[string]any{
		"name": w.Name, "description": w.Description, "version": w.Version, "release_state": w.ReleaseState, "execution_type": w.ExecutionType,
		"tasks": w.TaskCount,
	}
}

func (s *Service) record(ctx context.Context, w Workflow, action string, detail any) error {
	return s.Audit.Record(ctx, audit.Entry{
		Action: action, ObjectType: "workflow", ObjectID: strconv.FormatInt(w.Code, 10), ObjectName: w.Name,
		ProjectCode: w.ProjectCode, Detail: detail,
	})
}

func isProjectMissing(err error) bool {
	f := fault.From(err)
	return f != nil && f.Key == project.ErrNotFound.Key
}
