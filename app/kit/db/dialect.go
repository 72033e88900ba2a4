package db

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"
)

// Dialect is what differs between the databases, as pieces of SQL. A store asks it instead of asking which database
// is open.
type Dialect interface {
	// Name is "sqlite" or "postgres".
	Name() string
	// ForUpdate ends a SELECT whose rows nobody else may change or lock until the transaction ends; other rows may
	// still come to refer to them. It is empty on SQLite, where the transaction holds the only write lock.
	ForUpdate() string
	// ForUpdateSkipLocked ends a SELECT that claims rows, passing over those that others hold. It is empty on
	// SQLite.
	ForUpdateSkipLocked() string
	// ManyWriters reports whether a transaction that has written lets others write. On SQLite they wait for its end, so
	// none may be kept open.
	ManyWriters() bool
	// Like is a condition that matches column with one parameter made by Contains, whatever the case. SQLite folds
	// the case of ASCII letters only.
	Like(column string) string
	// NoneOf is a condition that no id of a list is in column, and its one parameter: the statement is the same for lists
	// of any length.
	NoneOf(column string, ids []int64) (condition string, arg any)

	durability(ctx context.Context, x *sqlx.DB) (string, error)
}

// Contains returns a LIKE pattern that matches texts containing s literally.
func Contains(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) + "%"
}

// In expands ? placeholders whose argument is a slice to one ? for each element, as in "id IN (?)". It fails on an
// empty slice.
func In(query string, args ...any) (string, []any, error) {
	return sqlx.In(query, args...)
}
