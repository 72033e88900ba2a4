package resource

import (
	"context"
	"errors"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
)

type store struct{ *db.DB }

const columns = `r.id, r.tenant, r.path, r.name, r.is_dir, r.size, r.sha256, r.blob, r.revision, r.user_id,
	COALESCE(u.name, '') AS user_name, r.created_at, r.updated_at`

const from = `resource r LEFT JOIN users u ON u.id = r.user_id`

// Spec is what lists can be sorted by; folders come first whatever it is.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "r.name", "size": "r.size", "updated": "r.updated_at", "created": "r.created_at"},
		Search:  []string{"r.name"}, Default: "name", ID: "r.id",
	}
}

func (s store) get(ctx context.Context, ref Ref) (File, error) {
	return s.one(ctx, "r.tenant = ? AND r.path = ?", ref.Tenant, ref.Path)
}

// lock is get for whoever will change the file.
func (s store) lock(ctx context.Context, ref Ref) (File, error) {
	// A left join cannot be locked as a whole in PostgreSQL, so the row is locked first.
	_, err := db.Get[int64](ctx, s.DB, `SELECT id FROM resource WHERE tenant = ? AND path = ? `+s.Dialect().ForUpdate(), ref.Tenant, ref.Path)
	if errors.Is(err, db.ErrNoRows) {
		return File{}, ErrNotFound.With("name", ref.String())
	}
	if err != nil {
		return File{}, err
	}
	return s.get(ctx, ref)
}

func (s store) one(ctx context.Context, where string, args ...any) (File, error) {
	f, err := db.Get[File](ctx, s.DB, `SELECT `+columns+` FROM `+from+` WHERE `+where, args...)
	if errors.Is(err, db.ErrNoRows) {
		return f, ErrNotFound.With("name", args[len(args)-1])
	}
	return f, err
}

// below is the condition for everything below a folder, and its arguments. LIKE would fold case on one database.
func below(ref Ref) (string, []any) {
	if ref.Root() {
		return "r.tenant = ?", []any{ref.Tenant}
	}
	prefix := ref.Path + "/"
	return "r.tenant = ? AND substr(r.path, 1, ?) = ?", []any{ref.Tenant, len([]rune(prefix)), prefix}
}

// page lists a folder, or with a search everything below it whose name matches.
func (s store) page(ctx context.Context, folder Ref, q listing.Query) (listing.Page[File], error) {
	where, args := q.Where(s.Dialect().Like, db.Contains)
	if q.Search == "" {
		where, args = where+" AND r.tenant = ? AND r.parent = ?", append(args, folder.Tenant, folder.Path)
	} else {
		cond, more := below(folder)
		where, args = where+" AND "+cond, append(args, more...)
	}
	total, err := db.Get[int](ctx, s.DB, "SELECT count(*) FROM "+from+" WHERE "+where, args...)
	if err != nil {
		return listing.Page[File]{}, err
	}
	q = q.Clamp(total)
	order, limit := q.OrderLimit()
	order = strings.Replace(order, "ORDER BY ", "ORDER BY r.is_dir DESC, ", 1)
	rows, err := db.Select[File](ctx, s.DB, "SELECT "+columns+" FROM "+from+" WHERE "+where+" "+order, append(args, limit...)...)
	return listing.NewPage(q, rows, total), err
}

