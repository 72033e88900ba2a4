package project

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// Deps is what the service needs.
type Deps struct {
	DB     *db.DB
	Access *access.Service
	Audit  *audit.Service
	Codes  *ids.Generator
	Now    func() time.Time
	Sealer *secret.Sealer // seals the values of secret parameters
}

// Service is the only door to projects.
type Service struct {
	Deps
	store          store
	contents       Contents
	parameterUsers ParameterUsers
	known          Known
	groupUsers     []GroupUsers
	allGroups      func(ctx context.Context) ([]string, error)
	deleted        []func(ctx context.Context, project int64) error
}

// New returns the service.
func New(d Deps) *Service { return &Service{Deps: d, store: store{d.DB}} }

// SetContents hands in what knows the contents of projects. It must not be called once requests are served; without
// it projects seem empty, and the database alone keeps a full one from being deleted.
func (s *Service) SetContents(c Contents) { s.contents = c }

// OnDelete tells fn of a project that is deleted, in the transaction of the deletion. It must not be called once requests
// are served.
func (s *Service) OnDelete(fn func(ctx context.Context, project int64) error) {
	s.deleted = append(s.deleted, fn)
}

// Require returns the project when whoever acts has the permission in it. Else it returns ErrNotFound, ErrNoAccess when
// he may not even see it, ErrNoGrant when he may, or access.ErrUnauthenticated.
func (s *Service) Require(ctx context.Context, code int64, perm access.Permission) (Project, error) {
	return s.RequireWorkflow(ctx, code, 0, perm)
}

// RequireWorkflow is Require for one workflow of the project: policies about just that workflow count, too. 0 is none. The
// caller vouches for the workflow being of the project.
func (s *Service) RequireWorkflow(ctx context.Context, code, workflow int64, perm access.Permission) (Project, error) {
	if _, err := access.Must(ctx); err != nil {
		return Project{}, err
	}
	p, err := s.store.byCode(ctx, code)
	if err != nil {
		return p, err
	}
	err = s.Access.RequireWorkflow(ctx, code, workflow, perm)
	if !errors.Is(err, access.ErrDenied) {
		return p, err
	}
	refused := ErrNoGrant
	if !s.Access.CanProject(ctx, code, Read) {
		refused = ErrNoAccess
	}
	who, _ := access.From(ctx)
	return Project{}, refused.With("project", p.Name, "owner", p.OwnerName, "user", who.Name, "permission", string(perm))
}

// ByCode returns a project that whoever acts may see. Errors as of Require.
func (s *Service) ByCode(ctx context.Context, code int64) (Project, error) {
	return s.Require(ctx, code, Read)
}

// Can reports whether whoever acts has the permission in the project. It is for showing and hiding; what is done is
// checked by Require.
func (s *Service) Can(ctx context.Context, code int64, perm access.Permission) bool {
	return s.Access.CanProject(ctx, code, perm)
}

// CanWorkflow reports whether whoever acts has the permission for one workflow of the project, like Can.
func (s *Service) CanWorkflow(ctx context.Context, code, workflow int64, perm access.Permission) bool {
	return s.Access.CanWorkflow(ctx, code, workflow, perm)
}

// Role is what whoever acts is in the project: Admin for an administrator, "" without a role.
func (s *Service) Role(ctx context.Context, code int64) access.Role {
	role, _ := s.Access.RoleIn(ctx, code)
	return role
}

// Names returns the names of those projects that whoever acts may see, by code.
func (s *Service) Names(ctx context.Context, codes []int64) (map[int64]string, error) {
	visible := slices.DeleteFunc(slices.Clone(codes), func(code int64) bool { return !s.Can(ctx, code, Read) })
	rows, err := s.store.all(ctx, visible, false)
	out := make(map[int64]string, len(rows))
	for _, p := range rows {
		out[p.Code] = p.Name
	}
	return out, err
}

// List returns one page of the projects that whoever acts may see.
func (s *Service) List(ctx context.Context, q listing.Query) (listing.Page[Row], error) {
	if _, err := access.Must(ctx); err != nil {
		return listing.Page[Row]{}, err
	}
	codes, all := s.Access.ProjectsOf(ctx)
	page, err := s.store.page(ctx, codes, all, q)
	if err != nil {
		return listing.Page[Row]{}, err
	}
	rows, err := s.rows(ctx, page.Items)
	return listing.Page[Row]{Items: rows, Total: page.Total, Number: page.Number, Size: page.Size}, err
}

// Fitting returns the youngest limit projects whose name fits, the one changed last first. It asks only about names that hold more than ASCII
// characters, and about no more than db.MaxFitting of them.
func (s *Service) Fitting(ctx context.Context, fits func(name string) bool, limit int) ([]Row, error) {
	if _, err := access.Must(ctx); err != nil {
		return nil, err
	}
	codes, all := s.Access.ProjectsOf(ctx)
	ids, err := s.store.fitting(ctx, codes, all, fits, limit)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	page, err := s.List(ctx, listing.New(Spec(), 1, limit, "").Among(ids))
	return page.Items, err
}

