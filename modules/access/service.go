package access

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
)

// Faults of this package.
var (
	// ErrUnauthenticated means that nobody is signed in.
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "access.unauthenticated")
	// ErrDenied means that the principal lacks the permission named by the argument permission; in a project the
	// argument project holds its code.
	ErrDenied = fault.New(fault.Forbidden, "access.denied")
	// ErrMustChangePassword means that the principal has a password it was given and may do nothing before it chose one.
	ErrMustChangePassword = fault.New(fault.Forbidden, "access.must_change_password")
)

// AuditRead allows reading the audit log. It is declared here because package audit lies below permissions.
const AuditRead Permission = "audit.read"

const (
	// refreshEvery bounds how long a change by another process goes unnoticed without notifications.
	refreshEvery = 5 * time.Second
	channel      = "dorado_access"
)

// Deps is what the service needs.
type Deps struct {
	DB    *db.DB
	Log   *slog.Logger
	Now   func() time.Time
	Rules []Rule // of all modules
}

// Service decides, and keeps grants. Checks are safe for concurrent use and never wait for the database.
type Service struct {
	Deps

	current atomic.Pointer[snapshot]
	mu      sync.Mutex // one refresh at a time, so that a later one sees later data
}

// New loads the grants. It fails when a permission is declared twice.
func New(ctx context.Context, d Deps) (*Service, error) {
	d.Rules = append([]Rule{Allow(AuditRead)}, d.Rules...)
	seen := map[Permission]bool{}
	for _, r := range d.Rules {
		if seen[r.Permission] {
			return nil, fmt.Errorf("access: the permission %s is declared twice", r.Permission)
		}
		seen[r.Permission] = true
	}
	s := &Service{Deps: d}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Run keeps up with grants that other processes change, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	err := s.DB.Listen(ctx, channel, func(string) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "changed grants will be noticed late", "error", err)
	}
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-changed:
		}
		if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "grants could not be read; the last known ones stay in force", "error", err)
		}
	}
}

// Refresh reads all grants. Decisions made so far stay remembered when nothing changed.
func (s *Service) Refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	grants, err := db.Select[grant](db.Detach(ctx), s.DB, "SELECT user_id, domain, role FROM role_grant ORDER BY user_id, domain")
	if err != nil {
		return fmt.Errorf("read grants: %w", err)
	}
	if now := s.current.Load(); now != nil && now.same(grants) {
		return nil
	}
	next, err := newSnapshot(s.Rules, grants)
	if err != nil {
		return err
	}
	s.current.Store(next)
	return nil
}

// Require returns nil when the principal of ctx has the permission everywhere, else ErrUnauthenticated,
// ErrMustChangePassword or ErrDenied.
func (s *Service) Require(ctx context.Context, p Permission) error {
	return s.require(ctx, Everywhere, p, 0)
}

// RequireProject returns nil when the principal of ctx has the permission in the project, else ErrUnauthenticated,
// ErrMustChangePassword or ErrDenied. It does not tell whether the project exists.
func (s *Service) RequireProject(ctx context.Context, code int64, p Permission) error {
	return s.require(ctx, Project(code), p, code)
}

// Can reports what Require would answer.
func (s *Service) Can(ctx context.Context, p Permission) bool { return s.Require(ctx, p) == nil }

// CanProject reports what RequireProject would answer.
func (s *Service) CanProject(ctx context.Context, code int64, p Permission) bool {
	return s.RequireProject(ctx, code, p) == nil
}

func (s *Service) require(ctx context.Context, domain string, act Permission, code int64) error {
	p, ok := From(ctx)
	if !ok {
		return ErrUnauthenticated
	}
	if p.system {
		return nil
	}
	if p.MustChangePassword {
		return ErrMustChangePassword
	}
	allowed, err := s.current.Load().allows(p.UserID, domain, act)
	if err != nil {
		return err
	}
	if allowed {
		return nil
	}
	if code != 0 {
		return ErrDenied.With("permission", string(act), "project", code)
	}
	return ErrDenied.With("permission", string(act))
}

