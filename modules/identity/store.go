package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
)

// store is the SQL of users. That of sessions, tokens and throttling is in session_store.go.
type store struct{ db *db.DB }

const userColumns = `id, name, user_type, email, phone, COALESCE(tenant_id, 0) AS tenant_id, queue, state = 1 AS enabled,
	source, external_id, is_service, time_zone, locale, theme, page_size, must_change_password, created_at, updated_at,
	password_changed_at, last_sign_in_at`

func (s store) list(ctx context.Context, q listing.Query) (listing.Page[User], error) {
	where, args := q.Where(s.db.Dialect().Like, db.Contains)
	total, err := db.Get[int](ctx, s.db, "SELECT COUNT(*) FROM users WHERE "+where, args...)
	if err != nil {
		return listing.Page[User]{}, fmt.Errorf("count users: %w", err)
	}
	q = q.Clamp(total)
	order, more := q.OrderLimit()
	users, err := db.Select[User](ctx, s.db, "SELECT "+userColumns+" FROM users WHERE "+where+" "+order, append(args, more...)...)
	if err != nil {
		return listing.Page[User]{}, fmt.Errorf("list users: %w", err)
	}
	return listing.NewPage(q, users, total), nil
}

func (s store) byID(ctx context.Context, id int64) (User, error) {
	return found(db.Get[User](ctx, s.db, "SELECT "+userColumns+" FROM users WHERE id = ?", id))
}

func (s store) byName(ctx context.Context, name string) (User, error) {
	return found(db.Get[User](ctx, s.db, "SELECT "+userColumns+" FROM users WHERE name = ?", name))
}

func (s store) byExternal(ctx context.Context, source Source, id string) (User, error) {
	return found(db.Get[User](ctx, s.db, "SELECT "+userColumns+" FROM users WHERE source = ? AND external_id = ? ORDER BY id LIMIT 1", string(source), id))
}

