package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dorado/app/kit/db"
)

// sessionUser returns the enabled user of a session that still holds, and when it was last used.
func (s store) sessionUser(ctx context.Context, id string, now, idleSince time.Time) (User, time.Time, error) {
	row, err := db.Get[struct {
		User
		Seen time.Time `db:"last_seen_at"`
	}](ctx, s.db, `SELECT u.id, u.name, u.user_type, u.time_zone, u.locale, u.theme, u.page_size, u.must_change_password, u.source, u.is_service,
		s.last_seen_at FROM session s JOIN users u ON u.id = s.user_id
		WHERE s.id = ? AND s.expires_at > ? AND s.last_seen_at > ? AND u.state = 1`, id, now, idleSince)
	return row.User, row.Seen, reading("session", err)
}

func (s store) tokenUser(ctx context.Context, hash string, now time.Time) (User, Token, error) {
	row, err := db.Get[struct {
		User
		TokenID    int64      `db:"token_id"`
		Scope      Scope      `db:"scope"`
		LastUsedAt *time.Time `db:"last_used_at"`
	}](ctx, s.db, `SELECT u.id, u.name, u.user_type, u.time_zone, u.locale, u.theme, u.page_size, u.must_change_password,
		u.source, u.is_service, t.id AS token_id, t.scope, t.last_used_at
		FROM access_token t JOIN users u ON u.id = t.user_id WHERE t.token_hash = ? AND t.expires_at > ? AND u.state = 1`, hash, now)
	return row.User, Token{ID: row.TokenID, Scope: row.Scope, LastUsedAt: row.LastUsedAt}, reading("access token", err)
}

// reading keeps ErrNoRows recognisable and says what failed otherwise.
func reading(what string, err error) error {
	if err == nil || errors.Is(err, db.ErrNoRows) {
		return err
	}
	return fmt.Errorf("read %s: %w", what, err)
}

func (s store) touchSession(ctx context.Context, id string, now time.Time) error {
	_, err := s.db.Exec(ctx, "UPDATE session SET last_seen_at = ? WHERE id = ?", now, id)
	return err
}

func (s store) touchToken(ctx context.Context, id int64, now time.Time) error {
	_, err := s.db.Exec(ctx, "UPDATE access_token SET last_used_at = ? WHERE id = ?", now, id)
	return err
}

