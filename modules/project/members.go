package project

import (
	"cmp"
	"context"
	"slices"

	"dorado/modules/access"
	"dorado/modules/audit"
)

// Members lists who has a role in the project, the most powerful first.
func (s *Service) Members(ctx context.Context, code int64) ([]Member, error) {
	if _, err := s.ByCode(ctx, code); err != nil {
		return nil, err
	}
	grants, err := s.Access.Members(ctx, access.Project(code))
	if err != nil {
		return nil, wrap(err, "list members")
	}
	users := make([]int64, len(grants))
	for i, g := range grants {
		users[i] = g.UserID
	}
	people, err := s.store.people(ctx, users)
	if err != nil {
		return nil, err
	}
	out := make([]Member, 0, len(grants))
	for _, g := range grants {
		p := people[g.UserID]
		out = append(out, Member{UserID: g.UserID, Name: p.Name, Role: g.Role, Since: g.CreatedAt, IsEnabled: p.State == 1})
	}
	slices.SortStableFunc(out, func(a, b Member) int {
		return cmp.Or(cmp.Compare(slices.Index(access.ProjectRoles(), a.Role), slices.Index(access.ProjectRoles(), b.Role)), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// candidatesShown bounds the names that a form offers; a name can be typed as well.
const candidatesShown = 500

// Candidates lists users who may be given a role, for whoever may give one.
func (s *Service) Candidates(ctx context.Context, code int64) ([]Person, error) {
	if _, err := s.Require(ctx, code, Members); err != nil {
		return nil, err
	}
	members, err := s.Members(ctx, code)
	if err != nil {
		return nil, err
	}
	people, err := s.store.candidates(ctx, candidatesShown)
	return slices.DeleteFunc(people, func(p Person) bool {
		return slices.ContainsFunc(members, func(m Member) bool { return m.UserID == p.ID })
	}), err
}

// SetMember gives a user, by name, a role in the project in place of any other. Owner hands the project on: the owner
// until then becomes an All member. The owner's own role changes in no other way: ErrOwnerStays. It returns ErrNotFound,
// ErrUserUnknown, ErrRoleUnknown.
func (s *Service) SetMember(ctx context.Context, code int64, user, role string) error {
	if _, err := s.Require(ctx, code, Members); err != nil {
		return err
	}
	r, ok := access.ParseProjectRole(role)
	if !ok {
		return ErrRoleUnknown.With("role", role).OnField("role", ErrRoleUnknown.Key, "role", role)
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		p, err := s.store.lock(ctx, code)
		if err != nil {
			return err
		}
		u, err := s.store.personByName(ctx, user)
		if err != nil {
			return err
		}
		if u.ID == p.OwnerID {
			if r == access.Owner {
				return nil
			}
			return ErrOwnerStays.With("user", u.Name)
		}
		if r == access.Owner {
			if err := s.Access.Grant(ctx, p.OwnerID, access.Project(code), access.All); err != nil {
				return err
			}
			p.OwnerID, p.UpdatedAt = u.ID, now(s.Now)
			if err := s.store.update(ctx, p); err != nil {
				return err
			}
		}
		had, err := s.roleOf(ctx, u.ID, code)
		if err != nil {
			return err
		}
		if err := s.Access.Grant(ctx, u.ID, access.Project(code), r); err != nil {
			return err
		}
		return s.record(ctx, p, "project.grant", audit.Change{
			Before: map[string]any{"role": had}, After: map[string]any{"role": r}, Detail: map[string]any{"user": u.Name, "role": role},
		})
	})
}

// together does something to several projects, all or none.
func (s *Service) together(ctx context.Context, codes []int64, do func(ctx context.Context, code int64) error) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		for _, code := range codes {
			if err := do(ctx, code); err != nil {
				return err
			}
		}
		return nil
	})
}

// personNamed is the name of a user, for those who may act at all. It returns ErrUserUnknown.
func (s *Service) personNamed(ctx context.Context, id int64) (string, error) {
	if _, err := access.Must(ctx); err != nil {
		return "", err
	}
	people, err := s.store.people(ctx, []int64{id})
	if err != nil {
		return "", err
	}
	if people[id].Name == "" {
		return "", ErrUserUnknown.With("user", id)
	}
	return people[id].Name, nil
}

// RemoveMember takes a user's role away. It returns ErrNotFound, ErrOwnerStays.
func (s *Service) RemoveMember(ctx context.Context, code, user int64) error {
	if _, err := s.Require(ctx, code, Members); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		p, err := s.store.lock(ctx, code)
		if err != nil {
			return err
		}
		people, err := s.store.people(ctx, []int64{user})
		if err != nil {
			return err
		}
		if user == p.OwnerID {
			return ErrOwnerStays.With("user", people[user].Name)
		}
		had, err := s.roleOf(ctx, user, code)
		if err != nil {
			return err
		}
		if err := s.Access.Revoke(ctx, user, access.Project(code)); err != nil {
			return err
		}
		return s.record(ctx, p, "project.revoke", audit.Change{Before: map[string]any{"role": had}, Detail: map[string]any{"user": people[user].Name}})
	})
}

// roleOf is the role that a user was given in a project, "" for none.
func (s *Service) roleOf(ctx context.Context, user, code int64) (access.Role, error) {
	grants, err := s.Access.GrantsOf(ctx, user)
	for _, g := range grants {
		if g.ProjectCode() == code {
			return g.Role, err
		}
	}
	return "", wrap(err, "read roles")
}

// RolesOf returns the roles of a user in those projects that whoever acts may see: of himself everybody may know, of
// others an administrator. It returns access.ErrDenied.
func (s *Service) RolesOf(ctx context.Context, user int64) (map[int64]access.Role, error) {
	who, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	if !who.Admin && who.UserID != user {
		return nil, access.ErrDenied.With("permission", string(Members))
	}
	grants, err := s.Access.GrantsOf(ctx, user)
	out := make(map[int64]access.Role, len(grants))
	for _, g := range grants {
		if code := g.ProjectCode(); code != 0 {
			out[code] = g.Role
		}
	}
	return out, wrap(err, "read roles")
}
