//go:build e2e

package e2e

import (
	"fmt"
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

// program is a copy of the product that a test may replace.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(open(t), "dorado")
	install(t, path, "")
	return path
}

// install puts a program where another one is, as a package manager does. What is appended makes it another file.
func install(t *testing.T, path, appended string) {
	t.Helper()
	text, err := os.ReadFile(binary(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path+".new", append(text, appended...), 0o755)) //nolint:gosec // a program
	require.NoError(t, os.Rename(path+".new", path))
}

// runs returns the file that a process runs, "" when there is none: for a moment, while one program takes the place of
// another.
func runs(pid int) string {
	path, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return path
}

// upgrade asks a worker to become what is installed by now.
func upgrade(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"worker", "upgrade"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// An operator installs a new program and has a busy worker become it: nothing is interrupted, nothing runs twice.
func TestAWorkerIsUpgradedInPlaceAndKeepsItsFiftyTasks(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, o harness.FleetOptions) {
		o.Masters, o.Workers = 2, 1
		path := program(t)
		o.Binary = path // masters, too: they do not mind
		f := gather(t, o)
		ctx := within(t, 4*time.Minute)
		admin, worker := f.admins[0], f.Workers[0]
		p := project(t, admin, "upgrade")
		dir := open(t)
		const tasks = 50
		w := harness.Workflow{Name: "busy"}
		for i := range tasks {
			w.Tasks = append(w.Tasks, harness.Task{
				Name:   fmt.Sprintf("t%d", i),
				Script: fmt.Sprintf("echo $$ >> %s/%d; while [ ! -e %s/go ]; do sleep 0.2; done", dir, i, dir),
			})
		}
		d, err := admin.Publish(ctx, p, w)
		require.NoError(t, err)
		id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		pids := map[int]string{}
		require.Eventually(t, func() bool {
			for i := range tasks {
				if text, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i))); err == nil && strings.HasSuffix(string(text), "\n") {
					pids[i] = string(text)
				}
			}
			return len(pids) == tasks
		}, time.Minute, 20*time.Millisecond)

		pid := worker.PID()
		install(t, path, "a newer one")
		require.Contains(t, runs(pid), "(deleted)")
		upgrade(t, path, "--data", worker.Data)
		require.Eventually(t, func() bool { return runs(pid) == path }, 30*time.Second, 10*time.Millisecond, "it runs the new file")
		require.Equal(t, pid, worker.PID())
		require.NoError(t, worker.WaitFit(ctx))
		time.Sleep(2 * sessions) // the registry forgets the program before meanwhile
		i, err := admin.Instance(ctx, p, id)
		require.NoError(t, err)
		require.Equal(t, "RUNNING_EXECUTION", i.State)

		require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
		_, err = admin.WaitInstance(ctx, p, id, 50*time.Millisecond, "SUCCESS")
		require.NoError(t, err)
		ended, err := admin.Tasks(ctx, p, id)
		require.NoError(t, err)
		require.Len(t, ended, tasks)
		for i := range tasks {
			text, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)))
			require.NoError(t, err)
			require.Equal(t, pids[i], string(text), "one process, the same as before")
		}
		for _, task := range ended {
			require.Equal(t, "SUCCESS", task.State)
			require.Zero(t, task.RetryTimes)
		}
		again, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		_, err = admin.WaitInstance(ctx, p, again, 50*time.Millisecond, "SUCCESS")
		require.NoError(t, err, "it takes new work")
	})
}

// Somebody installs something that is no worker: the one that runs stays.
func TestAProgramThatCannotTakeOverIsNotBegun(t *testing.T) {
	t.Parallel()
	o := overPostgres(t)
	o.Masters, o.Workers, o.Binary = 1, 1, program(t)
	f := gather(t, o)
	ctx := within(t, 2*time.Minute)
	worker := f.Workers[0]
	for says, script := range map[string]string{
		"cannot take over running tasks":  "#!/bin/sh\necho dorado 0.0.1\n",
		"does not like the configuration": "#!/bin/sh\n[ \"$1\" = version ] && echo handover 1 && exit 0\necho key worker.slots is gone; exit 2\n",
		"exec format error":               "nothing\n",
	} {
		require.NoError(t, os.WriteFile(o.Binary+".new", []byte(script), 0o755)) //nolint:gosec // a program
		require.NoError(t, os.Rename(o.Binary+".new", o.Binary))
		upgrade(t, binary(t), "--pid", strconv.Itoa(worker.PID()))
		require.Eventually(t, func() bool { return strings.Contains(worker.Log(), says) }, 30*time.Second, 20*time.Millisecond, says)
	}
	require.True(t, worker.Running())
	require.NoError(t, worker.WaitFit(ctx))
}
