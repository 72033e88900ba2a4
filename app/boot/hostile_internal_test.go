package boot

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	endpoints "dorado/app/kit/web/dsapi/describe"
)

// TestAnswersToHostileTexts sends every endpoint of REST texts that break programs, in every parameter: nothing may end in
// HTTP 5xx or in an answer that is not of the form that clients know.
func TestAnswersToHostileTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := served(w.m.rest())
	texts := []string{
		"", "a\x00b", "\xff\xfe\xfd", "\u202eevil\u202c\u200b\ufeff", "e" + strings.Repeat("\u0300", 300), "%zz%00+", "-1", "9223372036854775808", "1e309",
		"null", "[]", strings.Repeat("[", 20_000), `{"a":`, strings.Repeat("x", 70_000), "' OR 1=1 --", "../../../../etc/passwd", "1,,2,x", "\r\nSet-Cookie: a=b",
	}
	calls := 0
	for _, e := range w.table.Endpoints() {
		if !there[e.Key()] || e.Method == http.MethodPost && e.Path == "/signOut" {
			continue
		}
		for i, text := range texts {
			r := hostile(t, e, text)
			rec := w.undone(t, r, "admin", i%2 == 0)
			calls++
			require.Less(t, rec.Code, http.StatusInternalServerError, "%s %s with %.40q: %s", e.Method, e.Path, text, rec.Body)
			require.NotContains(t, rec.Header(), "Set-Cookie: a", "%s %s", e.Method, e.Path)
			if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
				require.True(t, json.Valid(rec.Body.Bytes()), "%s %s with %.40q: %s", e.Method, e.Path, text, rec.Body)
			}
		}
	}
	t.Logf("%d calls", calls)
}

// hostile is a call with the same text in every parameter.
func hostile(t *testing.T, e endpoints.Endpoint, text string) *http.Request {
	t.Helper()
	path, query, form, members := e.Path, url.Values{}, url.Values{}, map[string]any{}
	for _, p := range e.Params {
		switch p.In {
		case endpoints.InPath:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(text[:min(len(text), 2000)]))
		case endpoints.InQuery:
			query.Set(p.Name, text)
		case endpoints.InForm, endpoints.InMultipart:
			form.Set(p.Name, text)
		case endpoints.InJSON:
			members[p.Name] = text
		}
	}
	body, kind := form.Encode(), "application/x-www-form-urlencoded"
	if len(members) > 0 || e.Body != nil {
		raw, err := json.Marshal(members)
		require.NoError(t, err)
		body, kind = string(raw), "application/json"
		if e.Body != nil {
			body = text
		}
	}
	u := &url.URL{Scheme: "http", Host: "dorado.test", Path: apiPath + "/", RawQuery: query.Encode()}
	r := httptest.NewRequestWithContext(t.Context(), e.Method, u.String(), strings.NewReader(body))
	r.URL.RawPath = apiPath + path
	if plain, err := url.PathUnescape(r.URL.RawPath); err == nil {
		r.URL.Path = plain
	}
	r.Header.Set("Content-Type", kind)
	return r
}

// undone sends a request and undoes what it did. Files are written beside the transaction, so those calls have none.
func (w *world) undone(t *testing.T, r *http.Request, who string, byToken bool) *httptest.ResponseRecorder {
	t.Helper()
	if byToken {
		r.Header.Set("token", w.people[who].token)
	} else {
		r.Header.Set("sessionId", w.people[who].session)
	}
	if strings.HasPrefix(r.URL.Path, apiPath+"/resources") && r.Method != http.MethodGet {
		return w.serve(r)
	}
	var rec *httptest.ResponseRecorder
	err := w.c.db.InTx(t.Context(), func(ctx context.Context) error {
		rec = w.serve(r.WithContext(ctx))
		return errUndo
	})
	require.ErrorIs(t, err, errUndo)
	return rec
}

