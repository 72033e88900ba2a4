package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

func TestAnIdleGroupIsOneAlertForTheAdministrators(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC)
		s := &store{db: d, now: func() time.Time { return now }}
		for range 2 {
			require.NoError(t, s.tellIdle(t.Context(), idleGroup{"etl", 3, now.Add(-10 * time.Minute)}))
		}
		titles, err := db.Select[string](t.Context(), d, `SELECT title FROM alert WHERE alert_group_id = 1`)
		require.NoError(t, err)
		require.Equal(t, []string{"No worker for group etl"}, titles)
	})
}
