package identity

import (
	"context"
	"strings"

	"dorado/app/kit/fault"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// Me returns the signed-in user. It returns access.ErrUnauthenticated and, when just deleted, ErrNotFound.
func (s *Service) Me(ctx context.Context) (User, error) {
	p, err := access.Must(ctx)
	if err != nil {
		return User{}, err
	}
	return s.store.byID(ctx, p.UserID)
}

// UpdateProfile changes the own e-mail address and phone number. It returns Invalid faults on email and phone.
func (s *Service) UpdateProfile(ctx context.Context, profile Profile) (User, error) {
	p, err := own(ctx)
	if err != nil {
		return User{}, err
	}
	profile.Email, profile.Phone = strings.TrimSpace(profile.Email), strings.TrimSpace(profile.Phone)
	var c fault.Collector
	checkEmail(&c, profile.Email)
	checkPhone(&c, profile.Phone)
	if err := c.Err(); err != nil {
		return User{}, err
	}
	var u User
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if u, err = s.lock(ctx, p.UserID); err != nil {
			return err
		}
		before := u
		u.Email, u.Phone, u.UpdatedAt = profile.Email, profile.Phone, s.after(u.UpdatedAt)
		if err := s.store.update(ctx, u); err != nil {
			return err
		}
		return s.record(ctx, "user.profile", u, audit.Change{Before: summary(before), After: summary(u)})
	})
	return u, err
}

// UpdatePreferences changes how pages look for oneself. It returns Invalid faults on zone, locale, theme, page_size.
func (s *Service) UpdatePreferences(ctx context.Context, pref Preferences) error {
	p, err := own(ctx)
	if err != nil {
		return err
	}
	if err := pref.validate(); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.lock(ctx, p.UserID)
		if err != nil {
			return err
		}
		s.forget(ctx)
		return s.store.setPreferences(ctx, u.ID, pref, s.after(u.UpdatedAt))
	})
}

// ChangePassword replaces the own password and ends all other sessions. The current password is asked for, except of
// who was made to choose one at this sign-in. It returns ErrCurrent, an Invalid fault on password, ErrThrottled and
// ErrNoPassword.
func (s *Service) ChangePassword(ctx context.Context, current, next secret.String) error {
	p, err := own(ctx)
	if err != nil {
		return err
	}
	u, err := s.store.byID(ctx, p.UserID)
	if err != nil {
		return err
	}
	if !u.HasPassword() {
		return ErrNoPassword
	}
	if err := s.policy.Check(next, u.Name); err != nil {
		return err
	}
	hash, err := s.store.hashOf(ctx, u.ID)
	if err != nil {
		return err
	}
	if !u.MustChangePassword {
		// A stolen session must not become a way to guess: attempts count like those of signing in.
		subjects := []subject{s.policy.changeSubject(u.Name)}
		if err := s.attempt(ctx, subjects); err != nil {
			return err
		}
		ok, _, err := s.hasher.matches(ctx, hash, current)
		if err != nil {
			return err
		}
		if !ok {
			return ErrCurrent
		}
		if err := s.store.absolve(ctx, subjects); err != nil {
			return err
		}
	}
	if err := s.checkReuse(ctx, u.ID, hash, next); err != nil {
		return err
	}
	return s.replacePassword(ctx, u, next, false, p.SessionID)
}

// checkReuse refuses the present password and the last ones before it.
func (s *Service) checkReuse(ctx context.Context, userID int64, present string, next secret.String) error {
	former, err := s.store.formerHashes(ctx, userID, s.policy.History)
	if err != nil {
		return err
	}
	for i, hash := range append([]string{present}, former...) {
		same, _, err := s.hasher.matches(ctx, hash, next)
		if err != nil {
			return err
		}
		if same && i == 0 {
			return fault.New(fault.Invalid, fault.KeyInvalid).OnField("password", "identity.password.same")
		}
		if same {
			return fault.New(fault.Invalid, fault.KeyInvalid).OnField("password", "identity.password.used", "number", s.policy.History)
		}
	}
	return nil
}

// replacePassword stores a checked password and ends the user's sessions but one.
func (s *Service) replacePassword(ctx context.Context, u User, password secret.String, mustChange bool, keepSession string) error {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.setPassword(ctx, u.ID, hash, mustChange, s.policy.History, s.after(u.UpdatedAt)); err != nil {
			return err
		}
		if err := s.endAll(ctx, u.ID, keepSession); err != nil {
			return err
		}
		s.forget(ctx)
		return s.record(ctx, "user.password", u, nil)
	})
}
