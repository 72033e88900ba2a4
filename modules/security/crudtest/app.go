package crudtest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
)

// App is what modules are made of, on a fresh database with two users.
type App struct {
	DB      *db.DB
	Access  *access.Service
	Audit   *audit.Service
	Site    *web.Site
	API     *dsapi.API
	Frame   *frame.Frame
	Admin   access.Principal
	General access.Principal
	Now     func() time.Time
}

// NewApp makes an App with the permission rules of the modules under test.
func NewApp(t testing.TB, d *db.DB, rules ...[]access.Rule) *App {
	t.Helper()
	ctx := t.Context()
	var all []access.Rule
	for _, r := range rules {
		all = append(all, r...)
	}
	log := slog.New(slog.DiscardHandler)
	acc, err := access.New(ctx, access.Deps{DB: d, Log: log, Now: time.Now, Rules: all})
	require.NoError(t, err)
	a := &App{
		DB: d, Access: acc, Audit: audit.New(audit.Deps{DB: d, Now: time.Now}), Site: webtest.Site(t),
		API: dsapi.New(log), Frame: frame.New(), Now: time.Now,
	}
	a.Admin = a.user(t, "admin", "ADMIN_USER")
	a.General = a.user(t, "gwen", "GENERAL_USER")
	require.NoError(t, acc.Grant(ctx, a.Admin.UserID, access.Everywhere, access.Admin))
	return a
}

func (a *App) user(t testing.TB, name, kind string) access.Principal {
	t.Helper()
	id, err := db.Get[int64](t.Context(), a.DB, `INSERT INTO users (name, password_hash, user_type, email, created_at, updated_at)
		VALUES (?, '', ?, ?, ?, ?) RETURNING id`, name, kind, name+"@example.org", time.Now(), time.Now())
	require.NoError(t, err)
	return access.Principal{UserID: id, Name: name, Admin: kind == "ADMIN_USER"}
}

// Browser opens the pages that mount adds, with nobody signed in.
func (a *App) Browser(t testing.TB, mount func(chi.Router)) *webtest.Browser {
	t.Helper()
	return webtest.Start(t, a.Site, mount)
}

// As puts p into requests: what one may do, and how pages look.
func As(p access.Principal) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context {
		return web.WithViewer(access.WithPrincipal(ctx, p), web.Viewer{ID: p.UserID, Name: p.Name, Admin: p.Admin})
	}
}

// Audited are the actions recorded so far, oldest first.
func (a *App) Audited(t testing.TB) []string {
	t.Helper()
	actions, err := db.Select[string](t.Context(), a.DB, "SELECT action FROM audit_log ORDER BY id")
	require.NoError(t, err)
	return actions
}

// REST calls the endpoints that mount adds as p; the answer is the envelope, with the HTTP status as "status".
func REST(t *testing.T, a *App, p access.Principal, mount func(chi.Router)) func(method, target, body string) map[string]any {
	t.Helper()
	h := a.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(access.WithPrincipal(r.Context(), p)))
		})
	}, mount)
	return func(method, target, body string) map[string]any {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body)))
		var out map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
		out["status"] = float64(w.Code)
		return out
	}
}

// Policy writes a rule of administrators, as their page does.
func (a *App) Policy(t testing.TB, p access.Policy) {
	t.Helper()
	_, err := a.DB.Exec(t.Context(), `INSERT INTO policy_rule (subject, permission, project_code, workflow_code, effect, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, p.Subject, string(p.Permission), p.Project, p.Workflow, string(p.Effect), time.Now(), time.Now())
	require.NoError(t, err)
	require.NoError(t, a.Access.Changed(t.Context()))
}
