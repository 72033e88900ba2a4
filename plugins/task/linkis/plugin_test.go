package linkis_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/linkis"
	"dorado/plugins/task/tasktest"
)

// fake stands for linkis-cli: what it was called with decides how the task ends, after one question without an answer.
const fake = `#!/bin/sh
state=$LINKIS_HOME/$(basename "$PWD")
if [ "$1" = --status ]; then
  if [ ! -e "$state.asked" ]; then touch "$state.asked"; echo "no answer"; exit 1; fi
  if [ ! -e "$state.twice" ]; then touch "$state.twice"; echo '"status": "Running"'; exit 0; fi
  printf '"status": "%s" of %s\n' "$(cat "$state.end" 2>/dev/null || echo Succeed)" "$2"
  exit 0
fi
for a; do printf 'arg <%s>\n' "$a"; last=$a; done
[ "$last" != refuse ] || exit 4
[ "$last" != mute ] || exit 0
printf '%s' "$last" > "$state.end"
echo '{ "taskID": "42", "execID": "x" }'
`

func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "linkis-cli"), []byte(fake), 0o755))
	return dir
}

func suite(t *testing.T, cases ...tasktest.Case) tasktest.Suite {
	t.Helper()
	return tasktest.Suite{
		Plugin: linkis.Plugin(),
		Vars:   []string{"LINKIS_HOME=" + home(t), "DORADO_LINKIS_INTERVAL=0.01"},
		Env: func(t *testing.T, env *task.Env) {
			dir := filepath.Join(t.TempDir(), filepath.Base(t.Name()))
			require.NoError(t, os.Mkdir(dir, 0o755))
			env.Dir = dir
		},
		Cases: cases,
		Bad:   []string{`{"useCustom":true}`, `{"paramScript":[]}`, `{"paramScript":7}`, `{"useCustom":"perhaps","rawScript":"x"}`},
		Slow:  `{"useCustom":true,"rawScript":"Running"}`,
	}
}

func TestLinkis(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, suite(t,
		tasktest.Case{
			Name: "follows its task", Params: `{"paramScript":[{"prop":"-engineType","value":"spark-2.4.3"},{"prop":"-code","value":"select 'it''s $(id)'"},{"prop":"-x","value":"Succeed"}]}`,
			Output: tasktest.Args("--async", "true", "-engineType", "spark-2.4.3", "-code", "select 'it''s $(id)'", "-x", "Succeed"),
		},
		tasktest.Case{Name: "ends as its task", Params: `{"useCustom":true,"rawScript":"-code 'select 1'\n-x Failed"}`, Output: `"status": "Failed" of 42`, Fails: true},
		tasktest.Case{Name: "is killed with its task", Params: `{"useCustom":true,"rawScript":"Cancelled"}`, Output: `"status": "Cancelled" of 42`, Fails: true},
		tasktest.Case{Name: "fails when nothing is accepted", Params: `{"useCustom":true,"rawScript":"refuse"}`, Output: "refuse", Fails: true},
		tasktest.Case{Name: "fails without an id", Params: `{"useCustom":true,"rawScript":"mute"}`, Output: "told no task id", Fails: true},
	))
}

func TestALostAttemptIsGoneOnWith(t *testing.T) {
	t.Parallel()
	values, problems := linkis.Plugin().Decode([]byte(`{"useCustom":true,"rawScript":"refuse"}`))
	require.Empty(t, problems)
	c, err := linkis.Plugin().Process(values, task.Env{Link: "17"})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "LINKIS_HOME="+home(t), "DORADO_LINKIS_INTERVAL=0.01")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), `"status": "Succeed" of 17`)
	require.Regexp(t, c.Remote.Pattern, string(out), "the log of this attempt names the task, too")
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	tasktest.Commands(t, linkis.Plugin(), []tasktest.Golden{
		{Name: "rows", Params: `{"paramScript":[{"prop":"-engineType","value":"spark-2.4.3"},{"prop":"-flag","value":""},{"prop":" ","value":"x"}]}`},
		{Name: "options", Params: `{"useCustom":true,"rawScript":"-engineType hive-1\n-code 'show tables'"}`},
		{Name: "a lost attempt", Params: `{"useCustom":true,"rawScript":"x"}`, Env: func(env *task.Env) { env.Link = "17" }},
	})
}
