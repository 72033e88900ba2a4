package queue

import (
	"context"
	"errors"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Service holds the rules about queues; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Queue, Draft]
	store     store
	access    *access.Service
	referrers []Referrer
}

// AddReferrer lets r object to deleting a queue. It must not be called once
// requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, q Queue, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.QueueUses(ctx, q, limit) })
}

// EnsureDefault creates the queue "default" unless there is one. It is called at
// the start of the program, before anybody is signed in.
func (s *Service) EnsureDefault(ctx context.Context) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.store.byName(ctx, Default); !errors.Is(err, ErrNotFound) {
			return err
		}
		_, err := s.store.Insert(ctx, Draft{Name: Default, Value: Default}, db.Now(s.Now))
		return err
	})
}

// All lists every queue by name: what a select offers.
func (s *Service) All(ctx context.Context) ([]Queue, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// Check returns the fault that creating d would meet, changing nothing.
func (s *Service) Check(ctx context.Context, d Draft) error {
	d = d.Clean()
	if err := d.Validate(); err != nil {
		return err
	}
	all, err := s.All(ctx)
	if err != nil {
		return err
	}
	for _, q := range all {
		if q.Value == d.Value {
			return ErrValueTaken.With("value", d.Value)
		}
		if q.Name == d.Name {
			return ErrNameTaken.With("name", d.Name)
		}
	}
	return nil
}
