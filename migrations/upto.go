package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Newest is the number of the last migration that this program knows.
func Newest() int64 {
	newest := int64(0)
	entries, err := fs.ReadDir(files, SQLite)
	if err != nil {
		return 0 // cannot be: the folder is part of the program
	}
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

// UpTo brings a database to one schema version, upwards or downwards; what is taken back loses its data. It is for
// databases that hold nothing yet, such as one that a backup of an older schema goes into.
func UpTo(ctx context.Context, db *sql.DB, dialect string, version int64) error {
	p, err := provider(db, dialect)
	if err != nil {
		return err
	}
	if ahead, err := newer(ctx, db, p); err != nil || ahead {
		return fmt.Errorf("%w: its newest migrations are not known here", ErrNewer)
	}
	if _, err := p.UpTo(ctx, version); err != nil {
		return fmt.Errorf("migrate the database to version %d: %w", version, err)
	}
	if _, err := p.DownTo(ctx, version); err != nil {
		return fmt.Errorf("take migrations back to version %d: %w", version, err)
	}
	return nil
}
