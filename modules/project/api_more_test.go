package project_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
)

// call is a call of the REST interface; a body that begins with a brace is JSON.
func call(t *testing.T, a *crudtest.App, m *project.Module, who access.Principal, method, path, body string) (code int, data json.RawMessage) {
	t.Helper()
	h := a.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(access.WithPrincipal(r.Context(), who)))
		})
	}, m.API)
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var e struct {
		Code int
		Data json.RawMessage
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	return e.Code, e.Data
}

func TestVersion2TakesProjectsAsJSON(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		var made, got struct {
			Code        int64
			Name        string
			Description string
		}
		code, data := call(t, a, m, a.General, "POST", "/v2/projects", `{"projectName":"etl \"nightly\"","description":null,"unknown":[1,{"a":2}]}`)
		require.Zero(t, code)
		require.NoError(t, json.Unmarshal(data, &made))
		require.Equal(t, `etl "nightly"`, made.Name)
		one := fmt.Sprintf("/v2/projects/%d", made.Code)
		code, data = call(t, a, m, a.General, "PUT", one, `{"projectName":"etl","description":"loads"}`)
		require.Zero(t, code)
		require.NoError(t, json.Unmarshal(data, &got))
		require.Equal(t, "loads", got.Description)
		for body, want := range map[string]int{`{"projectName":"etl"}`: 10019, `{"description":"x"}`: 10048, `{"projectName":`: 10048, `[]`: 10048} {
			code, _ = call(t, a, m, a.General, "POST", "/v2/projects", body)
			require.Equal(t, want, code, body)
		}
		_, data = call(t, a, m, a.General, "GET", "/v2/projects", "")
		require.Contains(t, string(data), `"pageSize":10`)
		code, _ = call(t, a, m, access.Principal{UserID: 999, Name: "stranger"}, "DELETE", one, "")
		require.NotZero(t, code)
		code, _ = call(t, a, m, a.General, "DELETE", one, "")
		require.Zero(t, code)
	})
}

func TestGrantsAreGivenAndTakenByREST(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		gwen := access.WithPrincipal(t.Context(), a.General)
		first, err := m.Create(gwen, project.Draft{Name: "first"})
		require.NoError(t, err)
		second, err := m.Create(gwen, project.Draft{Name: "second"})
		require.NoError(t, err)
		id, err := db.Get[int64](t.Context(), d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
			VALUES ('ann', '', 'GENERAL_USER', ?, ?) RETURNING id`, time.Now(), time.Now())
		require.NoError(t, err)
		ann := access.Principal{UserID: id, Name: "ann"}
		annSees := access.WithPrincipal(t.Context(), ann)
		ids := fmt.Sprintf("userId=%d&projectIds=%d,%d", ann.UserID, first.ID, second.ID)

		for path, role := range map[string]access.Role{"/users/grant-project-with-read-perm": access.Read, "/users/grant-project": access.All} {
			code, _ := call(t, a, m, a.General, "POST", path, ids)
			require.Zero(t, code, path)
			require.Equal(t, role, m.Role(annSees, first.Code))
			require.Equal(t, role, m.Role(annSees, second.Code))
		}
		code, _ := call(t, a, m, a.General, "POST", "/users/revoke-project-by-id", ids)
		require.Zero(t, code)
		require.Empty(t, m.Role(annSees, first.Code))
		byCode := fmt.Sprintf("userId=%d&projectCode=%d", ann.UserID, first.Code)
		code, _ = call(t, a, m, a.General, "POST", "/users/grant-project-by-code", byCode)
		require.Zero(t, code)
		require.Equal(t, access.All, m.Role(annSees, first.Code))
		code, _ = call(t, a, m, a.General, "POST", "/users/revoke-project", byCode)
		require.Zero(t, code)
		require.Empty(t, m.Role(annSees, first.Code))

		// All or none: the second project does not exist, so the first is not granted.
		code, _ = call(t, a, m, a.General, "POST", "/users/grant-project", fmt.Sprintf("userId=%d&projectIds=%d,999", ann.UserID, first.ID))
		require.Equal(t, 10018, code)
		require.Empty(t, m.Role(annSees, first.Code))
		code, _ = call(t, a, m, a.General, "POST", "/users/grant-project-by-code", fmt.Sprintf("userId=999&projectCode=%d", first.Code))
		require.Equal(t, 10010, code)
		for _, path := range []string{"/users/grant-project", "/users/grant-project-with-read-perm", "/users/revoke-project-by-id"} {
			code, _ = call(t, a, m, ann, "POST", path, ids)
			require.NotZero(t, code, "nobody grants himself what he may not see: %s", path)
		}
		for _, path := range []string{"/users/grant-project-by-code", "/users/revoke-project"} {
			code, _ = call(t, a, m, ann, "POST", path, byCode)
			require.Equal(t, 30001, code, path)
		}
		require.Empty(t, m.Role(annSees, first.Code))
		require.NoError(t, m.SetMember(access.WithPrincipal(t.Context(), a.Admin), first.Code, ann.Name, "read"))
		for path, want := range map[string]int{"/users/grant-project": 1400001, "/users/grant-project-with-read-perm": 1400001, "/users/revoke-project-by-id": 30001} {
			code, _ = call(t, a, m, ann, "POST", path, fmt.Sprintf("userId=%d&projectIds=%d", ann.UserID, first.ID))
			require.Equal(t, want, code, "a reader gives nothing and takes nothing: %s", path)
		}
	})
}
