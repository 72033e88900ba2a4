package project

import (
	"context"

	"dorado/app/kit/db"
	"dorado/modules/security/user"
)

// UserUses lists projects that a user owns; it is user.Referrer. Whoever deletes users may see all projects.
func (s *Service) UserUses(ctx context.Context, id int64, limit int) ([]user.Use, error) {
	owned, err := db.Select[Project](ctx, s.DB, `SELECT code, name FROM project WHERE owner_id = ? ORDER BY name LIMIT ?`, id, limit)
	uses := make([]user.Use, 0, len(owned))
	for _, p := range owned {
		uses = append(uses, user.Use{Kind: "project.one", Name: p.Name, URL: Address(p.Code, "")})
	}
	return uses, err
}

// UserInUse reports whether a user owns a project; it is identity.Referrer.
func (s *Service) UserInUse(ctx context.Context, id int64) (bool, error) {
	owned, err := s.UserUses(ctx, id, 1)
	return len(owned) > 0, err
}
