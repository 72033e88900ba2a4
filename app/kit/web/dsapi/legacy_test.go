package dsapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/web/dsapi"
)

// echo answers with the parameters as the handler sees them, and with data that has renamed keys.
func echo(t *testing.T, method, target, body string, data any) (seen map[string]string, answer string, old bool) {
	t.Helper()
	api := dsapi.New(nil)
	seen = map[string]string{}
	handler := api.OK(dsapi.Internal, func(r *http.Request, p *dsapi.Params) (any, error) {
		for _, name := range []string{"workflowDefinitionCode", "workflowInstanceId", "workflowInstancePriority"} {
			if p.Has(name) {
				seen[name] = p.Text(name)
			}
		}
		old = dsapi.Legacy(r.Context())
		return data, nil
	})
	router := api.Router(func(next http.Handler) http.Handler { return next }, func(r chi.Router) {
		for _, path := range []string{
			"/projects/{project}/workflow-definition/query-workflow-definition-list", "/projects/{project}/workflow-instances/{id}/tasks",
			"/projects/{project}/executors/start-workflow-instance", "/projects/{project}/schedules", "/v2/schedules", "/tenants",
		} {
			r.HandleFunc(path, handler)
		}
	})
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("token", "x")
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, req)
	require.Equal(t, http.StatusOK, rec.Code, "%s %s", method, target)
	var envelope struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &envelope), rec.Body.String())
	return seen, string(envelope.Data), old
}

type task struct {
	Name       string `json:"name"`
	InstanceID int    `json:"workflowInstanceId"`
	Code       int    `json:"taskCode"`
	Definition any    `json:"workflowDefinition"`
}

func TestOldAddressesLeadToTodaysHandlersAndAnswerInOldWords(t *testing.T) {
	t.Parallel()
	rows := []task{{"a \"},[{ \\", 7, 1, nil}, {"é", 8, 2, nil}}
	_, answer, old := echo(t, "GET", "/projects/1/process-instances/5/tasks", "", rows)
	require.True(t, old)
	require.JSONEq(t, `[{"name":"a \"},[{ \\","processInstanceId":7,"taskCode":1,"processDefine":null},`+
		`{"name":"é","processInstanceId":8,"taskCode":2,"processDefine":null}]`, answer)
	for _, path := range []string{"/projects/1/process-definition/query-process-definition-list/", "/projects/1/executors/start-process-instance"} {
		_, answer, old = echo(t, "POST", path, "", map[string]any{"workflowDefinition": map[string]any{"isSubWorkflow": "NO"}})
		require.True(t, old)
		require.JSONEq(t, `{"processDefinition":{"isSubProcess":"NO"}}`, answer)
	}
}

func TestTodaysAddressesAnswerInTodaysWords(t *testing.T) {
	t.Parallel()
	_, answer, old := echo(t, "GET", "/projects/1/workflow-instances/5/tasks", "", task{Name: "a", InstanceID: 7})
	require.False(t, old)
	require.JSONEq(t, `{"name":"a","workflowInstanceId":7,"taskCode":0,"workflowDefinition":null}`, answer)
}

func TestAddressesThatWereNeverRenamedAnswerInBothWords(t *testing.T) {
	t.Parallel()
	data := []map[string]any{{"workflowDefinitionCode": 5}}
	_, answer, old := echo(t, "GET", "/projects/1/schedules", "", data)
	require.False(t, old)
	require.Equal(t, `[{"workflowDefinitionCode":5,"processDefinitionCode":5}]`, answer)
	_, answer, _ = echo(t, "GET", "/v2/schedules", "", data)
	require.Equal(t, `[{"workflowDefinitionCode":5}]`, answer, "version 2 knows today's words only")
}

func TestAKeyThatIsThereAlreadyIsNotWrittenTwice(t *testing.T) {
	t.Parallel()
	data := struct {
		Now int `json:"workflowInstanceId"`
		Old int `json:"processInstanceId"`
	}{1, 2}
	_, answer, _ := echo(t, "GET", "/projects/1/schedules", "", data)
	require.Equal(t, `{"workflowInstanceId":1,"processInstanceId":2}`, answer)
}

