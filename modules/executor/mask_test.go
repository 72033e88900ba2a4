package executor

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// given makes a task that uses values as ${name}, all of them secret.
func given(job *doradov1.Task, values map[string]string) *doradov1.Task {
	for name, value := range values {
		job.Prepared = append(job.Prepared, &doradov1.Param{Name: name, Value: value, Type: "VARCHAR", Direct: "IN"})
		job.Secrets = append(job.Secrets, value)
	}
	return job
}

func TestSecretsOfATaskAreNotInItsLogNorInWhatItReports(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	const value = "s3cr3t-Hör&mir"
	job := given(newTask("SHELL", map[string]any{
		"rawScript": `v='${pw}'; echo "have $v."; echo "$v" >&2; printf '%s' "${v:0:5}"; sleep 0.2; printf '%s\n' "${v:5}"
printf '%s' "user:$v" | base64 -w0; echo
echo '${setValue(token='"$v"')}'; test ${#v} -eq 14 || test ${#v} -eq 15; echo plain; printf 'end %s' "${v:0:6}"`,
		"localParams": []map[string]string{{"prop": "token", "direct": "OUT", "type": "VARCHAR", "value": ""}},
	}), map[string]string{"pw": value})
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	for _, gone := range []string{value, "Hör", base64.StdEncoding.EncodeToString([]byte("user:" + value))[8:20]} {
		require.NotContains(t, log, gone)
	}
	require.Contains(t, log, "have ***.\n***\n***\n", "each on its line, also what came in two pieces")
	require.Contains(t, log, "plain\nend s3cr3t\n", "half a secret at the end is not held back for ever")
	require.Regexp(t, `exit code 0, \d\.\d+ s\n$`, log, "the last line is the worker's")
	require.Equal(t, "***", r.GetVarPool()[0].GetValue())

	bad := given(shellTask(`echo '$[${pw}]'`), map[string]string{"pw": value})
	r, log = m.run(bad)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.NotContains(t, r.GetMessage()+log, value)
	noDirs(t, w.cfg.ExecDir)
}

func TestMuchOutputOfATaskWithSecretsArrivesWhole(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	const lines = 60_000
	r, log := m.run(given(shellTask(fmt.Sprintf(`for i in $(seq %d); do echo "line $i ${pw} of many"; done`, lines)), map[string]string{"pw": "correct-horse"}))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	require.Equal(t, lines, strings.Count(log, " *** of many\n"))
	require.NotContains(t, log, "horse")
}

func TestWhatATaskLeavesBehindMayWriteOnAndStaysMasked(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	flag := filepath.Join(t.TempDir(), "flag")
	r, _ := m.run(given(shellTask(`(while [ ! -e `+flag+` ]; do sleep 0.02; done; echo "late ${pw} word"; touch `+flag+`.done) & echo early`), map[string]string{"pw": "correct-horse"}))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), "the end of the task does not wait for it")
	require.NoError(t, os.WriteFile(flag, nil, 0o600))
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(r.GetLogPath())
		return err == nil && strings.Contains(string(log), "late *** word\n")
	}, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		_, err := os.Stat(flag + ".done")
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "it was not ended by a closed pipe")
}

func TestATaskWithSecretsThatCannotStartLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := given(shellTask("echo ${pw}"), map[string]string{"pw": "correct-horse"})
	job.Environment = "a\x00b"
	r := func() *doradov1.Report { m.dispatch(job); return m.finished(job.GetId()) }()
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Eventually(t, func() bool { // the report leaves before the descriptors are closed
		open, err := os.ReadDir("/proc/self/fd")
		for _, fd := range open {
			if target, _ := os.Readlink("/proc/self/fd/" + fd.Name()); target == r.GetLogPath() {
				return false
			}
		}
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
}

func TestAPluginThatWorksInsideIsMaskedToo(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWith(t, testConfig(t), inside(func(_ context.Context, _ form.Values, env task.Env) (task.Outcome, error) {
		for _, piece := range []string{"token is correct-", "horse now\n", "and corr"} {
			if _, err := env.Log.Write([]byte(piece)); err != nil {
				return task.Outcome{}, err
			}
		}
		return task.Outcome{}, fmt.Errorf("refused with %s", env.Values["pw"])
	}), m)
	r, log := m.run(given(newTask("INSIDE", map[string]any{}), map[string]string{"pw": "correct-horse"}))
	require.Equal(t, "refused with ***", r.GetMessage())
	require.Contains(t, log, "token is *** now\nand corr\n")
	require.NotContains(t, log, "horse")
}

func TestMaskingGoesOnAfterAnUpgradeInPlace(t *testing.T) {
	t.Parallel()
	u := startUpgradable(t)
	flag := filepath.Join(t.TempDir(), "flag")
	job := given(shellTask(`v=${pw}; printf "before %s " "${v:0:8}"; while [ ! -e `+flag+` ]; do sleep 0.02; done; echo "${v:8} after $v"`), map[string]string{"pw": "correct-horse"})
	u.dispatch(job)
	u.report(job.GetId(), doradov1.ReportKind_STARTED)
	u.upgrade(t)
	require.NoError(t, os.WriteFile(flag, nil, 0o600))
	r := u.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	log, err := os.ReadFile(r.GetLogPath())
	require.NoError(t, err)
	require.Contains(t, string(log), "after ***\n")
	require.NotContains(t, string(log), "correct-horse")
}

func BenchmarkOutput(b *testing.B) {
	const script = `head -c 20000000 /dev/zero | tr '\0' x | fold -w 99`
	for name, values := range map[string]map[string]string{"no secrets": nil, "one secret": {"pw": "correct-horse"}} {
		b.Run(name, func(b *testing.B) {
			m := newScripted(b, "m")
			startWorker(b, testConfig(b), m)
			b.SetBytes(20_200_000)
			for b.Loop() {
				job := given(shellTask(script), values)
				m.dispatch(job)
				m.finished(job.GetId())
			}
		})
	}
}
