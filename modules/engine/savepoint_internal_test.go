package engine

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
)

func TestASavepointIsAskedOfTheWorkerThatHasTheTask(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reply *doradov1.LogReply
		want  error
		says  string
	}{
		"taken":                    {&doradov1.LogReply{Lines: []string{"file:/s/1", "file:/s/2"}}, nil, "file:/s/1, file:/s/2"},
		"not held":                 {&doradov1.LogReply{Error: "stream.not_held"}, ErrSaveNotHeld, ""},
		"not of that kind":         {&doradov1.LogReply{Error: "stream.none"}, ErrSaveNone, ""},
		"too early":                {&doradov1.LogReply{Error: "stream.early"}, ErrSaveEarly, ""},
		"another is under way":     {&doradov1.LogReply{Error: "stream.busy"}, ErrSaveBusy, ""},
		"the program says no":      {&doradov1.LogReply{Error: "stream.failed", Lines: []string{"no such job"}}, ErrSaveFailed, ""},
		"a worker that is older":   {&doradov1.LogReply{Error: "log.gone"}, ErrSaveOld, ""},
		"a worker that is at odds": {&doradov1.LogReply{Error: "log.internal"}, errLogOther, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := logEngine(nil)
			w := connect(t, e, func(w *logWorker, r *doradov1.LogRequest) {
				tc.reply.Call, tc.reply.Done = r.GetCall(), true
				_ = w.send(tc.reply)
			})
			at, err := e.Savepoint(t.Context(), logOwner, 345)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, tc.says, at)
			require.Equal(t, int64(345), w.requests()[0].GetSavepoint().GetId())
		})
	}
}

func TestASavepointNeedsAWorkerThatStays(t *testing.T) {
	t.Parallel()
	e := logEngine(nil)
	_, err := e.Savepoint(t.Context(), logOwner, 1)
	require.ErrorIs(t, err, ErrSaveAway)
	var leaves atomic.Bool
	connect(t, e, func(w *logWorker, _ *doradov1.LogRequest) {
		if leaves.Load() {
			_ = w.stream.Close()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = e.Savepoint(ctx, logOwner, 1)
	require.ErrorIs(t, err, ErrSaveAway)
	leaves.Store(true)
	_, err = e.Savepoint(t.Context(), logOwner, 1)
	require.ErrorIs(t, err, ErrSaveAway)
}
