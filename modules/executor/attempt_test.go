package executor

import (
	"context"
	"errors"
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

func TestAScriptRunsAndItsLogHoldsEverythingItPrinted(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	job := shellTask("echo out; echo err >&2; pwd; printf 'no end'")
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	require.Positive(t, r.GetPid())
	require.NotZero(t, r.GetStartMs())
	require.Equal(t, filepath.Join(w.cfg.LogDir, "20240229", "42", "3", "7", fmt.Sprintf("%d.log", job.GetId())), r.GetLogPath())
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	require.Len(t, lines, 7, log)
	require.Contains(t, lines[0], `INFO [worker] - task "extract" (SHELL), attempt 0`)
	require.Equal(t, []string{"out", "err", r.GetExecutePath(), "no end"}, lines[2:6])
	require.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO \[worker\] - exit code 0, 0\.\d{3} s$`, lines[6])
	noDirs(t, w.cfg.ExecDir)
}

func TestExitCodesAndSignalsBecomeOutcomes(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	for script, want := range map[string]struct {
		code    int32
		message string
	}{
		"exit 3":                  {3, "exit code 3"},
		"exit 255":                {255, "exit code 255"},
		"no_such_command_at_all":  {127, "exit code 127"},
		"kill -SEGV $$":           {139, "exit code 139: ended by signal 11 (SIGSEGV)"},
		"kill -9 $$":              {137, "exit code 137: killed by signal 9 (out of memory?)"},
		"bash -c 'kill -9 $$'; :": {0, ""},
		"(kill -9 $BASHPID)":      {137, "exit code 137: killed by signal 9 (out of memory?)"},
		"if true; then":           {2, "exit code 2"},
	} {
		r, _ := m.run(shellTask(script))
		require.Equal(t, want.code, r.GetExitCode(), script)
		require.Equal(t, want.message, r.GetMessage(), script)
		require.Equal(t, want.code == 0, r.GetOutcome() == doradov1.Outcome_SUCCEEDED, script)
	}
}

func TestAShortAttemptReportsOnlyItsEndAndALongOneAlsoItsStart(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	quick, slow := shellTask("exec true"), shellTask("sleep 0.3")
	r, _ := m.run(quick)
	if r.GetEndMs()-r.GetStartMs() < 15 {
		require.Zero(t, m.count(quick.GetId(), doradov1.ReportKind_STARTED))
		require.EqualValues(t, 1, r.GetSeq())
	}
	r, _ = m.run(slow)
	require.EqualValues(t, 2, r.GetSeq())
	started := m.report(slow.GetId(), doradov1.ReportKind_STARTED)
	require.EqualValues(t, 1, started.GetSeq())
	require.Equal(t, r.GetStartMs(), started.GetStartMs())
	require.Equal(t, r.GetPid(), started.GetPid())
	require.Equal(t, r.GetLogPath(), started.GetLogPath())
}

func TestPlaceholdersAreReplacedAndUnknownOnesLeft(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := shellTask("x=5\r\necho ${day} $[yyyyMMdd-1] ${x} ${system.task.execute.path}\r\n")
	job.Prepared = []*doradov1.Param{{Name: "day", Value: "monday", Type: "VARCHAR", Direct: "IN"}}
	job.TimeZone = "Asia/Shanghai"
	r, log := m.run(job)
	require.Contains(t, log, "\nmonday 20240229 5 "+r.GetExecutePath()+"\n", "it is the 1st of March in Shanghai")
	job = shellTask("echo $[nonsense(]")
	r, _ = m.run(job)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "nonsense")
}

func TestOutParametersComeFromTheChildsPartOfTheLog(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	params := map[string]any{
		"rawScript": "echo '${setValue(rows=7)} #{setValue(hidden=1)}'; printf '#{setValue(text=a\nb)}'",
		"localParams": []map[string]string{
			{"prop": "rows", "direct": "OUT", "type": "INTEGER"},
			{"prop": "text", "direct": "OUT", "type": "VARCHAR"},
			{"prop": "silent", "direct": "OUT", "type": "VARCHAR", "value": "standard"},
			{"prop": "in", "direct": "IN", "type": "VARCHAR"},
		},
	}
	ok := newTask("SHELL", params)
	ok.Name = "${setValue(rows=99)}" // stands in the preamble, which is not the child's
	r, _ := m.run(ok)
	got := map[string]string{}
	for _, p := range r.GetVarPool() {
		require.Equal(t, "OUT", p.GetDirect())
		got[p.GetName()] = p.GetValue()
	}
	require.Equal(t, map[string]string{"rows": "7", "text": "a\nb", "silent": "standard"}, got)

	params["rawScript"] = "echo '${setValue(rows=7)}'; exit 1"
	r, _ = m.run(newTask("SHELL", params))
	require.Empty(t, r.GetVarPool(), "a failed attempt hands nothing on")
	params["rawScript"] = "echo '#{setValue(rows='; head -c 1100000 /dev/zero | tr '\\0' x; echo ')}'"
	r, _ = m.run(newTask("SHELL", params))
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "1 MiB")
}

func TestPythonRunsFromAFileWithTheLauncherOfTheEnvironment(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	script := "import sys, os\nprint(sys.argv[0], os.environ['PYTHONUNBUFFERED'], oct(os.stat(sys.argv[0]).st_mode), os.environ.get('X'))"
	job := newTask("PYTHON", map[string]any{"rawScript": script})
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Contains(t, log, fmt.Sprintf("\npy_7_%d.py 1 0o100700 None\n", job.GetId()))

	dir := t.TempDir()
	launcher := filepath.Join(dir, "launcher")
	require.NoError(t, os.WriteFile(launcher, []byte("#!/bin/sh\necho launched by \"$1\"\nshift\nexec python3 \"$@\"\n"), 0o755))
	job = clone(job)
	job.Environment = "export X='a b'\r\nexport PYTHON_LAUNCHER=\"" + launcher + " me\"\n"
	_, log = m.run(job)
	require.Contains(t, log, "launched by me\n")
	require.Contains(t, log, " a b\n")
}

func clone(t *doradov1.Task) *doradov1.Task {
	c := shellTask("")
	c.Type, c.Params = t.GetType(), t.GetParams()
	return c
}

func TestTheEnvironmentIsCleanAndSaysWhoRuns(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.EnvAllow = []string{"TZ"}
	startWorker(t, cfg, m)
	job := shellTask("echo begin; env -0 | tr '\\n\\0' '_\\n'; echo end; echo $SECRET_OF_ENV")
	job.Environment = "export SECRET_OF_ENV=here\n"
	_, log := m.run(job)
	_, env, _ := strings.Cut(log, "begin\n")
	env, _, _ = strings.Cut(env, "end\n")
	for _, want := range []string{
		"PATH=" + cfg.Path, "LC_CTYPE=C.UTF-8", fmt.Sprintf("DORADO_TASK_INSTANCE_ID=%d", job.GetId()), "DORADO_WORKFLOW_INSTANCE_ID=7",
		"DORADO_TASK_NAME=extract", "DORADO_SCHEDULE_TIME=2024-02-29T23:30:00Z", "SECRET_OF_ENV=here",
	} {
		require.Contains(t, env, want+"\n")
	}
	require.NotContains(t, env, "GOCACHE")
	require.NotContains(t, log[:strings.Index(log, "begin")], "here", "the environment text is not in the preamble")
}

func TestAScriptOfFiveMegabytesIsInNoFileAndNotInTheProcessList(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	script := "#" + strings.Repeat("x", 5<<20) + "\ntr '\\0' ' ' < /proc/$$/cmdline; echo; ls -A | wc -l; echo too late >&3 2>/dev/null || echo sealed"
	r, log := m.run(shellTask(script))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	require.Contains(t, log, "bash /dev/fd/3 \n0\n")
	require.Contains(t, log, "sealed")
}

func TestAShortScriptIsInNoFileNotInTheProcessListAndNotInTheEnvironmentOfWhatItStarts(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	r, log := m.run(shellTask("echo hidden=1 >/dev/null; tr '\\0' ' ' < /proc/$$/cmdline\necho; ls -A | wc -l\nenv | grep -c DORADO_SCRIPT"))
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome(), "grep found nothing: the exit code of the last command decides")
	require.Equal(t, int32(1), r.GetExitCode())
	require.Contains(t, log, "bash -c eval \"unset DORADO_SCRIPT;$DORADO_SCRIPT\" extract \n0\n0\n")
	require.NotContains(t, log, "hidden=1")
}

// However a script is handed over, it does the same.
func TestAScriptRunsTheSameShortOrLong(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	filler := "\n#" + strings.Repeat("x", 40<<10) // more than goes into a variable
	for name, c := range map[string]struct {
		script string
		code   int32
		log    string
	}{
		"quotes":        {`x=1; echo 'a "b" $x ` + "`c`" + ` \n' "$x \$x"`, 0, `a "b" $x ` + "`c`" + ` \n 1 $x`},
		"lines":         {"echo one\necho $LINENO\n\necho $LINENO", 0, "one\n2\n4\n"},
		"exit":          {"echo before\nexit 7\necho after", 7, "before\n"},
		"errexit":       {"set -e\nfalse\necho after", 1, ""},
		"here document": {"x=1\ncat <<E\n$x\n  two\nE\necho three", 0, "1\n  two\nthree\n"},
		"trap":          {"trap 'echo bye' EXIT\necho work\nexit 3", 3, "work\nbye\n"},
		"options":       {"shopt -s extglob\ncase abc in !(x)) echo no x;; esac", 0, "no x\n"},
		"alias":         {"shopt -s expand_aliases\nalias hi='echo hello'\nhi you", 0, "hello you\n"},
		"no input":      {"read -r line; echo \"<$line>\"", 0, "<>\n"},
		"syntax error":  {"echo begun\nif true; then", 2, "begun\n"},
		"unicode":       {"echo 订单 é", 0, "订单 é\n"},
		"comment last":  {"echo a # b", 0, "a\n"},
		"background":    {"sleep 0 & wait $!; echo $?", 0, "0\n"},
		"arguments":     {"echo $# \"$*\"", 0, "0 \n"},
		"function":      {"f() { return 4; }\nf", 4, ""},
	} {
		for size, script := range map[string]string{"short": c.script, "long": c.script + filler} {
			t.Run(name+"/"+size, func(t *testing.T) {
				r, log := m.run(shellTask("echo begin\n" + strings.ReplaceAll(script, "$LINENO", "$((LINENO-1))")))
				require.Equal(t, c.code, r.GetExitCode(), log)
				_, said, _ := strings.Cut(log, "begin\n")
				require.Contains(t, said, c.log)
				require.NotContains(t, said, "after")
			})
		}
	}
}

func TestBadTasksFailWithAReasonAndNeverPanic(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	bad := shellTask("true")
	for name, c := range map[string]struct {
		change func(*doradov1.Task)
		reason string
	}{
		"unknown type":       {func(t *doradov1.Task) { t.Type = "COBOL" }, `knows no task type "COBOL"`},
		"logic type":         {func(t *doradov1.Task) { t.Type, t.Params = "APPROVAL", []byte(`{"question":"?"}`) }, "carried out by the master"},
		"no parameters":      {func(t *doradov1.Task) { t.Params = nil }, "rawScript"},
		"garbage":            {func(t *doradov1.Task) { t.Params = []byte("\xff{[") }, "bad parameters"},
		"bad tenant":         {func(t *doradov1.Task) { t.Tenant = "-u root" }, "not a valid user name"},
		"unknown tenant":     {func(t *doradov1.Task) { t.Tenant = "no_such_user_here" }, "no such operating-system user"},
		"bad zone":           {func(t *doradov1.Task) { t.TimeZone = "../../etc/passwd" }, "unknown time zone"},
		"resources":          {func(t *doradov1.Task) { t.Params = []byte(`{"rawScript":"x","resourceList":[{"resourceName":"/a"}]}`) }, `"/a"`},
		"NUL in environment": {func(t *doradov1.Task) { t.Environment = "a\x00b" }, "NUL"},
	} {
		job := clone(bad)
		c.change(job)
		r, log := m.run(job)
		require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome(), name)
		require.Contains(t, r.GetMessage(), c.reason, name)
		require.Contains(t, log, c.reason, "%s: the log says it, too", name)
		require.NotContains(t, r.GetMessage(), "\n")
	}
}

func TestATaskThatOpensItsOwnOutputLosesNothingSilently(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := shellTask("echo before; echo direct > /dev/stderr; echo after")
	_, log := m.run(job)
	require.Contains(t, log, "after\n")
	if os.Geteuid() == 0 { // the superuser can't be stopped
		require.Contains(t, log, "WARN [worker] - the task cut off its own log")
	} else {
		require.Contains(t, log, "before\n")
		require.Contains(t, log, "Permission denied")
	}
}

func TestADryRunExecutesNothing(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	file := filepath.Join(t.TempDir(), "touched")
	job := shellTask("touch " + file)
	job.DryRun = true
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	require.Contains(t, log, "dry run")
	require.NoFileExists(t, file)
}

func TestWhatIsLeftInTheWorkingDirectoryGoesAndLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious")
	require.NoError(t, os.WriteFile(precious, nil, 0o600))
	r, log := m.run(shellTask("mkdir -p a/b; echo x > a/b/c; ln -s " + outside + " link; ln -s / a/root; stat -c %a ."))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	require.Contains(t, log, "\n750\n")
	noDirs(t, w.cfg.ExecDir)
	require.FileExists(t, precious)
}

func TestADirectoryIsPassedOnOnlyWhenItIsAsItWas(t *testing.T) {
	t.Parallel()
	name := osUser(t)
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	spares := func() int {
		w.dirs.mu.Lock()
		defer w.dirs.mu.Unlock()
		return w.dirs.count
	}
	m.run(shellTask("true"))
	require.Eventually(t, func() bool { return spares() == 1 }, 20*time.Second, time.Millisecond)
	for _, script := range []string{"chmod 777 .", "touch .hidden", "mkdir a", "ln -s / a", "nohup sleep 0.5 &"} {
		r, log := m.run(shellTask(script + "\nls .. | wc -l"))
		require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
		noDirs(t, w.cfg.ExecDir)
		require.Zero(t, spares(), "%s: the spare one was taken, and does not come back", script)
		m.run(shellTask("true"))
		require.Eventually(t, func() bool { return spares() == 1 }, 20*time.Second, time.Millisecond, "its own comes back after the report")
	}
	other := shellTask("stat -c '%U %a' .; ls -A | wc -l")
	other.Tenant = name
	_, log := m.run(other)
	require.Contains(t, log, "\n"+name+" 750\n0\n", "a directory stays with its user")
	require.Eventually(t, func() bool { return spares() == 2 }, 20*time.Second, time.Millisecond)
	w.stop()
	all, err := os.ReadDir(w.cfg.ExecDir)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestBinaryAndHugeOutputArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := shellTask("head -c 100000000 /dev/zero; printf '\\xff\\xfe\\x00\\n'")
	m.dispatch(job)
	r := m.finished(job.GetId())
	info, err := os.Stat(r.GetLogPath())
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(100_000_000))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
}

// inside is a plugin that works within the worker.
func inside(run func(context.Context, form.Values, task.Env) (task.Outcome, error)) Catalog {
	return catalogFunc(func(string) (task.Plugin, bool) {
		return task.Plugin{Type: "INSIDE", Schema: form.Schema{task.Parameters()}, Run: run}, true
	})
}

type catalogFunc func(string) (task.Plugin, bool)

func (f catalogFunc) Task(kind string) (task.Plugin, bool) { return f(kind) }

func TestAPluginInsideTheWorkerSucceedsFailsPanicsAndIsKilled(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWith(t, testConfig(t), inside(func(ctx context.Context, _ form.Values, env task.Env) (task.Outcome, error) {
		fmt.Fprintln(env.Log, "at work", env.Values["mode"])
		switch env.Values["mode"] {
		case "fail":
			return task.Outcome{}, errors.New("no\nluck")
		case "panic":
			panic("oops")
		case "wait":
			<-ctx.Done()
			return task.Outcome{}, ctx.Err()
		}
		return task.Outcome{Out: map[string]string{"n": "5"}, AppLink: "job_1"}, nil
	}), m)
	with := func(mode string) *doradov1.Task {
		t := newTask("INSIDE", map[string]any{"localParams": []map[string]string{{"prop": "n", "direct": "OUT"}}})
		t.Prepared = []*doradov1.Param{{Name: "mode", Value: mode}}
		return t
	}
	r, log := m.run(with("ok"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	require.Equal(t, "job_1", r.GetAppLink())
	require.Equal(t, "5", r.GetVarPool()[0].GetValue())
	require.Contains(t, log, "at work ok\n")
	r, _ = m.run(with("fail"))
	require.Equal(t, "no; luck", r.GetMessage())
	r, _ = m.run(with("panic"))
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "oops")
	waiting := with("wait")
	m.dispatch(waiting)
	m.report(waiting.GetId(), doradov1.ReportKind_STARTED)
	m.kill(waiting.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, m.finished(waiting.GetId()).GetOutcome())
	late := with("wait")
	late.TimeoutMs = 100
	r, _ = m.run(late)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "timeout")
	require.Less(t, time.UnixMilli(r.GetEndMs()).Sub(time.UnixMilli(r.GetStartMs())), 5*time.Second)
}
