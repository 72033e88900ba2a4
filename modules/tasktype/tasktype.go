package tasktype

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/plugins/catalog"
	"dorado/plugins/task"
)

// Permissions of this package: everybody signed in has favourites of his own.
const (
	View access.Permission = "tasktype.view"
	Mark access.Permission = "tasktype.mark"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Mark, access.User)}
}

// ErrUnknown says that there is no such type of task.
var ErrUnknown = fault.New(fault.NotFound, "tasktype.error.unknown")

// category is a group of the palette under the name that clients know it by.
type category struct{ name, plugin string }

// categories are the groups in the order in which clients are told of them.
func categories() []category {
	return []category{
		{"Universal", "universal"},
		{"DataIntegration", "di"},
		{"Cloud", "cloud"},
		{"Logic", "logic"},
		{"DataQuality", "dq"},
		{"Other", "other"},
		{"MachineLearning", "ml"},
	}
}

// favouriteOrder is the order of the groups in lists of favourites, which is another one.
func favouriteOrder() []string {
	return []string{"universal", "cloud", "logic", "di", "dq", "ml", "other"}
}

// Service lists types and keeps favourites.
type Service struct {
	db      *db.DB
	access  *access.Service
	catalog *catalog.Catalog
	now     func() time.Time
}

// Categories are the names of the groups.
func (s *Service) Categories(ctx context.Context) ([]string, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	var out []string
	for _, c := range categories() {
		out = append(out, c.name)
	}
	return out, nil
}

// Types are the types of a group, none for a group that does not exist.
func (s *Service) Types(ctx context.Context, name string) ([]task.Plugin, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(categories(), func(c category) bool { return c.name == name })
	if i < 0 {
		return nil, nil
	}
	return s.of(categories()[i].plugin), nil
}

func (s *Service) of(group string) []task.Plugin {
	return slices.DeleteFunc(s.catalog.Tasks(), func(p task.Plugin) bool { return p.Category != group })
}

// Favourite is a type with whether whoever acts marked it.
type Favourite struct {
	Type     string
	Category string
	Marked   bool
}

// Favourites are all types, group by group.
func (s *Service) Favourites(ctx context.Context) ([]Favourite, error) {
	who, err := s.require(ctx, View)
	if err != nil {
		return nil, err
	}
	marked, err := db.Select[string](ctx, s.db, "SELECT task_type FROM favourite_task WHERE user_id = ?", who)
	if err != nil {
		return nil, err
	}
	var out []Favourite
	for _, group := range favouriteOrder() {
		i := slices.IndexFunc(categories(), func(c category) bool { return c.plugin == group })
		for _, p := range s.of(group) {
			out = append(out, Favourite{Type: p.Type, Category: categories()[i].name, Marked: slices.Contains(marked, p.Type)})
		}
	}
	return out, nil
}

// Set marks a type as a favourite of whoever acts, or takes the mark away; doing so twice changes nothing. It returns
// ErrUnknown.
func (s *Service) Set(ctx context.Context, taskType string, marked bool) error {
	who, err := s.require(ctx, Mark)
	if err != nil {
		return err
	}
	p, ok := s.catalog.Task(taskType)
	if !ok {
		return ErrUnknown.With("type", taskType)
	}
	query, args := "DELETE FROM favourite_task WHERE user_id = ? AND task_type = ?", []any{who, p.Type}
	if marked {
		query = "INSERT INTO favourite_task (user_id, task_type, created_at) VALUES (?, ?, ?) ON CONFLICT (user_id, task_type) DO NOTHING"
		args = append(args, db.Now(s.now))
	}
	if _, err := s.db.Exec(ctx, query, args...); err != nil {
		return fmt.Errorf("keep a favourite: %w", err)
	}
	return nil
}

func (s *Service) require(ctx context.Context, p access.Permission) (int64, error) {
	if err := s.access.Require(ctx, p); err != nil {
		return 0, err
	}
	who, err := access.Must(ctx)
	return who.UserID, err
}
