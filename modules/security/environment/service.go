package environment

import (
	"context"
	"errors"
	"slices"

	"dorado/modules/access"
	"dorado/modules/security/crud"
	"dorado/modules/security/workergroup"
)

// Service holds the rules about environments; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Environment, Draft]
	store     store
	access    *access.Service
	groups    *workergroup.Service
	referrers []Referrer
}

// AddReferrer lets r object to deleting an environment. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, e Environment, limit int) ([]Use, error) {
	return s.usedFor(ctx, e, "", limit)
}

func (s *Service) usedFor(ctx context.Context, e Environment, group string, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.EnvironmentUses(ctx, e.Code, group, limit) })
}

// check refuses worker groups that do not exist, and taking away one for which a task uses the environment.
func (s *Service) check(ctx context.Context, was *Environment, d Draft) (Draft, error) {
	for _, g := range d.WorkerGroups {
		if was != nil && slices.Contains(was.WorkerGroups, g) {
			continue
		}
		known, err := s.groups.Exists(ctx, g)
		if err != nil {
			return d, err
		}
		if !known {
			return d, ErrGroupUnknown.With("group", g).OnField("worker_groups", ErrGroupUnknown.Key, "group", g)
		}
	}
	if was == nil || len(d.WorkerGroups) == 0 {
		return d, nil
	}
	for _, g := range was.WorkerGroups {
		if slices.Contains(d.WorkerGroups, g) {
			continue
		}
		uses, err := s.usedFor(ctx, *was, g, 1)
		if err != nil {
			return d, err
		}
		if len(uses) > 0 {
			args := []any{"group", g, "name", was.Name, "task", uses[0].Name}
			return d, ErrGroupInUse.With(args...).OnField("worker_groups", ErrGroupInUse.Key, args...)
		}
	}
	return d, nil
}

// All lists every environment by name.
func (s *Service) All(ctx context.Context) ([]Environment, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// ByCode returns one environment, or ErrNotFound.
func (s *Service) ByCode(ctx context.Context, code int64) (Environment, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return Environment{}, err
	}
	return s.store.byCode(ctx, code)
}

// Exists reports whether there is an environment with this code; None and 0 stand for no environment and always exist.
// It asks no permission: what runs names its environment itself.
func (s *Service) Exists(ctx context.Context, code int64) (bool, error) {
	if code == None || code == 0 {
		return true, nil
	}
	_, err := s.store.byCode(ctx, code)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CheckName returns ErrNameMissing or ErrNameTaken when an environment with this name could not be created.
func (s *Service) CheckName(ctx context.Context, name string) error {
	if err := s.access.Require(ctx, View); err != nil {
		return err
	}
	d := Draft{Name: name}.Clean()
	if d.Name == "" {
		return ErrNameMissing
	}
	_, err := s.store.one(ctx, "name = ?", d.Name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		return ErrNameTaken.With("name", d.Name)
	}
	return err
}

// WorkerGroupUses lists the environments of a worker group; it is workergroup.Referrer.
func (s *Service) WorkerGroupUses(ctx context.Context, name string, limit int) ([]workergroup.Use, error) {
	list, err := s.store.ofGroup(ctx, name, limit)
	uses := make([]workergroup.Use, 0, len(list))
	for _, e := range list {
		uses = append(uses, workergroup.Use{Kind: workergroup.UseEnvironment, Name: e.Name, URL: address(e.ID, "/edit")})
	}
	return uses, err
}
