package search_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/search"
)

func TestEachUserHasABoundedListOfWhatHeOpened(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		now := time.Now()
		v := search.Visits{DB: d, Now: func() time.Time { now = now.Add(time.Second); return now }}
		person := func(name string) int64 {
			id, err := db.Get[int64](ctx, d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
				VALUES (?, '', 'GENERAL_USER', ?, ?) RETURNING id`, name, now, now)
			require.NoError(t, err)
			return id
		}
		gwen, owen := person("gwen"), person("owen")
		for k := range 50 {
			require.NoError(t, v.Add(ctx, gwen, search.Visit{Kind: search.Workflow, Object: strconv.Itoa(k)}))
		}
		require.NoError(t, v.Add(ctx, gwen, search.Visit{Kind: search.Workflow, Object: "40"}))
		require.NoError(t, v.Add(ctx, gwen, search.Visit{Kind: search.Run, Object: "40"}))
		require.NoError(t, v.Add(ctx, owen, search.Visit{Kind: search.File, Object: "etl/订单.csv"}))

		hers, err := v.Of(ctx, gwen)
		require.NoError(t, err)
		require.Len(t, hers, 20)
		require.Equal(t, []search.Visit{
			{Kind: search.Run, Object: "40"}, {Kind: search.Workflow, Object: "40"}, {Kind: search.Workflow, Object: "49"},
		}, hers[:3], "opened again, it is the latest, once")
		his, err := v.Of(ctx, owen)
		require.NoError(t, err)
		require.Equal(t, []search.Visit{{Kind: search.File, Object: "etl/订单.csv"}}, his)

		now = now.Add(-time.Hour) // many at one instant are bounded as well
		same := search.Visits{DB: d, Now: func() time.Time { return now }}
		for k := range 50 {
			require.NoError(t, same.Add(ctx, owen, search.Visit{Kind: search.Workflow, Object: strconv.Itoa(k)}))
		}
		his, err = v.Of(ctx, owen)
		require.NoError(t, err)
		require.Len(t, his, 20)

		_, err = d.Exec(ctx, `DELETE FROM users WHERE id = ?`, gwen)
		require.NoError(t, err)
		left, err := v.Of(ctx, gwen)
		require.NoError(t, err)
		require.Empty(t, left)
	})
}
