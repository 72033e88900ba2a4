package access

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
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

// Permissions that are declared here.
const (
	// AuditRead allows reading the audit log; package audit lies below permissions.
	AuditRead Permission = "audit.read"
	// PolicyManage allows reading and changing policies and the grants of others.
	PolicyManage Permission = "policy.manage"
)

// seeProject is what lists of projects ask for; the module of projects declares it.
const seeProject Permission = "project.read"

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
	d.Rules = append([]Rule{Allow(AuditRead), Allow(PolicyManage)}, d.Rules...)
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

// Refresh reads all grants and policies. Decisions made so far stay remembered when nothing changed.
func (s *Service) Refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.read(db.Detach(ctx))
	if err != nil {
		return fmt.Errorf("read grants: %w", err)
	}
	if now := s.current.Load(); now != nil && now.known.same(k) {
		return nil
	}
	next, err := newSnapshot(s.Rules, k)
	if err != nil {
		return err
	}
	s.current.Store(next)
	return nil
}

// read leaves out who changed what when: it decides nothing, and would make equal things different.
func (s *Service) read(ctx context.Context) (k known, err error) {
	if k.grants, err = db.Select[grant](ctx, s.DB, "SELECT user_id, domain, role FROM role_grant ORDER BY user_id, domain"); err != nil {
		return k, err
	}
	k.objects, err = db.Select[ObjectGrant](ctx, s.DB, "SELECT user_id, kind, object_key, perm FROM object_grant ORDER BY user_id, kind, object_key")
	if err != nil {
		return k, err
	}
	k.policies, err = db.Select[Policy](ctx, s.DB, `SELECT id, subject, permission, project_code, workflow_code, effect, note
		FROM policy_rule ORDER BY id`)
	return k, err
}

// Require returns nil when the principal of ctx has the permission everywhere, else ErrUnauthenticated,
// ErrMustChangePassword or ErrDenied.
func (s *Service) Require(ctx context.Context, p Permission) error {
	return s.require(ctx, question{project: everywhere, act: p})
}

// RequireProject returns nil when the principal of ctx has the permission in the project, else ErrUnauthenticated,
// ErrMustChangePassword or ErrDenied. It does not tell whether the project exists.
func (s *Service) RequireProject(ctx context.Context, code int64, p Permission) error {
	return s.RequireWorkflow(ctx, code, 0, p)
}

// RequireWorkflow is RequireProject for one workflow of the project: policies about just that workflow count, too. The
// caller vouches for the workflow being of the project; 0 is none.
func (s *Service) RequireWorkflow(ctx context.Context, project, workflow int64, p Permission) error {
	return s.require(ctx, question{project: max(project, 0), workflow: workflow, act: p})
}

// Can reports what Require would answer.
func (s *Service) Can(ctx context.Context, p Permission) bool { return s.Require(ctx, p) == nil }

// CanProject reports what RequireProject would answer.
func (s *Service) CanProject(ctx context.Context, code int64, p Permission) bool {
	return s.RequireProject(ctx, code, p) == nil
}

// CanWorkflow reports what RequireWorkflow would answer.
func (s *Service) CanWorkflow(ctx context.Context, project, workflow int64, p Permission) bool {
	return s.RequireWorkflow(ctx, project, workflow, p) == nil
}

func (s *Service) require(ctx context.Context, q question) error {
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
	q.user = p.UserID
	allowed := len(p.Scope) == 0 || inScope(p.Scope, q)
	if allowed {
		var err error
		if allowed, err = s.current.Load().allows(q); err != nil {
			return err
		}
	}
	if allowed {
		return nil
	}
	if q.project > 0 {
		return ErrDenied.With("permission", string(q.act), "project", q.project)
	}
	return ErrDenied.With("permission", string(q.act))
}