// All returns every project that whoever acts may see, newest first.
func (s *Service) All(ctx context.Context) ([]Row, error) {
	if _, err := access.Must(ctx); err != nil {
		return nil, err
	}
	codes, all := s.Access.ProjectsOf(ctx)
	projects, err := s.store.all(ctx, codes, all)
	if err != nil {
		return nil, err
	}
	return s.rows(ctx, projects)
}

// Row is a project with what lists show of it.
func (s *Service) Row(ctx context.Context, p Project) (Row, error) {
	rows, err := s.rows(ctx, []Project{p})
	if err != nil {
		return Row{}, err
	}
	return rows[0], nil
}

func (s *Service) rows(ctx context.Context, projects []Project) ([]Row, error) {
	codes := make([]int64, len(projects))
	for i, p := range projects {
		codes[i] = p.Code
	}
	counts := map[int64]int{}
	if s.contents != nil && len(codes) > 0 {
		var err error
		if counts, err = s.contents.WorkflowCounts(ctx, codes); err != nil {
			return nil, wrap(err, "count workflows")
		}
	}
	rows := make([]Row, len(projects))
	for i, p := range projects {
		rows[i] = Row{Project: p, Workflows: counts[p.Code], Role: s.Role(ctx, p.Code)}
	}
	return rows, nil
}

// Create makes a project that belongs to whoever acts. It returns ErrNameTaken, or a fault about fields.
func (s *Service) Create(ctx context.Context, d Draft) (Project, error) {
	if err := s.Access.Require(ctx, Create); err != nil {
		return Project{}, err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return Project{}, err
	}
	d = d.clean()
	if err := d.Validate(); err != nil {
		return Project{}, err
	}
	at := now(s.Now)
	p := Project{
		Code: s.Codes.Next(), Name: d.Name, Description: d.Description, OwnerID: who.UserID, OwnerName: who.Name, CreatedAt: at, UpdatedAt: at,
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		var err error
		if p.ID, err = s.store.insert(ctx, p); err != nil {
			return err
		}
		if err := s.Access.Grant(ctx, who.UserID, access.Project(p.Code), access.Owner); err != nil {
			return err
		}
		return s.record(ctx, p, "project.create", audit.Change{After: p})
	})
	return p, err
}

// Update changes name and description. seen is when the caller's copy was last changed; a project changed since then
// is refused with ErrChanged. The zero time skips that. It returns ErrNotFound, ErrNameTaken, or a fault about fields.
func (s *Service) Update(ctx context.Context, code int64, d Draft, seen time.Time) (Project, error) {
	if _, err := s.Require(ctx, code, Edit); err != nil {
		return Project{}, err
	}
	d = d.clean()
	if err := d.Validate(); err != nil {
		return Project{}, err
	}
	var p Project
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		var err error
		if p, err = s.store.lock(ctx, code); err != nil {
			return err
		}
		if !seen.IsZero() && !p.UpdatedAt.Equal(seen) {
			return ErrChanged.With("name", p.Name)
		}
		before := p
		p.Name, p.Description, p.UpdatedAt = d.Name, d.Description, now(s.Now)
		if err := s.store.update(ctx, p); err != nil {
			return err
		}
		return s.record(ctx, p, "project.update", audit.Change{Before: before, After: p})
	})
	return p, err
}

// usesShown is how many of the workflows in the way of a deletion are named.
const usesShown = 20

// Uses lists what keeps a project from being deleted, some of it by name, and how much it is.
func (s *Service) Uses(ctx context.Context, code int64) ([]Use, int, error) {
	if _, err := s.ByCode(ctx, code); err != nil || s.contents == nil {
		return nil, 0, err
	}
	return s.contents.ProjectUses(ctx, code, usesShown)
}

// Delete removes an empty project and all roles in it. It returns ErrNotFound, ErrNotEmpty.
func (s *Service) Delete(ctx context.Context, code int64) error {
	if _, err := s.Require(ctx, code, Delete); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		p, err := s.store.lock(ctx, code)
		if err != nil {
			return err
		}
		if s.contents != nil {
			_, total, err := s.contents.ProjectUses(ctx, code, 1)
			if err != nil {
				return err
			}
			if total > 0 {
				return ErrNotEmpty.With("name", p.Name, "count", total)
			}
		}
		if err := s.Access.RevokeDomain(ctx, access.Project(code)); err != nil {
			return err
		}
		for _, tell := range s.deleted {
			if err := tell(ctx, code); err != nil {
				return err
			}
		}
		if err := s.store.remove(ctx, code); err != nil {
			return err
		}
		return s.record(ctx, p, "project.delete", audit.Change{Before: p})
	})
}

func (s *Service) record(ctx context.Context, p Project, action string, detail any) error {
	return s.Audit.Record(ctx, audit.Entry{
		Action: action, ObjectType: "project", ObjectID: strconv.FormatInt(p.Code, 10), ObjectName: p.Name, ProjectCode: p.Code, Detail: detail,
	})
}
