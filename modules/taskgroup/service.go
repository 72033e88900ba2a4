package taskgroup

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/project"
	"dorado/modules/security/crud"
)

// Service holds the rules about task groups; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Group, Draft]
	store     scoped
	access    *access.Service
	projects  *project.Service
	control   Controller
	referrers []Referrer
}

// AddReferrer lets r object to deleting a group. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

// SetController hands in what acts on attempts that wait. It must not be called once requests are served.
func (s *Service) SetController(c Controller) { s.control = c }

func (s *Service) referring(ctx context.Context, g Group, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.TaskGroupUses(ctx, g.ID, limit) })
}

// mayView hides the groups of projects that whoever acts may not see.
func (s *Service) mayView(ctx context.Context, g *Group) error {
	if err := s.access.Require(ctx, View); err != nil || g == nil || g.ProjectCode == AllProjects {
		return err
	}
	if !s.access.CanProject(ctx, g.ProjectCode, project.Read) {
		return ErrNotFound
	}
	return nil
}

func (s *Service) mayChange(ctx context.Context, g *Group) error {
	if g == nil {
		return s.access.Require(ctx, Create)
	}
	if err := s.mayView(ctx, g); err != nil {
		return err
	}
	return s.mayManage(ctx, g.ProjectCode)
}

// mayManage asks for the permission to change groups of a project, or of all.
func (s *Service) mayManage(ctx context.Context, code int64) error {
	if code == AllProjects {
		return s.access.Require(ctx, ManageAll)
	}
	_, err := s.projects.Require(ctx, code, Manage)
	return err
}

// check keeps a group in its project, and asks whether a new one may be made in its.
func (s *Service) check(ctx context.Context, was *Group, d Draft) (Draft, error) {
	if was != nil {
		d.ProjectCode = was.ProjectCode
		return d, nil
	}
	return d, s.mayManage(ctx, d.ProjectCode)
}

// OfProject lists the groups that tasks of a project may belong to: its own and those of all projects, by name.
func (s *Service) OfProject(ctx context.Context, code int64) ([]Group, error) {
	if _, err := s.projects.Require(ctx, code, project.Read); err != nil {
		return nil, err
	}
	return s.store.ofProject(ctx, code)
}

// Visible lists every group that whoever acts may see, by name.
func (s *Service) Visible(ctx context.Context) ([]Group, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	codes, all := s.access.ProjectsOf(ctx)
	mine, err := visible("g.project_code", codes, all, true)
	if err != nil {
		return nil, err
	}
	return s.store.all(ctx, mine)
}

// Switch closes a group, which then limits nothing, or opens it. It returns ErrNotFound, ErrClosed or ErrOpen when it is
// so already, and what the permission lacks.
func (s *Service) Switch(ctx context.Context, id int64, open bool) error {
	if err := s.access.Require(ctx, View); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		g, err := s.store.ByID(ctx, id)
		if err != nil {
			return err
		}
		if err := s.mayChange(ctx, &g); err != nil {
			return err
		}
		verb, status := "close", 0
		switch {
		case open && !g.Closed():
			return ErrOpen.With("name", g.Name)
		case !open && g.Closed():
			return ErrClosed.With("name", g.Name)
		case open:
			verb, status = "start", 1
		}
		if err := s.store.setStatus(ctx, id, status, db.Now(s.Now)); err != nil {
			return err
		}
		return s.Record(ctx, verb, g, nil)
	})
}

// Queue lists attempts that hold slots or wait for them, in projects that whoever acts may see.
func (s *Service) Queue(ctx context.Context, q listing.Query, more ...crud.Condition) (listing.Page[Entry], error) {
	if err := s.access.Require(ctx, View); err != nil {
		return listing.Page[Entry]{}, err
	}
	codes, all := s.access.ProjectsOf(ctx)
	mine, err := visible("t.project_code", codes, all, false)
	if err != nil {
		return listing.Page[Entry]{}, err
	}
	return s.store.queue(ctx, q, append(more, mine)...)
}

// Entry returns one attempt of a group that waits. It returns ErrEntryNotFound, also for one that whoever acts may not
// see, ErrStarted for one that does not wait, and what the permission to act on it lacks.
func (s *Service) Entry(ctx context.Context, id int64) (Entry, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return Entry{}, err
	}
	e, err := s.store.entry(ctx, id)
	if err != nil {
		return e, err
	}
	if !s.access.CanProject(ctx, e.ProjectCode, project.Read) {
		return Entry{}, ErrEntryNotFound
	}
	if _, err := s.projects.Require(ctx, e.ProjectCode, Operate); err != nil {
		return Entry{}, err
	}
	if !e.Waits() {
		return e, ErrStarted.With("name", e.Task)
	}
	return e, nil
}

// ForceStart lets an attempt that waits start beyond the size of its group. Errors as of Entry.
func (s *Service) ForceStart(ctx context.Context, id int64) error {
	if _, err := s.Entry(ctx, id); err != nil {
		return err
	}
	if s.control == nil {
		return errors.New("taskgroup: nobody controls attempts")
	}
	return s.control.ForceStart(ctx, id)
}

// SetPriority changes the place of an attempt that waits. It returns ErrPriority, and what Entry returns.
func (s *Service) SetPriority(ctx context.Context, id int64, priority int) error {
	if priority < 0 {
		return ErrPriority.OnField("priority", ErrPriority.Key)
	}
	if _, err := s.Entry(ctx, id); err != nil {
		return err
	}
	if s.control == nil {
		return errors.New("taskgroup: nobody controls attempts")
	}
	return s.control.SetGroupPriority(ctx, id, priority)
}

// ProjectDeleted removes the groups of a project that goes; it runs in the transaction of the deletion.
func (s *Service) ProjectDeleted(ctx context.Context, code int64) error {
	if err := s.store.removeOf(ctx, code); err != nil {
		return err
	}
	return crud.NotifyMasters(ctx, s.DB)
}

// Resize changes how many slots a group has, whatever it is now; for programs.
func (s *Service) Resize(ctx context.Context, id int64, d Draft) (Group, error) {
	g, err := s.Get(ctx, id)
	if err != nil {
		return g, err
	}
	if g.Closed() {
		return g, ErrClosed.With("name", g.Name)
	}
	return s.Update(ctx, id, d, time.Time{})
}
