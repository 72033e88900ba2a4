package boot

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/config"
	endpoints "dorado/app/kit/web/dsapi/describe"
	"dorado/modules/engine"
)

// program is all modules over a new SQLite database, without anything that runs in the background.
func program(t *testing.T) (*core, *modules) {
	t.Helper()
	return programFor(t)
}

// programFor is program for tests and benchmarks.
func programFor(t testing.TB) (*core, *modules) {
	t.Helper()
	cfg := config.Default(t.TempDir())
	cfg.Identity.Registration = true
	logger := slog.New(slog.DiscardHandler)
	c, err := open(t.Context(), cfg, logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.close()) })
	m, err := newModules(t.Context(), c, engine.New(cfg.Master, engine.Deps{DB: c.db, Logger: logger, Now: time.Now, Metrics: c.metrics}))
	require.NoError(t, err)
	return c, m
}

// rest is the router of REST with nobody asking who calls.
func (m *modules) rest() chi.Router {
	return m.api.Router(func(next http.Handler) http.Handler { return next }, m.calls()...)
}

// pageRoutes are the routes of all pages, as method and address.
func (m *modules) pageRoutes(t *testing.T) []string {
	t.Helper()
	r := chi.NewRouter()
	for _, routes := range m.pages() {
		routes(r)
	}
	var out []string
	require.NoError(t, chi.Walk(r, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		out = append(out, method+" "+route)
		return nil
	}))
	slices.Sort(out)
	return out
}

// TestEveryRouteIsDescribed keeps the table of endpoints complete: a new endpoint needs an entry in
// app/kit/web/dsapi/describe/table, and a new page one in pages.yaml.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	_, m := program(t)
	table, err := endpoints.Load()
	require.NoError(t, err)
	described := map[string]bool{}
	for _, e := range table.Endpoints() {
		described[e.Key()] = true
	}
	there := served(m.rest())
	var unknown []string
	for key := range there {
		if !described[key] {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	require.Empty(t, unknown, "endpoints without an entry in app/kit/web/dsapi/describe/table")

	missing := map[string]bool{}
	for _, line := range lines(t, "testdata/ds-missing.txt") {
		method, path, _ := strings.Cut(line, " ")
		missing[endpoints.Key(method, path)] = true
	}
	var gone []string
	for _, e := range table.Endpoints() {
		if !there[e.Key()] && !missing[e.Key()] {
			gone = append(gone, e.Method+" "+e.Path)
		}
	}
	require.Empty(t, gone, "described, and neither served nor in testdata/ds-missing.txt")
}

func TestEveryPageSaysWhoMayOpenIt(t *testing.T) {
	t.Parallel()
	_, m := program(t)
	table, err := endpoints.Load()
	require.NoError(t, err)
	who := map[string]bool{}
	for _, p := range table.Pages {
		who[endpoints.Key(p.Method, p.Path)] = true
	}
	routes := m.pageRoutes(t)
	var unknown []string
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if !who[endpoints.Key(method, path)] {
			unknown = append(unknown, route)
		}
		delete(who, endpoints.Key(method, path))
	}
	require.Empty(t, unknown, "pages without an entry in app/kit/web/dsapi/describe/pages.yaml:\n%s", strings.Join(unknown, "\n"))
	require.Empty(t, who, "pages that there are no more")
}
