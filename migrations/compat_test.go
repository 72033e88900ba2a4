package migrations_test

import (
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/migrations"
)

func TestAProgramWorksOnASchemaThatNewerOnesOnlyAddedTo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, x, dialect := t.Context(), d.SQLX().DB, d.Dialect().Name()
		_, err := d.Exec(ctx, "INSERT INTO schema_migration (version_id, is_applied) VALUES (?, ?)", 99999, true)
		require.NoError(t, err)
		applied, err := migrations.Up(ctx, x, dialect)
		require.NoError(t, err)
		require.Empty(t, applied)
		all, err := migrations.Status(ctx, x, dialect)
		require.NoError(t, err)
		require.NotEmpty(t, all)
		require.ErrorIs(t, migrations.DownTo(ctx, x, dialect, 0), migrations.ErrNewer, "what is not known cannot be taken back")

		_, err = d.Exec(ctx, "DELETE FROM setting WHERE name = 'schema_minimum'")
		require.NoError(t, err)
		_, err = migrations.Up(ctx, x, dialect)
		require.ErrorIs(t, err, migrations.ErrNewer, "nobody says that it is safe")
	})
}

// Before 7 nothing was released, so nobody of before could be missing anything.
const firstReleased = 7

func TestAMigrationThatTakesAwayRaisesTheMinimum(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{migrations.SQLite, migrations.Postgres} {
		files, err := migrations.Files(dialect)
		require.NoError(t, err)
		names, err := fs.Glob(files, "*.sql")
		require.NoError(t, err)
		for _, name := range names {
			number, _, _ := strings.Cut(path.Base(name), "_")
			n, err := strconv.Atoi(number)
			require.NoError(t, err)
			text, err := fs.ReadFile(files, name)
			require.NoError(t, err)
			if n >= firstReleased && contracts(string(text)) {
				require.True(t, raises(string(text)), "%s/%s takes away what older programs use: expand first, and raise schema_minimum "+
					"in the release that contracts (CONTRIBUTING.md)", dialect, name)
			}
		}
	}
}

func TestWhatTakesAwayIsRecognised(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"CREATE TABLE a (b TEXT NOT NULL);":                               false,
		"ALTER TABLE a ADD COLUMN c TEXT NOT NULL DEFAULT '';":            false,
		"ALTER TABLE a ADD COLUMN c TEXT;\nCREATE INDEX ix_a_c ON a (c);": false,
		"-- DROP TABLE a;\nSELECT 1;":                                     false,
		"CREATE TABLE a (b TEXT);\n-- +goose Down\nDROP TABLE a;":         false,
		"ALTER TABLE a ADD COLUMN c TEXT NOT NULL;":                       true,
		"DROP TABLE a;":                                                          true,
		"ALTER TABLE a DROP COLUMN c;":                                           true,
		"ALTER TABLE a RENAME COLUMN c TO d;":                                    true,
		"alter table a alter column c type bigint;":                              true,
		"CREATE UNIQUE INDEX ux_a ON a (c);":                                     true,
		"ALTER TABLE a ADD CONSTRAINT uq_a_c UNIQUE (c);":                        true,
		"ALTER TABLE a ADD COLUMN c TEXT DEFAULT ''; ALTER TABLE a RENAME TO b;": true,
	} {
		require.Equal(t, want, contracts("-- +goose Up\n"+text), text)
	}
	require.True(t, raises("-- +goose Up\nUPDATE setting SET value = '7' WHERE name = 'schema_minimum';"))
	require.False(t, raises("-- +goose Up\nDROP TABLE a;"))
}

// takesAway recognises what a program of before would miss.
var takesAway = regexp.MustCompile(`(?is)\bDROP\s+(TABLE|COLUMN|CONSTRAINT)\b|\bRENAME\b|\bALTER\s+COLUMN\b|\bADD\s+CONSTRAINT\b|\bCREATE\s+UNIQUE\b|` +
	`\bADD\s+COLUMN\s+(?:IF\s+NOT\s+EXISTS\s+)?[^;,]*\bNOT\s+NULL\b[^;,]*`)

var comments = regexp.MustCompile(`--[^\n]*`)

// contracts says whether the way up of a migration takes away what programs of before rely on, or asks of their rows what
// they do not know. Such a migration must raise schema_minimum.
func contracts(migration string) bool {
	up, _, _ := strings.Cut(migration, "-- +goose Down")
	for _, found := range takesAway.FindAllString(comments.ReplaceAllString(up, ""), -1) {
		added := strings.HasPrefix(strings.ToUpper(found), "ADD COLUMN")
		if !added || !strings.Contains(strings.ToUpper(found), "DEFAULT") {
			return true
		}
	}
	return false
}

// raises says whether a migration raises schema_minimum.
func raises(migration string) bool {
	up, _, _ := strings.Cut(migration, "-- +goose Down")
	return strings.Contains(up, "schema_minimum")
}
