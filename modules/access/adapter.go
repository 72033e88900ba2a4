package access

import (
	"errors"

	"github.com/casbin/casbin/v2/model"
)

// adapter feeds casbin: the modules' rules as policy, the grants as roles. It only loads; grants are written by Grant
// and Revoke in the caller's transaction, which casbin knows nothing of.
type adapter struct {
	rules  []Rule
	grants []grant
}

var errReadOnly = errors.New("access: policies are changed by Grant and Revoke")

// LoadPolicy fills the model.
func (a adapter) LoadPolicy(m model.Model) error {
	for _, r := range a.rules {
		roles := append([]Role{Admin}, r.Roles...)
		for _, role := range roles {
			if err := m.AddPolicy("p", "p", []string{string(role), string(r.Permission)}); err != nil {
				return err
			}
		}
	}
	for _, g := range a.grants {
		if err := m.AddPolicy("g", "g", []string{subject(g.UserID), string(g.Role), g.Domain}); err != nil {
			return err
		}
	}
	return nil
}

// SavePolicy is refused.
func (adapter) SavePolicy(model.Model) error { return errReadOnly }

// AddPolicy is refused.
func (adapter) AddPolicy(string, string, []string) error { return errReadOnly }

// RemovePolicy is refused.
func (adapter) RemovePolicy(string, string, []string) error { return errReadOnly }

// RemoveFilteredPolicy is refused.
func (adapter) RemoveFilteredPolicy(string, string, int, ...string) error { return errReadOnly }