func TestParametersMayHaveEitherNameEverywhere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/tenants", "/projects/1/process-instances/5/tasks", "/projects/1/schedules"} {
		seen, _, _ := echo(t, "POST", path+"?processInstanceId=9", "processDefinitionCode=5&processInstancePriority=LOW", nil)
		require.Equal(t, map[string]string{"workflowDefinitionCode": "5", "workflowInstanceId": "9", "workflowInstancePriority": "LOW"}, seen)
	}
	seen, _, _ := echo(t, "POST", "/tenants", "processDefinitionCode=5&workflowDefinitionCode=6", nil)
	require.Equal(t, "6", seen["workflowDefinitionCode"], "today's name wins")
}

// FuzzWordsKeepEverythingElse: whatever an answer holds, only renamed keys change.
func FuzzWordsKeepEverythingElse(f *testing.F) {
	f.Add(`{"a":[1,2,{"workflowInstanceId":null}],"b":"\\\"}","":{}}`)
	f.Add(`[[],{},"",0,-1.5e3,true,null,[[{"isSubWorkflow":[]}]]]`)
	f.Fuzz(func(t *testing.T, text string) {
		var data any
		if json.Unmarshal([]byte(text), &data) != nil {
			return
		}
		_, answer, _ := echo(t, "GET", "/projects/1/process-instances/5/tasks", "", data)
		var got any
		require.NoError(t, json.Unmarshal([]byte(answer), &got), answer)
		require.Equal(t, shape(data), shape(got))
	})
}

// shape is a value without the keys of its objects, and how many each has, unless one of them was renamed.
func shape(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, shape(item))
		}
		return out
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		for _, key := range keys {
			if strings.Contains(strings.ToLower(key), "workflow") || strings.Contains(key, "rocess") {
				return "renamed"
			}
		}
		out := map[string]any{}
		for _, key := range keys {
			out[key] = shape(v[key])
		}
		return out
	default:
		return v
	}
}

func TestStrictClientsOf320GetTheKeysTheyKnow(t *testing.T) {
	t.Parallel()
	page := dsapi.Page([]map[string]any{{"executionType": "PARALLEL", "schedule": nil, "workflowDefinitionCode": 7}}, 1, 2, 10)
	handler := func(api *dsapi.API) http.Handler {
		return api.Router(func(next http.Handler) http.Handler { return next }, func(r chi.Router) {
			r.Get("/projects/{project}/workflow-definition", api.OK(dsapi.Internal, func(*http.Request, *dsapi.Params) (any, error) { return page, nil }))
			r.Get("/tenants", api.OK(dsapi.Internal, func(*http.Request, *dsapi.Params) (any, error) { return page, nil }))
		})
	}
	for path, want := range map[string][2]string{
		"/projects/1/process-definition": {
			`{"totalList":[{"executionType":"PARALLEL","processDefinitionCode":7}],"total":1,"totalPage":1,"pageSize":10,"currentPage":2,"start":10}`,
			`{"totalList":[{"executionType":"PARALLEL","schedule":null,"processDefinitionCode":7}],"total":1,"totalPage":1,"pageSize":10,"currentPage":2,"pageNo":10}`,
		},
		"/tenants": {
			`{"totalList":[{"executionType":"PARALLEL","schedule":null,"workflowDefinitionCode":7}],"total":1,"totalPage":1,"pageSize":10,"currentPage":2,"start":10}`,
			`{"totalList":[{"executionType":"PARALLEL","schedule":null,"workflowDefinitionCode":7}],"total":1,"totalPage":1,"pageSize":10,"currentPage":2,"pageNo":10}`,
		},
	} {
		for i, api := range []*dsapi.API{dsapi.New(nil).Exact32(), dsapi.New(nil)} {
			rec := httptest.NewRecorder()
			handler(api).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, http.NoBody))
			var envelope struct{ Data json.RawMessage }
			require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &envelope))
			require.Equal(t, want[i], string(envelope.Data), path)
		}
	}
}
