//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

const password = "e2e-Passw0rd"

// shared is what all tests use: one binary, one database server, one Chromium.
type shared struct {
	builder harness.Builder

	pgOnce sync.Once
	pg     *harness.Postgres
	pgErr  error
	pgNext atomic.Int64

	zkOnce sync.Once
	zk     *harness.ZooKeeper
	zkErr  error

	chromeOnce sync.Once
	chrome     *browser.Browser
	chromeErr  error
}

var world shared

func TestMain(m *testing.M) {
	code := m.Run()
	if world.chrome != nil {
		warn(world.chrome.Close())
	}
	if world.zk != nil {
		warn(world.zk.Close())
	}
	if world.pg != nil {
		warn(world.pg.Close())
	}
	warn(world.builder.Close())
	os.Exit(code)
}

func warn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "cleaning up:", err)
	}
}

// missing skips a test because of what the machine lacks; in CI nothing may be lacking.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// binary returns the program under test.
func binary(t *testing.T) string {
	t.Helper()
	path, err := world.builder.Path(context.Background())
	require.NoError(t, err)
	return path
}

// database returns the address of a new, empty PostgreSQL database.
func database(t *testing.T) string {
	t.Helper()
	world.pgOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		world.pg, world.pgErr = harness.StartPostgres(ctx)
	})
	if errors.Is(world.pgErr, harness.ErrNoPostgres) {
		missing(t, world.pgErr)
	}
	require.NoError(t, world.pgErr)
	url, err := world.pg.Create(t.Context(), fmt.Sprintf("e2e_%d", world.pgNext.Add(1)))
	require.NoError(t, err)
	return url
}

// zookeeper returns the addresses of a ZooKeeper server that all tests share, each in a namespace of its own.
func zookeeper(t *testing.T) []string {
	t.Helper()
	world.zkOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		world.zk, world.zkErr = harness.StartZooKeeper(ctx, 1)
	})
	if errors.Is(world.zkErr, harness.ErrNoZooKeeper) {
		missing(t, world.zkErr)
	}
	require.NoError(t, world.zkErr)
	return world.zk.Servers()
}

// chromium returns the browser.
func chromium(t *testing.T) *browser.Browser {
	t.Helper()
	world.chromeOnce.Do(func() { world.chrome, world.chromeErr = browser.Open(context.Background()) })
	if errors.Is(world.chromeErr, browser.ErrNoBrowser) {
		missing(t, world.chromeErr)
	}
	require.NoError(t, world.chromeErr)
	return world.chrome
}

// server is a running product with admin signed in by token.
type server struct {
	*harness.Process
	Admin *harness.Client
}

// launch starts a process and stops it when the test ends. A panic or data race in its log fails the test.
func launch(t *testing.T, o harness.Options) *harness.Process {
	t.Helper()
	o.Binary = binary(t)
	p, err := harness.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { finish(t, p) })
	return p
}

func finish(t *testing.T, p *harness.Process) {
	t.Helper()
	require.Empty(t, p.Panics())
	if t.Failed() {
		t.Logf("log of the product:\n%s", tail(p.Log(), 8000))
	}
	require.NoError(t, p.Close())
}

// standalone starts `dorado standalone` with a known password and signs admin in.
func standalone(t *testing.T, env ...string) *server {
	t.Helper()
	p := launch(t, harness.Options{Mode: "standalone", AdminPassword: password, Env: env})
	ready(t, p)
	return &server{p, signIn(t, p.URL, "admin", password)}
}

func ready(t *testing.T, p *harness.Process) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	took, err := p.WaitReady(ctx)
	require.NoError(t, err)
	return took
}

// signIn returns a client that uses a token of the user's own, which survives restarts.
func signIn(t *testing.T, url, user, pass string) *harness.Client {
	t.Helper()
	c := harness.NewClient(url)
	t.Cleanup(c.Close)
	require.NoError(t, c.Login(t.Context(), user, pass))
	require.NoError(t, c.UseToken(t.Context()))
	return c
}

// project makes a project and returns its code.
func project(t *testing.T, c *harness.Client, name string) int64 {
	t.Helper()
	p, err := c.CreateProject(t.Context(), name, "")
	require.NoError(t, err)
	return p.Code
}

// within bounds the test's context.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
