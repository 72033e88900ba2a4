package boot

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/logs"
	"dorado/modules/cluster"
	"dorado/modules/cluster/local"
)

func TestAMemberJoinsAgainAfterALossAndLeavesWhenItStops(t *testing.T) {
	t.Parallel()
	hub := local.NewHub(time.Second)
	seen, own := hub.Registry(), hub.Registry()
	t.Cleanup(func() { require.NoError(t, errors.Join(own.Close(), seen.Close())) })
	nodes := func() int {
		list, err := seen.Nodes(t.Context(), cluster.AlertServer)
		require.NoError(t, err)
		return len(list)
	}
	joins := make(chan struct{}, 10)
	m := &member{
		registry: own, kind: cluster.AlertServer, address: "h:1", logger: logs.Discard(), joined: func(<-chan struct{}) { joins <- struct{}{} },
		beat: func() cluster.Heartbeat { return cluster.Heartbeat{Name: "a", Incarnation: "1"} },
	}
	require.Error(t, m.check(t.Context()))
	ctx, stop := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- m.Run(ctx) }()
	<-joins
	require.NoError(t, m.check(t.Context()))
	require.Equal(t, 1, nodes())
	own.Cut()
	require.Eventually(t, func() bool { return m.check(t.Context()) != nil }, time.Minute, time.Millisecond)
	own.Heal()
	<-joins
	require.NoError(t, m.check(t.Context()))
	stop()
	require.NoError(t, <-end)
	require.Zero(t, nodes())
}

func TestAWorkerFollowsTheMastersAndForgetsNoneAtOnce(t *testing.T) {
	t.Parallel()
	hub := local.NewHub(time.Second)
	registry := hub.Registry()
	t.Cleanup(func() { require.NoError(t, registry.Close()) })
	told := make(chan []string, 10)
	m := &memberWorker{registry: registry, logger: logs.Discard(), tell: func(masters []string) { told <- masters }}
	ctx, stop := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- m.follow(ctx) }()
	join := func(address, rpc string) cluster.Membership {
		joined, err := registry.Join(t.Context(), cluster.Master, address, func() cluster.Heartbeat {
			return cluster.Heartbeat{Name: address, Incarnation: "1", RPCAddress: rpc}
		})
		require.NoError(t, err)
		return joined
	}
	first := join("m1:1", "m1:1")
	require.Equal(t, []string{"m1:1"}, <-told)
	join("web:1", "") // it runs no workflows, so there is nothing to dial
	require.NoError(t, first.Leave(t.Context()))
	join("m2:1", "m2:1")
	require.Equal(t, []string{"m1:1", "m2:1"}, <-told, "who may only be cut off from the registry is still talked to")
	hub.Put("/"+cluster.Namespace+"/nodes/master/m3:1", "garbage")
	stop()
	require.NoError(t, <-end)
	require.Empty(t, told)
}

func TestProbesSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	p, away := &probes{}, errors.New("it is away")
	p.add("database", func(context.Context) error { return nil })
	p.add("registry", func(context.Context) error { return away })
	r := chi.NewRouter()
	p.routes(r)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	ask := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		res, err := server.Client().Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, res.Body.Close()) }()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.True(t, json.Valid(body))
		return res.StatusCode, string(body)
	}
	code, body := ask(readyPath)
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "it is away")
	code, _ = ask(livePath)
	require.Equal(t, http.StatusOK, code, "a process that waits must not be restarted")
	away = nil
	code, body = ask(readyPath)
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"status":"UP","components":{"database":{"status":"UP"},"registry":{"status":"UP"}}}`, body)
}

func TestTheClusterKeepsItsName(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		first, err := clusterID(t.Context(), d)
		require.NoError(t, err)
		require.NotEmpty(t, first)
		again, err := clusterID(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
}
