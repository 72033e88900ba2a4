//go:build e2e

package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// using is a workflow of one task that brings files with it.
func using(name, script string, files ...string) harness.Workflow {
	list := make([]map[string]string, len(files))
	for i, f := range files {
		list[i] = map[string]string{"resourceName": f}
	}
	return harness.Workflow{Name: name, Tasks: []harness.Task{{Name: "use", Settings: func(map[string]int64) map[string]any {
		return map[string]any{"rawScript": script, "localParams": []any{}, "resourceList": list}
	}}}}
}

// An analyst uploads a script in the browser, uses it in a task, changes it, and cannot delete it by mistake.
func TestAFileIsUploadedUsedAndGuarded(t *testing.T) {
	t.Parallel()
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			ctx := within(t, 2*time.Minute)
			dir := t.TempDir()
			script, table := filepath.Join(dir, "load.sh"), filepath.Join(dir, "数据.csv")
			require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho loaded $(wc -l < 数据.csv) lines\n"), 0o600))
			require.NoError(t, os.WriteFile(table, []byte("day,rows\n2026-01-01,7\n2026-01-02,9\n"), 0o600))

			tab := chromium(t).Tab(t, s.URL, look)
			tab.SignIn("admin", password)
			tab.Goto("/resources/files")
			tab.See(".empty")
			tab.Upload(browser.Test("files.pick"), script, table)
			tab.WaitText(browser.Test("files.table"), "load.sh")
			tab.WaitText(browser.Test("files.table"), "数据.csv")
			tab.Screenshot("files-" + look.String() + "-list")
			tab.Click(browser.Test("files.open"), "数据.csv")
			tab.WaitText(browser.Test("file.csv"), "2026-01-02")
			name := strings.TrimSpace(tab.Text(browser.Test("file.full_name")))
			require.Equal(t, "file:/dolphinscheduler/default/resources/数据.csv", name)
			tab.Screenshot("files-" + look.String() + "-file")

			p := project(t, s.Admin, "etl")
			d, err := s.Admin.Publish(ctx, p, using("load", "./load.sh", "file:/dolphinscheduler/default/resources/load.sh", name))
			require.NoError(t, err)
			id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
			require.NoError(t, err)
			_, err = s.Admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS", "FAILURE")
			require.NoError(t, err)
			tasks, err := s.Admin.Tasks(ctx, p, id)
			require.NoError(t, err)
			log, err := s.Admin.DownloadLog(ctx, tasks[0].ID)
			require.NoError(t, err)
			require.Contains(t, log, "\nloaded 3 lines\n")

			tab.Goto("/resources/files/show?tree=default&path=load.sh")
			tab.WaitText(browser.Test("file.uses"), "load")
			tab.Click(browser.Test("file.delete"))
			tab.Click("dialog " + browser.Test("form.submit"))
			tab.WaitText("dialog", "load.sh")
			tab.See("dialog [role=alert]")
			require.Empty(t, tab.Axe(axe))
		})
	}
}

// Masters and workers on machines of their own share files by the storage; a file that is replaced counts from the next run
// on, and one that is missing says so.
func TestFilesReachWorkersOfACluster(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	o := overPostgres(t)
	o.Masters, o.Workers = 2, 2
	o.Env = append(o.Env, "DORADO_STORAGE_TYPE=local", "DORADO_STORAGE_LOCAL_DIR="+filepath.Join(t.TempDir(), "shared"))
	f := gather(t, o)
	admin := f.admins[0]
	put := func(method, path string, form url.Values) {
		t.Helper()
		require.NoError(t, admin.Call(ctx, method, path, form, nil))
	}
	put(http.MethodPost, "/resources/online-create", url.Values{"type": {"FILE"}, "fileName": {"a"}, "suffix": {"txt"}, "content": {"first"}, "currentDir": {"/"}})
	p := project(t, admin, "files")
	d, err := admin.Publish(ctx, p, using("reads", "cat a.txt; echo", "a.txt"))
	require.NoError(t, err)
	run := func(state string) string {
		id, err := f.admins[1].StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, state)
		require.NoError(t, err)
		tasks, err := admin.Tasks(ctx, p, id)
		require.NoError(t, err)
		log, _ := admin.DownloadLog(ctx, tasks[0].ID)
		return log
	}
	require.Contains(t, run("SUCCESS"), "\nfirst\n")
	put(http.MethodPut, "/resources/update-content", url.Values{"fullName": {"a.txt"}, "content": {"second"}})
	require.Contains(t, run("SUCCESS"), "\nsecond\n")
	missing, err := admin.Publish(ctx, p, using("misses", "true", "nowhere.txt"))
	require.NoError(t, err)
	id, err := admin.StartWorkflow(ctx, p, missing.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "FAILURE")
	require.NoError(t, err)
}
