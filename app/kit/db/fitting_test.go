package db_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

func TestFittingAsksABoundedNumberOfNamesThatAreNotASCII(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		_, err := d.Exec(ctx, `INSERT INTO queue (name, value, created_at, updated_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21000)
			SELECT CASE WHEN i <= 500 THEN 'plain_' ELSE '队列_' END || i, 'v' || i, CAST(? AS TIMESTAMP), CAST(? AS TIMESTAMP) FROM n`, time.Now(), time.Now())
		require.NoError(t, err)
		query := `SELECT id, name FROM queue WHERE ` + db.NotASCII("name") + ` AND value <> ? ORDER BY id`
		asked := 0
		ids, err := db.Fitting(ctx, d, func(name string) bool {
			require.True(t, strings.HasPrefix(name, "队列_"), name)
			asked++
			return false
		}, 5, query, "v501")
		require.NoError(t, err)
		require.Empty(t, ids)
		require.Equal(t, db.MaxFitting, asked)

		asked = 0
		ids, err = db.Fitting(ctx, d, func(name string) bool { asked++; return strings.HasSuffix(name, "0") }, 3, query, "v510")
		require.NoError(t, err)
		require.Len(t, ids, 3)
		require.Equal(t, 39, asked, "from 501 on without 510, it ends at 540")
		names, err := db.Select[string](ctx, d, `SELECT name FROM queue WHERE id IN (?, ?, ?) ORDER BY id`, ids[0], ids[1], ids[2])
		require.NoError(t, err)
		require.Equal(t, []string{"队列_520", "队列_530", "队列_540"}, names)

		ids, err = db.Fitting(ctx, d, func(string) bool { return true }, 0, query, "")
		require.NoError(t, err)
		require.Empty(t, ids)

		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, err = db.Fitting(gone, d, func(string) bool { return true }, 1, query, "")
		require.ErrorIs(t, err, context.Canceled)
	})
}
