package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/testkit"
	"dorado/modules/access"
)

func TestObjectsAreGrantedOneByOneAndReplacedTogether(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		ann, bob := user(t, d, "ann"), user(t, d, "bob")
		require.NoError(t, s.GrantObjects(t.Context(), ann.UserID, access.DataSource, []string{"7", "3", "7"}, access.PermAll))
		require.NoError(t, s.GrantObject(t.Context(), bob.UserID, access.DataSource, "3", access.PermRead))
		require.NoError(t, s.GrantObject(t.Context(), ann.UserID, access.Namespace, "3", access.PermAll))

		keys, all := s.ObjectsOf(as(t, ann), access.DataSource)
		require.False(t, all)
		require.Equal(t, map[string]int{"3": 7, "7": 7}, keys)
		require.True(t, s.MayUse(as(t, bob), access.DataSource, "3", access.PermRead))
		require.False(t, s.MayUse(as(t, bob), access.DataSource, "3", access.PermAll), "reading is not changing")
		require.False(t, s.UserMayUse(bob.UserID, access.Namespace, "3", access.PermRead), "another kind")
		require.True(t, s.Restricted(access.Namespace, "3"))
		require.False(t, s.Restricted(access.Namespace, "4"))

		who, err := s.GranteesOf(t.Context(), access.DataSource, "3")
		require.NoError(t, err)
		require.Equal(t, []int64{ann.UserID, bob.UserID}, []int64{who[0].UserID, who[1].UserID})

		require.NoError(t, s.GrantObjects(t.Context(), ann.UserID, access.DataSource, []string{"9"}, access.PermAll))
		keys, _ = s.ObjectsOf(as(t, ann), access.DataSource)
		require.Equal(t, map[string]int{"9": 7}, keys, "a list takes the place of the one before")
		require.True(t, s.MayUse(as(t, ann), access.Namespace, "3", access.PermAll), "other kinds stay")
		listed, err := s.ObjectsGranted(t.Context(), ann.UserID, access.DataSource)
		require.NoError(t, err)
		require.Equal(t, "9", listed[0].Key)

		require.NoError(t, s.RevokeObject(t.Context(), access.DataSource, "3"))
		require.False(t, s.MayUse(as(t, bob), access.DataSource, "3", access.PermRead))
		require.NoError(t, s.RevokeUser(t.Context(), ann.UserID))
		require.False(t, s.MayUse(as(t, ann), access.Namespace, "3", access.PermRead))
	})
}

func TestAdministratorsAndTheProgramHaveAllObjectsAndNobodyNone(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	s := service(t, d)
	root := user(t, d, "root")
	require.NoError(t, s.Grant(t.Context(), root.UserID, access.Everywhere, access.Admin))
	for _, p := range []access.Principal{root, access.System()} {
		_, all := s.ObjectsOf(as(t, p), access.DataSource)
		require.True(t, all)
		require.True(t, s.MayUse(as(t, p), access.UDF, "1", access.PermAll))
	}
	keys, all := s.ObjectsOf(t.Context(), access.DataSource)
	require.Empty(t, keys)
	require.False(t, all)
	require.False(t, s.MayUse(t.Context(), access.UDF, "1", access.PermRead))
}

func TestGrantsOfObjectsFollowTheirTransactionAndMeanSomething(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		ann := user(t, d, "ann")
		boom := errors.New("boom")
		require.ErrorIs(t, d.InTx(t.Context(), func(ctx context.Context) error {
			require.NoError(t, s.GrantObjects(ctx, ann.UserID, access.WorkerGroup, []string{"gpu"}, access.PermRead))
			return boom
		}), boom)
		require.False(t, s.Restricted(access.WorkerGroup, "gpu"))
		require.Error(t, s.GrantObjects(t.Context(), ann.UserID, "PROJECT", []string{"1"}, access.PermRead))
		require.Error(t, s.GrantObject(t.Context(), ann.UserID, access.UDF, "1", 3))
		require.Error(t, s.GrantObject(t.Context(), ann.UserID+99, access.UDF, "1", access.PermAll), "no such user")
	})
}

func TestAnotherProcessNoticesAGrantOfAnObject(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t)
	here, there := service(t, d), service(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- there.Run(ctx) }()
	ann := user(t, d, "ann")
	require.NoError(t, here.GrantObject(t.Context(), ann.UserID, access.Namespace, "1", access.PermAll))
	testkit.Eventually(t, func() error {
		if !there.MayUse(as(t, ann), access.Namespace, "1", access.PermAll) {
			return errors.New("not yet")
		}
		return nil
	})
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
