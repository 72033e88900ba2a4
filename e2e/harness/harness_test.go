package harness_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// fake is a program with the same outside as the product: it prints a link, answers health and obeys SIGTERM.
const fake = `#!/usr/bin/env python3
import http.server, signal, sys
listen = sys.argv[sys.argv.index("--listen") + 1]
host, port = listen.rsplit(":", 1)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
print("open http://%s/login/link/abc123." % listen, flush=True)
http.server.HTTPServer((host, int(port)), H).serve_forever()
`

func TestAProcessIsStartedReadRestartedAndStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	program := filepath.Join(t.TempDir(), "fake")
	require.NoError(t, os.WriteFile(program, []byte(fake), 0o755))
	p, err := harness.Start(ctx, harness.Options{Binary: program, Mode: "standalone"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	_, err = p.WaitReady(ctx)
	require.NoError(t, err)
	link, err := p.SignInLink(ctx)
	require.NoError(t, err)
	require.Equal(t, p.URL+"/login/link/abc123", link)

	require.NoError(t, p.Terminate(ctx))
	require.Zero(t, p.ExitCode())
	require.False(t, p.Running())
	require.NoError(t, p.Restart(ctx))
	_, err = p.WaitReady(ctx)
	require.NoError(t, err)
	require.NoError(t, p.Kill(ctx))
	require.Equal(t, -1, p.ExitCode())
}

func TestAProcessThatEndsEarlyIsReportedWithItsLog(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho the data folder is in use >&2\nexit 3\n"), 0o755))
	p, err := harness.Start(t.Context(), harness.Options{Binary: program, Mode: "standalone"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	_, err = p.WaitReady(t.Context())
	require.ErrorContains(t, err, "the data folder is in use")
	require.Equal(t, 3, p.ExitCode())
}

func TestPostgresRunsDurablyAndSurvivesAKill(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	pg, err := harness.StartPostgres(ctx)
	if errors.Is(err, harness.ErrNoPostgres) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Close()) })
	url, err := pg.Create(ctx, "one")
	require.NoError(t, err)
	db, err := sql.Open("postgres", url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		require.NoError(t, db.QueryRowContext(ctx, "SHOW "+setting).Scan(&value))
		require.Equal(t, "on", value, setting)
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE kept (n INTEGER)")
	require.NoError(t, err)
	require.NoError(t, pg.Kill(ctx))
	require.NoError(t, pg.Restart(ctx))
	var n int
	require.NoError(t, db.QueryRowContext(ctx, "SELECT count(*) FROM kept").Scan(&n))
}

func TestTheFormHoldsTheGraphAsClientsWriteIt(t *testing.T) {
	t.Parallel()
	w := harness.Diamond("etl", map[string]string{"A": "echo a", "B": "echo b", "C": "print('c')", "D": "echo d"})
	form, err := w.Form([]int64{11, 12, 13, 14})
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"name":"","preTaskCode":0,"preTaskVersion":0,"postTaskCode":11,"postTaskVersion":0,"conditionType":"NONE","conditionParams":{}},
		{"name":"","preTaskCode":11,"preTaskVersion":0,"postTaskCode":12,"postTaskVersion":0,"conditionType":"NONE","conditionParams":{}},
		{"name":"","preTaskCode":11,"preTaskVersion":0,"postTaskCode":13,"postTaskVersion":0,"conditionType":"NONE","conditionParams":{}},
		{"name":"","preTaskCode":12,"preTaskVersion":0,"postTaskCode":14,"postTaskVersion":0,"conditionType":"NONE","conditionParams":{}},
		{"name":"","preTaskCode":13,"preTaskVersion":0,"postTaskCode":14,"postTaskVersion":0,"conditionType":"NONE","conditionParams":{}}
	]`, form.Get("taskRelationJson"))
	require.Contains(t, form.Get("taskDefinitionJson"), `"taskType":"PYTHON"`)
	_, err = harness.Workflow{Name: "x", Tasks: []harness.Task{{Name: "a", After: []string{"gone"}}}}.Form([]int64{1})
	require.ErrorContains(t, err, "a comes after gone, which is not there")
}

func TestAnAnswerThatSaysNoBecomesAnError(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/dolphinscheduler/ok":
			_, _ = w.Write([]byte(`{"code":0,"msg":"success","data":{"id":7},"failed":false,"success":true}`))
		case "/dolphinscheduler/no":
			_, _ = w.Write([]byte(`{"code":10018,"msg":"project not found","data":null,"failed":true,"success":false}`))
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	c := harness.NewClient(server)
	t.Cleanup(c.Close)
	var out struct{ ID int }
	require.NoError(t, c.Call(t.Context(), http.MethodGet, "/ok", nil, &out))
	require.Equal(t, 7, out.ID)
	require.Equal(t, 10018, harness.Code(c.Call(t.Context(), http.MethodGet, "/no", nil, nil)))
	require.Equal(t, http.StatusUnauthorized, harness.Status(c.Call(t.Context(), http.MethodGet, "/else", nil, nil)))
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}
