package pytorch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/pytorch"
	"dorado/plugins/task/tasktest"
)

// origin is a repository with a script in a folder.
func origin(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "my src"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "my src", "train.py"), []byte("import helper, sys\nprint('trained', helper.name, sys.argv[1:])\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "my src", "helper.py"), []byte("name = '模型'\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "my src", "requirements.txt"), []byte("# nothing\n"), 0o600))
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"}} {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return dir
}

func TestPyTorch(t *testing.T) {
	t.Parallel()
	repository := origin(t)
	tasktest.Run(t, tasktest.Suite{
		Plugin: pytorch.Plugin(),
		Vars:   []string{"PYTHON_LAUNCHER="},
		Cases: []tasktest.Case{
			{
				Name: "runs a script of a repository", Params: `{"script":"train.py","scriptParams":"--epochs '1 0'","pythonPath":"file://` + repository + `#my src"}`,
				Output: "trained 模型 ['--epochs', '1 0']",
			},
			{Name: "fails with the script", Params: `{"script":"-c","scriptParams":"'raise SystemExit(3)'"}`, Fails: true},
			{Name: "fails without its repository", Params: `{"script":"train.py","pythonPath":"file:///nowhere"}`, Output: "nowhere", Fails: true},
		},
		Bad:  []string{`{"script":" "}`, `{"script":"a","pythonEnvTool":"poetry","isCreateEnvironment":true}`, `{"script":"a","isCreateEnvironment":"perhaps"}`},
		Slow: `{"script":"-c","scriptParams":"'import time; time.sleep(300)'"}`,
	})
}

func TestTheStepsAreDolphinSchedulers(t *testing.T) {
	t.Parallel()
	files := func(env *task.Env) { env.Files = map[string]string{"/src/train.py": "src/train.py"} }
	const git = `"script":"train.py","scriptParams":"--epochs 1","pythonPath":"https://example.org/a.git#sub dir"`
	tasktest.Commands(t, pytorch.Plugin(), []tasktest.Golden{
		{Name: "a file of the resource center", Params: `{"script":"/src/train.py","scriptParams":"--epochs 1\n--rate 2"}`, Env: files},
		{Name: "virtualenv", Params: `{"script":"train.py","pythonPath":"my src","isCreateEnvironment":true}`},
		{Name: "conda", Params: `{` + git + `,"isCreateEnvironment":true,"pythonEnvTool":"conda","condaPythonVersion":"3.7","requirements":"r.txt"}`},
		{Name: "venv", Params: `{` + git + `,"isCreateEnvironment":true,"pythonEnvTool":"venv"}`},
		{Name: "another python", Params: `{"script":"train.py","pythonLauncher":"${MY_PYTHON} -u"}`},
	})
}

// TestAnEnvironmentIsMade takes half a minute, which is why it waits for a word; docs/extended-tests.md says which.
func TestAnEnvironmentIsMade(t *testing.T) {
	t.Parallel()
	if os.Getenv("DORADO_EXTENDED_TESTS") == "" {
		t.Skip("DORADO_EXTENDED_TESTS is not set; see docs/extended-tests.md")
	}
	dir := t.TempDir()
	values, problems := pytorch.Plugin().Decode([]byte(`{"script":"train.py","pythonPath":"file://` + origin(t) + `#my src","isCreateEnvironment":"true","pythonEnvTool":"venv"}`))
	require.Empty(t, problems)
	c, err := pytorch.Plugin().Process(values, task.Env{Dir: dir})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "trained 模型 []")
}
