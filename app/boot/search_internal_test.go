package boot

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/access"
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
