package identity

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// Deps is what the service needs.
type Deps struct {
	DB      *db.DB
	Log     *slog.Logger
	Now     func() time.Time
	Access  *access.Service
	Audit   *audit.Service
	Tenants Tenants // nil: no user can have a tenant
	Cost    Cost    // of hashing passwords; zero for the default
}

// Service keeps users and finds out who somebody is.
type Service struct {
	db        *db.DB
	log       *slog.Logger
	now       func() time.Time
	access    *access.Service
	audit     *audit.Service
	tenants   Tenants
	referrers []Referrer
	store     store
	hasher    *hasher
	cache     *cache
}

// New returns the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, log: d.Log, now: func() time.Time { return db.Now(d.Now) }, access: d.Access, audit: d.Audit, tenants: d.Tenants,
		store: store{d.DB}, hasher: newHasher(d.Cost), cache: newCache(),
	}
}

// AddReferrer names somebody who is asked before a user is deleted. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

// List returns one page of the users. It returns access errors.
func (s *Service) List(ctx context.Context, q listing.Query) (listing.Page[User], error) {
	if err := s.access.Require(ctx, UserRead); err != nil {
		return listing.Page[User]{}, err
	}
	return s.store.list(ctx, q)
}

// Get returns a user: oneself, or any for an administrator. It returns ErrNotFound and access errors.
func (s *Service) Get(ctx context.Context, id int64) (User, error) {
	p, err := access.Must(ctx)
	if err != nil {
		return User{}, err
	}
	if p.UserID != id || p.IsSystem() {
		if err := s.access.Require(ctx, UserRead); err != nil {
			return User{}, err
		}
	}
	return s.store.byID(ctx, id)
}

// Find returns a user by name, for the command line and administrators. It returns ErrNotFound and access errors.
func (s *Service) Find(ctx context.Context, name string) (User, error) {
	if err := s.access.Require(ctx, UserRead); err != nil {
		return User{}, err
	}
	return s.store.byName(ctx, name)
}

// Names returns the names of users by id, for modules that show owners and operators. It checks no permission: a name
// is shown where the other module lets its row be seen.
func (s *Service) Names(ctx context.Context, ids []int64) (map[int64]string, error) {
	return s.store.names(ctx, ids)
}

// UsersOfTenant returns the number of users that have a tenant, for the module of tenants to ask before deleting.
func (s *Service) UsersOfTenant(ctx context.Context, tenantID int64) (int, error) {
	return s.store.countOfTenant(ctx, tenantID)
}

// Create makes a user. It returns Invalid faults on the fields of Draft, ErrNameTaken, ErrTenant and access errors.
func (s *Service) Create(ctx context.Context, d Draft) (User, error) {
	if err := s.access.Require(ctx, UserCreate); err != nil {
		return User{}, err
	}
	d = d.Clean()
	if err := d.validate(true); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.hash(ctx, d.Password) // before the transaction: it takes long
	if err != nil {
		return User{}, err
	}
	return s.insert(ctx, d, hash)
}

func (s *Service) insert(ctx context.Context, d Draft, hash string) (User, error) {
	var u User
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.checkTenant(ctx, d.TenantID); err != nil {
			return err
		}
		taken, err := s.store.nameTaken(ctx, d.Name, 0)
		if err != nil {
			return err
		}
		if taken {
			return ErrNameTaken
		}
		now := s.now()
		u = User{
			Name: d.Name, Type: typeOf(d.Admin), Email: d.Email, Phone: d.Phone, TenantID: d.TenantID, Queue: d.Queue, Enabled: d.Enabled,
			PageSize: listing.DefaultSize, MustChangePassword: d.MustChangePassword, CreatedAt: now, UpdatedAt: now,
		}
		if u.ID, err = s.store.insert(ctx, u, hash); err != nil {
			return err
		}
		if d.Admin {
			if err := s.access.Grant(ctx, u.ID, access.Everywhere, access.Admin); err != nil {
				return err
			}
		}
		return s.record(ctx, "user.create", u, map[string]any{"admin": d.Admin, "email": d.Email, "enabled": d.Enabled})
	})
	return u, err
}

