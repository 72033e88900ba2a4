package alertgroup

import (
	"context"
	"errors"
	"strconv"

	"dorado/modules/access"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/crud"
)

// Service holds the rules about alert groups; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Group, Draft]
	store     store
	access    *access.Service
	referrers []Referrer
}

// AddReferrer lets r object to deleting a group. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, g Group, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.AlertGroupUses(ctx, g.ID, limit) })
}

// Members are the ids of the alert instances of a group, in order; nothing for a group that is gone. It asks no permission:
// alerts name their groups themselves.
func (s *Service) Members(ctx context.Context, id int64) ([]int64, error) {
	g, err := s.store.ByID(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return g.Instances, err
}

// AlertInstanceUses lists the groups that hold an instance: one that they hold is not deleted.
func (s *Service) AlertInstanceUses(ctx context.Context, id int64, limit int) ([]alertinstance.Use, error) {
	groups, err := s.store.holding(ctx, id, limit)
	if err != nil {
		return nil, err
	}
	uses := make([]alertinstance.Use, 0, len(groups))
	for _, g := range groups {
		uses = append(uses, alertinstance.Use{Kind: "alertgroup.one", Name: g.Name, URL: Path + "/" + strconv.FormatInt(g.ID, 10) + "/edit"})
	}
	return uses, nil
}

// All lists every group, the administrators' first.
func (s *Service) All(ctx context.Context) ([]Group, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// Exists reports whether there is a group with this id; 0 stands for no group and always exists. It asks no permission:
// what runs names its group itself.
func (s *Service) Exists(ctx context.Context, id int64) (bool, error) {
	if id == 0 {
		return true, nil
	}
	_, err := s.store.ByID(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CheckName returns ErrNameTaken when there is a group with this name.
func (s *Service) CheckName(ctx context.Context, name string) error {
	if err := s.access.Require(ctx, View); err != nil {
		return err
	}
	_, err := s.store.byName(ctx, Draft{Name: name}.Clean().Name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		return ErrNameTaken.With("name", name)
	}
	return err
}
