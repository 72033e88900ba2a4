package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/lifecycle"
)

// journal records what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) service(name string) lifecycle.Service {
	return lifecycle.Service{
		Name:  name,
		Start: func(context.Context) error { j.add("start " + name); return nil },
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			j.add("end " + name)
			return ctx.Err()
		},
		Stop: func(context.Context) error { j.add("stop " + name); return nil },
	}
}

func group() *lifecycle.Group { return lifecycle.New(slog.New(slog.DiscardHandler)) }

func TestServicesStopInReverseOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := group()
		g.Add(j.service("a"))
		g.Add(j.service("b"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.NoError(t, g.Run(ctx))
		require.Equal(t, []string{"start a", "start b", "stop b", "end b", "stop a", "end a"}, j.lines)
	})
}

func TestCrashStopsTheGroupWithItsCause(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, run := range map[string]func(context.Context) error{
		"error":  func(context.Context) error { return boom },
		"panic":  func(context.Context) error { panic("boom") },
		"return": func(context.Context) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var j journal
				g := group()
				g.Add(j.service("a"))
				g.Add(lifecycle.Service{Name: "bad", Run: run})
				err := g.Run(t.Context())
				require.ErrorContains(t, err, "bad crashed")
				require.Contains(t, j.lines, "end a")
				switch name {
				case "error":
					require.ErrorIs(t, err, boom)
				case "panic":
					require.ErrorContains(t, err, "panic: boom")
				case "return":
					require.ErrorIs(t, err, lifecycle.ErrReturned)
				}
			})
		})
	}
}

func TestFailedStartStopsWhatRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := group()
		g.Add(j.service("a"))
		g.Add(lifecycle.Service{Name: "bad", Start: func(context.Context) error { return errors.New("port taken") }})
		g.Add(j.service("c"))
		require.ErrorContains(t, g.Run(t.Context()), "start bad: port taken")
		require.Equal(t, []string{"start a", "stop a", "end a"}, j.lines)
	})
}

func TestSignalDuringAStartEndsItQuietly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := group()
		g.Add(j.service("a"))
		g.Add(lifecycle.Service{Name: "slow", Start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		g.Add(j.service("c"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, g.Run(ctx))
		require.Equal(t, []string{"start a", "stop a", "end a"}, j.lines)
	})
}

func TestDrainTimeIsKeptAndTheCulpritNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := group()
		g.Add(j.service("a"))
		release := make(chan struct{})
		defer close(release)
		g.Add(lifecycle.Service{Name: "stuck", Drain: 3 * time.Second, Run: func(context.Context) error { <-release; return nil }})
		g.Add(lifecycle.Service{Name: "deaf", Drain: 2 * time.Second, Stop: func(context.Context) error { <-release; return nil }})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := g.Run(ctx)
		require.ErrorContains(t, err, "stuck did not end within 3s")
		require.ErrorContains(t, err, "stop deaf: not done after 2s")
		require.Equal(t, 6*time.Second, time.Since(began))
		require.Contains(t, j.lines, "end a", "the others still end in order")
	})
}

func TestStoppingTwiceIsHarmless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := group()
		var j journal
		g.Add(j.service("a"))
		first := errors.New("first")
		time.AfterFunc(time.Second, func() {
			g.Stop(first)
			g.Stop(errors.New("second"))
		})
		err := g.Run(t.Context())
		require.ErrorIs(t, err, first)
		require.NotContains(t, err.Error(), "second")
		g.Stop(nil)
	})
}
