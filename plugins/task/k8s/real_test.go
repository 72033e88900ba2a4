package k8s_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/k8s"
)

// command is a task that runs a script.
func command(script, more string) string {
	return fmt.Sprintf(`{"datasource":3,"image":"any","command":"[\"sh\",\"-c\"]","args":%q%s}`, "- "+fmt.Sprintf("%q", script), more)
}

// on runs a task on the real cluster.
func (r *rig) on(ctx context.Context, t *testing.T, id int64, raw string, change func(*task.Env)) (task.Outcome, *locked, error) {
	t.Helper()
	values, problems := k8s.Plugin().Decode([]byte(raw))
	require.Empty(t, problems)
	log := &locked{}
	env := task.Env{TaskInstanceID: id, WorkflowInstanceID: 2, TaskName: "Real", Log: log, Sources: source(t, r.kubeconfig())}
	if change != nil {
		change(&env)
	}
	out, err := k8s.Plugin().Run(ctx, values, env)
	return out, log, err
}

func TestARealClusterRunsTasks(t *testing.T) {
	r := newRig(t)
	newKubelet(t, r)

	t.Run("a good end", func(t *testing.T) {
		_, log, err := r.on(t.Context(), t, 1, command(`echo "#{setValue(a=$day)}"; echo "task $taskInstanceId"; echo last`,
			`,"minCpuCores":0.1,"minMemorySpace":64,"customizedLabels":[{"label":"team","value":"data"}],"nodeSelectors":[{"key":"gpu","operator":"DoesNotExist"}],
			"localParams":[{"prop":"day","direct":"IN","value":"x $HOME $(day)"}]`), nil)
		require.NoError(t, err, log.String())
		require.Contains(t, log.String(), "[K8S-pod-log] #{setValue(a=x $HOME $(day))}\n[K8S-pod-log] task 1\n[K8S-pod-log] last\n")
	})
	t.Run("a bad end", func(t *testing.T) {
		_, log, err := r.on(t.Context(), t, 2, command("echo no; exit 3", ""), nil)
		require.EqualError(t, err, "the Job real-2 failed: the container ended with exit code 3", log.String())
		require.Contains(t, log.String(), "[K8S-pod-log] no\n")
	})
	t.Run("a request that is refused", func(t *testing.T) {
		_, _, err := r.on(t.Context(), t, 3, command("true", `,"customizedLabels":[{"label":"not a label","value":""}]`), nil)
		require.ErrorContains(t, err, "create the Job real-3: the API server says 422: ")
	})
	t.Run("a name that is taken", func(t *testing.T) {
		_, log, err := r.on(t.Context(), t, 1, command("echo second", ""), nil)
		require.NoError(t, err, log.String())
		require.Contains(t, log.String(), "a Job called real-1 exists already: it is deleted\n")
		require.Contains(t, log.String(), "[K8S-pod-log] second\n")
		require.NotContains(t, log.String(), "last")
	})
	t.Run("a kill", func(t *testing.T) {
		marker := filepath.Join(t.TempDir(), "alive")
		ctx, cancel := context.WithCancelCause(t.Context())
		killed := errors.New("killed")
		go func() {
			for range 600 {
				if _, err := os.Stat(marker); err == nil {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			cancel(killed)
		}()
		_, log, err := r.on(ctx, t, 4, command("touch "+marker+"; sleep 1000", ""), nil)
		require.ErrorIs(t, err, killed, log.String())
		require.NotContains(t, r.jobs(), "real-4")
		require.Eventually(t, func() bool {
			var list struct{ Items []podSpec }
			return r.call(http.MethodGet, "/api/v1/namespaces/lab/pods?labelSelector=job-name=real-4", nil, &list) == nil && len(list.Items) == 0
		}, time.Minute, 100*time.Millisecond, "the pod goes with it")
	})
	t.Run("a worker that is lost, and an API server that restarts", func(t *testing.T) {
		gate := filepath.Join(t.TempDir(), "gate")
		lost, lose := context.WithCancel(t.Context())
		first := make(chan struct{})
		var link string
		sources := source(t, r.kubeconfig())
		script := fmt.Sprintf("echo one; while [ ! -e %s ]; do sleep 0.1; done; echo two; exit 0", gate)
		go func() { // its Job is not deleted: the machine is gone
			defer close(first)
			values, _ := k8s.Plugin().Decode([]byte(command(script, "")))
			_, _ = k8s.Plugin().Run(lost, values, task.Env{TaskInstanceID: 5, TaskName: "Real", Log: stopping{}, Sources: sources, Keep: func(l string) error {
				link = l
				return nil
			}})
		}()
		require.Eventually(t, func() bool { return strings.Contains(r.jobs(), "real-5") }, time.Minute, 50*time.Millisecond)
		go func() {
			time.Sleep(3 * time.Second)
			_ = r.server.Process.Kill()
			_ = r.server.Wait()
			time.Sleep(2 * time.Second)
			r.startServer()
			time.Sleep(2 * time.Second)
			_ = os.WriteFile(gate, nil, 0o600)
		}()
		_, log, err := r.on(t.Context(), t, 6, command("echo anew", ""), func(env *task.Env) { env.Link = "real-5" })
		require.NoError(t, err, log.String())
		require.Equal(t, 1, strings.Count(log.String(), "[K8S-pod-log] one\n"), log.String())
		require.Contains(t, log.String(), "[K8S-pod-log] two\n")
		require.Contains(t, log.String(), "reach the API server")
		require.NotContains(t, log.String(), "anew")
		lose()
		<-first
		require.Equal(t, "real-5", link)
	})
	t.Run("no node", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, log, err := r.on(ctx, t, 7, strings.Replace(command("true", ""), `"any"`, `"nowhere"`, 1), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded, log.String())
		require.NotContains(t, r.jobs(), "real-7")
	})
	t.Run("many lines", func(t *testing.T) {
		_, log, err := r.on(t.Context(), t, 8, command("seq 1 20000", ""), nil)
		require.NoError(t, err)
		require.Equal(t, 20000, strings.Count(log.String(), "[K8S-pod-log] "))
		require.Contains(t, log.String(), "[K8S-pod-log] 19999\n[K8S-pod-log] 20000\n")
	})
}

// stopping is a log that takes everything.
type stopping struct{}

func (stopping) Write(p []byte) (int, error) { return len(p), nil }
