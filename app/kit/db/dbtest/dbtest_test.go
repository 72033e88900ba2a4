package dbtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

func TestDatabasesAreMigratedAndDoNotShareRows(t *testing.T) {
	t.Parallel()
	for range 2 {
		dbtest.Each(t, func(t *testing.T, d *db.DB) {
			ctx := t.Context()
			n, err := db.Get[int](ctx, d, "SELECT COUNT(*) FROM login_throttle")
			require.NoError(t, err)
			require.Zero(t, n)
			_, err = d.Exec(ctx, "INSERT INTO id_block (name, next) VALUES (?, ?)", t.Name(), 1)
			require.NoError(t, err)
		})
	}
}
