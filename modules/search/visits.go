package search

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"dorado/app/kit/db"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/project"
	"dorado/modules/resource"
	"dorado/modules/security/user"
)

const (
	// kept is how many visits of a user are remembered.
	kept = 20
	// patience bounds how long a page waits for its visit to be written.
	patience = time.Second
)

// Visit is something that somebody opened: its kind, and its code, number or path.
type Visit struct {
	Kind   Kind   `db:"kind"`
	Object string `db:"object"`
}

// Visits remembers what each user opened lately, on the server: whoever signs in next at the same browser sees nothing of it.
type Visits struct {
	DB  *db.DB
	Now func() time.Time
}

// Add remembers that a user opened something, and forgets what he opened longest ago when there is too much.
func (v Visits) Add(ctx context.Context, userID int64, visit Visit) error {
	return v.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := v.DB.Exec(ctx, `INSERT INTO visit (user_id, kind, object, visited_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (user_id, kind, object) DO UPDATE SET visited_at = excluded.visited_at`, userID, visit.Kind, visit.Object, v.Now()); err != nil {
			return err
		}
		_, err := v.DB.Exec(ctx, `DELETE FROM visit WHERE user_id = ? AND (kind, object) NOT IN (SELECT kind, object FROM visit
			WHERE user_id = ? ORDER BY visited_at DESC, kind, object LIMIT ?)`, userID, userID, kept)
		return err
	})
}

// Of returns what a user opened, the latest first.
func (v Visits) Of(ctx context.Context, userID int64) ([]Visit, error) {
	return db.Select[Visit](ctx, v.DB, `SELECT kind, object FROM visit WHERE user_id = ? ORDER BY visited_at DESC, kind, object`, userID)
}

// visited says what a request opens; false when it is no page of one thing.
func visited(r *http.Request) (Visit, bool) {
	numbered := func(kind Kind, name string) (Visit, bool) {
		n, ok := number(chi.URLParam(r, name))
		return Visit{kind, strconv.FormatInt(n, 10)}, ok
	}
	switch chi.RouteContext(r.Context()).RoutePattern() {
	case project.Path + "/{project}":
		return numbered(Project, "project")
	case project.Path + "/{project}/workflows/{workflow}":
		return numbered(Workflow, "workflow")
	case project.Path + "/{project}/instances/{id}":
		return numbered(Run, "id")
	case user.Path + "/{id}":
		return numbered(User, "id")
	case resource.Path, resource.Path + "/show":
		q := r.URL.Query()
		return Visit{File, filed(resource.Ref{Tenant: q.Get("tree"), Path: q.Get("path")})}, q.Get("path") != ""
	}
	return Visit{}, false
}

// filed is a file or folder as a visit names it: no tenant's code has a slash.
func filed(ref resource.Ref) string { return ref.Tenant + "/" + ref.Path }

func unfiled(object string) resource.Ref {
	tree, path, _ := strings.Cut(object, "/")
	return resource.Ref{Tenant: tree, Path: path}
}

// Remember is a middleware for pages: it notes what was opened. A visit that cannot be written is lost; the page is not.
func (m *Module) Remember(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit, ok := visited(r)
		who, signedIn := access.From(r.Context())
		if !ok || !signedIn || r.Method != http.MethodGet || web.Partial(r) {
			next.ServeHTTP(w, r)
			return
		}
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		if ww.Status() != http.StatusOK {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience) // also of a page that is left at once
		defer cancel()
		if err := m.visits.Add(ctx, who.UserID, visit); err != nil {
			m.logger.WarnContext(ctx, "a visit was not remembered", slog.Any("error", err))
		}
	})
}
