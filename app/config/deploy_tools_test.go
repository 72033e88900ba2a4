package config_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
)

// program finds a program that not every machine has; .ci/run installs it, so CI may not do without.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode()&0o111 != 0 {
			return file
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed; .ci/run should have done so", name)
	}
	t.Skipf("%s is not installed: apt-get install nginx-light systemd", name)
	return ""
}

func TestSystemdUnderstandsTheUnits(t *testing.T) {
	t.Parallel()
	analyze := program(t, "systemd-analyze")
	units, err := filepath.Glob(filepath.Join(deploy, "systemd", "*.service"))
	require.NoError(t, err)
	require.Len(t, units, 3)
	for _, unit := range units {
		raw, err := os.ReadFile(unit)
		require.NoError(t, err)
		// Where the test runs there is no such program.
		file := filepath.Join(t.TempDir(), filepath.Base(unit))
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(raw), "/usr/local/bin/dorado", "/bin/true")), 0o600))
		out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.NotContains(t, string(out), filepath.Base(unit), "a warning about a line of it")
		mode := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(unit), "dorado-"), ".service")
		require.Contains(t, string(raw), "ExecStart=/usr/local/bin/dorado "+mode+"\n")
		require.Contains(t, string(raw), "/etc/dorado/"+mode+".env")
		require.FileExists(t, filepath.Join(deploy, "systemd", mode+".env"))
	}
}

// recipe starts nginx with the recipe before a server, and returns its address.
func recipe(t *testing.T, backend string) string {
	t.Helper()
	nginx := program(t, "nginx")
	port, err := testkit.FreePort(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // its workers are another user when this one is root
	dorado := text(t, "nginx/dorado.conf")
	for _, name := range []string{"master1:12345", "master2:12345"} {
		require.Contains(t, dorado, name)
		dorado = strings.ReplaceAll(dorado, name, backend)
	}
	dorado = strings.ReplaceAll(dorado, "listen 80;", fmt.Sprintf("listen 127.0.0.1:%d;", port))
	temporary := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	main := fmt.Sprintf("daemon off;\nmaster_process off;\npid %[1]s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%[2]sinclude %[1]s/dorado.conf;\n}\n", dir, temporary)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(main), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dorado.conf"), []byte(dorado), 0o600))
	process := testkit.Start(t, exec.CommandContext(context.WithoutCancel(t.Context()), nginx, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")))
	address := "http://127.0.0.1:" + strconv.Itoa(port)
	testkit.Eventually(t, func() error {
		res, err := ask(t, address+"/")
		if err != nil {
			return errors.Join(err, errors.New(process.Output()))
		}
		return res.Body.Close()
	})
	return address
}

func ask(t *testing.T, address string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	return http.DefaultClient.Do(request)
}

func TestTheRecipeForNginxPassesEventsAtOnce(t *testing.T) {
	t.Parallel()
	program(t, "nginx")
	more := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/log/stream") {
			_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For")+" "+r.Header.Get("X-Forwarded-Proto")+" "+r.Host)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: first\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-more: // the reader has seen it
		case <-r.Context().Done():
			return
		}
		_, _ = io.WriteString(w, "data: second\n\n")
	}))
	t.Cleanup(backend.Close)
	address := recipe(t, strings.TrimPrefix(backend.URL, "http://"))

	res, err := ask(t, address+"/projects/1/task-instances/2/log/stream")
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	require.True(t, lines.Scan())
	require.Equal(t, "data: first", lines.Text(), "it came although the answer goes on")
	close(more)
	require.True(t, lines.Scan(), "the line between them")
	require.True(t, lines.Scan())
	require.Equal(t, "data: second", lines.Text())

	plain, err := ask(t, address+"/projects")
	require.NoError(t, err)
	defer func() { _ = plain.Body.Close() }()
	body, err := io.ReadAll(plain.Body)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1 http 127.0.0.1", string(body), "what the client claims to be is replaced")
}
