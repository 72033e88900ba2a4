package flinkstream_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	flinkstream "dorado/plugins/task/flink_stream"
)

// TestFlinkStreamItself submits a job without an end, takes a savepoint of it, loses the one that looks after it, finds it again
// and cancels it, when FLINK_HOME says where Flink is, a session cluster answers on this machine and its configuration names
// state.savepoints.dir; docs/extended-tests.md tells how to get that.
func TestFlinkStreamItself(t *testing.T) {
	t.Parallel()
	home := os.Getenv("FLINK_HOME")
	if _, err := os.Stat(filepath.Join(home, "bin", "flink")); home == "" || err != nil {
		t.Skip("FLINK_HOME names no Flink; see docs/extended-tests.md")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	values, problems := flinkstream.Plugin().Decode([]byte(`{"programType":"SQL","deployMode":"standalone","flinkVersion":">=1.13","rawScript":
		"CREATE TEMPORARY TABLE a (x BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');\nCREATE TEMPORARY TABLE b (x BIGINT) WITH ('connector' = 'blackhole');\nINSERT INTO b SELECT x FROM a;"}`))
	require.Empty(t, problems)
	// start runs the script of an attempt until it ends, or until ended.
	start := func(link string) (c task.Command, said func() string, end func(kill bool) error) {
		dir := t.TempDir()
		c, err := flinkstream.Plugin().Process(values, task.Env{WorkflowInstanceID: 1, TaskInstanceID: 2, Dir: dir, Link: link})
		require.NoError(t, err)
		for _, f := range c.Files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600))
		}
		log, err := os.Create(filepath.Join(dir, "log"))
		require.NoError(t, err)
		cmd := exec.CommandContext(ctx, "bash", "-c", c.Script)
		cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, log, log, append(os.Environ(), "DORADO_FOLLOW_SECONDS=1")
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = log.Close() })
		return c, func() string {
				raw, err := os.ReadFile(log.Name())
				require.NoError(t, err)
				return string(raw)
			}, func(kill bool) error {
				if kill {
					_ = cmd.Process.Kill()
				}
				return cmd.Wait()
			}
	}
	aside := func(script, id string) string {
		cmd := exec.CommandContext(ctx, "bash", "-c", script)
		cmd.Env = append(os.Environ(), "DORADO_REMOTE_IDS="+id)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	c, said, end := start("")
	job := ""
	require.Eventually(t, func() bool {
		if m := regexp.MustCompile(c.Remote.Pattern).FindStringSubmatch(said()); m != nil {
			job = m[1]
		}
		return job != ""
	}, 2*time.Minute, 200*time.Millisecond)
	running := func() bool {
		out, err := exec.CommandContext(ctx, filepath.Join(home, "bin", "flink"), "list", "-r").CombinedOutput()
		return err == nil && strings.Contains(string(out), job) && strings.Contains(string(out), "(RUNNING)")
	}
	require.Eventually(t, running, time.Minute, time.Second)
	saved := regexp.MustCompile(c.Remote.Saved).FindStringSubmatch(aside(c.Remote.Save, job))
	require.NotNil(t, saved)
	require.DirExists(t, strings.TrimPrefix(saved[1], "file:"))
	require.Error(t, end(true)) // the worker is lost
	require.True(t, running(), "the job goes on")

	_, said, end = start(job)
	require.Eventually(t, func() bool { return strings.Contains(said(), "JobID "+job) }, time.Minute, 100*time.Millisecond)
	time.Sleep(5 * time.Second)
	require.True(t, running(), "nobody ended it")
	aside(c.Remote.Cancel, job)
	require.Error(t, end(false))
	require.Contains(t, said(), job+" ended: CANCELED")
}
