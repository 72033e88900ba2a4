package project

import (
	"context"
	"errors"
	"strings"

	"dorado/app/kit/db"
)

// Named returns a project by its exact name. It returns ErrNotFound, or ErrNoAccess when whoever acts may not see it.
func (s *Service) Named(ctx context.Context, name string) (Project, error) {
	name = strings.TrimSpace(name)
	code, err := db.Get[int64](ctx, s.DB, `SELECT p.code FROM project p WHERE p.name = ?`, name)
	if errors.Is(err, db.ErrNoRows) {
		return Project{}, ErrNotFound.With("code", name)
	}
	if err != nil {
		return Project{}, wrap(err, "find project")
	}
	return s.ByCode(ctx, code)
}
