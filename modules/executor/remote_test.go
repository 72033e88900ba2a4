package executor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// driving is a catalogue whose one type drives remote work by its script.
func driving(cancel string) catalogFunc {
	schema := form.Schema{{Name: "rawScript", Type: form.Code, Label: "x", Required: true}, task.Resources(), task.Parameters()}
	return func(kind string) (task.Plugin, bool) {
		return task.Plugin{Type: kind, Schema: schema, Process: func(v form.Values, _ task.Env) (task.Command, error) {
			return task.Command{
				Interpreter: []string{"bash", "sh"}, Shell: true, Script: v.Text("rawScript"),
				Files:  []task.File{{Name: "job.sql", Text: "select 1"}},
				Remote: &task.Remote{Pattern: `application_\d+_\d+`, Cancel: cancel},
			}, nil
		}}, true
	}
}

func TestRemoteWorkIsKnownWhileItRunsAndEndedWithItsTask(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	out := filepath.Join(t.TempDir(), "killed")
	startWith(t, testConfig(t), driving(`echo ending $DORADO_REMOTE_IDS with $TOKEN; echo "$DORADO_REMOTE_IDS" > `+out), m)
	job := newTask("DRIVE", map[string]any{"rawScript": "cat job.sql; stat -c %a job.sql; echo submitted application_1_2; echo again application_1_2 application_1_3; sleep 300"})
	job.Environment = "export TOKEN=of-the-environment"
	m.dispatch(job)
	m.until("the master hears of the application", func() bool {
		for _, r := range m.reports {
			if r.GetKind() == doradov1.ReportKind_STARTED && r.GetAppLink() == "application_1_2,application_1_3" {
				return true
			}
		}
		return false
	})
	m.kill(job.GetId())
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, r.GetOutcome())
	require.Equal(t, "application_1_2,application_1_3", r.GetAppLink())
	killed, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "application_1_2 application_1_3\n", string(killed))
	log, err := os.ReadFile(r.GetLogPath())
	require.NoError(t, err)
	require.Contains(t, string(log), "select 1600\n", "files of the command are there, for their owner alone")
	require.Contains(t, string(log), "ending application_1_2 application_1_3 with of-the-environment")
}

func TestRemoteWorkOfATaskThatEndsByItselfIsLeftAlone(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWith(t, testConfig(t), driving("echo ending"), m)
	r, log := m.run(newTask("DRIVE", map[string]any{"rawScript": "echo application_7_8; exit 3"}))
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Equal(t, "application_7_8", r.GetAppLink())
	require.NotContains(t, log, "ending")
}

func TestRemoteWorkThatCannotBeEndedIsSaid(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWith(t, testConfig(t), driving("echo no such program >&2; exit 127"), m)
	job := newTask("DRIVE", map[string]any{"rawScript": "echo application_7_8; sleep 300"})
	job.TimeoutMs = 400
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "application_7_8 could not be ended")
	require.Contains(t, log, "no such program")
}

func TestWorkInsideTheWorkerIsFoundAgainByItsNameAfterARestart(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	left := make(chan error, 1)
	cfg := testConfig(t)
	c := inside(func(ctx context.Context, _ form.Values, env task.Env) (task.Outcome, error) {
		if env.Link != "" {
			return task.Outcome{
				Out: map[string]string{}, Extra: []form.Param{{Prop: "found", Value: env.Link}},
				Alert: &task.Alert{Group: 4, Title: "done", Content: `[{"a":"hunter2"}]`},
			}, nil
		}
		if err := env.Keep("job_9"); err != nil {
			return task.Outcome{}, err
		}
		<-ctx.Done()
		left <- context.Cause(ctx)
		return task.Outcome{}, ctx.Err()
	})
	w := startWith(t, cfg, c, m)
	job := newTask("INSIDE", nil)
	m.dispatch(job)
	m.until("the master hears of the work", func() bool {
		for _, r := range m.reports {
			if r.GetId() == job.GetId() && r.GetAppLink() == "job_9" {
				return true
			}
		}
		return false
	})
	w.stop()
	require.ErrorIs(t, <-left, task.ErrLeave, "the work is to go on")
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_LOST, r.GetOutcome())
	require.Equal(t, "job_9", r.GetAppLink())

	startWith(t, cfg, c, m)
	next := newTask("INSIDE", nil)
	next.AppLink, next.Secrets = "job_9", []string{"hunter2"}
	m.hangUp()
	m.dispatch(next)
	r = m.finished(next.GetId())
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	require.Equal(t, "found", r.GetVarPool()[0].GetName())
	require.Equal(t, "job_9", r.GetVarPool()[0].GetValue())
	require.Equal(t, int64(4), r.GetAlert().GetGroup())
	require.NotContains(t, r.GetAlert().GetContent(), "hunter2", "secrets are masked in what people are told")
}

