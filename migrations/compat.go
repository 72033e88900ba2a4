package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/pressly/goose/v3"
)

// minimumSetting is the row of table setting that holds the oldest schema that a program must know to work on the
// database. A migration that only adds leaves it alone: programs of before run on, which is what makes an upgrade of one
// process after the other possible. A migration that takes away raises it, a release after nobody used what goes.
const minimumSetting = "schema_minimum"

// newer says whether the database knows migrations that this program does not. It returns ErrNewer when one of those took
// something away that this program needs.
func newer(ctx context.Context, db *sql.DB, p *goose.Provider) (bool, error) {
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return false, fmt.Errorf("read the schema version: %w", err)
	}
	if current <= target {
		return false, nil
	}
	var text string
	if err := db.QueryRowContext(ctx, "SELECT value FROM setting WHERE name = '"+minimumSetting+"'").Scan(&text); err != nil {
		return true, fmt.Errorf("%w: it has version %d, this program knows %d, and nothing says that this is enough (%w)", ErrNewer, current, target, err)
	}
	minimum, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return true, fmt.Errorf("%w: it has version %d, this program knows %d; setting %s: %w", ErrNewer, current, target, minimumSetting, err)
	}
	if target < minimum {
		return true, fmt.Errorf("%w: it has version %d and needs programs that know %d; this one knows %d", ErrNewer, current, minimum, target)
	}
	return true, nil
}
