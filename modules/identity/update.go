package identity

import (
	"context"
	"errors"

	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// Update changes a user; a new password, or another source, ends the user's sessions. It returns Invalid faults on the
// fields of Draft, ErrNotFound, ErrNameTaken, ErrExternal, ErrTenant, ErrStale, ErrSelf, ErrLastAdmin and access errors.
func (s *Service) Update(ctx context.Context, id int64, d Draft) (User, error) {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return User{}, err
	}
	present, err := s.store.byID(ctx, id)
	if err != nil {
		return User{}, err
	}
	d = d.Clean()
	if d.Service = present.Service; d.Source == "" {
		d.Source, d.ExternalID = present.Source, present.ExternalID
	}
	d = s.external(d)
	if err := d.validate(s.policy, d.Source == Local && present.Source != Local); err != nil {
		return User{}, err
	}
	hash := ""
	if d.Password != "" {
		if hash, err = s.hasher.hash(ctx, d.Password); err != nil {
			return User{}, err
		}
	}
	var u User
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		u, err = s.update(ctx, id, d, hash)
		return err
	})
	return u, err
}

// update does what Update checked, in the transaction of ctx.
func (s *Service) update(ctx context.Context, id int64, d Draft, hash string) (User, error) {
	before, err := s.lock(ctx, id)
	if err != nil {
		return User{}, err
	}
	if !d.Seen.IsZero() && !db.Cut(d.Seen).Equal(before.UpdatedAt) {
		return User{}, ErrStale
	}
	// Who is not checked here any more counts as lost: somebody must get in when the directory is away.
	if err := s.mayLose(ctx, before, d.Admin && d.Enabled && (d.Source == Local || before.Source != Local)); err != nil {
		return User{}, err
	}
	taken, err := s.store.nameTaken(ctx, d.Name, id)
	if err != nil {
		return User{}, err
	}
	if taken {
		return User{}, ErrNameTaken
	}
	if err := s.checkExternal(ctx, d, id); err != nil {
		return User{}, err
	}
	if d.TenantID != before.TenantID {
		if err := s.checkTenant(ctx, d.TenantID); err != nil {
			return User{}, err
		}
	}
	u := before
	u.Name, u.Type, u.Email, u.Phone, u.TenantID, u.Queue, u.Enabled = d.Name, typeOf(d.Admin), d.Email, d.Phone, d.TenantID, d.Queue, d.Enabled
	u.Source, u.ExternalID, u.UpdatedAt = d.Source, d.ExternalID, s.after(before.UpdatedAt)
	if err := s.store.update(ctx, u); err != nil {
		return User{}, err
	}
	if err := s.regrant(ctx, before, u); err != nil {
		return User{}, err
	}
	if hash != "" {
		u.MustChangePassword, u.PasswordChangedAt = d.MustChangePassword, &u.UpdatedAt
		if err := s.store.setPassword(ctx, id, hash, d.MustChangePassword, s.policy.History, u.UpdatedAt); err != nil {
			return User{}, err
		}
	}
	if before.HasPassword() && !u.HasPassword() {
		u.MustChangePassword, u.PasswordChangedAt = false, nil
		if err := s.store.dropPassword(ctx, id); err != nil {
			return User{}, err
		}
	}
	if hash != "" || !u.Enabled || u.Source != before.Source {
		if err := s.endAll(ctx, id, ""); err != nil {
			return User{}, err
		}
	}
	s.forget(ctx)
	return u, s.record(ctx, "user.update", u, audit.Change{
		Before: summary(before), After: summary(u), Detail: map[string]any{"password": hash != ""},
	})
}

// endAll ends sessions but one, and one-time links: they open sessions.
func (s *Service) endAll(ctx context.Context, id int64, keep string) error {
	return errors.Join(s.store.deleteSessions(ctx, id, keep), s.store.deleteLinks(ctx, id))
}

// SetPassword gives a user another password and ends the user's sessions. mustChange makes the user choose one at the
// next sign-in. It returns an Invalid fault on password, ErrNotFound, ErrNoPassword and access errors.
func (s *Service) SetPassword(ctx context.Context, id int64, password secret.String, mustChange bool) error {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return err
	}
	u, err := s.store.byID(ctx, id)
	if err != nil {
		return err
	}
	if !u.HasPassword() {
		return ErrNoPassword
	}
	if err := s.policy.Check(password, u.Name); err != nil {
		return err
	}
	return s.replacePassword(ctx, u, password, mustChange, "")
}

// checkExternal refuses that two users are the same person of a source.
func (s *Service) checkExternal(ctx context.Context, d Draft, except int64) error {
	if d.ExternalID == "" {
		return nil
	}
	other, err := s.store.byExternal(ctx, d.Source, d.ExternalID)
	if errors.Is(err, ErrNotFound) || err == nil && other.ID == except {
		return nil
	}
	if err != nil {
		return err
	}
	return ErrExternal
}

// lock reads a user that the transaction is about to change. Locking all administrators as well keeps two of them from
// removing each other at the same time.
func (s *Service) lock(ctx context.Context, id int64) (User, error) {
	if err := s.store.lock(ctx, id); err != nil {
		return User{}, err
	}
	return s.store.byID(ctx, id)
}

// mayLose refuses that somebody disables, demotes or deletes himself, or the last administrator. stays tells whether
// the user remains an enabled administrator.
func (s *Service) mayLose(ctx context.Context, u User, stays bool) error {
	if stays || !u.Admin() || !u.Enabled {
		return nil
	}
	if p, _ := access.From(ctx); p.UserID == u.ID && !p.IsSystem() {
		return ErrSelf
	}
	others, err := s.store.otherAdmins(ctx, u.ID)
	if err != nil {
		return err
	}
	if others == 0 {
		return ErrLastAdmin
	}
	return nil
}

func (s *Service) regrant(ctx context.Context, before, after User) error {
	switch {
	case before.Admin() == after.Admin():
		return nil
	case after.Admin():
		return s.access.Grant(ctx, after.ID, access.Everywhere, access.Admin)
	}
	return s.access.Revoke(ctx, after.ID, access.Everywhere)
}

func (s *Service) checkTenant(ctx context.Context, id int64) error {
	if id == 0 {
		return nil
	}
	if s.tenants == nil {
		return ErrTenant
	}
	ok, err := s.tenants.TenantExists(ctx, id)
	if err == nil && !ok {
		return ErrTenant
	}
	return err
}

func summary(u User) map[string]any {
	return map[string]any{
		"name": u.Name, "type": u.Type, "email": u.Email, "phone": u.Phone, "tenant_id": u.TenantID, "queue": u.Queue, "enabled": u.Enabled,
		"source": u.Source, "external_id": u.ExternalID, "service": u.Service,
	}
}