func (s store) insertSession(ctx context.Context, v Session) error {
	_, err := s.db.Exec(ctx, `INSERT INTO session (id, user_id, client, user_agent, method, created_at, last_seen_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, v.ID, v.UserID, v.Client, v.UserAgent, string(v.Method), v.CreatedAt, v.LastSeenAt, v.ExpiresAt)
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

func (s store) sessions(ctx context.Context, userID int64, now, idleSince time.Time) ([]Session, error) {
	rows, err := db.Select[Session](ctx, s.db, `SELECT id, user_id, client, user_agent, method, created_at, last_seen_at, expires_at FROM session
		WHERE user_id = ? AND expires_at > ? AND last_seen_at > ? ORDER BY last_seen_at DESC, id`, userID, now, idleSince)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return rows, nil
}

func (s store) sessionOwner(ctx context.Context, id string) (int64, error) {
	owner, err := db.Get[int64](ctx, s.db, "SELECT user_id FROM session WHERE id = ?", id)
	return owner, reading("session", err)
}

func (s store) deleteSession(ctx context.Context, id string) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM session WHERE id = ?", id); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// deleteSessions ends all sessions of a user but keep.
func (s store) deleteSessions(ctx context.Context, userID int64, keep string) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM session WHERE user_id = ? AND id <> ?", userID, keep); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// trimSessions ends the longest unused sessions of a user beyond a number.
func (s store) trimSessions(ctx context.Context, userID int64, keep int) error {
	_, err := s.db.Exec(ctx, `DELETE FROM session WHERE user_id = ? AND id NOT IN
		(SELECT id FROM session WHERE user_id = ? ORDER BY last_seen_at DESC, created_at DESC, id LIMIT ?)`, userID, userID, keep)
	if err != nil {
		return fmt.Errorf("end old sessions: %w", err)
	}
	return nil
}

// knows reports whether the user has a session from this address.
func (s store) knows(ctx context.Context, userID int64, client string) (bool, error) {
	if client == "" {
		return false, nil
	}
	n, err := db.Get[int](ctx, s.db, "SELECT COUNT(*) FROM session WHERE user_id = ? AND client = ?", userID, client)
	if err != nil {
		return false, fmt.Errorf("look for sessions: %w", err)
	}
	return n > 0, nil
}

func (s store) insertLink(ctx context.Context, hash string, userID int64, expires time.Time) error {
	_, err := s.db.Exec(ctx, "INSERT INTO sign_in_link (token_hash, user_id, expires_at) VALUES (?, ?, ?)", hash, userID, expires)
	if err != nil {
		return fmt.Errorf("save link: %w", err)
	}
	return nil
}

// takeLink deletes a link: of two who use it at once, one gets it.
func (s store) takeLink(ctx context.Context, hash string) (userID int64, expires time.Time, err error) {
	row, err := db.Get[struct {
		UserID    int64     `db:"user_id"`
		ExpiresAt time.Time `db:"expires_at"`
	}](ctx, s.db, "DELETE FROM sign_in_link WHERE token_hash = ? RETURNING user_id, expires_at", hash)
	return row.UserID, row.ExpiresAt, reading("link", err)
}

func (s store) deleteLinks(ctx context.Context, userID int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM sign_in_link WHERE user_id = ?", userID); err != nil {
		return fmt.Errorf("delete links: %w", err)
	}
	return nil
}

// oidcAttempt is a row of oidc_attempt.
type oidcAttempt struct {
	Nonce     string    `db:"nonce"`
	Verifier  string    `db:"verifier"`
	Next      string    `db:"next"`
	ExpiresAt time.Time `db:"expires_at"`
}

func (s store) insertAttempt(ctx context.Context, hash string, a oidcAttempt) error {
	_, err := s.db.Exec(ctx, "INSERT INTO oidc_attempt (state_hash, nonce, verifier, next, expires_at) VALUES (?, ?, ?, ?, ?)",
		hash, a.Nonce, a.Verifier, a.Next, a.ExpiresAt)
	if err != nil {
		return fmt.Errorf("save the attempt to sign in: %w", err)
	}
	return nil
}

// takeAttempt deletes an attempt: of two who use it at once, one gets it.
func (s store) takeAttempt(ctx context.Context, hash string) (oidcAttempt, error) {
	a, err := db.Get[oidcAttempt](ctx, s.db, "DELETE FROM oidc_attempt WHERE state_hash = ? RETURNING nonce, verifier, next, expires_at", hash)
	return a, reading("the attempt to sign in", err)
}

// lockThrottle returns the count of a subject, making its row when needed, and holds it until the end of the transaction.
func (s store) lockThrottle(ctx context.Context, key string, now time.Time) (throttle, error) {
	row, err := db.Get[throttle](ctx, s.db, `INSERT INTO login_throttle (subject, failures, updated_at) VALUES (?, 0, ?)
		ON CONFLICT (subject) DO UPDATE SET failures = login_throttle.failures
		RETURNING failures, blocked_until, updated_at`, key, now)
	if err != nil {
		return throttle{}, fmt.Errorf("read the count of failures: %w", err)
	}
	return row, nil
}

// throttled returns the count of a subject without holding it; a zero one when there is none.
func (s store) throttled(ctx context.Context, key string) (throttle, error) {
	row, err := db.Get[throttle](ctx, s.db, "SELECT failures, blocked_until, updated_at FROM login_throttle WHERE subject = ?", key)
	if errors.Is(err, db.ErrNoRows) {
		return throttle{}, nil
	}
	return row, reading("the count of failures", err)
}

func (s store) saveThrottle(ctx context.Context, key string, failures int, until *time.Time, now time.Time) error {
	_, err := s.db.Exec(ctx, "UPDATE login_throttle SET failures = ?, blocked_until = ?, updated_at = ? WHERE subject = ?", failures, until, now, key)
	if err != nil {
		return fmt.Errorf("count a failure: %w", err)
	}
	return nil
}

// absolve takes a failure back: the attempt succeeded. It forgives a user's name everything, an address only this
// attempt, lest a guesser keep an own account for wiping the slate.
func (s store) absolve(ctx context.Context, subjects []subject) error {
	for _, sub := range subjects {
		if !sub.forgiving() {
			if err := s.uncount(ctx, sub); err != nil {
				return err
			}
			continue
		}
		if _, err := s.db.Exec(ctx, "DELETE FROM login_throttle WHERE subject = ?", sub.key); err != nil {
			return fmt.Errorf("forget failures: %w", err)
		}
	}
	return nil
}

// uncount takes back one failure that was counted in advance.
func (s store) uncount(ctx context.Context, sub subject) error {
	_, err := s.db.Exec(ctx, "UPDATE login_throttle SET failures = failures - 1, blocked_until = NULL WHERE subject = ? AND failures > 0", sub.key)
	if err != nil {
		return fmt.Errorf("take a failure back: %w", err)
	}
	return nil
}

// purge removes sessions and links that ended and counts that nobody added to for long.
func (s store) purge(ctx context.Context, now, idleSince, countedSince time.Time) error {
	for _, q := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM session WHERE expires_at <= ? OR last_seen_at <= ?", []any{now, idleSince}},
		{"DELETE FROM sign_in_link WHERE expires_at <= ?", []any{now}},
		{"DELETE FROM oidc_attempt WHERE expires_at <= ?", []any{now}},
		{"DELETE FROM login_throttle WHERE updated_at <= ?", []any{countedSince}},
	} {
		if _, err := s.db.Exec(ctx, q.query, q.args...); err != nil {
			return fmt.Errorf("remove what is expired: %w", err)
		}
	}
	return nil
}
