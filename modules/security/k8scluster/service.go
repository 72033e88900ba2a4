package k8scluster

import (
	"context"
	"errors"

	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Service holds the rules about clusters; it is the only door for other modules. Page, Get, Create, Update, Uses and Delete
// are those of crud.Keeper.
type Service struct {
	crud.Keeper[Cluster, Draft]
	store     store
	access    *access.Service
	referrers []Referrer
}

// AddReferrer lets r object to deleting a cluster. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, c Cluster, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.ClusterUses(ctx, c.Code, limit) })
}

// check lets a change without a kubeconfig keep the one there is.
func (s *Service) check(_ context.Context, was *Cluster, d Draft) (Draft, error) {
	d.keeps = was != nil
	return d, nil
}

// All lists every cluster by name.
func (s *Service) All(ctx context.Context) ([]Cluster, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// ByCode returns one cluster, or ErrNotFound.
func (s *Service) ByCode(ctx context.Context, code int64) (Cluster, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return Cluster{}, err
	}
	return s.store.byCode(ctx, code)
}

// Kubeconfig opens the kubeconfig of a cluster, for what runs on it. It asks no permission: who may run there is decided by
// the namespace. It returns ErrNotFound.
func (s *Service) Kubeconfig(ctx context.Context, code int64) (secret.String, error) {
	c, err := s.store.byCode(ctx, code)
	if err != nil {
		return "", err
	}
	return s.store.sealer.Open(c.Config, purpose)
}

// CheckName returns ErrNameMissing or ErrNameTaken when a cluster with this name could not be created.
func (s *Service) CheckName(ctx context.Context, name string) error {
	if err := s.access.Require(ctx, View); err != nil {
		return err
	}
	d := Draft{Name: name}.Clean()
	if d.Name == "" {
		return ErrNameMissing
	}
	_, err := s.store.byName(ctx, d.Name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		return ErrNameTaken.With("name", d.Name)
	}
	return err
}