func found(u User, err error) (User, error) {
	if errors.Is(err, db.ErrNoRows) {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

func (s store) names(ctx context.Context, ids []int64) (map[int64]string, error) {
	names := make(map[int64]string, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 1000)
		query, args, err := db.In("SELECT id, name FROM users WHERE id IN (?)", ids[:n])
		if err != nil {
			return nil, err
		}
		rows, err := db.Select[struct {
			ID   int64  `db:"id"`
			Name string `db:"name"`
		}](ctx, s.db, query, args...)
		if err != nil {
			return nil, fmt.Errorf("read user names: %w", err)
		}
		for _, r := range rows {
			names[r.ID] = r.Name
		}
		ids = ids[n:]
	}
	return names, nil
}

// nameTaken ignores case: users who differ in case only would be mistaken for each other.
func (s store) nameTaken(ctx context.Context, name string, except int64) (bool, error) {
	n, err := db.Get[int](ctx, s.db, "SELECT COUNT(*) FROM users WHERE LOWER(name) = LOWER(?) AND id <> ?", name, except)
	if err != nil {
		return false, fmt.Errorf("look for the user name: %w", err)
	}
	return n > 0, nil
}

func (s store) insert(ctx context.Context, u User, hash string) (int64, error) {
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO users (name, password_hash, user_type, email, phone, tenant_id, queue, state,
		source, external_id, is_service, page_size, must_change_password, created_at, updated_at, password_changed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		u.Name, hash, string(u.Type), u.Email, u.Phone, nullable(u.TenantID), u.Queue, state(u.Enabled),
		string(u.Source), u.ExternalID, u.Service, u.PageSize, u.MustChangePassword, u.CreatedAt, u.UpdatedAt, u.PasswordChangedAt)
	if err != nil {
		return 0, named("insert user", err)
	}
	return id, nil
}

func (s store) update(ctx context.Context, u User) error {
	_, err := s.db.Exec(ctx, `UPDATE users SET name = ?, user_type = ?, email = ?, phone = ?, tenant_id = ?, queue = ?, state = ?,
		source = ?, external_id = ?, updated_at = ? WHERE id = ?`,
		u.Name, string(u.Type), u.Email, u.Phone, nullable(u.TenantID), u.Queue, state(u.Enabled), string(u.Source), u.ExternalID, u.UpdatedAt, u.ID)
	if err != nil {
		return named("update user", err)
	}
	return nil
}

// named maps what the constraints of users say.
func named(doing string, err error) error {
	if c, ok := db.Conflict(err); ok && c == "uq_users_name" {
		return ErrNameTaken.Because(err)
	}
	if db.ForeignKey(err) {
		return ErrTenant.Because(err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (s store) setPreferences(ctx context.Context, id int64, p Preferences, now time.Time) error {
	_, err := s.db.Exec(ctx, "UPDATE users SET time_zone = ?, locale = ?, theme = ?, page_size = ?, updated_at = ? WHERE id = ?",
		p.Zone, p.Locale, p.Theme, p.PageSize, now, id)
	if err != nil {
		return fmt.Errorf("save preferences: %w", err)
	}
	return nil
}

// setPassword stores a hash, keeps the one before among the last keep ones, and notes when.
func (s store) setPassword(ctx context.Context, id int64, hash string, mustChange bool, keep int, now time.Time) error {
	if _, err := s.db.Exec(ctx, `INSERT INTO password_history (user_id, password_hash, created_at)
		SELECT id, password_hash, ? FROM users WHERE id = ? AND password_hash <> ''`, now, id); err != nil {
		return fmt.Errorf("keep the password before: %w", err)
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM password_history WHERE user_id = ? AND id NOT IN
		(SELECT id FROM password_history WHERE user_id = ? ORDER BY id DESC LIMIT ?)`, id, id, keep); err != nil {
		return fmt.Errorf("forget old passwords: %w", err)
	}
	if _, err := s.db.Exec(ctx, `UPDATE users SET password_hash = ?, must_change_password = ?, password_changed_at = ?, updated_at = ?
		WHERE id = ?`, hash, mustChange, now, now, id); err != nil {
		return fmt.Errorf("save password: %w", err)
	}
	return nil
}

// dropPassword takes the password away from a user whom somebody else checks from now on.
func (s store) dropPassword(ctx context.Context, id int64) error {
	if _, err := s.db.Exec(ctx, "UPDATE users SET password_hash = '', must_change_password = ?, password_changed_at = NULL WHERE id = ?", false, id); err != nil {
		return fmt.Errorf("drop password: %w", err)
	}
	if _, err := s.db.Exec(ctx, "DELETE FROM password_history WHERE user_id = ?", id); err != nil {
		return fmt.Errorf("forget old passwords: %w", err)
	}
	return nil
}

// formerHashes are those of the last passwords before the present one, the latest first.
func (s store) formerHashes(ctx context.Context, id int64, most int) ([]string, error) {
	rows, err := db.Select[string](ctx, s.db, "SELECT password_hash FROM password_history WHERE user_id = ? ORDER BY id DESC LIMIT ?", id, most)
	if err != nil {
		return nil, fmt.Errorf("read old passwords: %w", err)
	}
	return rows, nil
}

func (s store) signedIn(ctx context.Context, id int64, now time.Time) error {
	if _, err := s.db.Exec(ctx, "UPDATE users SET last_sign_in_at = ? WHERE id = ?", now, id); err != nil {
		return fmt.Errorf("note the sign-in: %w", err)
	}
	return nil
}

func (s store) setMustChange(ctx context.Context, id int64) error {
	if _, err := s.db.Exec(ctx, "UPDATE users SET must_change_password = ? WHERE id = ?", true, id); err != nil {
		return fmt.Errorf("demand a new password: %w", err)
	}
	return nil
}

// rehash replaces a hash unless the password was changed meanwhile.
func (s store) rehash(ctx context.Context, id int64, old, hash string) error {
	if _, err := s.db.Exec(ctx, "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", hash, id, old); err != nil {
		return fmt.Errorf("renew the password hash: %w", err)
	}
	return nil
}

func (s store) hashOf(ctx context.Context, id int64) (string, error) {
	hash, err := db.Get[string](ctx, s.db, "SELECT password_hash FROM users WHERE id = ?", id)
	if errors.Is(err, db.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read the password hash: %w", err)
	}
	return hash, nil
}

func (s store) delete(ctx context.Context, id int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM users WHERE id = ?", id); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	return nil
}

// lock holds the rows of a user and of all administrators until the end of the transaction.
func (s store) lock(ctx context.Context, id int64) error {
	_, err := db.Select[int64](ctx, s.db, "SELECT id FROM users WHERE id = ? OR user_type = ? ORDER BY id "+s.db.Dialect().ForUpdate(),
		id, string(AdminUser))
	if err != nil {
		return fmt.Errorf("lock users: %w", err)
	}
	return nil
}

func (s store) otherAdmins(ctx context.Context, id int64) (int, error) {
	n, err := db.Get[int](ctx, s.db, "SELECT COUNT(*) FROM users WHERE user_type = ? AND state = 1 AND id <> ?", string(AdminUser), id)
	if err != nil {
		return 0, fmt.Errorf("count administrators: %w", err)
	}
	return n, nil
}

func (s store) countOfTenant(ctx context.Context, tenantID int64) (int, error) {
	n, err := db.Get[int](ctx, s.db, "SELECT COUNT(*) FROM users WHERE tenant_id = ?", tenantID)
	if err != nil {
		return 0, fmt.Errorf("count users of a tenant: %w", err)
	}
	return n, nil
}

// nullable is NULL for 0: no tenant.
func nullable(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func state(enabled bool) int {
	if enabled {
		return 1
	}
	return 0
}

func (s store) anyUser(ctx context.Context) (bool, error) {
	n, err := db.Get[int](ctx, s.db, "SELECT COUNT(*) FROM users")
	if err != nil {
		return false, fmt.Errorf("count users: %w", err)
	}
	return n > 0, nil
}

// everSignedIn asks the sessions that are still there; a user who changed the password since then is told by that.
func (s store) everSignedIn(ctx context.Context, id int64) (bool, error) {
	n, err := db.Get[int](ctx, s.db, "SELECT COUNT(*) FROM session WHERE user_id = ?", id)
	if err != nil {
		return false, fmt.Errorf("count sessions: %w", err)
	}
	return n > 0, nil
}

// ensureQueue makes the queue that tenants get when nobody chose one.
func (s store) ensureQueue(ctx context.Context, now time.Time) error {
	_, err := s.db.Exec(ctx, "INSERT INTO queue (name, value, created_at, updated_at) VALUES ('default', 'default', ?, ?) ON CONFLICT DO NOTHING", now, now)
	if err != nil {
		return fmt.Errorf("create the default queue: %w", err)
	}
	return nil
}
