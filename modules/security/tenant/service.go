package tenant

import (
	"context"
	"errors"

	"dorado/modules/access"
	"dorado/modules/security/crud"
	"dorado/modules/security/queue"
)

// Service holds the rules about tenants; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Tenant, Draft]
	store     store
	access    *access.Service
	referrers []Referrer
}

// AddReferrer lets r object to deleting a tenant. It must not be called once
// requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, t Tenant, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.TenantUses(ctx, t, limit) })
}

// fix keeps the code of a tenant that exists: instances and schedules hold it.
func fix(_ context.Context, was *Tenant, d Draft) (Draft, error) {
	if was == nil {
		return d, nil
	}
	if d.Code == "" {
		d.Code = was.Code
	}
	if d.Code != was.Code && d.Validate() == nil {
		return d, ErrCodeFixed.OnField("code", ErrCodeFixed.Key)
	}
	return d, nil
}

// All lists every tenant by code, without the default one.
func (s *Service) All(ctx context.Context) ([]Tenant, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
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
	_, err := s.store.ByID(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
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
