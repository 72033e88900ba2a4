package grant

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// Object is something that can be granted.
type Object struct {
	Key     string
	Name    string
	Note    string // says more about it, such as its type
	Granted bool
}

// Offer lists the objects of a kind.
type Offer func(ctx context.Context) ([]Object, error)

// Project is a project with the role of the user in question.
type Project struct {
	Code  int64
	Name  string
	Owner string
	Role  access.Role // "" for none
}

// Projects is what the module of projects does for this one. Each checks what whoever acts may do.
type Projects struct {
	All    func(ctx context.Context) ([]Project, error) // without roles
	Set    func(ctx context.Context, code int64, user, role string) error
	Remove func(ctx context.Context, code, user int64) error
}

// Person is the user in question.
type Person struct {
	ID   int64  `db:"id"`
	Name string `db:"name"`
	Type string `db:"user_type"`
}

// Admin reports whether he needs no grants.
func (p Person) Admin() bool { return p.Type == "ADMIN_USER" }

// Faults of this package.
var (
	ErrUser   = fault.New(fault.NotFound, "grant.error.user")
	ErrObject = fault.New(fault.Invalid, "grant.error.object")
	ErrKind   = fault.New(fault.NotFound, "grant.error.kind")
	ErrRole   = fault.New(fault.Invalid, "grant.error.role")
)

// Service grants, for administrators.
type Service struct {
	db       *db.DB
	access   *access.Service
	audit    *audit.Service
	offers   map[access.Kind]Offer
	projects Projects
}

// SetOffer hands in the objects of a kind. It must not be called once requests are served.
func (s *Service) SetOffer(kind access.Kind, o Offer) { s.offers[kind] = o }

// SetProjects hands in what there is in the module of projects. It must not be called once requests are served.
func (s *Service) SetProjects(p Projects) { s.projects = p }

// Kinds are the kinds of which there is something to grant, in the order of access.Kinds.
func (s *Service) Kinds() []access.Kind {
	return slices.DeleteFunc(access.Kinds(), func(k access.Kind) bool { return s.offers[k] == nil })
}

// Person finds a user, for whoever may grant. It returns ErrUser.
func (s *Service) Person(ctx context.Context, id int64) (Person, error) {
	if err := s.access.Require(ctx, access.PolicyManage); err != nil {
		return Person{}, err
	}
	p, err := db.Get[Person](ctx, s.db, "SELECT id, name, user_type FROM users WHERE id = ?", id)
	if errors.Is(err, db.ErrNoRows) {
		return p, ErrUser.With("user", id)
	}
	return p, err
}

// Objects lists all objects of a kind by name, and which of them a user is granted. It returns ErrUser, ErrKind.
func (s *Service) Objects(ctx context.Context, user int64, kind access.Kind) ([]Object, error) {
	if _, err := s.Person(ctx, user); err != nil {
		return nil, err
	}
	offer := s.offers[kind]
	if offer == nil {
		return nil, ErrKind
	}
	all, err := offer(ctx)
	if err != nil {
		return nil, err
	}
	granted, err := s.access.ObjectsGranted(ctx, user, kind)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Granted = slices.ContainsFunc(granted, func(g access.ObjectGrant) bool { return g.Key == all[i].Key })
	}
	slices.SortStableFunc(all, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Set grants a user these objects of a kind and takes all others of the kind away. It returns ErrUser, and ErrObject for one
// that does not exist.
func (s *Service) Set(ctx context.Context, user int64, kind access.Kind, keys []string) error {
	who, err := s.Person(ctx, user)
	if err != nil {
		return err
	}
	names := map[string]string{}
	if offer := s.offers[kind]; offer != nil {
		all, err := offer(ctx)
		if err != nil {
			return err
		}
		for _, o := range all {
			names[o.Key] = o.Name
		}
	}
	after := map[string]string{}
	for _, key := range keys {
		if after[key] = names[key]; after[key] == "" {
			return ErrObject.With("key", key)
		}
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		had, err := s.access.ObjectsGranted(ctx, user, kind)
		if err != nil {
			return err
		}
		before := map[string]string{}
		for _, g := range had {
			before[g.Key] = names[g.Key]
		}
		if maps.Equal(before, after) {
			return nil
		}
		if err := s.access.GrantObjects(ctx, user, kind, slices.Collect(maps.Keys(after)), access.PermAll); err != nil {
			return err
		}
		return s.audit.Record(ctx, audit.Entry{
			Action: "user.grant", ObjectType: "user", ObjectID: strconv.FormatInt(user, 10), ObjectName: who.Name,
			Detail: map[string]any{"kind": kind}, Before: sortedValues(before), After: sortedValues(after),
		})
	})
}

func sortedValues(m map[string]string) []string { return slices.Sorted(maps.Values(m)) }

// RolesOf lists all projects, those in which the user has a role first. It returns ErrUser.
func (s *Service) RolesOf(ctx context.Context, user int64) ([]Project, error) {
	if _, err := s.Person(ctx, user); err != nil {
		return nil, err
	}
	grants, err := s.access.GrantsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	roles := map[int64]access.Role{}
	for _, g := range grants {
		roles[g.ProjectCode()] = g.Role
	}
	all, err := s.projects.All(ctx)
	for i := range all {
		all[i].Role = roles[all[i].Code]
	}
	slices.SortStableFunc(all, func(a, b Project) int {
		if (a.Role == "") != (b.Role == "") {
			if a.Role == "" {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, err
}

// SetRoles gives a user a role in several projects, all of them or none; "" takes what he has there. It returns ErrUser,
// ErrRole, and what the module of projects refuses: the owner stays.
func (s *Service) SetRoles(ctx context.Context, user int64, codes []int64, role string) error {
	who, err := s.Person(ctx, user)
	if err != nil {
		return err
	}
	if r, ok := access.ParseProjectRole(role); role != "" && (!ok || r == access.Owner && len(codes) > 1) {
		return ErrRole.With("role", role)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, code := range codes {
			var err error
			if role == "" {
				err = s.projects.Remove(ctx, code, user)
			} else {
				err = s.projects.Set(ctx, code, who.Name, role)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
