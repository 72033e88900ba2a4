package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
)

func open(t *testing.T, d *db.DB) (*crudtest.App, *queue.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, queue.Rules())
	m := queue.New(queue.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	m.AddReferrer(tenantsOf{a})
	return a, m
}

// tenantsOf stands for the module of tenants.
type tenantsOf struct{ app *crudtest.App }

func (r tenantsOf) QueueUses(ctx context.Context, q queue.Queue, limit int) ([]queue.Use, error) {
	codes, err := db.Select[string](ctx, r.app.DB, "SELECT code FROM tenant WHERE queue_id = ? LIMIT ?", q.ID, limit)
	var uses []queue.Use
	for _, c := range codes {
		uses = append(uses, queue.Use{Kind: "tenant.one", Name: c, URL: "/security/tenants"})
	}
	return uses, err
}

func TestQueuesBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: queue.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return []string{"name", name(n), "value", fmt.Sprintf("root.q%02d", n)} },
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", name(n), "value", "root.moved"} },
		Shows:    "root.moved",
		Unique:   true,
		Required: "value",
		Hostile:  func(text string) []string { return []string{"name", text[:50], "value", text[:40]} },
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), `INSERT INTO tenant (code, queue_id, created_at, updated_at)
				SELECT 'etl', id, created_at, updated_at FROM queue WHERE name = ?`, name(1))
			require.NoError(t, err)
			return "etl"
		},
	})
}

func name(n int) string { return fmt.Sprintf("queue_%02d", n) }

func TestTheDefaultQueueIsMadeOnceAndIsTheFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		require.NoError(t, m.EnsureDefault(t.Context()))
		require.NoError(t, m.EnsureDefault(t.Context()))
		all, err := m.All(access.WithPrincipal(t.Context(), a.General))
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, int64(1), all[0].ID, "clients know it by this id")
		require.Equal(t, queue.Default, all[0].Value)
	})
}

func TestAQueueThatIsReferredToBehindOurBackStays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := crudtest.NewApp(t, d, queue.Rules())
		m := queue.New(queue.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
		ctx := access.WithPrincipal(t.Context(), a.Admin)
		q, err := m.Create(ctx, queue.Draft{Name: "fast", Value: "fast"})
		require.NoError(t, err)
		_, err = a.DB.Exec(ctx, "INSERT INTO tenant (code, queue_id, created_at, updated_at) VALUES ('etl', ?, ?, ?)", q.ID, q.CreatedAt, q.CreatedAt)
		require.NoError(t, err)
		require.ErrorIs(t, m.Delete(ctx, q.ID), queue.ErrInUse, "the database is the last to object")
	})
}

func TestClientsUseBothVersionsOfTheQueueInterface(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	require.NoError(t, m.EnsureDefault(t.Context()))
	call := func(p access.Principal, method, target, kind, body string) map[string]any {
		h := a.API.Router(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(access.WithPrincipal(r.Context(), p)))
			})
		}, m.API)
		r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var out map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
		return out
	}
	const form, js = "application/x-www-form-urlencoded", "application/json"
	require.InDelta(t, 0, call(a.Admin, "POST", "/queues", form, "queue=root.a&queueName=a")["code"], 0)
	require.InDelta(t, 10129, call(a.Admin, "POST", "/queues", form, "queue=root.a&queueName=b")["code"], 0)
	require.InDelta(t, 10130, call(a.Admin, "POST", "/v2/queues", js, `{"queue":"root.b","queueName":"a","more":1}`)["code"], 0)
	require.InDelta(t, 0, call(a.Admin, "POST", "/v2/queues", js, `{"queue":"root.b","queueName":"b"}`)["code"], 0)
	require.InDelta(t, 10127, call(a.Admin, "POST", "/v2/queues", js, `{"queue":`)["code"], 0)
	require.Equal(t, true, call(a.Admin, "POST", "/queues/verify", form, "queue=c&queueName=c")["data"])
	require.InDelta(t, 10129, call(a.Admin, "POST", "/v2/queues/verify", js, `{"queue":"root.a","queueName":"c"}`)["code"], 0)
	require.Len(t, call(a.Admin, "GET", "/queues/list", "", "")["data"], 3)
	require.Len(t, call(a.General, "GET", "/queues/list", "", "")["data"], 1, "others see the default queue only")
	require.Empty(t, call(a.General, "GET", "/queues?pageNo=1&pageSize=10", "", "")["data"].(map[string]any)["totalList"])
	require.InDelta(t, 3, call(a.Admin, "GET", "/v2/queues", "", "")["data"].(map[string]any)["total"], 0)
	require.InDelta(t, 0, call(a.Admin, "PUT", "/queues/2", form, "queue=root.z&queueName=z")["code"], 0)
	require.InDelta(t, 30001, call(a.General, "DELETE", "/queues/2", "", "")["code"], 0)
	require.Equal(t, true, call(a.Admin, "DELETE", "/queues/2", "", "")["data"])
	require.InDelta(t, 10128, call(a.Admin, "DELETE", "/queues/2", "", "")["code"], 0)
}
