package workflow_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
	"dorado/modules/workflow"
)

// site is a world with its pages.
type site struct {
	*world
	router chi.Router
	path   string // of the list
	gwenB  *webtest.Browser
}

func openSite(t testing.TB, d *db.DB) *site {
	t.Helper()
	w := open(t, d)
	s := &site{world: w, path: fmt.Sprintf("/projects/%d/workflows", w.project)}
	m := workflow.NewModule(w.workflows, workflow.PageDeps{Site: w.Site, API: w.API, Frame: w.Frame})
	p := project.NewModule(w.projects, project.PageDeps{Site: w.Site, API: w.API, Frame: w.Frame})
	mount := func(r chi.Router) { p.Routes(r); m.Routes(r) }
	s.gwenB = w.Browser(t, mount).As(crudtest.As(w.General))
	s.router = chi.NewRouter()
	s.router.Use(w.Site.Middleware(), w.Site.Pages)
	mount(s.router)
	return s
}

// call sends JSON like the editor does, as somebody.
func (s *site) call(t testing.TB, who access.Principal, method, path string, body any) (int, map[string]any) {
	t.Helper()
	text, isText := body.(string)
	if !isText {
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		text = string(raw)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://dorado.test"+path, strings.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if who.UserID != 0 {
		r = r.WithContext(crudtest.As(who)(r.Context()))
	}
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, r)
	out := map[string]any{}
	if w.Body.Len() > 0 {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	}
	return w.Code, out
}

// content is a definition as the editor sends it.
func content(def *flow.Definition) map[string]any {
	return map[string]any{
		"name": def.Name, "description": def.Description, "timeout": 0, "executionType": "PARALLEL", "globalParams": []any{},
		"tasks": def.Tasks, "relations": def.Edges, "locations": def.Locations,
	}
}

// data is what the page of the editor holds.
type data struct {
	Definition struct {
		Code         int64
		Version      int
		Name         string
		ReleaseState string
		Tasks        []struct {
			Code     int64
			TaskType string
		}
		Relations []map[string]any
		Locations []map[string]any
	}
	Draft *struct {
		Revision, BaseVersion int
		SavedAt               time.Time
	}
	Mode, ReadReason string
	URLs             map[string]string
	Schema           struct{ Types []map[string]any }
	WorkerGroups     []string
}

func read(t testing.TB, p *webtest.Page) data {
	t.Helper()
	var d data
	require.NoError(t, json.Unmarshal([]byte(p.Doc.Find("#dag-data").Text()), &d), p.Body)
	return d
}

