package boot

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"dorado/modules/identity"
)

// readsByPost are calls that change nothing although their method is not GET.
func readsByPost() []string {
	return []string{
		"POST /login", "DELETE /cookies", // not done with the token
		"POST /access-tokens/generate", // makes up a text
		"POST /alert-groups/query", "POST /schedules/list", "POST /projects/{projectCode}/schedules/preview",
		"POST /projects/{projectCode}/executors/start-check", "POST /projects/{projectCode}/workflow-definition/transfer/preview",
		"POST /projects/{projectCode}/workflow-definition/batch-export", "POST /environment/verify-environment", "POST /queues/verify",
		"POST /cluster/verify-cluster", "POST /k8s-namespace/verify", "POST /datasources/connect", "POST /v2/queues/verify",
		"POST /projects/{projectCode}/schedules/list", "POST /projects/{projectCode}/lineages/tasks/verify-delete",
		"POST /v2/projects/{projectCode}/task-instances/{taskInstanceId}",
		"POST /projects/{projectCode}/workflow-definition/batch-move", // the matrix moves it to where it is
	}
}

// TestATokenThatMayOnlyReadChangesNothing calls every route of REST as an administrator whose token is limited to reading.
// What changes something must not succeed.
func TestATokenThatMayOnlyReadChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	overrides := map[string]override{}
	text, err := os.ReadFile("testdata/matrix.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &overrides))
	var token struct{ Token string }
	require.NoError(t, json.Unmarshal(w.must(t, "admin", "POST", "/access-tokens", "userId", strconv.Itoa(1),
		"expireTime", "2099-01-01 00:00:00", "scope", identity.ReadOnly().String()).Data, &token))
	w.people["limited"] = &person{name: "limited", id: 1, token: token.Token}

	there := served(w.m.rest())
	var wrong []string
	read := 0
	for _, e := range w.table.Endpoints() {
		route := e.Method + " " + e.Path
		if !there[e.Key()] || e.Who == "public" {
			continue
		}
		o := overrides[route]
		a := w.try(t, "limited", o, w.rest(t, e, o, w.places["own"], w.places["own"]))
		done := a.Code == 0 && a.Status < http.StatusBadRequest
		reads := e.Method == http.MethodGet && !strings.HasSuffix(e.Path, "/versions/{version}") || slices.Contains(readsByPost(), route) || strings.HasPrefix(e.Path, "/v2/") && (strings.HasSuffix(e.Path, "/query") || strings.HasSuffix(e.Path, "/filter"))
		if reads && done {
			read++
		}
		if !reads && done {
			wrong = append(wrong, route+": "+a.String())
		}
	}
	require.Greater(t, read, 60, "it does read")
	require.Empty(t, strings.Join(wrong, "\n"), "calls that a token of the scope %s may make", identity.ReadOnly())
}
