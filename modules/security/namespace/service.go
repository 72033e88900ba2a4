package namespace

import (
	"context"
	"errors"
	"slices"

	"dorado/modules/access"
	"dorado/modules/security/crud"
	"dorado/modules/security/k8scluster"
)

// Service holds the rules about namespaces; it is the only door for other modules. Page, Get, Create, Uses and Delete are
// those of crud.Keeper; a namespace is not changed.
type Service struct {
	crud.Keeper[Namespace, Draft]
	store     store
	access    *access.Service
	referrers []Referrer
}

// AddReferrer lets r object to deleting a namespace. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, n Namespace, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.NamespaceUses(ctx, n, limit) })
}

// Available lists the namespaces that whoever acts may use, by name: an administrator all, others those they are granted.
func (s *Service) Available(ctx context.Context) ([]Namespace, error) {
	if _, err := access.Must(ctx); err != nil {
		return nil, err
	}
	granted, all := s.access.ObjectsOf(ctx, access.Namespace)
	list, err := s.store.all(ctx)
	if all || err != nil {
		return list, err
	}
	return slices.DeleteFunc(list, func(n Namespace) bool { return granted[n.Key()] == 0 }), nil
}

// All lists every namespace by name, for whoever may keep them.
func (s *Service) All(ctx context.Context) ([]Namespace, error) {
	if err := s.access.Require(ctx, Manage); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// GrantedTo lists the namespaces that a user is granted, or, with not set, the others, for whoever may keep them.
func (s *Service) GrantedTo(ctx context.Context, user int64, not bool) ([]Namespace, error) {
	list, err := s.All(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := s.access.ObjectsGranted(ctx, user, access.Namespace)
	has := map[string]bool{}
	for _, g := range grants {
		has[g.Key] = true
	}
	return slices.DeleteFunc(list, func(n Namespace) bool { return has[n.Key()] == not }), err
}

// Check returns the fault that creating d would meet, changing nothing.
func (s *Service) Check(ctx context.Context, d Draft) error {
	if err := s.access.Require(ctx, Manage); err != nil {
		return err
	}
	d = d.Clean()
	if err := d.Validate(); err != nil {
		return err
	}
	_, err := s.store.find(ctx, d)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		return ErrTaken.With("name", d.Name)
	}
	return err
}

// ClusterUses lists the namespaces of a cluster: one they are in is not deleted. It is k8scluster.Referrer.
func (s *Service) ClusterUses(ctx context.Context, code int64, limit int) ([]k8scluster.Use, error) {
	list, err := s.store.ofCluster(ctx, code, limit)
	uses := make([]k8scluster.Use, 0, len(list))
	for _, n := range list {
		uses = append(uses, k8scluster.Use{Kind: "namespace.one", Name: n.Name, URL: Path + "?q=" + n.Name})
	}
	return uses, err
}
