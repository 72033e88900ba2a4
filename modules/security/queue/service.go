package queue

import (
	"context"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// Service holds the rules about queues; it is the only door for other modules.
type Service struct {
	db        *db.DB
	store     store
	access    *access.Service
	audit     *audit.Service
	referrers []Referrer
	now       func() time.Time
}

// AddReferrer lets r object to deleting a queue. It must not be called once
// requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

// EnsureDefault creates the queue "default" unless there is one. It is called at
// the start of the program, before anybody is signed in.
func (s *Service) EnsureDefault(ctx context.Context) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.store.byName(ctx, Default); err != ErrNotFound { //nolint:errorlint // the store returns it bare
			return err
		}
		_, err := s.store.insert(ctx, Draft{Name: Default, Value: Default}, s.now())
		return err
	})
}

// Page lists queues.
func (s *Service) Page(ctx context.Context, q listing.Query) (listing.Page[Queue], error) {
	if err := s.access.Require(ctx, View); err != nil {
		return listing.Page[Queue]{}, err
	}
	return s.store.page(ctx, q)
}

// All lists every queue by name: what a select offers.
func (s *Service) All(ctx context.Context) ([]Queue, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// Get returns one queue, or ErrNotFound.
func (s *Service) Get(ctx context.Context, id int64) (Queue, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return Queue{}, err
	}
	return s.store.byID(ctx, id)
}

// Create adds a queue. It returns field faults, ErrNameTaken, ErrValueTaken.
func (s *Service) Create(ctx context.Context, d Draft) (Queue, error) {
	d = d.clean()
	var q Queue
	if err := s.access.Require(ctx, Manage); err != nil {
		return q, err
	}
	if err := d.Validate(); err != nil {
		return q, err
	}
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if q, err = s.store.insert(ctx, d, s.now()); err != nil {
			return err
		}
		return s.record(ctx, "create", q)
	})
	return q, err
}

// Update changes the queue that was read at the moment seen; the zero time means
// whatever it is now. It returns field faults, ErrNotFound, ErrChanged,
// ErrNameTaken, ErrValueTaken.
func (s *Service) Update(ctx context.Context, id int64, d Draft, seen time.Time) (Queue, error) {
	d = d.clean()
	var q Queue
	if err := s.access.Require(ctx, Manage); err != nil {
		return q, err
	}
	if err := d.Validate(); err != nil {
		return q, err
	}
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if _, err = s.store.byID(ctx, id); err != nil {
			return err
		}
		if q, err = s.store.update(ctx, id, d, seen, s.now()); err != nil {
			return err
		}
		return s.record(ctx, "update", q)
	})
	return q, err
}

// Check returns the fault that creating d would meet, changing nothing.
func (s *Service) Check(ctx context.Context, d Draft) error {
	d = d.clean()
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

// Uses lists what refers to the queue, at most limit of it.
func (s *Service) Uses(ctx context.Context, id int64, limit int) (Queue, []Use, error) {
	q, err := s.Get(ctx, id)
	if err != nil {
		return q, nil, err
	}
	uses, err := s.uses(ctx, q, limit)
	return q, uses, err
}

func (s *Service) uses(ctx context.Context, q Queue, limit int) ([]Use, error) {
	var all []Use
	for _, r := range s.referrers {
		uses, err := r.QueueUses(ctx, q, limit-len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, uses...); len(all) >= limit {
			break
		}
	}
	return all, nil
}

// Delete removes a queue that nothing refers to. It returns ErrNotFound, ErrInUse.
func (s *Service) Delete(ctx context.Context, id int64) error {
	if err := s.access.Require(ctx, Manage); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		q, err := s.store.byID(ctx, id)
		if err != nil {
			return err
		}
		uses, err := s.uses(ctx, q, 1)
		if err != nil {
			return err
		}
		if len(uses) > 0 {
			return ErrInUse.With("name", q.Name)
		}
		if err := s.store.delete(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, "delete", q)
	})
}

func (s *Service) record(ctx context.Context, verb string, q Queue) error {
	return s.audit.Record(ctx, audit.Entry{Action: "queue." + verb, ObjectType: "queue", ObjectID: strconv.FormatInt(q.ID, 10), ObjectName: q.Name})
}