func TestANewWorkflowIsDrawnSavedAndPutOnline(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openSite(t, d)
		moved := s.gwenB.Get(s.path + "/new").Require(http.StatusSeeOther)
		page := s.gwenB.Follow(moved).Require(http.StatusOK)
		require.True(t, page.Has("dag-editor"))
		doc := read(t, page)
		require.Equal(t, "edit", doc.Mode)
		require.Zero(t, doc.Definition.Code, "nothing is saved yet")
		require.GreaterOrEqual(t, len(doc.Schema.Types), 9, "two that run on workers, seven that do not, and those that are only kept")
		require.Equal(t, []string{"default"}, doc.WorkerGroups)
		require.NotContains(t, doc.URLs, "run")

		status, answer := s.call(t, s.General, "POST", doc.URLs["codes"], map[string]any{"n": 3})
		require.Equal(t, 200, status)
		require.Len(t, answer["codes"], 3)

		def := s.chain("drawn", 3)
		status, answer = s.call(t, s.General, "PUT", doc.URLs["draft"], map[string]any{"baseVersion": 0, "revision": 0, "definition": content(def)})
		require.Equal(t, 200, status, answer)
		require.EqualValues(t, 1, answer["revision"])
		status, answer = s.call(t, s.General, "PUT", doc.URLs["draft"], map[string]any{"baseVersion": 0, "revision": 0, "definition": content(def)})
		require.Equal(t, 409, status)
		require.EqualValues(t, 1, answer["revision"])

		list := s.gwenB.Get(s.path)
		require.Contains(t, list.Text("[data-test='workflows.drafts']"), "drawn")
		again := read(t, s.gwenB.Get(list.Attr("[data-test='workflows.drafts'] a.name", "href")).Require(200))
		require.Equal(t, 1, again.Draft.Revision)
		require.Len(t, again.Definition.Tasks, 3, "the draft survives a closed tab")

		status, answer = s.call(t, s.General, "POST", doc.URLs["save"], map[string]any{"baseVersion": 0, "definition": content(def), "message": "first", "online": true})
		require.Equal(t, 200, status, answer)
		require.EqualValues(t, 1, answer["version"])
		require.Equal(t, "ONLINE", answer["releaseState"])
		at := answer["url"].(string)
		saved := read(t, s.gwenB.Get(at).Require(200))
		require.Nil(t, saved.Draft)
		require.EqualValues(t, answer["code"], saved.Definition.Code)
		require.Contains(t, saved.URLs, "online")

		status, answer = s.call(t, s.General, "POST", at+"/offline", map[string]any{})
		require.Equal(t, 200, status)
		require.Equal(t, "OFFLINE", answer["releaseState"])
		require.Zero(t, s.gwenB.Get(s.path).Count("[data-test='workflows.drafts']"))
		require.Equal(t, at, s.gwenB.Get(moved.Header.Get("Location")).Header.Get("Location"), "the old address leads to what was saved")
		for _, code := range []string{"x", "-1", "7", "99999999999999999999", "9007199254740993"} {
			require.Equal(t, 404, s.gwenB.Get(s.path+"/new?code="+code).Status, code)
		}
	})
}

func TestTheEditorIsToldWhySavingFailed(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	made := s.create(t, "daily", 2)
	at := fmt.Sprintf("%s/%d", s.path, made.Workflow.Code)
	def := s.current(t, made.Workflow.Code)
	def.Description = "mine"

	cyclic := content(def)
	cyclic["relations"] = append([]flow.Edge{{Pre: def.Tasks[1].Code, Post: def.Tasks[0].Code}}, def.Edges...)
	status, answer := s.call(t, s.General, "POST", at+"/save", map[string]any{"baseVersion": 1, "definition": cyclic})
	require.Equal(t, 422, status)
	problem := answer["problems"].([]any)[0].(map[string]any)
	require.Equal(t, "error", problem["severity"])
	require.Contains(t, problem["message"], "→")

	bad := s.current(t, made.Workflow.Code)
	bad.Tasks[1].Params = json.RawMessage(`{"rawScript":""}`)
	status, answer = s.call(t, s.General, "POST", at+"/check", map[string]any{"definition": content(bad)})
	require.Equal(t, 200, status)
	problem = answer["problems"].([]any)[0].(map[string]any)
	require.EqualValues(t, bad.Tasks[1].Code, problem["taskCode"])
	require.Equal(t, "rawScript", problem["field"], "by the name that the form has")

	theirs := s.current(t, made.Workflow.Code)
	theirs.Description = "theirs"
	_, err := s.workflows.Update(s.admin, made.Workflow.Code, workflow.Change{Definition: theirs, BaseVersion: 1})
	require.NoError(t, err)
	status, answer = s.call(t, s.General, "POST", at+"/save", map[string]any{"baseVersion": 1, "definition": content(def)})
	require.Equal(t, 409, status)
	current := answer["current"].(map[string]any)
	require.EqualValues(t, 2, current["version"])
	require.Equal(t, "admin", current["savedBy"])
	require.Equal(t, "theirs", current["definition"].(map[string]any)["description"])

	_, err = s.workflows.Release(s.gwen, made.Workflow.Code, flow.Online)
	require.NoError(t, err)
	status, answer = s.call(t, s.General, "POST", at+"/save", map[string]any{"baseVersion": 2, "definition": content(def)})
	require.Equal(t, 409, status)
	require.Nil(t, answer["current"])
	require.Equal(t, "workflow.online", answer["code"])
	require.NotEmpty(t, answer["message"])
	status, _ = s.call(t, s.General, "POST", at+"/save", map[string]any{"baseVersion": 2, "definition": content(def), "online": true})
	require.Equal(t, 200, status)

	for _, body := range []string{"", "{", "[]", "null", `{"definition":[]}`, `{"definition":{"tasks":{}}}`, `{"definition":{"tasks":[1]}}`, `{"baseVersion":"x"}`, `{"definition":{"timeout":"abc"}}`, "\x00\xff"} {
		for _, target := range []string{"/save", "/check"} {
			status, _ := s.call(t, s.General, "POST", at+target, body)
			require.Contains(t, []int{409, 422, 200}, status, "%s %q", target, body)
		}
		if !strings.Contains(body, "timeout") { // a draft may hold what is not valid yet
			status, _ := s.call(t, s.General, "PUT", at+"/draft", body)
			require.Equal(t, 422, status, body)
		}
		for _, target := range []string{"/layout", "/codes"} {
			status, _ := s.call(t, s.General, "POST", at+target, body)
			require.Less(t, status, 500, "%s %q", target, body)
		}
	}
	for _, n := range []int{0, -1, 1 << 30} {
		status, _ := s.call(t, s.General, "POST", at+"/codes", map[string]any{"n": n})
		require.Equal(t, 422, status, n)
	}
	status, _ = s.call(t, s.General, "POST", at+"/save", `{"definition":{"name":"`+strings.Repeat("x", 33<<20)+`"}}`)
	require.Equal(t, 413, status)
}

