//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

const schemathesisVersion = "4.32.5"

// installSchemathesis installs the program once; it stays in the cache folder of the tools.
func installSchemathesis(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("DORADO_TOOLS")
	if cache == "" {
		home, err := os.UserCacheDir()
		require.NoError(t, err)
		cache = filepath.Join(home, "dorado", "tools")
	}
	dir := filepath.Join(cache, "schemathesis-"+schemathesisVersion)
	program, done := filepath.Join(dir, "bin", "schemathesis"), filepath.Join(dir, "installed")
	installing.Lock()
	defer installing.Unlock()
	if _, err := os.Stat(done); err == nil {
		return program
	}
	require.NoError(t, os.RemoveAll(dir))
	ctx := within(t, 5*time.Minute)
	for _, line := range [][]string{
		{"python3", "-m", "venv", dir},
		{filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "schemathesis==" + schemathesisVersion},
	} {
		if out, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput(); err != nil {
			missing(t, fmt.Errorf("schemathesis cannot be installed: %w: %s", err, out))
		}
	}
	touch(t, done)
	return program
}

// endsSessions are calls after which the caller may be nobody, or his project gone. They are tried last, apart.
const endsSessions = `^/(signOut|access-tokens/\{id\}|users/(update|delete)|cookies|(v2/)?projects/\{code\})$`

// A tester throws everything at the interface that its description allows, and much that it does not: no answer is an
// internal error, each has a status and a form that the description names.
func TestTheInterfaceIsAsItsDescriptionSays(t *testing.T) {
	t.Parallel()
	program := installSchemathesis(t)
	s := standalone(t)
	ctx := within(t, 12*time.Minute)
	_, err := s.Admin.CreateUser(ctx, "erin", "erin-Passw0rd", -1)
	require.NoError(t, err)
	for range 12 { // ids that are guessed first belong to tokens that nobody needs
		require.NoError(t, s.Admin.UseToken(ctx))
	}
	erin := signIn(t, s.URL, "erin", "erin-Passw0rd")
	world := knownObjects(ctx, t, erin)
	for _, who := range []struct {
		name   string
		client *harness.Client
	}{{"admin", s.Admin}, {"user", erin}} {
		report := schemathesis(ctx, t, program, s.URL, who.client.Token, world, "--exclude-path-regex", endsSessions)
		t.Logf("%s: %s", who.name, report)
		_, err := who.client.Me(ctx)
		require.NoError(t, err, "the token still counts, so that the calls were those of the user")
	}
	require.NoError(t, s.Admin.Login(ctx, "admin", password))
	t.Logf("what ends sessions: %s", schemathesis(ctx, t, program, s.URL, s.Admin.Token, world, "--include-path-regex", endsSessions))
}

// knownObjects makes a project with a workflow that ran, and tells Schemathesis their codes: it would never guess them.
func knownObjects(ctx context.Context, t *testing.T, c *harness.Client) string {
	t.Helper()
	p, err := c.CreateProject(ctx, "etl", "")
	require.NoError(t, err)
	w, err := c.Publish(ctx, p.Code, harness.Workflow{Name: "daily", Tasks: []harness.Task{{Name: "a", Script: "echo a"}}})
	require.NoError(t, err)
	dag, err := c.Workflow(ctx, p.Code, w.Code)
	require.NoError(t, err)
	run, err := c.StartWorkflow(ctx, p.Code, w.Code, harness.StartOptions{})
	require.NoError(t, err)
	require.NoError(t, c.Call(ctx, "POST", "/projects/"+strconv.FormatInt(p.Code, 10)+"/schedules", url.Values{
		"workflowDefinitionCode": {strconv.FormatInt(w.Code, 10)},
		"schedule":               {`{"startTime":"2019-08-08 00:00:00","endTime":"2100-08-08 00:00:00","timezoneId":"UTC","crontab":"0 0 3 * * ? *"}`},
	}, nil))
	file := filepath.Join(t.TempDir(), "schemathesis.toml")
	text := fmt.Sprintf("[parameters]\n\"path.projectCode\" = %d\n\"query.pageNo\" = 1\n\"query.pageSize\" = 10\n", p.Code)
	for _, rule := range []struct {
		path, name string
		id         int64
	}{
		{"/(workflow|process)-definition/", "code", w.Code},
		{"/v2/workflows/", "code", w.Code},
		{"/(task-definition|v2/tasks)/", "code", dag.TaskDefinitionList[0].Code},
		{`^/(v2/)?projects/\{code\}`, "code", p.Code},
		{"/(workflow|process)-instances/|/task-instances/", "id", run},
		{"/schedules/", "id", 1},
	} {
		text += fmt.Sprintf("[[operations]]\ninclude-path-regex = %q\nparameters = { \"path.%s\" = %d }\n", rule.path, rule.name, rule.id)
	}
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// schemathesis runs the program and returns its figures. What it found is kept as an artefact and fails the test.
func schemathesis(ctx context.Context, t *testing.T, program, server, token, world string, args ...string) string {
	t.Helper()
	base := server + "/dolphinscheduler"
	// Invalid input is answered with HTTP 200 and a code, as DolphinScheduler does, so the checks that want 4xx are left out.
	// Its fuzzing phase needs minutes for each user: it is for releases. With several workers Python trips over itself (its parser is
	// not made for threads), and gains nothing.
	line := append([]string{
		"--config-file", world, "run", base + "/v3/api-docs", "--url", base, "--header", "token: " + token,
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
		"--phases", "coverage", "--workers", "1", "--generation-deterministic", "--no-color", "--suppress-health-check", "all", "--request-timeout", "30",
	}, args...)
	cmd := exec.CommandContext(ctx, program, line...)
	cmd.Dir = filepath.Dir(world)
	out, err := cmd.CombinedOutput()
	if dir := os.Getenv("DORADO_ARTIFACTS"); dir != "" {
		_ = os.WriteFile(filepath.Join(dir, "schemathesis-"+strings.TrimPrefix(token[:6], "-")+".log"), out, 0o600)
	}
	text := string(out)
	require.NoError(t, err, "%s", text[max(0, len(text)-12_000):])
	var figures []string
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "Selected:") || strings.Contains(l, " generated") {
			figures = append(figures, l)
		}
	}
	require.NotEmpty(t, figures, text)
	return strings.Join(figures, "; ")
}
