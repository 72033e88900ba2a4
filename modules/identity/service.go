package identity

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity/directory"
	"dorado/modules/identity/openid"
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

	Policy       Policy            // zero for the default
	Registration bool              // whether Register makes users
	Directory    *directory.Client // nil: there is none
	Provider     *openid.Client    // nil: there is none
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

	policy       Policy
	registration bool
	directory    *directory.Client
	provider     *openid.Client
}

// New returns the service.
func New(d Deps) *Service {
	if d.Policy == (Policy{}) {
		d.Policy = DefaultPolicy()
	}
	return &Service{
		policy: d.Policy, registration: d.Registration, directory: d.Directory, provider: d.Provider,
		db: d.DB, log: d.Log, now: func() time.Time { return db.Now(d.Now) }, access: d.Access, audit: d.Audit, tenants: d.Tenants,
		store: store{d.DB}, hasher: newHasher(d.Cost), cache: newCache(),
	}
}

// Policy is the rule for passwords.
func (s *Service) Policy() Policy { return s.policy }

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

// NameTaken reports whether a user has this name, in whatever case, for who is about to choose one. It returns access
// errors when nobody is signed in.
func (s *Service) NameTaken(ctx context.Context, name string) (bool, error) {
	if _, err := access.Must(ctx); err != nil {
		return false, err
	}
	return s.store.nameTaken(ctx, name, 0)
}

// Create makes a user. It returns Invalid faults on the fields of Draft, ErrNameTaken, ErrExternal, ErrTenant and access
// errors.
func (s *Service) Create(ctx context.Context, d Draft) (User, error) {
	if err := s.access.Require(ctx, UserCreate); err != nil {
		return User{}, err
	}
	d = s.external(d.Clean())
	if d.Source == "" {
		d.Source = Local
	}
	if err := d.validate(s.policy, true); err != nil {
		return User{}, err
	}
	hash := ""
	if d.Password != "" {
		var err error
		if hash, err = s.hasher.hash(ctx, d.Password); err != nil { // before the transaction: it takes long
			return User{}, err
		}
	}
	return s.insert(ctx, d, hash)
}

// external completes what somebody typed to identify a user of the provider.
func (s *Service) external(d Draft) Draft {
	switch {
	case d.Source == Local:
		d.ExternalID = ""
	case d.Source == OIDC && d.ExternalID != "" && s.provider != nil:
		d.ExternalID = s.provider.Subject(d.ExternalID)
	}
	return d
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
		if err := s.checkExternal(ctx, d, 0); err != nil {
			return err
		}
		now := s.now()
		u = User{
			Name: d.Name, Type: typeOf(d.Admin), Email: d.Email, Phone: d.Phone, TenantID: d.TenantID, Queue: d.Queue, Enabled: d.Enabled,
			Source: d.Source, ExternalID: d.ExternalID, Service: d.Service,
			PageSize: listing.DefaultSize, MustChangePassword: d.MustChangePassword && hash != "", CreatedAt: now, UpdatedAt: now,
		}
		if hash != "" {
			u.PasswordChangedAt = &now
		}
		if u.ID, err = s.store.insert(ctx, u, hash); err != nil {
			return err
		}
		if d.Admin {
			if err := s.access.Grant(ctx, u.ID, access.Everywhere, access.Admin); err != nil {
				return err
			}
		}
		return s.record(ctx, "user.create", u, audit.Change{After: summary(u)})
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
		return s.record(ctx, "user.update", u, audit.Change{Before: map[string]any{"enabled": !enabled}, After: map[string]any{"enabled": enabled}})
	})
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
		return s.record(ctx, "user.delete", u, audit.Change{Before: summary(u)})
	})
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

func typeOf(admin bool) Type {
	if admin {
		return AdminUser
	}
	return GeneralUser
}
