package db

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// Exec runs a statement in the transaction of ctx, or on its own. ? stands for a parameter on both databases.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	on, release, err := d.conn(ctx, true)
	if err != nil {
		return nil, err
	}
	defer release()
	res, err := on.ExecContext(ctx, d.x.Rebind(query), storedTimes(args)...)
	return res, explain(err)
}

// Get reads one row into a T: a struct with db tags, or a single column. It returns ErrNoRows. A statement that
// writes (INSERT … RETURNING) is welcome.
func Get[T any](ctx context.Context, d *DB, query string, args ...any) (T, error) {
	var row T
	on, release, err := d.conn(ctx, writes(query))
	if err != nil {
		return row, err
	}
	defer release()
	err = sqlx.GetContext(ctx, on, &row, d.x.Rebind(query), storedTimes(args)...)
	return row, explain(err)
}

// Select reads all rows. The result is never nil.
func Select[T any](ctx context.Context, d *DB, query string, args ...any) ([]T, error) {
	rows := []T{}
	on, release, err := d.conn(ctx, writes(query))
	if err != nil {
		return nil, err
	}
	defer release()
	if err := sqlx.SelectContext(ctx, on, &rows, d.x.Rebind(query), storedTimes(args)...); err != nil {
		return nil, explain(err)
	}
	return rows, nil
}

// Each calls fn for each row, a struct with db tags, without holding them all: for exports and scans of large tables.
// It stops at fn's first
// error and returns it. On SQLite fn must not write outside the transaction of ctx.
func Each[T any](ctx context.Context, d *DB, fn func(T) error, query string, args ...any) error {
	on, release, err := d.conn(ctx, writes(query))
	if err != nil {
		return err
	}
	defer release()
	rows, err := on.QueryxContext(ctx, d.x.Rebind(query), storedTimes(args)...)
	if err != nil {
		return explain(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row T
		if err := rows.StructScan(&row); err != nil {
			return explain(err)
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return explain(rows.Err())
}

// conn is what to run a statement on: the transaction of ctx, or the pool.
func (d *DB) conn(ctx context.Context, write bool) (sqlx.ExtContext, func(), error) {
	u, err := unitOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	if u != nil {
		return u.tx, func() {}, nil
	}
	if !write {
		return d.x, func() {}, nil
	}
	release, err := d.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	return d.x, release, nil
}

// writes reports whether a query of Get or Select changes data. Reading by mistake through the queue of writers only
// costs time, so anything unknown counts as writing.
func writes(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n(")
	word := query
	if i := strings.IndexAny(query, " \t\r\n("); i >= 0 {
		word = query[:i]
	}
	switch strings.ToUpper(word) {
	case "SELECT", "VALUES", "PRAGMA", "EXPLAIN", "SHOW":
		return false
	case "WITH":
		return strings.Contains(strings.ToUpper(query), "RETURNING")
	}
	return true
}

// storedTimes converts instants among args to what is stored. The caller's slice is left alone.
func storedTimes(args []any) []any {
	var out []any
	replace := func(i int, t time.Time) {
		if out == nil {
			out = append([]any(nil), args...)
		}
		out[i] = Cut(t)
	}
	for i, a := range args {
		switch t := a.(type) {
		case time.Time:
			replace(i, t)
		case *time.Time:
			if t != nil {
				replace(i, *t)
			}
		case sql.NullTime:
			if t.Valid {
				replace(i, t.Time)
			}
		}
	}
	if out == nil {
		return args
	}
	return out
}
