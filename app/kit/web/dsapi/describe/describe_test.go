package describe_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/web/dsapi"
	"dorado/app/kit/web/dsapi/describe"
)

func load(t *testing.T) *describe.Table {
	t.Helper()
	table, err := describe.Load()
	require.NoError(t, err)
	return table
}

func TestEveryEndpointIsDescribedOnceAndInFull(t *testing.T) {
	t.Parallel()
	seen, ids := map[string]bool{}, map[string]bool{}
	for _, e := range load(t).Endpoints() {
		call := e.Method + " " + e.Path
		require.False(t, seen[e.Key()], "%s stands there twice", call)
		require.False(t, ids[e.ID()], "%s shares its id %s", call, e.ID())
		seen[e.Key()], ids[e.ID()] = true, true
		require.NotEmpty(t, e.English, call)
		require.Regexp(t, `\p{Han}`, e.Chinese, call)
		require.NotEmpty(t, e.Codes, call)
		inPath := map[string]bool{}
		for _, p := range e.Params {
			if p.In == describe.InPath {
				inPath[p.Name] = true
				require.Contains(t, e.Path, "{"+p.Name+"}", call)
			}
			if p.HasDefault {
				require.False(t, p.Required, "%s: %s has a default and need not be sent", call, p.Name)
			}
		}
		require.Len(t, inPath, strings.Count(e.Path, "{"), "%s names its variables", call)
	}
}

func TestAnOldAddressLeadsToItsEndpoint(t *testing.T) {
	t.Parallel()
	older := 0
	for _, e := range load(t).Endpoints() {
		if e.Older != "" {
			older++
			require.Equal(t, e.Path, dsapi.Today(e.Older))
		}
	}
	require.Greater(t, older, 40)
}

func TestTheDocumentIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	table := load(t)
	for name, keep := range map[string]func(describe.Endpoint) bool{
		"all": func(describe.Endpoint) bool { return true },
		"v2":  describe.Endpoint.V2,
	} {
		body, err := json.Marshal(table.Only(keep).OpenAPI(describe.Info{Title: "Dorado", Version: "1", Server: "/dolphinscheduler"}))
		require.NoError(t, err)
		document, err := openapi3.NewLoader().LoadFromData(body)
		require.NoError(t, err, name)
		require.NoError(t, document.Validate(t.Context()), name)
		operations := 0
		for _, item := range document.Paths.Map() {
			operations += len(item.Operations())
		}
		want := 0
		for _, e := range table.Only(keep).Endpoints() {
			want++
			if e.Older != "" {
				want++
			}
		}
		require.Equal(t, want, operations, name)
	}
}

func TestAnAnswerOfThreeTwoHasItsOldNames(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(load(t).OpenAPI(describe.Info{}))
	require.NoError(t, err)
	var d struct {
		Paths      map[string]map[string]struct{ Deprecated bool }
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal(body, &d))
	require.Contains(t, d.Components.Schemas["DagData"].Properties, "workflowDefinition")
	require.Contains(t, d.Components.Schemas["DagDataBefore33"].Properties, "processDefinition")
	require.True(t, d.Paths["/projects/{projectCode}/process-definition"]["get"].Deprecated)
	require.False(t, d.Paths["/projects/{projectCode}/workflow-definition"]["get"].Deprecated)
}

func TestExamplesAreJSON(t *testing.T) {
	t.Parallel()
	table := load(t)
	for _, e := range table.Endpoints() {
		for _, text := range []string{table.Example(e), table.BodyExample(e)} {
			require.True(t, text == "" || json.Valid([]byte(text)), "%s %s: %s", e.Method, e.Path, text)
		}
		require.True(t, strings.HasPrefix(table.Curl(e, "http://dorado.test"), "curl "), e.Path)
	}
}
