package access

import (
	"slices"
)

// Question is whether a user may do something.
type Question struct {
	UserID     int64
	Permission Permission
	Project    int64 // code; 0 asks about the whole installation
	Workflow   int64 // code, of the project; 0 asks about the project
}

// Reason is why a decision is what it is.
type Reason string

// The reasons.
const (
	ByAdmin      Reason = "admin"      // administrators may all that was declared
	ByRole       Reason = "role"       // the role in the project, or being signed in, gives it
	ByPolicy     Reason = "policy"     // a policy allows it
	ByDenial     Reason = "denial"     // a policy denies it
	ByNobody     Reason = "nobody"     // nothing gives it
	ByUndeclared Reason = "undeclared" // there is no such permission
)

// Decision is the answer to a question with all that led to it.
type Decision struct {
	Allowed  bool
	Reason   Reason
	Role     Role     // of the user in the project, Admin for an administrator, "" without any
	Roles    []Role   // that have the permission by declaration, Admin first
	Policies []Policy // that speak of the question, denials first; those an administrator is exempt from are left out
}

// Explain decides as the checks do and tells why. Checking that the caller may know is the caller's task. Scopes of tokens
// and passwords that must be changed are no part of it.
func (s *Service) Explain(of Question) (Decision, error) {
	now := s.current.Load()
	q := question{user: of.UserID, project: of.Project, workflow: of.Workflow, act: of.Permission}
	if of.Project <= 0 {
		q.project = everywhere
	}
	allowed, err := now.allows(q)
	d := Decision{Allowed: allowed, Reason: ByNobody, Role: now.projects[of.UserID][of.Project]}
	if err != nil {
		return d, err
	}
	if now.admins[of.UserID] {
		d.Role = Admin
	}
	rule := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Permission == of.Permission })
	if rule < 0 {
		d.Reason = ByUndeclared
		return d, nil
	}
	d.Roles = append([]Role{Admin}, s.Rules[rule].Roles...)
	for _, effect := range []Effect{EffectDeny, EffectAllow} {
		for _, p := range now.known.policies {
			if p.Effect == effect && p.about(now, q) {
				d.Policies = append(d.Policies, p)
			}
		}
	}
	switch {
	case !allowed && len(d.Policies) > 0 && d.Policies[0].Effect == EffectDeny:
		d.Reason = ByDenial
	case !allowed:
	case d.Role == Admin:
		d.Reason = ByAdmin
	case slices.Contains(d.Roles, User), d.Role != "" && slices.Contains(d.Roles, d.Role):
		d.Reason = ByRole
	default:
		d.Reason = ByPolicy
	}
	return d, nil
}

// Declared returns the rules of all modules in the order of the permissions' names.
func (s *Service) Declared() []Rule {
	return slices.SortedFunc(slices.Values(s.Rules), func(a, b Rule) int {
		switch {
		case a.Permission < b.Permission:
			return -1
		case a.Permission > b.Permission:
			return 1
		default:
			return 0
		}
	})
}
