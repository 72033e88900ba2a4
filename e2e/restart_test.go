//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// An operator's machine loses the process again and again, at any moment. After each restart the run goes on by itself,
// ends in success, and no task that had finished runs a second time.
func TestTwentyKillsLoseNothingAndRepeatNoFinishedTask(t *testing.T) {
	t.Parallel()
	const kills, chains, length = 20, 10, 20
	s := standalone(t)
	ctx := within(t, 10*time.Minute)
	p := project(t, s.Admin, "killed")
	l := ledger{filepath.Join(open(t), "ledger")}
	w := harness.Workflow{Name: "two hundred"}
	for c := range chains {
		for i := range length {
			task := harness.Task{Name: fmt.Sprintf("c%d-%d", c, i)}
			task.Script = l.script(task.Name, "sleep 0.03")
			if i > 0 {
				task.After = []string{fmt.Sprintf("c%d-%d", c, i-1)}
			}
			w.Tasks = append(w.Tasks, task)
		}
	}
	d, err := s.Admin.Publish(ctx, p, w)
	require.NoError(t, err)

	repeated := 0
	for round := range kills {
		l.reset(t)
		id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		// Anywhere from right after the answer to shortly before the end of an undisturbed run.
		time.Sleep(time.Duration(rand.Int64N(int64(900 * time.Millisecond))))
		before, err := s.Admin.Tasks(ctx, p, id)
		require.NoError(t, err)
		require.NoError(t, s.Kill(ctx))
		require.NoError(t, s.Restart(ctx))
		ready(t, s.Process)
		_, err = s.Admin.WaitInstance(ctx, p, id, 10*time.Millisecond, "SUCCESS")
		require.NoError(t, err, "round %d", round)

		after, err := s.Admin.Tasks(ctx, p, id)
		require.NoError(t, err)
		require.Len(t, after, chains*length)
		started, ended := l.read(t)
		for _, task := range after {
			require.Equal(t, "SUCCESS", task.State, task.Name)
			require.Positive(t, ended[task.Name], "%s never ran to its end", task.Name)
			if started[task.Name] > 1 {
				repeated++
			}
		}
		for _, task := range before {
			if task.State == "SUCCESS" {
				require.Equal(t, 1, started[task.Name], "round %d: %s had finished before the kill", round, task.Name)
			}
		}
	}
	t.Logf("%d kills: %d tasks were running at a kill and ran again", kills, repeated)
	require.LessOrEqual(t, repeated, kills*chains, "only what was running may run again")
}

// The same run is killed several times: what one restart repaired, the next must not undo.
func TestOneRunSurvivesSeveralKills(t *testing.T) {
	t.Parallel()
	const length = 40
	s := standalone(t)
	ctx := within(t, 5*time.Minute)
	p := project(t, s.Admin, "killed")
	l := ledger{filepath.Join(open(t), "ledger")}
	l.reset(t)
	w := harness.Workflow{Name: "chain"}
	for i := range length {
		task := harness.Task{Name: fmt.Sprintf("t%d", i)}
		task.Script = l.script(task.Name, "sleep 0.05")
		if i > 0 {
			task.After = []string{fmt.Sprintf("t%d", i-1)}
		}
		w.Tasks = append(w.Tasks, task)
	}
	d, err := s.Admin.Publish(ctx, p, w)
	require.NoError(t, err)
	id, err := s.Admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	finished := map[string]int{} // how often each task had run when it was first seen to have succeeded
	for range 5 {
		time.Sleep(time.Duration(rand.Int64N(int64(400 * time.Millisecond))))
		tasks, err := s.Admin.Tasks(ctx, p, id)
		require.NoError(t, err)
		started, _ := l.read(t)
		for _, task := range tasks {
			if _, seen := finished[task.Name]; task.State == "SUCCESS" && !seen {
				finished[task.Name] = started[task.Name]
			}
		}
		require.NoError(t, s.Kill(ctx))
		require.NoError(t, s.Restart(ctx))
		ready(t, s.Process)
	}
	_, err = s.Admin.WaitInstance(ctx, p, id, 10*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	started, ended := l.read(t)
	require.Len(t, ended, length)
	for name, times := range finished {
		require.Equal(t, times, started[name], "%s had finished and ran again", name)
	}
}

// ledger is a file to which every task appends when it starts and when it ends.
type ledger struct{ path string }

func (l ledger) script(name, work string) string {
	return fmt.Sprintf("echo S %s >> %s\n%s\necho E %s >> %s", name, l.path, work, name, l.path)
}

func (l ledger) reset(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(l.path, nil, 0o666))
	require.NoError(t, os.Chmod(l.path, 0o666))
}

// read returns how often each task started and ended.
func (l ledger) read(t *testing.T) (started, ended map[string]int) {
	t.Helper()
	raw, err := os.ReadFile(l.path)
	require.NoError(t, err)
	started, ended = map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(raw)) {
		what, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		require.True(t, ok, "ledger line %q", line)
		if what == "S" {
			started[name]++
		} else {
			ended[name]++
		}
	}
	return started, ended
}