func TestEditorCallsAreRefusedToWhoMayNot(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	made := s.create(t, "daily", 1)
	at := fmt.Sprintf("%s/%d", s.path, made.Workflow.Code)
	reader, err := access.Must(s.member(t, "rita", access.Read))
	require.NoError(t, err)
	stranger, err := access.Must(s.member(t, "sam", ""))
	require.NoError(t, err)
	body := map[string]any{"baseVersion": 1, "definition": content(s.current(t, made.Workflow.Code)), "n": 1}
	for _, c := range []struct{ method, path string }{
		{"POST", "/save"}, {"PUT", "/draft"}, {"POST", "/codes"}, {"POST", "/online"}, {"POST", "/offline"},
	} {
		for want, some := range map[int][]access.Principal{401: {{}}, 403: {reader, stranger}} {
			for _, who := range some {
				status, _ := s.call(t, who, c.method, at+c.path, body)
				require.Equal(t, want, status, "%s %s as %q", c.method, c.path, who.Name)
			}
		}
	}
	for want, who := range map[int]access.Principal{200: reader, 403: stranger} {
		b := s.gwenB.As(crudtest.As(who))
		for _, page := range []string{s.path, at, at + "/versions", at + "/versions/1", at + "?view=static"} {
			require.Equal(t, want, b.Get(page).Status, page)
		}
		for _, post := range []string{"/release", "/copy", "/delete", "/versions/1/restore", "/versions/1/delete"} {
			require.Equal(t, 403, b.Post(at+post, "state", "ONLINE").Status, post)
		}
		require.Equal(t, 403, b.Post(s.path+"/example").Status)
		require.Equal(t, 403, b.Get(s.path+"/new").Status)
	}
	doc := read(t, s.gwenB.As(crudtest.As(reader)).Get(at))
	require.Equal(t, "read", doc.Mode)
	require.Contains(t, doc.ReadReason, "gwen")
	require.NotContains(t, doc.URLs, "save")
	refused := s.gwenB.As(crudtest.As(stranger)).Get(at)
	require.Contains(t, refused.Body, "gwen", "the owner is named, who can help")
	require.Equal(t, http.StatusSeeOther, s.gwenB.As(nil).Get(at).Status, "nobody is sent to sign in")

	evil := s.gwenB.As(crudtest.As(s.General)).With("Sec-Fetch-Site", "cross-site").With("Origin", "https://evil.example")
	require.Equal(t, 403, evil.Post(at+"/release", "state", "ONLINE").Status)
	other, err := s.projects.Create(s.gwen, project.Draft{Name: "other"})
	require.NoError(t, err)
	require.Equal(t, 404, s.gwenB.Get(fmt.Sprintf("/projects/%d/workflows/%d", other.Code, made.Workflow.Code)).Status, "under another project it does not exist")
}

