package boot

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/lifecycle"
	"dorado/app/kit/logs"
	"dorado/modules/cluster/local"
)

// term tells when a service that was elected works.
type term struct {
	mu      sync.Mutex
	working int
	most    int
	began   chan struct{}
	fail    chan error
}

func newTerm() *term { return &term{began: make(chan struct{}, 10), fail: make(chan error)} }

func (w *term) run(ctx context.Context) error {
	w.mu.Lock()
	w.working++
	w.most = max(w.most, w.working)
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.working--; w.mu.Unlock() }()
	w.began <- struct{}{}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-w.fail:
		return err
	}
}

func (w *term) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.working == 0
}

func registry(t *testing.T) *local.Registry {
	t.Helper()
	r := local.NewHub(time.Second).Registry()
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestOneProcessWorksAtATimeAndTheNextTakesOver(t *testing.T) {
	t.Parallel()
	hub := local.NewHub(time.Second)
	w := newTerm()
	ends := make([]chan error, 2)
	stops := make([]context.CancelFunc, 2)
	for i := range ends {
		registry := hub.Registry()
		t.Cleanup(func() { require.NoError(t, registry.Close()) })
		ctx, stop := context.WithCancel(t.Context())
		ends[i], stops[i] = make(chan error, 1), stop
		go func() { ends[i] <- elected(registry, logs.Discard(), "clock", w.run).Run(ctx) }()
		if i == 0 {
			<-w.began
		}
	}
	stops[0]()
	require.NoError(t, <-ends[0])
	<-w.began
	stops[1]()
	require.NoError(t, <-ends[1])
	require.Equal(t, 1, w.most)
}

func TestALostLockEndsTheWorkAndItIsSoughtAgain(t *testing.T) {
	t.Parallel()
	w, r := newTerm(), registry(t)
	ctx, stop := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- elected(r, logs.Discard(), "clock", w.run).Run(ctx) }()
	<-w.began
	r.Cut()
	require.Eventually(t, w.idle, time.Minute, time.Millisecond, "cut off, it does not work")
	r.Heal()
	<-w.began
	stop()
	require.NoError(t, <-end)
	require.Equal(t, 1, w.most)
}

func TestAnElectedServiceThatFailsIsACrash(t *testing.T) {
	t.Parallel()
	for _, want := range []error{errors.New("broken"), nil} {
		w, r := newTerm(), registry(t)
		end := make(chan error, 1)
		go func() { end <- elected(r, logs.Discard(), "clock", w.run).Run(t.Context()) }()
		w.fail <- want
		if want == nil {
			want = lifecycle.ErrReturned
		}
		require.ErrorIs(t, <-end, want)
	}
}
