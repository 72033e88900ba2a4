package executor

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/task/datax/native"
)

// syncMain is what the command sync of the program does.
func syncMain(file string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	_, _ = fmt.Fprintln(os.Stdout, "arguments:", os.Args[1:])
	text, err := os.ReadFile(file)
	if err == nil {
		var job *native.Job
		if job, err = native.Parse(text); err == nil {
			_, err = native.Run(ctx, job, native.Options{Out: os.Stdout})
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, "failed:", err)
		return 1
	}
	return 0
}

func syncTask(rows, perSecond int) *doradov1.Task {
	return newTask("DATAX", map[string]any{"customConfig": 1, "json": fmt.Sprintf(`{"job":{"setting":{"speed":{"record":%d}},"content":[{
		"reader":{"name":"streamreader","parameter":{"password":"hunter2","sliceRecordCount":%d,"column":[{"value":"made up"}]}},
		"writer":{"name":"streamwriter","parameter":{"batchSize":10}}}]}}`, perSecond, rows)})
}

// The program of these tests lies in a folder that is closed to others, as that of `go run` does.
func TestADataXTaskNeedsNoDataX(t *testing.T) {
	t.Parallel()
	name := osUser(t)
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	for _, environment := range []string{"", "export A=1"} {
		job := syncTask(20, 0)
		job.Tenant, job.Environment = name, environment
		r, log := m.run(job)
		require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
		require.Equal(t, 20, strings.Count(log, "\nmade up"))
		require.Contains(t, log, "rows written   20\n")
		require.NotContains(t, log, "hunter2")
	}
	wrong := syncTask(20, 0)
	wrong.Params = []byte(strings.Replace(string(wrong.GetParams()), "streamreader", "hdfsreader", 1))
	r, log := m.run(wrong)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, log, `"hdfsreader" needs an installation of DataX`)
	noDirs(t, w.cfg.ExecDir)
}

func TestADataXTaskIsKilledAsAnyProcess(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	job := syncTask(1_000_000, 100)
	m.dispatch(job)
	m.report(job.GetId(), doradov1.ReportKind_STARTED)
	path := logPathOf(w.cfg.LogDir, job)
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(log), "made up")
	}, 20*time.Second, 10*time.Millisecond)
	m.kill(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, m.finished(job.GetId()).GetOutcome())
	noDirs(t, w.cfg.ExecDir)
}

func TestThroughSudoTheProgramIsFoundByItsPath(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	require.NoError(t, err)
	got, err := (&attempt{viaSudo: true}).itself()
	require.NoError(t, err)
	require.Equal(t, "DORADO_PROGRAM="+own, got)
	require.True(t, filepath.IsAbs(own))
}
