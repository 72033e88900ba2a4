package apidocs_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/web/dsapi/describe"
	"dorado/app/kit/web/webtest"
	"dorado/modules/apidocs"
	"dorado/modules/frame"
)

// open is the module with some endpoints served, and a browser for its pages and documents.
func open(t *testing.T) (pages, documents *webtest.Browser) {
	t.Helper()
	table, err := describe.Load()
	require.NoError(t, err)
	site := webtest.Site(t)
	m := apidocs.New(apidocs.Deps{Table: table, Site: site, Frame: frame.New(), Version: "1.2.3", Base: "/dolphinscheduler"})
	m.SetServed(map[string]bool{
		"GET /tenants": true, "POST /tenants": true, "DELETE /tenants/{}": true, "GET /v2/queues": true, "POST /login": true, "POST /projects/{}/workflow-definition/import": true,
	})
	return webtest.Start(t, site, m.Routes), webtest.Start(t, site, m.Documents)
}

func TestTheListHoldsWhatIsServedAndNothingElse(t *testing.T) {
	t.Parallel()
	b, _ := open(t)
	page := b.Get(apidocs.Path).Require(http.StatusOK)
	require.Equal(t, 6, page.Count("[data-test='apidocs.endpoint']"))
	require.Contains(t, page.Text("main"), "/tenants/{id}")
	require.NotContains(t, page.Text("main"), "/alert-groups")
	require.Regexp(t, `\p{Han}`, b.In("zh-CN").Get(apidocs.Path).Text("main h1"))

	found := b.Get(apidocs.Path + "?q=tenant+delete").Require(http.StatusOK)
	require.Equal(t, []string{"/tenants/{id}"}, found.Texts("[data-test='apidocs.endpoint']"))
	require.Equal(t, 1, b.Get(apidocs.Path+"?q=process-definition").Count("[data-test='apidocs.endpoint']"), "the older address is found, too")
	require.Equal(t, 1, b.Get(apidocs.Path+"?tag=v2-queues").Count("[data-test='apidocs.endpoint']"))
	require.Zero(t, b.Get(apidocs.Path+"?q=<script>").Require(http.StatusOK).Count("[data-test='apidocs.endpoint']"))
}

func TestThePageOfAnEndpointSaysHowToCallIt(t *testing.T) {
	t.Parallel()
	b, _ := open(t)
	page := b.Get(apidocs.Path + "/postTenants").Require(http.StatusOK)
	require.Contains(t, page.Text("#api-curl"), "--data-urlencode 'tenantCode=text'")
	require.Contains(t, page.Text("#api-curl"), "$TOKEN")
	require.Contains(t, page.Text("#api-example"), `"tenantCode"`)
	require.Contains(t, page.Text("main"), "Administrators")
	require.True(t, page.Has(`#api-try [name="tenantCode"][required]`))
	require.Equal(t, "/dolphinscheduler/tenants", page.Attr("#api-try", "data-path"))
	require.NotContains(t, b.Get(apidocs.Path+"/postLogin").Text("#api-curl"), "TOKEN", "nobody has one yet")
	upload := b.Get(apidocs.Path + "/postProjectsByProjectCodeWorkflowDefinitionImport").Require(http.StatusOK)
	require.True(t, upload.Has(`#api-try input[type="file"]`))
	require.Contains(t, upload.Text("main"), "/projects/{projectCode}/process-definition/import")
	b.Get(apidocs.Path + "/getNothing").Require(http.StatusNotFound)
	b.Get(apidocs.Path + "/getAlertGroups").Require(http.StatusNotFound)
}

func TestDocumentsAreWhereClientsLookForThem(t *testing.T) {
	t.Parallel()
	_, b := open(t)
	var whole, one, two struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			Summary  string
			Security []any
		}
		Components struct {
			SecuritySchemes map[string]struct{ Name, In string }
		}
	}
	read := func(path string, into any) *webtest.Page {
		p := b.Get("/dolphinscheduler/v3/api-docs" + path).Require(http.StatusOK)
		require.Equal(t, "application/json", p.Header.Get("Content-Type"))
		require.NoError(t, json.Unmarshal([]byte(p.Body), into))
		return p
	}
	read("", &whole)
	read("/v1", &one)
	read("/v2", &two)
	require.True(t, strings.HasPrefix(whole.OpenAPI, "3.1"))
	require.Equal(t, "1.2.3", whole.Info.Version)
	require.Equal(t, "token", whole.Components.SecuritySchemes["token"].Name)
	require.Equal(t, "sessionId", whole.Components.SecuritySchemes["session"].Name)
	require.Contains(t, whole.Paths, "/v2/queues")
	require.Contains(t, whole.Paths, "/projects/{projectCode}/process-definition/import")
	require.NotContains(t, whole.Paths, "/alert-groups")
	require.NotContains(t, one.Paths, "/v2/queues")
	require.Len(t, two.Paths, 1)
	require.NotNil(t, whole.Paths["/login"]["post"].Security)
	require.Nil(t, whole.Paths["/tenants"]["get"].Security, "the rule for all holds")

	var chinese struct {
		Paths map[string]map[string]struct{ Summary string }
	}
	p := b.In("zh-CN").Get("/dolphinscheduler/v3/api-docs").Require(http.StatusOK)
	require.NoError(t, json.Unmarshal([]byte(p.Body), &chinese))
	require.Regexp(t, `\p{Han}`, chinese.Paths["/tenants"]["get"].Summary)
	for _, path := range []string{"/swagger-ui.html", "/swagger-ui/index.html", "/doc.html"} {
		require.Equal(t, apidocs.Path, b.Get("/dolphinscheduler"+path).Require(http.StatusFound).Header.Get("Location"))
	}
	require.Contains(t, b.Get("/dolphinscheduler/v3/api-docs/swagger-config").Require(http.StatusOK).Body, "/dolphinscheduler/v3/api-docs/v2")
}