func TestDataSourcesReachThePluginWithTheirSecrets(t *testing.T) {
	t.Parallel()
	types, err := catalog.BuiltinDataSources()
	require.NoError(t, err)
	m := newScripted(t, "m")
	cfg := testConfig(t)
	startTuned(t, Deps{Config: cfg, Sources: types, Logger: slog.New(slog.DiscardHandler), Environ: []string{"PATH=" + cfg.Path}, Catalog: inside(
		func(_ context.Context, _ form.Values, env task.Env) (task.Outcome, error) {
			s, err := env.Source(3)
			if err != nil {
				return task.Outcome{}, err
			}
			if s.Plugin.Open == nil || s.Settings.Password.Reveal() != "hunter2" || s.Settings.Port != 5433 {
				return task.Outcome{}, errors.New("not as it was sent")
			}
			_, err = env.Source(4)
			return task.Outcome{}, err
		})}, nil, m)
	job := newTask("INSIDE", nil)
	job.Sources = []*doradov1.Source{{Id: 3, Name: "dwh", Type: "POSTGRESQL", Settings: []byte(`{"host":"db","port":"5433","database":"d","userName":"u","password":"hunter2"}`)}}
	r, _ := m.run(job)
	require.Equal(t, "data source 4 does not exist", r.GetMessage())
	for text, s := range map[string]*doradov1.Source{
		`knows no type "COBOL"`:         {Id: 3, Name: "dwh", Type: "COBOL", Settings: []byte(`{}`)},
		`its settings cannot be read`:   {Id: 3, Name: "dwh", Type: "POSTGRESQL", Settings: []byte(`{`)},
		`data source "dwh": bad parame`: {Id: 3, Name: "dwh", Type: "POSTGRESQL", Settings: []byte(`{"host":"a b"}`)},
	} {
		job := newTask("INSIDE", nil)
		job.Sources = []*doradov1.Source{s}
		r, _ := m.run(job)
		require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
		require.Contains(t, r.GetMessage(), text)
	}
}

func TestLookingForRemoteWorkIsBoundedAndNeedsWholeLines(t *testing.T) {
	t.Parallel()
	r, err := newRemote(&task.Remote{Pattern: `JobID (\w+)`})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	write := func(text string) {
		_, err := f.WriteString(text)
		require.NoError(t, err)
	}
	write("before JobID zero\n")
	from := int64(len("before JobID zero\n"))
	write("JobID ab")
	require.False(t, r.look(file, from), "the line is not whole yet")
	write("cd\nJobID ef JobID abcd\n")
	require.True(t, r.look(file, from))
	require.Equal(t, []string{"abcd", "ef"}, r.found)
	for range 3 * maxRemoteLine / 16 {
		write("0123456789abcdef")
	}
	write("\nJobID gh\n")
	require.True(t, r.look(file, from))
	require.Equal(t, "gh", r.found[2])
	start := time.Now()
	for i := range 2 * maxRemote {
		write("JobID j" + string(rune('a'+i%26)) + time.Duration(i).String() + "\n")
	}
	r.look(file, from)
	require.Len(t, r.found, maxRemote)
	require.Less(t, time.Since(start), 30*time.Second)
	_, err = newRemote(&task.Remote{Pattern: "("})
	require.Error(t, err)
}
