//go:build e2e

package e2e

import (
	"bytes"
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

// A task hands a file and a folder on. The worker that ran it dies with its disk before the next task reads them; that one
// runs elsewhere and has both. A second run has its own, and deleting the run deletes what it handed on.
func TestFilesGoFromTaskToTaskAndOutliveTheirWorker(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	dir := open(t)
	shared := filepath.Join(t.TempDir(), "shared")
	o := overPostgres(t)
	o.Masters, o.Workers = 1, 2
	o.Env = append(o.Env, "DORADO_STORAGE_TYPE=local", "DORADO_STORAGE_LOCAL_DIR="+shared, "DORADO_MASTER_WORKER_GRACE=1s")
	f := gather(t, o)
	admin := f.admins[0]
	p := project(t, admin, "hand on")
	file := func(direct, name, value string) harness.Property {
		return harness.Property{Prop: name, Direct: direct, Type: "FILE", Value: value}
	}
	w := harness.Workflow{Name: "hands on", Tasks: []harness.Task{
		{
			Name: "make it", Params: []harness.Property{file("OUT", "text", "result.txt"), file("OUT", "folder", "out")},
			Script: "echo made by $DORADO_WORKER > result.txt; mkdir -p out/deep; seq 1 5000 > out/deep/numbers; echo 数据 > out/a.txt",
		},
		{Name: "wait", After: []string{"make it"}, Script: "touch " + dir + "/waiting; until test -e " + dir + "/go; do sleep 0.05; done"},
		{
			Name: "read in python", Type: "PYTHON", After: []string{"wait"},
			Params: []harness.Property{file("IN", "in/result.txt", "make it.text"), file("IN", "data", "make it.folder")},
			Script: "print('python:', open('in/result.txt').read().strip(), open('data/a.txt').read().strip(), len(open('data/deep/numbers').readlines()))",
		},
		{
			Name: "read in shell", After: []string{"read in python"}, Params: []harness.Property{file("IN", "all", "make it.folder")},
			Script: "echo shell: $(cat all/a.txt) $(wc -l < all/deep/numbers)",
		},
	}}
	d, err := admin.Publish(ctx, p, w)
	require.NoError(t, err)
	id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "waiting"))
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	tasks, err := admin.Tasks(ctx, p, id)
	require.NoError(t, err)
	maker := ""
	for _, task := range tasks {
		if task.Name == "make it" {
			log, err := admin.DownloadLog(ctx, task.ID)
			require.NoError(t, err)
			require.Contains(t, log, "handed on out as DATA_TRANSFER/")
			for i, worker := range f.Workers {
				if strings.Contains(log, "worker "+worker.Name) {
					maker = worker.Name
					require.NoError(t, f.Workers[i].Kill(ctx))
					require.NoError(t, os.RemoveAll(worker.Data))
				}
			}
		}
	}
	require.NotEmpty(t, maker)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	said := func() (all string) {
		tasks, err := admin.Tasks(ctx, p, id)
		require.NoError(t, err)
		for _, task := range tasks {
			if strings.HasPrefix(task.Name, "read") {
				log, err := admin.DownloadLog(ctx, task.ID)
				require.NoError(t, err)
				all += log
			}
		}
		return all
	}
	require.Contains(t, said(), "python: made by "+maker+" 数据 5000\n")
	require.Contains(t, said(), "shell: 数据 5000\n")

	require.NoError(t, admin.Execute(ctx, p, id, "REPEAT_RUNNING"))
	require.Eventually(t, func() bool {
		i, err := admin.Instance(ctx, p, id)
		return err == nil && i.State == "SUCCESS" && i.RunTimes == 2
	}, time.Minute, 50*time.Millisecond)
	require.NotContains(t, said(), "made by "+maker)

	packs := func() []string {
		all, err := filepath.Glob(filepath.Join(shared, "DATA_TRANSFER/*/*/*/*_ds_pack.zip"))
		require.NoError(t, err)
		return all
	}
	require.Len(t, packs(), 2)
	require.NoError(t, admin.DeleteInstance(ctx, p, id))
	require.Eventually(t, func() bool { return len(packs()) == 0 }, time.Minute, 50*time.Millisecond)

	w.Name, w.Tasks = "misses", w.Tasks[3:]
	w.Tasks[0].After = nil
	d, err = admin.Publish(ctx, p, w)
	require.NoError(t, err)
	id, err = admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "FAILURE")
	require.NoError(t, err)
	tasks, err = admin.Tasks(ctx, p, id)
	require.NoError(t, err)
	require.Equal(t, "FAILURE", tasks[0].State)
}

// A large file was half sent when the page was closed: chosen again, only the rest is sent. Then a search finds it by its
// name and others by what is in them.
func TestAHalfUploadGoesOnAndASearchLooksIntoFiles(t *testing.T) {
	t.Parallel()
	looks := browser.Looks()
	looks = append(looks, browser.Look{Language: "en", Width: 360, Height: 800})
	for _, look := range looks {
		name := look.String()
		if look.Width > 0 {
			name += "-narrow"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := standalone(t)
			dir := t.TempDir()
			const size, sent = 20 << 20, 16 << 20
			large, script := filepath.Join(dir, "model-orders.bin"), filepath.Join(dir, "load.sh")
			require.NoError(t, os.WriteFile(large, bytes.Repeat([]byte("b"), size), 0o600))
			require.NoError(t, os.Chtimes(large, time.UnixMilli(1_700_000_000_123), time.UnixMilli(1_700_000_000_123)))
			require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n# 每天加载订单\npsql -c 'insert into Orders select * from staging'\n"), 0o600))
			tab := chromium(t).Tab(t, s.URL, look)
			tab.SignIn("admin", password)
			tab.Goto("/resources/files")
			// What another page sent before, with letters by which it is known.
			tab.Wait("the first part", `(() => {
				window.sent ??= (async () => {
					const q = new URLSearchParams({tree: 'default', path: 'model-orders.bin', when: 'create', size: $1, modified: '1700000000123'});
					const u = await (await fetch('/resources/files/uploads?' + q, {method: 'POST', headers: {'Content-Type': 'application/octet-stream'}})).json();
					const p = await fetch('/resources/files/uploads?' + new URLSearchParams({id: u.id, offset: '0'}),
						{method: 'PUT', headers: {'Content-Type': 'application/octet-stream'}, body: 'a'.repeat($2)});
					window.received = (await p.json()).received;
				})();
				return window.received === $2;
			})()`, itoa(size), sent)
			tab.Goto("/resources/files")
			tab.Upload(browser.Test("files.pick"), large, script)
			tab.WaitText(browser.Test("files.table"), "model-orders.bin")
			tab.WaitText(browser.Test("files.table"), "load.sh")
			tab.Wait("the content of both", `(() => {
				window.held ??= fetch('/resources/files/download?tree=default&path=model-orders.bin').then((r) => r.text()).then((x) => { window.text = x; });
				return window.text?.length === $1 && window.text === 'a'.repeat($2) + 'b'.repeat($1 - $2);
			})()`, size, sent)
			tab.Screenshot("files-" + name + "-uploads")

			tab.Click(browser.Test("files.search_in"))
			tab.Fill(browser.Test("search.text"), "orders")
			tab.Click(browser.Test("search.go"))
			tab.WaitText(browser.Test("search.names"), "model-orders.bin")
			tab.WaitText(browser.Test("search.lines"), "insert into Orders")
			require.Empty(t, tab.Axe(axe))
			tab.Screenshot("files-" + name + "-search")
			tab.Click(browser.Test("search.open"), "load.sh")
			tab.WaitPath("path=load.sh")
		})
	}
}
