//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// A machine dies for good: its process is killed and its disk is gone. What its tasks wrote is still there, at every
// master, in the page, over REST, as a download, and searchable.
func TestALogOutlivesItsWorkerAndItsDisk(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	shared := filepath.Join(t.TempDir(), "shared")
	o := overPostgres(t)
	o.Masters, o.Workers = 2, 1
	o.Env = append(o.Env, "DORADO_STORAGE_TYPE=local", "DORADO_STORAGE_LOCAL_DIR="+shared)
	f := gather(t, o)
	admin, worker := f.admins[0], f.Workers[0]
	p := project(t, admin, "logs")
	w := harness.Workflow{Name: "talkative", Tasks: []harness.Task{
		{Name: "long", Script: "seq -f 'line number %g' 1 20000; echo 'an ERROR in the middle'; seq -f 'line number %g' 20001 30000"},
		{Name: "short", After: []string{"long"}, Script: "echo 十分短"},
	}}
	d, err := admin.Publish(ctx, p, w)
	require.NoError(t, err)
	id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := admin.Tasks(ctx, p, id)
	require.NoError(t, err)
	require.Len(t, tasks, 2)
	live := map[string]string{}
	for _, task := range tasks {
		live[task.Name], err = admin.DownloadLog(ctx, task.ID)
		require.NoError(t, err)
		require.Contains(t, live[task.Name], "exit code 0", "the last line is the worker's own")
	}
	require.Eventually(t, func() bool {
		stored, err := filepath.Glob(filepath.Join(shared, "logs/*/*/*/*/*.log"))
		return err == nil && len(stored) == 2
	}, time.Minute, 20*time.Millisecond, "logs are stored soon after their end")

	require.NoError(t, worker.Kill(ctx))
	require.NoError(t, os.RemoveAll(worker.Data))

	for i, master := range f.Masters {
		admin := f.admins[i]
		reader := visitor(t, master.URL)
		reader.signIn("admin", password)
		for _, task := range tasks {
			got, err := admin.DownloadLog(ctx, task.ID)
			require.NoError(t, err)
			require.Equal(t, live[task.Name], got, "the download is the same file")

			page := fmt.Sprintf("/projects/%d/task-instances/%d/log", p, task.ID)
			status, _, body := reader.send(http.MethodGet, page, nil)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, "log.stored", "the page says where the lines come from")
			require.Contains(t, body, worker.Name)
			if task.Name != "long" {
				require.Contains(t, body, "十分短")
				continue
			}
			part, err := admin.TaskLog(ctx, task.ID, 15_000, 3)
			require.NoError(t, err)
			require.Equal(t, 3, part.LineNum)
			require.Contains(t, live["long"], strings.ReplaceAll(part.Message, "\r\n", "\n"))

			status, _, body = reader.send(http.MethodGet, page+"/search?q=an+error+in&limit=10", nil)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, "an ERROR in the middle")
			status, _, body = reader.send(http.MethodGet, page+"/lines?from=-2&limit=2", nil)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, `"stored":true`)
			require.Contains(t, body, "exit code 0")
			status, _, body = reader.send(http.MethodGet, page+"/stream?from=30000", nil)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, "event: end", "a stored log is followed to its end")
		}
	}

	require.NoError(t, admin.DeleteInstance(ctx, p, id))
	require.Eventually(t, func() bool {
		left, err := os.ReadDir(filepath.Join(shared, "logs"))
		return os.IsNotExist(err) || err == nil && len(left) == 0
	}, time.Minute, 50*time.Millisecond, "the logs of a deleted run are deleted, too")
}

// Without a storage the answer says what is the matter, and a worker that comes back has its logs.
func TestALogThatOnlyItsWorkerHasIsReadableWhenThatIsBack(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	master, worker, err := harness.StartCluster(ctx, harness.Cluster{Binary: binary(t), Database: database(t), AdminPassword: password})
	require.NoError(t, err)
	t.Cleanup(func() { finish(t, worker); finish(t, master) })
	ready(t, master)
	admin := signIn(t, master.URL, "admin", password)
	p := project(t, admin, "logs")
	d, err := admin.Publish(ctx, p, harness.Workflow{Name: "one", Tasks: []harness.Task{{Name: "only", Script: "echo hello"}}})
	require.NoError(t, err)
	id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := admin.Tasks(ctx, p, id)
	require.NoError(t, err)

	require.NoError(t, worker.Kill(ctx))
	require.Eventually(t, func() bool {
		err = second(admin.TaskLog(ctx, tasks[0].ID, 0, 10))
		return err != nil && strings.Contains(err.Error(), "not connected")
	}, time.Minute, 50*time.Millisecond, "%v", err)
	require.Equal(t, 10103, harness.Code(err))

	require.NoError(t, worker.Restart(ctx))
	require.Eventually(t, func() bool {
		log, err := admin.TaskLog(ctx, tasks[0].ID, 0, 10)
		return err == nil && strings.Contains(log.Message, "hello")
	}, time.Minute, 50*time.Millisecond)
}
