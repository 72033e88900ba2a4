package access

import (
	"errors"

	"github.com/casbin/casbin/v2/model"
)

// adapter feeds casbin: the modules' rules and the administrators' as policy, the grants as roles. It only loads; what it
// loads is written elsewhere in the caller's transaction, which casbin knows nothing of.
type adapter struct {
	rules    []Rule
	grants   []grant
	policies []Policy
}

var errReadOnly = errors.New("access: policies are changed by Grant, Revoke and the module of rules")

// Words of the model.
const (
	anybody  = "*" // also: any workflow, any place
	mine     = "mine"
	member   = "member"
	allowing = "allow"
	denying  = "deny"
)

// LoadPolicy fills the model.
func (a adapter) LoadPolicy(m model.Model) error {
	for _, r := range a.rules {
		for _, role := range append([]Role{Admin}, r.Roles...) {
			if err := m.AddPolicy("p", "p", []string{roleWord(role), anybody, anybody, string(r.Permission), allowing}); err != nil {
				return err
			}
		}
	}
	for _, p := range a.policies {
		if err := m.AddPolicy("p", "p", p.words()); err != nil {
			return err
		}
	}
	for _, g := range a.grants {
		if err := m.AddPolicy("g", "g", []string{subject(g.UserID), roleWord(g.Role), g.Domain}); err != nil {
			return err
		}
		if err := m.AddPolicy("g", "g", []string{subject(g.UserID), member, g.Domain}); err != nil {
			return err
		}
	}
	return nil
}

// roleWord is a role as a subject. Everybody signed in has the role user.
func roleWord(r Role) string {
	if r == User {
		return anybody
	}
	return rolePrefix + string(r)
}

// SavePolicy is refused.
func (adapter) SavePolicy(model.Model) error { return errReadOnly }

// AddPolicy is refused.
func (adapter) AddPolicy(string, string, []string) error { return errReadOnly }

// RemovePolicy is refused.
func (adapter) RemovePolicy(string, string, []string) error { return errReadOnly }

// RemoveFilteredPolicy is refused.
func (adapter) RemoveFilteredPolicy(string, string, int, ...string) error { return errReadOnly }
