package identity

import (
	"context"
	"fmt"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
)

const tokenColumns = `t.id, t.user_id, u.name AS user_name, t.name, t.hint, t.scope, t.created_by,
	COALESCE((SELECT c.name FROM users c WHERE c.id = t.created_by), '') AS creator, t.expires_at, t.last_used_at, t.created_at, t.updated_at`

func (s store) listTokens(ctx context.Context, q listing.Query, userID int64) (listing.Page[Token], error) {
	where, args := q.Where(s.db.Dialect().Like, db.Contains)
	if userID != 0 {
		where += " AND t.user_id = ?"
		args = append(args, userID)
	}
	from := " FROM access_token t JOIN users u ON u.id = t.user_id WHERE " + where
	total, err := db.Get[int](ctx, s.db, "SELECT COUNT(*)"+from, args...)
	if err != nil {
		return listing.Page[Token]{}, fmt.Errorf("count tokens: %w", err)
	}
	q = q.Clamp(total)
	order, more := q.OrderLimit()
	rows, err := db.Select[Token](ctx, s.db, "SELECT "+tokenColumns+from+" "+order, append(args, more...)...)
	if err != nil {
		return listing.Page[Token]{}, fmt.Errorf("list tokens: %w", err)
	}
	return listing.NewPage(q, rows, total), nil
}

func (s store) tokenByID(ctx context.Context, id int64) (Token, error) {
	t, err := db.Get[Token](ctx, s.db, "SELECT "+tokenColumns+" FROM access_token t JOIN users u ON u.id = t.user_id WHERE t.id = ?", id)
	return t, reading("access token", err)
}

func (s store) tokensOf(ctx context.Context, userID int64) ([]Token, error) {
	rows, err := db.Select[Token](ctx, s.db, "SELECT "+tokenColumns+` FROM access_token t JOIN users u ON u.id = t.user_id
		WHERE t.user_id = ? ORDER BY COALESCE(t.last_used_at, t.created_at) DESC, t.id DESC`, userID)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return rows, nil
}

func (s store) deleteTokens(ctx context.Context, userID int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM access_token WHERE user_id = ?", userID); err != nil {
		return fmt.Errorf("delete tokens: %w", err)
	}
	return nil
}

func (s store) insertToken(ctx context.Context, t Token, hash string) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO access_token (user_id, name, token_hash, hint, scope, created_by, expires_at, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, t.UserID, t.Name, hash, t.Hint, t.Scope.String(), t.CreatedBy, t.ExpiresAt, t.CreatedAt, t.UpdatedAt)
	return id, tokenTaken("save token", err)
}

// updateToken keeps the value when hash is empty.
func (s store) updateToken(ctx context.Context, t Token, hash string) error {
	_, err := s.db.Exec(ctx, `UPDATE access_token SET name = ?, hint = ?, expires_at = ?, updated_at = ?,
		token_hash = CASE WHEN ? = '' THEN token_hash ELSE ? END WHERE id = ?`, t.Name, t.Hint, t.ExpiresAt, t.UpdatedAt, hash, hash, t.ID)
	return tokenTaken("save token", err)
}

func (s store) deleteToken(ctx context.Context, id int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM access_token WHERE id = ?", id); err != nil {
		return fmt.Errorf("delete token: %w", err)
	}
	return nil
}

func tokenTaken(doing string, err error) error {
	if err == nil {
		return nil
	}
	if c, ok := db.Conflict(err); ok && c == "uq_access_token_token_hash" {
		return ErrTokenTaken.Because(err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
