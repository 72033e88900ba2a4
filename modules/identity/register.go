package identity

import (
	"context"
	"strings"

	"dorado/app/kit/fault"
	"dorado/app/kit/secret"
	"dorado/modules/access"
)

// Registration is what somebody without a user says of himself.
type Registration struct {
	Name     string
	Password secret.String
	Email    string
	Client   string // address, empty when there is none
}

// Register makes a user who cannot sign in before an administrator enables him. It returns ErrRegister when nobody may
// register, Invalid faults on name, password and email, ErrNameTaken and ErrThrottled.
func (s *Service) Register(ctx context.Context, r Registration) (User, error) {
	if !s.registration {
		return User{}, ErrRegister
	}
	d := Draft{Name: strings.TrimSpace(r.Name), Password: r.Password, Email: strings.TrimSpace(r.Email), Source: Local}
	if err := d.validate(s.policy, true); err != nil {
		return User{}, err
	}
	// Every call counts, the successful ones too: nobody fills the list of users.
	if err := s.attempt(ctx, []subject{registerSubject(r.Client)}); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.hash(ctx, d.Password)
	if err != nil {
		return User{}, err
	}
	return s.insert(access.WithPrincipal(ctx, access.Principal{Name: d.Name}), d, hash)
}

// Activate enables a user by name. It returns ErrNotFound, ErrActive when he is enabled, an Invalid fault for what is no
// name, and access errors.
func (s *Service) Activate(ctx context.Context, name string) (User, error) {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return User{}, err
	}
	var c fault.Collector
	checkName(&c, name)
	if err := c.Err(); err != nil {
		return User{}, err
	}
	u, err := s.store.byName(ctx, name)
	if err != nil {
		return User{}, err
	}
	if u.Enabled {
		return User{}, ErrActive.With("name", name)
	}
	if err := s.SetEnabled(ctx, u.ID, true); err != nil {
		return User{}, err
	}
	return s.store.byID(ctx, u.ID)
}
