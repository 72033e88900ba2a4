package boot

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"dorado/modules/access"
	"dorado/modules/resource"
	"dorado/modules/search"
	"dorado/modules/workflow"
)

// found is the list that the box in the head shows somebody.
func (w *world) found(t *testing.T, who, text string) string {
	t.Helper()
	a := w.visit(httptest.NewRequestWithContext(t.Context(), http.MethodGet, search.Path+"/options?q="+url.QueryEscape(text), nil), who)
	require.Equal(t, http.StatusOK, a.Status, "%s: %s", who, text)
	return a.body
}

func TestASearchFindsNothingThatOneMayNotSee(t *testing.T) {
	w := newWorld(t)
	own, other := w.places["own"], w.places["other"]
	code := func(s *spot, what string) string { return strconv.FormatInt(s.ids[what], 10) }
	for what, text := range map[string]string{
		"/projects/" + code(own, "project"):                                                                        "own",
		"/projects/" + code(own, "project") + "/workflows/" + code(own, "workflow"):                                "own-flow",
		"/projects/" + code(own, "project") + "/workflows/" + code(own, "workflow") + "?task=" + code(own, "task"): "first",
		"/projects/" + code(own, "project") + "/workflows/" + code(own, "idle"):                                    code(own, "idle"),
	} {
		for _, who := range []string{"reader", "operator", "owner", "admin"} {
			require.Contains(t, w.found(t, who, text), `href="`+what+`"`, "%s finds %s", who, text)
		}
		require.NotContains(t, w.found(t, "stranger", text), what, text)
		require.NotContains(t, w.found(t, "boss", text), what, text)
	}
	for _, text := range []string{"other", "other-flow", "first", code(other, "project"), code(other, "workflow"), "run other-flow", ""} {
		require.NotContains(t, w.found(t, "owner", text), `href="/projects/`+code(other, "project"), text)
	}

	runs := "/projects/" + code(own, "project") + "/workflows/" + code(own, "workflow") + "/run"
	require.Contains(t, w.found(t, "operator", "run own-flow"), runs)
	require.Contains(t, w.found(t, "operator", "运行own-flow"), runs)
	require.NotContains(t, w.found(t, "reader", "run own-flow"), runs, "who may not start it is not offered to")
	require.NotContains(t, w.found(t, "operator", "run own-idle"), "/run", "what is offline cannot be run")

	require.Contains(t, w.found(t, "admin", "stranger"), "stranger@example.org")
	require.NotContains(t, w.found(t, "owner", "stranger"), "stranger@example.org", "users are the administrator's business")
	require.Contains(t, w.found(t, "admin", "tenants"), "/security/tenants")
	require.NotContains(t, w.found(t, "owner", "tenants"), "/security/tenants")

	a := w.visit(httptest.NewRequestWithContext(t.Context(), http.MethodGet, search.Path, nil), "nobody")
	require.True(t, refusedPage(a))
}

