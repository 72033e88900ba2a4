package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

func TestAMasterReadsNoCommandsForOneItKnows(t *testing.T) {
	t.Parallel()
	i := newIntake(nil, nil)
	i.flight[34], i.flight[35] = 0, 2 // one under way, one done since the last read
	for payload, want := range map[string]bool{
		"12:34": false, "12:35": false,
		"12:36": true, "12": true, "": true, "12:": true, "x:y": true, "12:99999999999999999999": true,
	} {
		i.told(payload)
		require.Len(t, i.wake, 1, "%q", payload)
		<-i.wake
		require.Equal(t, want, i.unread(), "%q", payload)
		require.False(t, i.unread(), "%q: it was looked at", payload)
	}
	i.told("12:34")
	i.nudge()
	require.True(t, i.unread(), "somebody else may have left one")
	i.told("12:34")
	i.told("12:36")
	require.True(t, i.unread(), "one of them is new")
	for range 2 * intakeLimit {
		i.told("12:34")
	}
	require.True(t, i.unread(), "it remembers so many")
	require.LessOrEqual(t, cap(i.heard), 2*intakeLimit)
}

func TestCommandsThatAreKnownAreNotReadAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Now()
		_, err := d.Exec(ctx, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at) VALUES ('ann', 'x', 'ADMIN_USER', ?, ?)`, now, now)
		require.NoError(t, err)
		_, err = d.Exec(ctx, `INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (7, 'p', 1, ?, ?)`, now, now)
		require.NoError(t, err)
		var ids []int64
		for range 5 {
			run, err := db.Get[int64](ctx, d, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state,
				command_type, executor_id, executor_name, start_time, restart_time, created_at, updated_at)
				VALUES ('i', 1, 1, 'w', 7, 'SUBMITTED_SUCCESS', 'START_PROCESS', 1, 'ann', ?, ?, ?, ?) RETURNING id`, now, now, now, now)
			require.NoError(t, err)
			id, err := db.Get[int64](ctx, d, `INSERT INTO command (command_type, workflow_instance_id, executor_id, created_at)
				VALUES ('START_PROCESS', ?, 1, ?) RETURNING id`, run, now)
			require.NoError(t, err)
			ids = append(ids, id)
		}
		s := &store{db: d, now: time.Now}
		for _, mine := range []*portion{nil, {slot: 0, of: 1, overSlot: 0, overOf: 1}} {
			for _, c := range []struct {
				known []int64
				limit int
				want  []int64
			}{
				{nil, 9, ids}, {ids[:2], 9, ids[2:]}, {ids[:2], 2, ids[2:4]}, {ids, 9, nil}, {[]int64{ids[4], -1}, 9, ids[:4]},
			} {
				rows, err := s.commands(ctx, c.known, c.limit, "m", mine)
				require.NoError(t, err)
				var got []int64
				for _, row := range rows {
					got = append(got, row.CommandID)
				}
				require.Equal(t, c.want, got, "known %v, limit %d", c.known, c.limit)
			}
		}
	})
}
