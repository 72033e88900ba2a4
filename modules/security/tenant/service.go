package tenant

import (
	"context"
	"errors"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/security/queue"
)

// Service holds the rules about tenants; it is the only door for other modules.
type Service struct {
	db        *db.DB
	store     store
	access    *access.Service
	audit     *audit.Service
	queues    *queue.Service
	referrers []Referrer
	now       func() time.Time
}

// AddReferrer lets r object to deleting a tenant. It must not be called once
// requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

// Page lists tenants.
func (s *Service) Page(ctx context.Context, q listing.Query) (listing.Page[Tenant], error) {
	if err := s.access.Require(ctx, View); err != nil {
		return listing.Page[Tenant]{}, err
	}
	return s.store.page(ctx, q)
}

// All lists every tenant by code, without the default one.
func (s *Service) All(ctx context.Context) ([]Tenant, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// Get returns one tenant, or ErrNotFound.
func (s *Service) Get(ctx context.Context, id int64) (Tenant, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return Tenant{}, err
	}
	return s.store.byID(ctx, id)
}

// Exists reports whether tasks can run as code: the default tenant or a row. It
// asks no permission: what runs names its tenant itself.
func (s *Service) Exists(ctx context.Context, code string) (bool, error) {
	if code == Default {
		return true, nil
	}
	_, err := s.store.byCode(ctx, code)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// TenantExists reports whether there is a row with this id. It asks no permission:
// users are checked against it before anybody is signed in.
func (s *Service) TenantExists(ctx context.Context, id int64) (bool, error) {
	_, err := s.store.byID(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Create adds a tenant. It returns field faults, among them ErrCodeTaken.
func (s *Service) Create(ctx context.Context, d Draft) (Tenant, error) {
	d = d.clean()
	var t Tenant
	if err := s.access.Require(ctx, Manage); err != nil {
		return t, err
	}
	if err := d.Validate(); err != nil {
		return t, err
	}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		id, err := s.store.insert(ctx, d, s.now())
		if err != nil {
			return err
		}
		if t, err = s.store.byID(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, "create", t)
	})
	return t, err
}

// Update changes the tenant that was read at the moment seen; the zero time means
// whatever it is now. A code other than the present one is refused. It returns
// field faults, ErrNotFound, ErrChanged.
func (s *Service) Update(ctx context.Context, id int64, d Draft, seen time.Time) (Tenant, error) {
	d = d.clean()
	var t Tenant
	if err := s.access.Require(ctx, Manage); err != nil {
		return t, err
	}
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if t, err = s.store.byID(ctx, id); err != nil {
			return err
		}
		if d.Code == "" {
			d.Code = t.Code
		}
		if err := d.Validate(); err != nil {
			return err
		}
		if d.Code != t.Code {
			return ErrCodeFixed.OnField("code", ErrCodeFixed.Key)
		}
		if err := s.store.update(ctx, id, d, seen, s.now()); err != nil {
			return err
		}
		if t, err = s.store.byID(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, "update", t)
	})
	return t, err
}

// CheckCode returns ErrCodeTaken when there is a tenant with this code.
func (s *Service) CheckCode(ctx context.Context, code string) error {
	if err := s.access.Require(ctx, View); err != nil {
		return err
	}
	if used, err := s.Exists(ctx, code); used {
		return ErrCodeTaken.With("code", code)
	} else if err != nil {
		return err
	}
	return nil
}

// Uses lists what refers to the tenant, at most limit of it.
func (s *Service) Uses(ctx context.Context, id int64, limit int) (Tenant, []Use, error) {
	t, err := s.Get(ctx, id)
	if err != nil {
		return t, nil, err
	}
	uses, err := s.uses(ctx, t, limit)
	return t, uses, err
}

func (s *Service) uses(ctx context.Context, t Tenant, limit int) ([]Use, error) {
	var all []Use
	for _, r := range s.referrers {
		uses, err := r.TenantUses(ctx, t, limit-len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, uses...); len(all) >= limit {
			break
		}
	}
	return all, nil
}

// Delete removes a tenant that nothing refers to. It returns ErrNotFound, ErrInUse.
func (s *Service) Delete(ctx context.Context, id int64) error {
	if err := s.access.Require(ctx, Manage); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		t, err := s.store.byID(ctx, id)
		if err != nil {
			return err
		}
		uses, err := s.uses(ctx, t, 1)
		if err != nil {
			return err
		}
		if len(uses) > 0 {
			return ErrInUse.With("name", t.Code)
		}
		if err := s.store.delete(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, "delete", t)
	})
}

// QueueUses lists the tenants of a queue: a queue they use is not deleted.
func (s *Service) QueueUses(ctx context.Context, q queue.Queue, limit int) ([]queue.Use, error) {
	tenants, err := s.store.ofQueue(ctx, q.ID, limit)
	if err != nil {
		return nil, err
	}
	uses := make([]queue.Use, 0, len(tenants))
	for _, t := range tenants {
		uses = append(uses, queue.Use{Kind: "tenant.one", Name: t.Code, URL: address(t.ID, "/edit")})
	}
	return uses, nil
}

func (s *Service) record(ctx context.Context, verb string, t Tenant) error {
	return s.audit.Record(ctx, audit.Entry{
		Action: "tenant." + verb, ObjectType: "tenant", ObjectID: strconv.FormatInt(t.ID, 10), ObjectName: t.Code,
	})
}