// ProjectsOf returns the codes of the projects that the principal of ctx may see, in rising order, or all = true for
// an administrator. Nobody sees nothing.
func (s *Service) ProjectsOf(ctx context.Context) (codes []int64, all bool) {
	p, ok := From(ctx)
	if !ok {
		return nil, false
	}
	now := s.current.Load()
	scoped := scopeProjects(p.Scope)
	if s.everywhere(p) && scoped == nil {
		if len(p.Scope) > 0 && !inScope(p.Scope, question{project: elsewhere, act: seeProject}) {
			return nil, false
		}
		return nil, true
	}
	if len(now.known.policies) == 0 && len(p.Scope) == 0 {
		return slices.Sorted(maps.Keys(now.projects[p.UserID])), false
	}
	candidates := map[int64]bool{}
	for code := range now.projects[p.UserID] {
		candidates[code] = true
	}
	maps.Copy(candidates, now.ruledProjects)
	for _, code := range scoped {
		candidates[code] = true
	}
	maps.DeleteFunc(candidates, func(code int64, _ bool) bool { return !s.CanProject(ctx, code, seeProject) })
	return slices.Sorted(maps.Keys(candidates)), false
}

// HiddenWorkflows returns the codes of workflows that a policy denies the principal of ctx this permission for, although
// he may have it in their project, in rising order: what a list of a project leaves out.
func (s *Service) HiddenWorkflows(ctx context.Context, p Permission) []int64 {
	who, ok := From(ctx)
	if !ok || who.system {
		return nil
	}
	return s.current.Load().hidden(who.UserID, p)
}

// NotHidden is what to add to the WHERE of a list so that column, which holds codes of workflows, names none of the
// HiddenWorkflows; it begins with AND, and is empty when none is hidden.
func (s *Service) NotHidden(ctx context.Context, column string, p Permission) (where string, args []any) {
	codes := s.HiddenWorkflows(ctx, p)
	if len(codes) == 0 {
		return "", nil
	}
	for _, code := range codes {
		args = append(args, code)
	}
	return " AND " + column + " NOT IN (?" + strings.Repeat(", ?", len(codes)-1) + ")", args
}

// ProjectsWith is ProjectsOf, narrowed to those where the principal has another permission, too.
func (s *Service) ProjectsWith(ctx context.Context, p Permission) (codes []int64, all bool) {
	if codes, all = s.ProjectsOf(ctx); all {
		return nil, s.CanProject(ctx, 0, p)
	}
	return slices.DeleteFunc(codes, func(code int64) bool { return !s.CanProject(ctx, code, p) }), false
}

// everywhere reports whether the principal is an administrator or the program itself. A token's scope takes nothing from
// that; whoever asks must mind it.
func (s *Service) everywhere(p Principal) bool {
	return p.system || p.Admin || s.current.Load().admins[p.UserID]
}

// RoleIn returns the role of the principal of ctx in a project: Admin for an administrator, false without any.
func (s *Service) RoleIn(ctx context.Context, code int64) (Role, bool) {
	p, ok := From(ctx)
	if !ok {
		return "", false
	}
	if s.everywhere(p) {
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

// RevokeDomain takes all roles in a domain away, and the policies about its project, when the project goes.
func (s *Service) RevokeDomain(ctx context.Context, domain string) error {
	if code, ok := projectOf(domain); ok {
		if err := s.remove(ctx, "DELETE FROM policy_rule WHERE project_code = ?", code); err != nil {
			return err
		}
	}
	return s.remove(ctx, "DELETE FROM role_grant WHERE domain = ?", domain)
}

// MoveWorkflow lets the policies about a workflow follow it into another project, in the transaction of ctx, so that they
// neither go with the project it left nor are listed there. Policies about projects stay with their projects.
func (s *Service) MoveWorkflow(ctx context.Context, workflow, project int64) error {
	if _, err := s.DB.Exec(ctx, "UPDATE policy_rule SET project_code = ?, updated_at = ? WHERE workflow_code = ?", project, db.Now(s.Now), workflow); err != nil {
		return fmt.Errorf("move policies of workflow %d: %w", workflow, err)
	}
	return s.changed(ctx)
}

// RevokeUser takes all roles and objects of a user away, and the policies about him, when the user goes.
func (s *Service) RevokeUser(ctx context.Context, userID int64) error {
	if err := s.remove(ctx, "DELETE FROM policy_rule WHERE subject = ?", subject(userID)); err != nil {
		return err
	}
	if err := s.remove(ctx, "DELETE FROM object_grant WHERE user_id = ?", userID); err != nil {
		return err
	}
	return s.remove(ctx, "DELETE FROM role_grant WHERE user_id = ?", userID)
}

// Changed renews the snapshots of all processes once the transaction of ctx is committed; the module that keeps policies
// calls it.
func (s *Service) Changed(ctx context.Context) error { return s.changed(ctx) }

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