// Update changes a user; a new password ends the user's sessions. It returns Invalid faults on the fields of Draft,
// ErrNotFound, ErrNameTaken, ErrTenant, ErrStale, ErrSelf, ErrLastAdmin and access errors.
func (s *Service) Update(ctx context.Context, id int64, d Draft) (User, error) {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return User{}, err
	}
	d = d.Clean()
	if err := d.validate(false); err != nil {
		return User{}, err
	}
	hash := ""
	if d.Password != "" {
		var err error
		if hash, err = s.hasher.hash(ctx, d.Password); err != nil {
			return User{}, err
		}
	}
	var u User
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.lock(ctx, id)
		if err != nil {
			return err
		}
		if !d.Seen.IsZero() && !db.Cut(d.Seen).Equal(before.UpdatedAt) {
			return ErrStale
		}
		if err := s.mayLose(ctx, before, d.Admin && d.Enabled); err != nil {
			return err
		}
		taken, err := s.store.nameTaken(ctx, d.Name, id)
		if err != nil {
			return err
		}
		if taken {
			return ErrNameTaken
		}
		if d.TenantID != before.TenantID {
			if err := s.checkTenant(ctx, d.TenantID); err != nil {
				return err
			}
		}
		u = before
		u.Name, u.Type, u.Email, u.Phone, u.TenantID, u.Queue, u.Enabled = d.Name, typeOf(d.Admin), d.Email, d.Phone, d.TenantID, d.Queue, d.Enabled
		u.UpdatedAt = s.after(before.UpdatedAt)
		if err := s.store.update(ctx, u); err != nil {
			return err
		}
		if err := s.regrant(ctx, before, u); err != nil {
			return err
		}
		if hash != "" {
			u.MustChangePassword = d.MustChangePassword
			if err := s.store.setPassword(ctx, id, hash, d.MustChangePassword, u.UpdatedAt); err != nil {
				return err
			}
		}
		if hash != "" || !u.Enabled {
			if err := s.store.deleteSessions(ctx, id, ""); err != nil {
				return err
			}
		}
		s.forget(ctx)
		return s.record(ctx, "user.update", u, map[string]any{"before": summary(before), "after": summary(u), "password": hash != ""})
	})
	return u, err
}

// SetEnabled enables or disables a user, which ends the user's sessions. It returns ErrNotFound, ErrSelf, ErrLastAdmin
// and access errors.
func (s *Service) SetEnabled(ctx context.Context, id int64, enabled bool) error {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.lock(ctx, id)
		if err != nil {
			return err
		}
		if u.Enabled == enabled {
			return nil
		}
		if err := s.mayLose(ctx, u, u.Admin() && enabled); err != nil {
			return err
		}
		u.Enabled, u.UpdatedAt = enabled, s.after(u.UpdatedAt)
		if err := s.store.update(ctx, u); err != nil {
			return err
		}
		if !enabled {
			if err := s.store.deleteSessions(ctx, id, ""); err != nil {
				return err
			}
		}
		s.forget(ctx)
		return s.record(ctx, "user.update", u, map[string]any{"enabled": enabled})
	})
}

// SetPassword gives a user another password and ends the user's sessions. mustChange makes the user choose one at the
// next sign-in. It returns an Invalid fault on password, ErrNotFound and access errors.
func (s *Service) SetPassword(ctx context.Context, id int64, password secret.String, mustChange bool) error {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return err
	}
	u, err := s.store.byID(ctx, id)
	if err != nil {
		return err
	}
	if err := ValidatePassword(password, u.Name); err != nil {
		return err
	}
	return s.replacePassword(ctx, u, password, mustChange, "")
}

// Delete removes a user with sessions, tokens and grants. It returns ErrNotFound, ErrSelf, ErrLastAdmin, ErrInUse and
// access errors.
func (s *Service) Delete(ctx context.Context, id int64) error {
	if err := s.access.Require(ctx, UserDelete); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.lock(ctx, id)
		if err != nil {
			return err
		}
		if err := s.mayLose(ctx, u, false); err != nil {
			return err
		}
		if p, _ := access.From(ctx); p.UserID == id && !p.IsSystem() {
			return ErrSelf
		}
		for _, r := range s.referrers {
			used, err := r.UserInUse(ctx, id)
			if err != nil {
				return err
			}
			if used {
				return ErrInUse.With("name", u.Name)
			}
		}
		if err := s.access.RevokeUser(ctx, id); err != nil {
			return err
		}
		if err := s.store.delete(ctx, id); err != nil {
			if db.ForeignKey(err) {
				return ErrInUse.With("name", u.Name).Because(err)
			}
			return err
		}
		s.forget(ctx)
		return s.record(ctx, "user.delete", u, nil)
	})
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

// forget makes what Authenticate remembers be read again once the transaction is committed.
func (s *Service) forget(ctx context.Context) {
	s.cache.clear() // what was being read before the commit must not be kept either
	db.AfterCommit(ctx, func(context.Context) { s.cache.clear() })
}

func (s *Service) record(ctx context.Context, action string, u User, detail any) error {
	return s.audit.Record(ctx, audit.Entry{
		Action: action, ObjectType: "user", ObjectID: strconv.FormatInt(u.ID, 10), ObjectName: u.Name, Detail: detail,
	})
}

// after is now, or a moment past before: two changes in a millisecond must not look like one to Draft.Seen.
func (s *Service) after(before time.Time) time.Time {
	now := s.now()
	if now.After(before) {
		return now
	}
	return before.Add(time.Millisecond)
}

func summary(u User) map[string]any {
	return map[string]any{
		"name": u.Name, "type": u.Type, "email": u.Email, "phone": u.Phone, "tenant_id": u.TenantID, "queue": u.Queue, "enabled": u.Enabled,
	}
}

func typeOf(admin bool) Type {
	if admin {
		return AdminUser
	}
	return GeneralUser
}
