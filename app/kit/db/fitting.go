package db

import (
	"context"
	"errors"
)

// NotASCII is a condition that column holds more than ASCII characters.
func NotASCII(column string) string { return "octet_length(" + column + ") > length(" + column + ")" }

// MaxFitting is how many names Fitting looks at.
const MaxFitting = 20_000

var errEnough = errors.New("enough rows")

// Fitting returns the ids of the first limit rows whose name fits, for conditions that no database knows. The query selects id and
// name, puts what matters most first and has no LIMIT: only the
// first MaxFitting rows are read, and none is kept that does not fit. In the order of the primary key the database sorts nothing,
// and reading ends with the last one that is wanted.
func Fitting(ctx context.Context, d *DB, fits func(name string) bool, limit int, query string, args ...any) ([]int64, error) {
	type named struct {
		ID   int64  `db:"id"`
		Name string `db:"name"`
	}
	var ids []int64
	if limit <= 0 {
		return ids, nil
	}
	err := Each(ctx, d, func(row named) error {
		if !fits(row.Name) {
			return nil
		}
		if ids = append(ids, row.ID); len(ids) == limit {
			return errEnough
		}
		return nil
	}, query+" LIMIT ?", append(append([]any{}, args...), MaxFitting)...)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return ids, err
}