// fitting lists limit files of trees whose name is not ASCII and fits.
func (s store) fitting(ctx context.Context, trees []string, fits func(string) bool, limit int) ([]File, error) {
	if len(trees) == 0 {
		return nil, nil
	}
	query, args, err := db.In("SELECT r.id, r.name FROM resource r WHERE r.tenant IN (?) AND "+db.NotASCII("r.name")+" ORDER BY r.id DESC", trees)
	if err != nil {
		return nil, err
	}
	ids, err := db.Fitting(ctx, s.DB, fits, limit, query, args...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if query, args, err = db.In("SELECT "+columns+" FROM "+from+" WHERE r.id IN (?) ORDER BY r.name, r.id", ids); err != nil {
		return nil, err
	}
	return db.Select[File](ctx, s.DB, query, args...)
}

// tree lists everything below a folder, in the order of paths, at most limit of it.
func (s store) tree(ctx context.Context, folder Ref, limit int) ([]File, error) {
	where, args := below(folder)
	return db.Select[File](ctx, s.DB, "SELECT "+columns+" FROM "+from+" WHERE "+where+" ORDER BY r.path LIMIT ?", append(args, limit)...)
}

func (s store) insert(ctx context.Context, f File) (int64, error) {
	id, err := db.Get[int64](ctx, s.DB, `INSERT INTO resource
		(tenant, path, parent, name, is_dir, size, sha256, blob, revision, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		f.Tenant, f.Path, parentOf(f.Path), f.Name, f.Dir, f.Size, f.SHA256, f.Blob, f.Revision, f.UserID, f.CreatedAt, f.UpdatedAt)
	if name, _ := db.Conflict(err); name == "uq_resource_tenant_path" {
		return 0, ErrExists.With("name", f.Path).OnField("name", ErrExists.Key, "name", f.Path)
	}
	return id, err
}

func (s store) setContent(ctx context.Context, f File) error {
	_, err := s.Exec(ctx, `UPDATE resource SET size = ?, sha256 = ?, blob = ?, revision = ?, user_id = ?, updated_at = ? WHERE id = ?`,
		f.Size, f.SHA256, f.Blob, f.Revision, f.UserID, f.UpdatedAt, f.ID)
	return err
}

func (s store) insertRevision(ctx context.Context, f File, message string) error {
	_, err := s.Exec(ctx, `INSERT INTO resource_revision (resource_id, revision, blob, size, sha256, message, user_id, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, f.ID, f.Revision, f.Blob, f.Size, f.SHA256, message, f.UserID, f.UpdatedAt)
	return err
}

const revisionColumns = `v.resource_id, v.revision, v.blob, v.size, v.sha256, v.message, v.created_at, COALESCE(u.name, '') AS user_name`

func (s store) revisions(ctx context.Context, id int64) ([]Revision, error) {
	return db.Select[Revision](ctx, s.DB, `SELECT `+revisionColumns+` FROM resource_revision v LEFT JOIN users u ON u.id = v.user_id
		WHERE v.resource_id = ? ORDER BY v.revision DESC`, id)
}

func (s store) revision(ctx context.Context, id int64, number int) (Revision, error) {
	v, err := db.Get[Revision](ctx, s.DB, `SELECT `+revisionColumns+` FROM resource_revision v LEFT JOIN users u ON u.id = v.user_id
		WHERE v.resource_id = ? AND v.revision = ?`, id, number)
	if errors.Is(err, db.ErrNoRows) {
		return v, ErrNotFound.With("name", number)
	}
	return v, err
}

// dropRevisions throws away the revisions of a file before a number.
func (s store) dropRevisions(ctx context.Context, id int64, before int, now time.Time) error {
	if _, err := s.Exec(ctx, `INSERT INTO resource_garbage (blob, created_at)
		SELECT blob, ? FROM resource_revision WHERE resource_id = ? AND revision < ?`, now, id, before); err != nil {
		return err
	}
	_, err := s.Exec(ctx, `DELETE FROM resource_revision WHERE resource_id = ? AND revision < ?`, id, before)
	return err
}

// remove deletes a file, or a folder with everything below.
func (s store) remove(ctx context.Context, f File, now time.Time) error {
	where, args := below(f.Ref())
	where, args = "(r.id = ? OR "+where+")", append([]any{f.ID}, args...)
	if _, err := s.Exec(ctx, `INSERT INTO resource_garbage (blob, created_at)
		SELECT v.blob, ? FROM resource_revision v JOIN resource r ON r.id = v.resource_id WHERE `+where, append([]any{now}, args...)...); err != nil {
		return err
	}
	if _, err := s.Exec(ctx, `DELETE FROM resource_revision WHERE resource_id IN (SELECT r.id FROM resource r WHERE `+where+`)`, args...); err != nil {
		return err
	}
	_, err := s.Exec(ctx, `DELETE FROM resource WHERE id IN (SELECT r.id FROM resource r WHERE `+where+`)`, args...)
	return err
}

// move gives a file, or a folder with everything below, another place in the same tree or another one.
func (s store) move(ctx context.Context, f File, to Ref, now time.Time) error {
	where, args := below(f.Ref())
	cut := len([]rune(f.Path)) + 1
	if f.Dir {
		query := `UPDATE resource SET tenant = ?, path = ? || substr(path, ?), parent = ? || substr(parent, ?) WHERE id IN (SELECT r.id FROM resource r WHERE ` + where + `)`
		if _, err := s.Exec(ctx, query, append([]any{to.Tenant, to.Path, cut, to.Path, cut}, args...)...); err != nil {
			return taken(err, to)
		}
	}
	_, err := s.Exec(ctx, `UPDATE resource SET tenant = ?, path = ?, parent = ?, name = ?, updated_at = ? WHERE id = ?`,
		to.Tenant, to.Path, parentOf(to.Path), to.Name(), now, f.ID)
	return taken(err, to)
}

func taken(err error, to Ref) error {
	if name, _ := db.Conflict(err); name == "uq_resource_tenant_path" {
		return ErrExists.With("name", to.Path).OnField("name", ErrExists.Key, "name", to.Path)
	}
	return err
}

func (s store) usage(ctx context.Context, tenant string) (Usage, error) {
	return db.Get[Usage](ctx, s.DB, `SELECT
		(SELECT count(*) FROM resource WHERE tenant = ? AND is_dir = ?) AS files,
		(SELECT COALESCE(SUM(v.size), 0) FROM resource_revision v JOIN resource r ON r.id = v.resource_id WHERE r.tenant = ?)
		+ (SELECT COALESCE(SUM(received), 0) FROM resource_upload WHERE tenant = ?) AS bytes`,
		tenant, false, tenant, tenant)
}

func (s store) tenants(ctx context.Context) ([]string, error) {
	return db.Select[string](ctx, s.DB, `SELECT DISTINCT tenant FROM resource ORDER BY tenant`)
}

// Garbage.

func (s store) condemn(ctx context.Context, blob string, now time.Time) error {
	_, err := s.Exec(ctx, `INSERT INTO resource_garbage (blob, created_at) VALUES (?, ?)`, blob, now)
	return err
}

// pardon takes a blob off the list; it reports whether it still was there, and not older than since.
func (s store) pardon(ctx context.Context, blob string, since time.Time) (bool, error) {
	res, err := s.Exec(ctx, `DELETE FROM resource_garbage WHERE blob = ? AND created_at > ?`, blob, since)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (s store) garbage(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return db.Select[string](ctx, s.DB, `SELECT blob FROM resource_garbage WHERE created_at < ? ORDER BY created_at LIMIT ?`, before, limit)
}