// ProjectsOf returns the codes of the projects that the principal of ctx may see, in rising order, or all = true for
// an administrator. Nobody sees nothing.
func (s *Service) ProjectsOf(ctx context.Context) (codes []int64, all bool) {
	p, ok := From(ctx)
	if !ok {
		return nil, false
	}
	if p.Admin || p.system {
		return nil, true
	}
	return slices.Sorted(maps.Keys(s.current.Load().projects[p.UserID])), false
}

// RoleIn returns the role of the principal of ctx in a project: Admin for an administrator, false without any.
func (s *Service) RoleIn(ctx context.Context, code int64) (Role, bool) {
	p, ok := From(ctx)
	if !ok {
		return "", false
	}
	if p.Admin || p.system {
		return Admin, true
	}
	role, ok := s.current.Load().projects[p.UserID][code]
	return role, ok
}

// Member is a user with a role in a domain.
type Member struct {
	UserID    int64     `db:"user_id"`
	Domain    string    `db:"domain"`
	Role      Role      `db:"role"`
	CreatedAt time.Time `db:"created_at"`
}

// ProjectCode returns the project of the domain, 0 for the whole installation.
func (m Member) ProjectCode() int64 {
	code, _ := projectOf(m.Domain)
	return code
}

// Members returns who holds a role in a domain, in the order of their ids. Checking that the caller may know is the
// caller's task, for this and the following methods: they are the plumbing of modules that own users and projects.
func (s *Service) Members(ctx context.Context, domain string) ([]Member, error) {
	return db.Select[Member](ctx, s.DB, "SELECT user_id, domain, role, created_at FROM role_grant WHERE domain = ? ORDER BY user_id", domain)
}

// GrantsOf returns all roles of a user, ordered by domain.
func (s *Service) GrantsOf(ctx context.Context, userID int64) ([]Member, error) {
	return db.Select[Member](ctx, s.DB, "SELECT user_id, domain, role, created_at FROM role_grant WHERE user_id = ? ORDER BY domain", userID)
}

// Grant gives a user a role in a domain in place of any other, in the transaction of ctx.
func (s *Service) Grant(ctx context.Context, userID int64, domain string, role Role) error {
	if err := grantable(domain, role); err != nil {
		return err
	}
	_, err := s.DB.Exec(ctx, `INSERT INTO role_grant (user_id, domain, role, created_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, domain) DO UPDATE SET role = excluded.role, created_at = excluded.created_at`,
		userID, domain, string(role), s.Now())
	if err != nil {
		return fmt.Errorf("grant %s: %w", role, err)
	}
	return s.changed(ctx)
}

// Revoke takes a user's role in a domain away, in the transaction of ctx. Without a role it does nothing.
func (s *Service) Revoke(ctx context.Context, userID int64, domain string) error {
	return s.remove(ctx, "DELETE FROM role_grant WHERE user_id = ? AND domain = ?", userID, domain)
}

// RevokeDomain takes all roles in a domain away, when its project goes.
func (s *Service) RevokeDomain(ctx context.Context, domain string) error {
	return s.remove(ctx, "DELETE FROM role_grant WHERE domain = ?", domain)
}

// RevokeUser takes all roles of a user away, when the user goes.
func (s *Service) RevokeUser(ctx context.Context, userID int64) error {
	return s.remove(ctx, "DELETE FROM role_grant WHERE user_id = ?", userID)
}

func (s *Service) remove(ctx context.Context, query string, args ...any) error {
	if _, err := s.DB.Exec(ctx, query, args...); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return s.changed(ctx)
}

// grantable refuses a role where it means nothing: a project role for everything would be a silent master key.
func grantable(domain string, role Role) error {
	_, isProject := projectOf(domain)
	_, isProjectRole := ParseProjectRole(string(role))
	if isProject && isProjectRole || domain == Everywhere && role == Admin {
		return nil
	}
	return fmt.Errorf("access: the role %q cannot be granted in %q", role, domain)
}

// changed renews the snapshots of all processes once the transaction is committed.
func (s *Service) changed(ctx context.Context) error {
	db.AfterCommit(ctx, func(ctx context.Context) {
		if err := s.Refresh(ctx); err != nil {
			s.Log.WarnContext(ctx, "grants could not be read; the next try is in seconds", "error", err)
		}
	})
	return s.DB.Notify(ctx, channel, "")
}
