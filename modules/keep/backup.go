package keep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"dorado/app/kit/db"
	"dorado/migrations"
	"dorado/modules/keep/archive"
)

// Progress is told what a backup or a restore is at: the name of a table or "files", and how much of it is done.
type Progress func(what string, done int64)

// BackupDeps are what a backup is made of.
type BackupDeps struct {
	DB         *db.DB
	Out        io.Writer
	Passphrase string // "" = the file is not encrypted
	Files      []Source
	Program    string // version of this program
	Commit     string
	Now        func() time.Time
	Progress   Progress // nil = nobody listens
}

// Backup writes a backup; see the package comment. On an error what was written is of no use.
func Backup(ctx context.Context, d BackupDeps) (archive.Header, archive.Manifest, error) {
	if d.Progress == nil {
		d.Progress = func(string, int64) {}
	}
	none := archive.Manifest{}
	// SQLite's driver begins writing transactions with the write lock; a reading one lets writers go on.
	tx, err := d.DB.SQLX().BeginTxx(ctx, &sql.TxOptions{Isolation: isolation(d.DB), ReadOnly: true})
	if err != nil {
		return archive.Header{}, none, fmt.Errorf("begin the snapshot: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	h, tables, err := describe(ctx, tx, d)
	if err != nil {
		return h, none, err
	}
	w, err := archive.NewWriter(d.Out, d.Passphrase, h)
	if err != nil {
		return h, none, err
	}
	for i := range tables {
		if err := dump(ctx, tx, w, &tables[i], d.Progress); err != nil {
			return h, none, fmt.Errorf("table %s: %w", tables[i].Name, err)
		}
	}
	if err := tx.Rollback(); err != nil { // a snapshot that lives on keeps the database from tidying up
		return h, none, fmt.Errorf("end the snapshot: %w", err)
	}
	files := int64(0)
	for _, s := range d.Files {
		err := s.Each(ctx, func(f File) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.File(s.Kind()+"/"+f.Name, f.Size, f.Modified, f.Content); err != nil {
				return err
			}
			files++
			d.Progress("files", files)
			return nil
		})
		if err != nil {
			return h, none, err
		}
	}
	m, err := w.Close()
	return h, m, err
}

func isolation(d *db.DB) sql.IsolationLevel {
	if d.Dialect().Name() == migrations.Postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// describe reads what there is to back up.
func describe(ctx context.Context, tx *sqlx.Tx, d BackupDeps) (archive.Header, []table, error) {
	h := archive.Header{
		Program: d.Program, Commit: d.Commit, Dialect: d.DB.Dialect().Name(), CreatedAt: db.Now(d.Now), Skipped: map[string]string{},
		Logs: len(d.Files) > 0, Tables: []archive.Table{},
	}
	all, err := schemaOf(ctx, tx, h.Dialect)
	if err != nil {
		return h, nil, err
	}
	if err := sqlx.GetContext(ctx, tx, &h.Schema, `SELECT COALESCE(MAX(version_id), 0) FROM schema_migration`); err != nil {
		return h, nil, errors.Join(errors.New("this is no database of Dorado: it has no table schema_migration"), err)
	}
	if h.Schema == 0 {
		return h, nil, errors.New("the database is empty: nothing was ever migrated into it")
	}
	if h.Schema > migrations.Newest() {
		return h, nil, fmt.Errorf("%w: it has version %d, this program knows %d", migrations.ErrNewer, h.Schema, migrations.Newest())
	}
	var kept []table
	for _, t := range all {
		what, err := decide(t.Name)
		switch {
		case err != nil:
			return h, nil, err
		case what.skip != "":
			h.Skipped[t.Name] = what.skip
		default:
			kept = append(kept, t)
			h.Tables = append(h.Tables, t.Table)
		}
	}
	return h, kept, nil
}

// dump copies a table, row by row.
func dump(ctx context.Context, tx *sqlx.Tx, w *archive.Writer, t *table, progress Progress) error {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + t.Name
	if len(t.Key) > 0 {
		query += " ORDER BY " + strings.Join(t.Key, ", ")
	}
	rows, err := tx.QueryxContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	values := make([]any, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	enc, done := newEncoder(), int64(0)
	progress(t.Name, 0)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		line, err := enc.row(t.Columns, values)
		if err != nil {
			return err
		}
		if err := w.Row(t.Name, line); err != nil {
			return err
		}
		if done++; done%10_000 == 0 {
			progress(t.Name, done)
		}
	}
	if done%10_000 != 0 {
		progress(t.Name, done)
	}
	return rows.Err()
}