// TestNobodySetsWhatIsNotHisToSet sends members that no form has along with those it has.
func TestNobodySetsWhatIsNotHisToSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := served(w.m.rest())
	own := w.places["own"]
	extra := map[string]string{
		"userType": "ADMIN_USER", "kind": "ADMIN", "admin": "true", "isAdmin": "true", "role": "owner", "perm": "7", "ownerId": "1", "operator": "1", "operatorId": "1",
		"createTime": "2001-01-01 00:00:00", "updateTime": "2001-01-01 00:00:00", "createdAt": "2001-01-01", "isService": "true", "source": "LDAP", "version": "99",
		"loginUser": "User(id=1, userName=admin)",
	}
	calls := 0
	for _, e := range w.table.Endpoints() {
		if !there[e.Key()] || e.Method == http.MethodGet || e.Path == "/signOut" || strings.HasPrefix(e.Path, "/resources") {
			continue
		}
		r := w.rest(t, e, override{}, own, own)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		described := map[string]bool{}
		for _, p := range e.Params {
			described[p.Name] = true
		}
		text := string(body)
		if r.Header.Get("Content-Type") == "application/json" {
			members := map[string]any{}
			if json.Unmarshal(body, &members) != nil {
				continue
			}
			for name, v := range extra {
				if !described[name] {
					members[name] = v
				}
			}
			raw, err := json.Marshal(members)
			require.NoError(t, err)
			text = string(raw)
		} else if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			for name, v := range extra {
				if !described[name] {
					text += "&" + name + "=" + url.QueryEscape(v)
				}
			}
		}
		again := httptest.NewRequestWithContext(t.Context(), r.Method, r.URL.String(), strings.NewReader(text))
		again.Header = r.Header.Clone()
		again.Header.Set("token", w.people["owner"].token)
		calls++
		err = w.c.db.InTx(t.Context(), func(ctx context.Context) error {
			rec := w.serve(again.WithContext(ctx))
			require.Less(t, rec.Code, http.StatusInternalServerError, "%s %s", e.Method, e.Path)
			admins, err := db.Get[int](ctx, w.c.db, `SELECT count(*) FROM role_grant WHERE domain = '*' AND role = 'admin'`)
			require.NoError(t, err)
			require.Equal(t, 1, admins, "%s %s makes an administrator", e.Method, e.Path)
			for table, column := range map[string]string{"project": "created_at", "users": "created_at", "workflow_definition": "created_at", "schedule": "created_at"} {
				old, err := db.Get[int](ctx, w.c.db, `SELECT count(*) FROM `+table+` WHERE `+column+` < '2010-01-01'`)
				require.NoError(t, err)
				require.Zero(t, old, "%s %s sets when something was made", e.Method, e.Path)
			}
			strangers, err := db.Get[int](ctx, w.c.db, `SELECT count(*) FROM project WHERE owner_id = 1`)
			require.NoError(t, err)
			require.Zero(t, strangers, "%s %s gives a project to another", e.Method, e.Path)
			services, err := db.Get[int](ctx, w.c.db, `SELECT count(*) FROM users WHERE is_service = ? OR source <> 'LOCAL'`, true)
			require.NoError(t, err)
			require.Zero(t, services, "%s %s makes somebody a program or a stranger", e.Method, e.Path)
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
	}
	t.Logf("%d calls", calls)
}

// endless is a body of n bytes that nobody keeps in memory.
type endless struct {
	head string
	n    int64
}

func (e *endless) Read(b []byte) (int, error) {
	if e.head != "" {
		n := copy(b, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), e.n)
	for i := range b[:n] {
		b[i] = 'x'
	}
	e.n -= n
	return int(n), nil
}

func TestABodyOfAHundredMegabytesIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, c := range []struct{ path, kind, head string }{
		{"/v2/projects", "application/json", `{"projectName":"`},
		{"/datasources", "application/json", `{"name":"`},
		{"/users/batch/activate", "application/json", `["`},
		{"/projects", "application/x-www-form-urlencoded", "projectName="},
		{"/login", "application/x-www-form-urlencoded", "userName="},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://dorado.test"+apiPath+c.path, &endless{c.head, 100 << 20})
		r.Header.Set("Content-Type", c.kind)
		r.ContentLength = -1
		a := w.call(r, "admin")
		require.Less(t, a.Status, http.StatusInternalServerError, c.path)
		require.NotZero(t, a.Code, "%s: %s", c.path, a.body)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.HeapInuse, before.HeapInuse+512<<20)
}

func TestDeepJSONIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deep := strings.Repeat(`{"a":[`, 100_000) + strings.Repeat(`]}`, 100_000)
	own := w.places["own"].ids
	in := "/projects/" + strconv.FormatInt(own["project"], 10)
	for path, name := range map[string]string{
		in + "/workflow-definition": "taskDefinitionJson", in + "/schedules": "schedule", in + "/project-preference": "projectPreferences",
	} {
		form := url.Values{name: {deep}, "name": {"deep"}, "taskRelationJson": {deep}, "globalParams": {deep}, "locations": {deep}, "workflowDefinitionCode": {strconv.FormatInt(own["workflow"], 10)}}
		method := http.MethodPost
		if strings.HasSuffix(path, "preference") {
			method = http.MethodPut
		}
		r := httptest.NewRequestWithContext(t.Context(), method, "http://dorado.test"+apiPath+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a := w.call(r, "owner")
		require.Equal(t, http.StatusOK, a.Status, path)
		require.NotZero(t, a.Code, path)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://dorado.test"+apiPath+"/v2/projects", strings.NewReader(deep))
	r.Header.Set("Content-Type", "application/json")
	require.NotZero(t, w.call(r, "owner").Code)
}

// TestNamesThatDeceive: two names that look the same, or that turn a page around, are not two objects.
func TestNamesThatDeceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"a\x00b", "\xffa", "line\nbreak"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://dorado.test"+apiPath+"/projects", strings.NewReader(url.Values{"projectName": {name}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a := w.call(r, "owner")
		require.Less(t, a.Status, http.StatusInternalServerError, "%q", name)
		if a.Code == 0 {
			stored := w.must(t, "owner", http.MethodGet, "/projects?pageNo=1&pageSize=100&searchVal=").body
			require.NotContains(t, stored, `\u0000`)
			require.True(t, json.Valid([]byte(stored)))
		}
	}
}

// TestPagesOfListsHaveLimits asks every list for pages that are not there.
func TestPagesOfListsHaveLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := served(w.m.rest())
	lists := 0
	for _, e := range w.table.Endpoints() {
		if !there[e.Key()] || e.Method != http.MethodGet || !slices.ContainsFunc(e.Params, func(p endpoints.Param) bool { return p.Name == "pageSize" && p.In == endpoints.InQuery }) {
			continue
		}
		lists++
		for _, page := range [][2]string{{"0", "10"}, {"-1", "10"}, {"1", "0"}, {"1", "-5"}, {"2147483647", "10"}, {"1", "2147483647"}, {"99999999999", "10"}, {"2147483647", "2147483647"}} {
			o := override{With: map[string]string{"pageNo": page[0], "pageSize": page[1], "projectName": "own"}}
			a := w.try(t, "admin", o, w.rest(t, e, o, w.places["own"], w.places["own"]))
			require.Less(t, a.Status, http.StatusInternalServerError, "%s %v: %s", e.Path, page, a.body)
			if strings.HasPrefix(page[0], "-") || strings.HasPrefix(page[1], "-") || page[0] == "0" || page[1] == "0" {
				require.NotZero(t, a.Code, "%s %v", e.Path, page)
			}
		}
	}
	require.Greater(t, lists, 20)
}

// TestAnswersOfRESTAreNoPages: whoever opens one in a browser runs nothing and shows it in no frame.
func TestAnswersOfRESTAreNoPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/projects/list", "/login/sso", "/no/such/address"} {
		a := w.call(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://dorado.test"+apiPath+path, nil), "owner")
		csp := a.header.Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'none'", path)
		require.Contains(t, csp, "frame-ancestors 'none'", path)
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-store", a.header.Get("Cache-Control"), path)
	}
}
