package resource

import (
	"context"
	"time"

	"dorado/app/kit/db"
)

const uploadColumns = `id, tenant, path, user_id, size, modified, received, parts, created_at, updated_at`

// part is one part of an upload.
type part struct {
	Blob string `db:"blob"`
	Size int64  `db:"size"`
}

func (s store) findUpload(ctx context.Context, user int64, ref Ref, size, modified int64) (Upload, error) {
	return db.Get[Upload](ctx, s.DB, `SELECT `+uploadColumns+` FROM resource_upload
		WHERE user_id = ? AND tenant = ? AND path = ? AND size = ? AND modified = ?`, user, ref.Tenant, ref.Path, size, modified)
}

func (s store) getUpload(ctx context.Context, id string) (Upload, error) {
	return db.Get[Upload](ctx, s.DB, `SELECT `+uploadColumns+` FROM resource_upload WHERE id = ?`, id)
}

func (s store) insertUpload(ctx context.Context, u Upload) error {
	_, err := s.Exec(ctx, `INSERT INTO resource_upload (`+uploadColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID, u.Tenant, u.Path, u.UserID, u.Size, u.Modified, u.Received, u.Parts, u.CreatedAt, u.UpdatedAt)
	return err
}

// addPart moves an upload on from where u has it; it reports whether it still was there.
func (s store) addPart(ctx context.Context, u Upload, size int64, now time.Time) (bool, error) {
	res, err := s.Exec(ctx, `UPDATE resource_upload SET received = received + ?, parts = parts + 1, updated_at = ? WHERE id = ? AND received = ? AND parts = ?`,
		size, now, u.ID, u.Received, u.Parts)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (s store) insertPart(ctx context.Context, upload string, number int, blob string, size int64) error {
	_, err := s.Exec(ctx, `INSERT INTO resource_upload_part (upload_id, number, blob, size) VALUES (?, ?, ?, ?)`, upload, number, blob, size)
	return err
}

func (s store) parts(ctx context.Context, upload string) ([]part, error) {
	return db.Select[part](ctx, s.DB, `SELECT blob, size FROM resource_upload_part WHERE upload_id = ? ORDER BY number`, upload)
}

func (s store) deleteUpload(ctx context.Context, id string) error {
	if _, err := s.Exec(ctx, `DELETE FROM resource_upload_part WHERE upload_id = ?`, id); err != nil {
		return err
	}
	_, err := s.Exec(ctx, `DELETE FROM resource_upload WHERE id = ?`, id)
	return err
}

// uploadsOf lists the uploads of a user beyond the newest ones.
func (s store) uploadsOf(ctx context.Context, user int64, beyond int) ([]string, error) {
	return db.Select[string](ctx, s.DB, `SELECT id FROM resource_upload WHERE user_id = ? ORDER BY updated_at DESC LIMIT 1000 OFFSET ?`, user, beyond)
}

func (s store) oldUploads(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return db.Select[string](ctx, s.DB, `SELECT id FROM resource_upload WHERE updated_at < ? ORDER BY updated_at LIMIT ?`, before, limit)
}
