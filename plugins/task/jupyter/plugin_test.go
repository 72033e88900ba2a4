package jupyter_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/jupyter"
	"dorado/plugins/task/tasktest"
)

func TestJupyter(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: jupyter.Plugin(),
		Path:   tasktest.Launchers(t, "papermill"),
		Marked: `{"inputNotePath":"hunter2","outputNotePath":"out"}`,
		Cases: []tasktest.Case{
			{
				Name:   "runs a notebook",
				Params: `{"inputNotePath":"我的 in.ipynb","outputNotePath":"out $(id).ipynb","parameters":"{\"b\":\"it's\",\"a\":1.5,\"c\":[1, 2]}","kernel":"python3","executionTimeout":10,"others":"--log-output"}`,
				Output: "program papermill\n" + tasktest.Args("我的 in.ipynb", "out $(id).ipynb", "--parameters", "a", "1.5", "--parameters", "b", "it's", "--parameters", "c", "[1, 2]",
					"--kernel", "python3", "--execution-timeout", "10", "--log-output", "--inject-paths", "--progress-bar"),
			},
			{Name: "fails with the program", Params: `{"inputNotePath":"fails","outputNotePath":"out"}`, Fails: true},
		},
		Bad: []string{
			`{"inputNotePath":"a"}`, `{"outputNotePath":"a"}`, `{"inputNotePath":"a","outputNotePath":"b","parameters":"[1]"}`,
			`{"inputNotePath":"a","outputNotePath":"b","parameters":"{"}`,
		},
		Slow: `{"inputNotePath":"sleeps","outputNotePath":"out"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	const notes = `"inputNotePath":"in.ipynb","outputNotePath":"out.ipynb"`
	files := func(env *task.Env) { env.Files = map[string]string{"/packs/env.tar.gz": "packs/env.tar.gz"} }
	tasktest.Commands(t, jupyter.Plugin(), []tasktest.Golden{
		{Name: "no environment", Params: `{` + notes + `}`},
		{Name: "everything", Params: `{"condaEnvName":"jupyter test",` + notes + `,"parameters":"{\"x\":1}","kernel":"k","engine":"e","executionTimeout":"10","startTimeout":"3","others":"--version"}`},
		{Name: "a pack", Params: `{"condaEnvName":"/packs/env.tar.gz",` + notes + `}`, Env: files},
		{Name: "requirements", Params: `{"condaEnvName":"requirements.txt",` + notes + `}`},
		{Name: "venv", Params: `{"condaEnvName":"venv:/opt/my venv/",` + notes + `}`},
		{Name: "parameters that no longer are JSON", Params: `{` + notes + `,"parameters":"{\"x\": ${x}}"}`},
	})
}

func TestTheTemporaryEnvironmentIsRemovedAndTheNotebookDecides(t *testing.T) {
	t.Parallel()
	values, problems := jupyter.Plugin().Decode([]byte(`{"condaEnvName":"r.txt","inputNotePath":"fails","outputNotePath":"out"}`))
	require.Empty(t, problems)
	c, err := jupyter.Plugin().Process(values, task.Env{})
	require.NoError(t, err)
	bin := tasktest.Launchers(t, "papermill", "conda", "pip")
	empty := filepath.Join(bin, "conda.sh")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CONDA_PATH="+empty)
	out, err := cmd.CombinedOutput()
	require.ErrorContains(t, err, "exit status 3", string(out))
	require.Contains(t, string(out), tasktest.Args("remove", "--name", "jupyter-tmp-env-0_0", "--all", "-y"))
}