func TestASearchShowsNamesAsTextAndLeavesHiddenWorkflowsOut(t *testing.T) {
	w := newWorld(t)
	own := w.places["own"]
	in := "/projects/" + strconv.FormatInt(own.ids["project"], 10)
	name := `<img src=x onerror=alert(1)> 100%_'`
	w.must(t, "owner", "PUT", in+"/workflow-definition/"+strconv.FormatInt(own.ids["idle"], 10), "name", name, "description", "",
		"taskDefinitionJson", dagTasks(own.ids["idletask"], own.ids["idletask2"]), "taskRelationJson", dagRelations(own.ids["idletask"], own.ids["idletask2"]))
	html := w.found(t, "owner", "100%_")
	require.Contains(t, html, "onerror")
	require.NotContains(t, html, "<img")
	require.NotContains(t, w.found(t, "owner", "100x"), "onerror", "signs of patterns are signs")

	idle := strconv.FormatInt(own.ids["idle"], 10)
	p := access.Policy{
		Subject: access.UserSubject(w.people["reader"].id), Permission: workflow.Read, Project: own.ids["project"], Workflow: own.ids["idle"],
		Effect: access.EffectDeny,
	}
	at := time.Now()
	_, err := w.c.db.Exec(t.Context(), `INSERT INTO policy_rule (subject, permission, project_code, workflow_code, effect, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, p.Subject, string(p.Permission), p.Project, p.Workflow, string(p.Effect), at, at)
	require.NoError(t, err)
	require.NoError(t, w.m.access.Refresh(t.Context()))
	require.NotContains(t, w.found(t, "reader", "100%"), idle, "a policy hides it")
	require.Contains(t, w.found(t, "writer", "100%"), idle)
}

// open loads a page as a browser does.
func (w *world) open(t *testing.T, who, address string) int {
	t.Helper()
	return w.visit(httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil), who).Status
}

// offered are the addresses that the box in the head offers, in their order.
func (w *world) offered(t *testing.T, who, text string) (urls []string) {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(w.found(t, who, text)))
	require.NoError(t, err)
	doc.Find("[data-test='jump.hit']").Each(func(_ int, a *goquery.Selection) { urls = append(urls, a.AttrOr("href", "")) })
	return urls
}

func TestWhatOneOpenedIsOfferedToNobodyElseAndOnlyWhileOneMaySeeIt(t *testing.T) {
	w := newWorld(t)
	own := w.places["own"]
	code := func(what string) string { return strconv.FormatInt(own.ids[what], 10) }
	in := "/projects/" + code("project")
	flow, idle, run := in+"/workflows/"+code("workflow"), in+"/workflows/"+code("idle"), in+"/instances/"+code("instance")
	folder := resource.Address("", resource.Ref{Tenant: "default", Path: "etl/jobs"})
	w.must(t, "admin", "POST", "/resources/directory", "type", "FILE", "name", "jobs", "currentDir", "file:etl/")

	require.Equal(t, http.StatusOK, w.open(t, "reader", flow))
	require.Equal(t, http.StatusOK, w.open(t, "reader", run))
	require.Equal(t, http.StatusOK, w.open(t, "reader", idle))
	require.Equal(t, http.StatusOK, w.open(t, "reader", in))
	require.Equal(t, http.StatusOK, w.open(t, "reader", flow+"?task="+code("task")), "again: it is the latest")
	require.Equal(t, []string{flow, in, idle, run}, w.offered(t, "reader", ""), "an empty box offers what was opened, the latest first")
	require.Equal(t, []string{flow, idle}, w.offered(t, "reader", "own-")[:2])
	require.Equal(t, []string{in, flow}, w.offered(t, "reader", "own")[:2], "among what was opened the best name leads")
	require.Equal(t, []string{idle}, w.offered(t, "reader", "own-idle"), "nothing is offered twice")

	// What was not shown was not opened.
	require.Equal(t, http.StatusNotFound, w.open(t, "reader", in+"/workflows/4711"))
	require.NotEqual(t, http.StatusOK, w.open(t, "reader", "/projects/"+strconv.FormatInt(w.places["other"].ids["project"], 10)))
	require.NotEqual(t, http.StatusOK, w.open(t, "stranger", flow))
	part := httptest.NewRequestWithContext(t.Context(), http.MethodGet, run, nil)
	part.Header.Set("HX-Request", "true")
	part.Header.Set("HX-Request-Type", "partial")
	require.Equal(t, http.StatusOK, w.visit(part, "reader").Status)
	require.Equal(t, []string{flow, in, idle, run}, w.offered(t, "reader", ""), "a part of a page that renews itself is no visit")

	// Whoever else signs in at the same browser has a list of his own.
	for _, who := range []string{"owner", "admin", "stranger"} {
		urls := w.offered(t, who, "")
		require.NotEqual(t, []string{flow, in, idle, run}, urls)
		require.NotContains(t, w.found(t, who, ""), "Opened lately", who)
	}
	require.Equal(t, http.StatusOK, w.open(t, "admin", folder))
	require.Equal(t, http.StatusOK, w.open(t, "admin", "/security/users/"+strconv.FormatInt(w.people["reader"].id, 10)))
	require.Equal(t, []string{"/security/users/" + strconv.FormatInt(w.people["reader"].id, 10), folder}, w.offered(t, "admin", ""))
	require.Equal(t, []string{flow, in, idle, run}, w.offered(t, "reader", ""))

	// The page of results shows the same without a script.
	page := w.visit(httptest.NewRequestWithContext(t.Context(), http.MethodGet, search.Path, nil), "reader")
	require.Contains(t, page.body, `href="`+flow+`" class="hit"`)
	require.NotContains(t, page.body, folder)

	// What is renamed has its new name, what is deleted is gone, and so is what a right was taken from.
	w.must(t, "owner", "PUT", in+"/workflow-definition/"+code("idle"), "name", "闲置流程", "description", "",
		"taskDefinitionJson", dagTasks(own.ids["idletask"], own.ids["idletask2"]), "taskRelationJson", dagRelations(own.ids["idletask"], own.ids["idletask2"]))
	require.Equal(t, idle, w.offered(t, "reader", "xzlc")[0])
	w.must(t, "owner", "DELETE", in+"/workflow-definition/"+code("idle"))
	require.Equal(t, []string{flow, in, run}, w.offered(t, "reader", ""))
	require.NoError(t, w.m.project.RemoveMember(access.WithPrincipal(t.Context(), access.System()), own.ids["project"], w.people["reader"].id))
	require.NoError(t, w.m.access.Refresh(t.Context()))
	require.NotContains(t, w.found(t, "reader", ""), in)
	require.NotContains(t, w.found(t, "reader", "own"), in)
}

func TestLettersFindOnlyNamesInCharactersThatOneMaySee(t *testing.T) {
	w := newWorld(t)
	own := w.places["own"]
	in := "/projects/" + strconv.FormatInt(own.ids["project"], 10)
	w.must(t, "owner", "PUT", in+"/workflow-definition/"+strconv.FormatInt(own.ids["idle"], 10), "name", "重庆订单", "description", "",
		"taskDefinitionJson", strings.ReplaceAll(dagTasks(own.ids["idletask"], own.ids["idletask2"]), `"first"`, `"清洗数据"`),
		"taskRelationJson", dagRelations(own.ids["idletask"], own.ids["idletask2"]))
	w.must(t, "owner", "POST", in+"/workflow-definition/"+strconv.FormatInt(own.ids["idle"], 10)+"/release", "releaseState", "ONLINE")
	w.must(t, "owner", "POST", "/projects", "projectName", "银行对账")
	w.must(t, "admin", "POST", "/resources/directory", "type", "FILE", "name", "绿色通道", "currentDir", "file:etl/")
	flow := in + "/workflows/" + strconv.FormatInt(own.ids["idle"], 10)

	for _, text := range []string{"chongqing", "cqdd", "zhongqdd", "dingd"} {
		require.Contains(t, w.offered(t, "reader", text), flow, text)
		require.NotContains(t, w.offered(t, "stranger", text), flow, text)
		require.NotContains(t, w.offered(t, "boss", text), flow, text)
	}
	require.Contains(t, w.offered(t, "reader", "qingxi"), flow+"?task="+strconv.FormatInt(own.ids["idletask"], 10))
	require.NotContains(t, w.found(t, "boss", "qingxi"), "清洗数据")
	require.Contains(t, w.offered(t, "operator", "run cqdd"), flow+"/run")
	require.NotContains(t, w.offered(t, "reader", "run cqdd"), flow+"/run")
	require.Contains(t, w.found(t, "owner", "yinhang"), "银行对账")
	require.NotContains(t, w.found(t, "reader", "yinhang"), "银行对账")
	require.Contains(t, w.found(t, "admin", "lvse"), "绿色通道")

	pages := func(who, text string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, search.Path+"/options?q="+text, nil)
		r.AddCookie(&http.Cookie{Name: "language", Value: "zh_CN"})
		return w.visit(r, who).body
	}
	require.Contains(t, pages("admin", "zuhu"), "/security/tenants", "租户管理")
	require.Contains(t, pages("owner", "xm"), `href="/projects"`, "项目")
	require.NotContains(t, pages("owner", "zuhu"), "/security/tenants")
}
