package workergroup

import (
	"context"
	"errors"
	"slices"

	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Service holds the rules about worker groups; it is the only door for other modules. Page, Get, Create, Update, Uses
// and Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Group, Draft]
	store     store
	access    *access.Service
	live      func() []Worker
	referrers []Referrer
}

// AddReferrer lets r object to deleting a group. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, g Group, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.WorkerGroupUses(ctx, g.Name, limit) })
}

// named keeps the name of a group that something refers to. Whom it is granted follows it to its new name.
func (s *Service) named(ctx context.Context, was *Group, d Draft) (Draft, error) {
	if was == nil || d.Name == "" || d.Name == was.Name {
		return d, nil
	}
	uses, err := s.referring(ctx, *was, 1)
	if err == nil && len(uses) > 0 {
		err = ErrRenamed.OnField("name", ErrRenamed.Key)
	}
	if err == nil {
		err = s.access.RenameObject(ctx, access.WorkerGroup, was.Name, d.Name)
	}
	return d, err
}

// Live lists the workers that are connected now, by name.
func (s *Service) Live() []Worker {
	workers := s.live()
	slices.SortFunc(workers, func(a, b Worker) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return workers
}

// All lists the groups that have a row, by name.
func (s *Service) All(ctx context.Context) ([]Group, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// Names lists every group that can be asked for: "default" first, then those with a row and those that live workers
// name.
func (s *Service) Names(ctx context.Context) ([]string, error) {
	groups, err := s.All(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
	}
	for _, w := range s.live() {
		names = append(names, w.Groups...)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == Default })
	return append([]string{Default}, names...), nil
}

// Exists reports whether there is a group with this name, be it that a live worker names it. It asks no permission: what
// runs names its group itself.
func (s *Service) Exists(ctx context.Context, name string) (bool, error) {
	if name == Default {
		return true, nil
	}
	for _, w := range s.live() {
		if slices.Contains(w.Groups, name) {
			return true, nil
		}
	}
	return s.hasRow(ctx, name)
}

// Members splits what a group lists into workers that are connected and names that are not. A group that lists nobody
// has the live workers that name it; Default without a row has all.
func (s *Service) Members(g Group) (live, absent []string) {
	listed := g.Workers()
	for _, w := range s.Live() {
		if slices.Contains(listed, w.Name) || slices.Contains(listed, w.Address) || len(listed) == 0 && (g.Name == Default || slices.Contains(w.Groups, g.Name)) {
			live = append(live, w.Name)
		}
		listed = slices.DeleteFunc(listed, func(n string) bool { return n == w.Name || n == w.Address && w.Address != "" })
	}
	return live, listed
}

// own lists the groups that only live workers name, with these workers.
func (s *Service) own(ctx context.Context) (map[string][]string, error) {
	groups, err := s.store.all(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, w := range s.Live() {
		for _, name := range w.Groups {
			if name != Default && !slices.ContainsFunc(groups, func(g Group) bool { return g.Name == name }) {
				out[name] = append(out[name], w.Name)
			}
		}
	}
	return out, nil
}

func (s *Service) hasRow(ctx context.Context, name string) (bool, error) {
	_, err := s.store.byName(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
