package openmldb_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/openmldb"
	"dorado/plugins/task/tasktest"
)

const cluster = `"zk":"h:2181","zkPath":"/openmldb"`

func TestOpenMLDB(t *testing.T) {
	t.Parallel()
	bin := tasktest.Launchers(t, "python")
	tasktest.Run(t, tasktest.Suite{
		Plugin: openmldb.Plugin(),
		Vars:   []string{"PYTHON_LAUNCHER=" + bin + "/python -u"},
		Cases: []tasktest.Case{
			{Name: "runs SQL", Params: `{` + cluster + `,"sql":"select 1"}`, Output: "program python\narg <-u>\n"},
			{Name: "fails with the program", Params: `{` + cluster + `,"sql":"fails"}`, Fails: true},
		},
		Bad:  []string{`{` + cluster + `}`, `{"zk":"h","sql":"x"}`, `{"zkPath":"h","sql":"x"}`, `{` + cluster + `,"sql":"x","executeMode":"both"}`},
		Slow: `{` + cluster + `,"sql":"sleeps"}`,
	})
}

func TestTheProgramIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	tasktest.Commands(t, openmldb.Plugin(), []tasktest.Golden{
		{Name: "offline", Params: `{` + cluster + `,"executeMode":"offline","sql":"use db;\r\nselect ';' as \"a;b\", '日报\\n' from t where a <> 1;;"}`},
		{Name: "online", Params: `{` + cluster + `,"executeMode":"online","sql":"select 1"}`},
	})
}

func TestNothingTypedIsReadAsPython(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openmldb.py"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sqlalchemy.py"), []byte("class E:\n    def connect(self): return self\n"+
		"    def execute(self, s): print('<%s>' % s)\ndef create_engine(url):\n    print('<%s>' % url)\n    return E()\n"), 0o600))
	values, problems := openmldb.Plugin().Decode([]byte(`{"zk":"\"); import os #","zkPath":"/我的","executeMode":"online","sql":"select '\\\"日报\\\\', \"'\"\n from t"}`))
	require.Empty(t, problems)
	c, err := openmldb.Plugin().Process(values, task.Env{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, c.Files[0].Name), []byte(c.Files[0].Text), 0o600))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
	cmd.Env = append(os.Environ(), "PYTHON_LAUNCHER=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "<openmldb:///?zk=\"); import os #&zkPath=/我的>\n<set @@execute_mode='online';>\n<select '\\\"日报\\\\', \"'\"\n from t>\n", string(out))
}