func TestTheListShowsFiltersAndOffersWhatIsPossible(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openSite(t, d)
		require.True(t, s.gwenB.Get(s.path).Has("[data-test='empty.example']"))
		example := s.gwenB.Post(s.path + "/example").Require(http.StatusSeeOther)
		doc := read(t, s.gwenB.Follow(example))
		require.Len(t, doc.Definition.Tasks, 4)
		require.Len(t, doc.Definition.Relations, 4)
		s.gwenB.Post(s.path + "/example").Require(http.StatusSeeOther)
		_, err := s.workflows.Release(s.gwen, doc.Definition.Code, flow.Online)
		require.NoError(t, err, "the example can go online as it is")
		names := s.gwenB.Get(s.path + "?sort=name").Texts("tbody .name")
		require.Equal(t, []string{"example", "example 2"}, names)
		require.Equal(t, []string{"example"}, s.gwenB.Get(s.path+"?state=ONLINE").Texts("tbody .name"))
		require.Equal(t, []string{"example 2"}, s.gwenB.Get(s.path+"?q=MPLE%202").Texts("tbody .name"))
		require.True(t, s.gwenB.Get(s.path+"?q=nothing").Has(".empty"))

		page := s.gwenB.Get(s.path)
		require.True(t, page.Has("[data-test='workflow.example'] [data-test='row.offline']"))
		require.True(t, page.Has("[data-test='workflow.example 2'] [data-test='row.online']"))
		require.Equal(t, "Take the workflow offline first", page.Attr("[data-test='workflow.example'] .menu button[aria-disabled]", "title"))
		part := s.gwenB.Part(s.path+"?q=2", "list")
		require.False(t, part.Has("html nav"))
		require.Equal(t, 1, part.Count("tbody tr"))

		at := fmt.Sprintf("%s/%d", s.path, doc.Definition.Code)
		asked := s.gwenB.Get(at + "/delete").Require(200)
		require.True(t, asked.Has("[data-test='refused']"))
		s.gwenB.Post(at + "/delete").Require(http.StatusConflict)
		s.gwenB.Post(at+"/release", "state", "OFFLINE").Require(http.StatusSeeOther)
		s.gwenB.Post(at+"/release", "state", "SIDEWAYS").Require(http.StatusUnprocessableEntity)
		s.gwenB.Post(at + "/copy").Require(http.StatusSeeOther)
		s.gwenB.Post(at + "/delete").Require(http.StatusSeeOther)
		require.Equal(t, 404, s.gwenB.Get(at).Status)
		for _, code := range []string{"abc", "0", "-5", "99999999999999999999", "12345"} {
			require.Equal(t, 404, s.gwenB.Get(s.path+"/"+code).Status, code)
			require.Equal(t, 404, s.gwenB.Get(s.path+"/"+code+"/versions").Status, code)
		}
	})
}

func TestVersionsAreSeenAndRestored(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	made := s.create(t, "daily", 2)
	def := s.current(t, made.Workflow.Code)
	def.Tasks[0].Name = "renamed"
	_, err := s.workflows.Update(s.gwen, made.Workflow.Code, workflow.Change{Definition: def, BaseVersion: 1, Message: "better <name>"})
	require.NoError(t, err)
	at := fmt.Sprintf("%s/%d/versions", s.path, made.Workflow.Code)
	page := s.gwenB.Get(at).Require(200)
	require.Contains(t, page.Text("[data-test='version.2']"), "better <name>")
	require.Contains(t, page.Text("[data-test='version.2']"), "0 added, 1 changed, 0 removed")
	old := read(t, s.gwenB.Get(at+"/1").Require(200))
	require.Equal(t, "read", old.Mode)
	require.Equal(t, 1, old.Definition.Version)
	s.gwenB.Post(at + "/1/restore").Require(http.StatusSeeOther)
	require.Equal(t, "t0", s.current(t, made.Workflow.Code).Tasks[0].Name)
	require.Equal(t, 3, s.gwenB.Get(at).Count("tbody tr"))
	s.gwenB.Post(at + "/3/delete").Require(http.StatusConflict)
	s.gwenB.Get(at + "/2/delete").Require(200)
	s.gwenB.Post(at + "/2/delete").Require(http.StatusSeeOther)
	require.Equal(t, 404, s.gwenB.Get(at+"/2").Status)
	require.Equal(t, 404, s.gwenB.Post(at+"/77/restore").Status)
}

