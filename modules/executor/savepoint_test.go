package executor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// streaming is a catalogue whose one type drives a job without an end.
func streaming(cancel, save string) catalogFunc {
	schema := form.Schema{{Name: "rawScript", Type: form.Code, Label: "x", Required: true}, task.Resources(), task.Parameters()}
	return func(kind string) (task.Plugin, bool) {
		return task.Plugin{Type: kind, Schema: schema, Process: func(v form.Values, _ task.Env) (task.Command, error) {
			return task.Command{
				Interpreter: []string{"bash", "sh"}, Shell: true, Script: v.Text("rawScript"),
				Remote: &task.Remote{Pattern: `JobID (\w+)`, Cancel: cancel, Save: save, Saved: `Path: (\S+)`, Stays: true},
			}, nil
		}}, true
	}
}

// begins starts a job and waits until its name is known.
func begins(m *scripted, job *doradov1.Task) {
	m.dispatch(job)
	m.until("the master hears of the job", func() bool {
		for _, r := range m.reports {
			if r.GetId() == job.GetId() && r.GetAppLink() != "" {
				return true
			}
		}
		return false
	})
}

func savepointOf(id int64) *doradov1.LogRequest {
	return &doradov1.LogRequest{Want: &doradov1.LogRequest_Savepoint{Savepoint: &doradov1.SavepointRequest{Id: id}}}
}

func TestASavepointIsTakenWhileTheJobGoesOn(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWith(t, testConfig(t), streaming("echo ended", `for id in $DORADO_REMOTE_IDS; do echo "Path: /$TOKEN/$id"; done; echo hunter2`), m)
	job := newTask("STREAM", map[string]any{"rawScript": "echo JobID a1; echo JobID b2; sleep 300"})
	job.Environment, job.Secrets = "export TOKEN=of-the-environment", []string{"hunter2"}
	begins(m, job)
	r := one(t, m.ask(savepointOf(job.GetId())))
	require.Empty(t, r.GetError())
	require.Equal(t, []string{"/of-the-environment/a1", "/of-the-environment/b2"}, r.GetLines())
	require.Equal(t, "stream.not_held", one(t, m.ask(savepointOf(job.GetId()+99))).GetError())
	require.Zero(t, m.count(job.GetId(), doradov1.ReportKind_FINISHED))
	m.kill(job.GetId())
	end := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, end.GetOutcome())
	log, err := os.ReadFile(end.GetLogPath())
	require.NoError(t, err)
	require.Contains(t, string(log), "savepoint of a1,b2\nPath: /of-the-environment/a1\n")
	require.Contains(t, string(log), "ended")
	require.NotContains(t, string(log), "hunter2")
	require.Equal(t, "stream.not_held", one(t, m.ask(savepointOf(job.GetId()))).GetError())
}

func TestASavepointThatIsNotTakenSaysWhy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ script, save, key, says string }{
		"the program fails":          {"echo JobID a1; sleep 300", "echo no such job; exit 3", "stream.failed", "exit status 3\nno such job"},
		"it does not say where":      {"echo JobID a1; sleep 300", "echo done", "stream.failed", "done"},
		"the job has no name yet":    {"sleep 300", "echo Path: /a", "stream.early", ""},
		"the kind has no savepoints": {"echo JobID a1; sleep 300", "", "stream.none", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newScripted(t, "m")
			startWith(t, testConfig(t), streaming("true", tc.save), m)
			job := newTask("STREAM", map[string]any{"rawScript": tc.script})
			if tc.key == "stream.early" {
				m.dispatch(job)
				m.report(job.GetId(), doradov1.ReportKind_STARTED)
			} else {
				begins(m, job)
			}
			r := one(t, m.ask(savepointOf(job.GetId())))
			require.Equal(t, tc.key, r.GetError())
			if tc.says != "" {
				require.Equal(t, []string{tc.says}, r.GetLines())
			}
			m.kill(job.GetId())
			m.finished(job.GetId())
		})
	}
}

func TestOneSavepointAtATime(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	dir := t.TempDir()
	startWith(t, testConfig(t), streaming("true", "touch "+dir+"/asked; until [ -e "+dir+"/go ]; do sleep 0.05; done; echo Path: /a"), m)
	job := newTask("STREAM", map[string]any{"rawScript": "echo JobID a1; sleep 300"})
	begins(m, job)
	first := m.ask(savepointOf(job.GetId()))
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "asked")); return err == nil }, 30*time.Second, 5*time.Millisecond)
	require.Equal(t, "stream.busy", one(t, m.ask(savepointOf(job.GetId()))).GetError())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	require.Equal(t, []string{"/a"}, one(t, first).GetLines())
	m.kill(job.GetId())
	m.finished(job.GetId())
}

func TestAStreamGoesOnWhenItsWorkerIsStopped(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	out := filepath.Join(t.TempDir(), "cancelled")
	w := startWith(t, testConfig(t), streaming("echo > "+out, "echo Path: /a"), m)
	job := newTask("STREAM", map[string]any{"rawScript": "echo JobID a1; sleep 300"})
	begins(m, job)
	w.stop()
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_LOST, r.GetOutcome())
	require.Equal(t, "a1", r.GetAppLink(), "whoever gets the next attempt finds the job")
	require.NoFileExists(t, out)

	// The next attempt knows the job before it says anything, and whoever kills it ends the job.
	m.hangUp()
	startWith(t, testConfig(t), streaming("echo $DORADO_REMOTE_IDS > "+out, "echo Path: /$DORADO_REMOTE_IDS"), m)
	next := newTask("STREAM", map[string]any{"rawScript": "sleep 300"})
	next.AppLink = "a1"
	m.dispatch(next)
	require.Equal(t, "a1", m.report(next.GetId(), doradov1.ReportKind_STARTED).GetAppLink())
	require.Equal(t, []string{"/a1"}, one(t, m.ask(savepointOf(next.GetId()))).GetLines())
	m.kill(next.GetId())
	require.Equal(t, "a1", m.finished(next.GetId()).GetAppLink())
	require.FileExists(t, out)
}
