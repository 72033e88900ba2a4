//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"dorado/e2e/harness"
)

// An operator imports the dashboard and the alert rules: every metric they ask for is told by a process that ran something,
// and the run is told to her collector of traces.
func TestTheDashboardAndTheAlertRulesAskForMetricsThatExist(t *testing.T) {
	t.Parallel()
	traces := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { traces <- r.URL.Path }))
	t.Cleanup(collector.Close)
	s := standalone(t, "DORADO_TRACE_OTLP_ENDPOINT="+collector.URL)
	ctx := within(t, 2*time.Minute)
	p, err := s.Admin.CreateProject(ctx, "watched", "")
	require.NoError(t, err)
	d, err := s.Admin.Publish(ctx, p.Code, harness.Workflow{Name: "one", Tasks: []harness.Task{{Name: "say", Script: "echo parent=$TRACEPARENT"}}})
	require.NoError(t, err)
	id, err := s.Admin.StartWorkflow(ctx, p.Code, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = s.Admin.WaitInstance(ctx, p.Code, id, 100*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := s.Admin.Tasks(ctx, p.Code, id)
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	log, err := s.Admin.TaskLog(ctx, tasks[0].ID, 0, 1000)
	require.NoError(t, err)
	require.Regexp(t, `parent=00-[0-9a-f]{32}-[0-9a-f]{16}-01`, log.Message)
	select {
	case path := <-traces:
		require.Equal(t, "/v1/traces", path)
	case <-ctx.Done():
		require.Fail(t, "the run was not told to the collector")
	}

	r, err := s.Admin.Do(ctx, http.MethodGet, "/actuator/prometheus", nil)
	require.NoError(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	told := map[string]bool{}
	for line := range strings.Lines(string(body)) {
		if name := regexp.MustCompile(`^[a-z_0-9]+`).FindString(line); name != "" {
			told[name] = true
		}
	}
	require.Greater(t, len(told), 100)

	var dashboard struct {
		Title  string `json:"title"`
		Panels []struct {
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	raw, err := os.ReadFile("../docs/monitoring/grafana-dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &dashboard))
	require.Greater(t, len(dashboard.Panels), 20)
	for _, panel := range dashboard.Panels {
		if panel.Type == "row" {
			continue
		}
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			for _, name := range asked(t, target.Expr) {
				require.True(t, told[name], "panel %q asks for %s, which nobody tells", panel.Title, name)
			}
		}
	}

	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	raw, err = os.ReadFile("../docs/monitoring/alert-rules.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(raw, &rules))
	names := map[string]bool{}
	for _, g := range rules.Groups {
		for _, rule := range g.Rules {
			require.Regexp(t, `^Dorado[A-Z]\w+$`, rule.Alert)
			require.False(t, names[rule.Alert], "%s twice", rule.Alert)
			names[rule.Alert] = true
			_, err := time.ParseDuration(rule.For)
			require.NoError(t, err, rule.Alert)
			require.Contains(t, []string{"info", "warning", "critical"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["description"], rule.Alert)
			require.Regexp(t, `[<>]=?|==`, rule.Expr, "%s: a condition", rule.Alert)
			for _, name := range asked(t, rule.Expr) {
				require.True(t, told[name], "%s asks for %s, which nobody tells", rule.Alert, name)
			}
		}
	}
	require.Greater(t, len(names), 10)
}

// asked are the metrics of an expression of Prometheus.
func asked(t *testing.T, expr string) []string {
	t.Helper()
	require.Equal(t, strings.Count(expr, "("), strings.Count(expr, ")"), expr)
	require.Equal(t, strings.Count(expr, "{"), strings.Count(expr, "}"), expr)
	for _, part := range []string{`\{[^}]*\}`, `\[[^\]]*\]`, `\b(by|without|on|ignoring)\s*\([^)]*\)`} {
		expr = regexp.MustCompile(part).ReplaceAllString(expr, " ")
	}
	var names []string
	for _, m := range regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(\()?`).FindAllStringSubmatch(expr, -1) {
		if m[2] == "" && !slices.Contains([]string{"and", "or", "unless", "bool"}, m[1]) {
			names = append(names, m[1])
		}
	}
	require.NotEmpty(t, names, expr)
	return names
}