func TestHostileNamesAreShownAsText(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	const text = `</script><script>alert(1)</script>"'><img src=x onerror=alert(2)>`
	def := s.chain(text, 2)
	def.Description = text
	def.Tasks[0].Name, def.Tasks[0].Description = text[:60], text
	def.Tasks[0].Params = json.RawMessage(`{"rawScript":"echo '</script><script>alert(3)</script>'"}`)
	saved, err := s.workflows.Create(s.gwen, s.project, workflow.Change{Definition: def, Message: text})
	require.NoError(t, err)
	at := fmt.Sprintf("%s/%d", s.path, saved.Workflow.Code)
	status, _ := s.call(t, s.General, "PUT", at+"/draft", map[string]any{"baseVersion": 1, "definition": content(def)})
	require.Equal(t, 200, status)
	for _, path := range []string{s.path, at, at + "?view=static", at + "/versions", at + "/versions/1", at + "/delete", fmt.Sprintf("/projects/%d", s.project)} {
		page := s.gwenB.Get(path).Require(200)
		require.NotContains(t, page.Body, "<script>alert", path)
		require.NotContains(t, page.Body, "<img src=x", path)
	}
	require.Equal(t, text, read(t, s.gwenB.Get(at)).Definition.Name)
	require.Equal(t, 2, s.gwenB.Get(at+"?view=static").Count("svg.dag-svg .dag-svg-node"))
}

func TestPagesSpeakChinese(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	made := s.create(t, "daily", 1)
	zh := s.gwenB.In("zh-CN")
	at := fmt.Sprintf("%s/%d", s.path, made.Workflow.Code)
	for _, path := range []string{s.path, at + "/versions", at + "/delete", "/projects", "/projects/new", fmt.Sprintf("/projects/%d/members", s.project)} {
		page := zh.Get(path).Require(200)
		require.Regexp(t, `\p{Han}`, page.Text("h1"), path)
		for _, words := range page.Texts("th, label, .btn, h1, h2") {
			require.NotRegexp(t, `^[a-z_]+(\.[a-z_]+)+$`, words, path)
		}
	}
}

func TestTheEditorLaysOutFiveThousandTasks(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	made := s.create(t, "daily", 1)
	nodes, edges := make([]map[string]any, 5000), make([][2]int, 4999)
	for i := range nodes {
		nodes[i] = map[string]any{"id": i + 1}
		if i > 0 {
			edges[i-1] = [2]int{i/2 + 1, i + 1}
		}
	}
	status, answer := s.call(t, s.General, "POST", fmt.Sprintf("%s/%d/layout", s.path, made.Workflow.Code), map[string]any{"nodes": nodes, "edges": edges, "direction": "LR"})
	require.Equal(t, 200, status)
	require.Len(t, answer["positions"], 5000)
}

func TestAWorkflowWithoutTasksHasItsPages(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	made, err := s.workflows.Create(s.gwen, s.project, workflow.Change{Definition: &flow.Definition{Name: "bare"}, Empty: true})
	require.NoError(t, err)
	at := fmt.Sprintf("%s/%d", s.path, made.Workflow.Code)
	for _, page := range []string{s.path, at, at + "?view=static", at + "/versions", at + "/versions/1", at + "/delete"} {
		require.Equal(t, http.StatusOK, s.gwenB.Get(page).Status, page)
	}
	_, err = s.workflows.Create(s.gwen, s.project, workflow.Change{Definition: &flow.Definition{Name: "online"}, Empty: true, Online: true})
	require.ErrorIs(t, err, workflow.ErrEmpty)
}
