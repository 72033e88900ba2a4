package mlflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/mlflow"
	"dorado/plugins/task/tasktest"
)

func TestMLflow(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: mlflow.Plugin(),
		Path:   tasktest.Launchers(t, "mlflow"),
		Cases: []tasktest.Case{
			{
				Name: "runs a project", Params: `{"mlflowTaskType":"MLflow Projects","dataPath":"/数据/my data","params":"a=1;b='x'","modelName":"it's $(id)","experimentName":"日报"}`,
				Output: "program mlflow\n" + tasktest.Args("run", "https://github.com/apache/dolphinscheduler-mlflow#Project-BasicAlgorithm", "-P", "algorithm=svm", "-P", "data_path=/数据/my data",
					"-P", "params=a=1;b='x'", "-P", "search_params=", "-P", "model_name=it's $(id)", "--experiment-name=日报"),
			},
			{Name: "fails with the program", Params: `{"mlflowJobType":"CustomProject","mlflowProjectRepository":"/p","params":"fails"}`, Fails: true},
		},
		Bad: []string{
			`{"mlflowJobType":"CustomProject"}`, `{"mlflowTaskType":"MLflow Models"}`, `{"mlflowTaskType":"MLflow Models","deployModelKey":"x","deployType":"DOCKER"}`,
			`{"mlflowTaskType":"MLflow Models","deployModelKey":"models:/a/1","deployPort":0}`, `{"mlflowJobType":"Deep","dataPath":"x"}`,
		},
		Slow: `{"mlflowJobType":"CustomProject","mlflowProjectRepository":"/p","params":"sleeps"}`,
	})
}

func TestTheStepsAreDolphinSchedulers(t *testing.T) {
	t.Parallel()
	const project = `"mlflowTrackingUri":"http://h:5000","experimentName":"e","modelName":"m","dataPath":"/d","params":"n=1 m=2"`
	tasktest.Commands(t, mlflow.Plugin(), []tasktest.Golden{
		{Name: "basic algorithm", Params: `{` + project + `,"mlflowJobType":"BasicAlgorithm","algorithm":"xgboost","searchParams":"max_depth=[5, 10]"}`},
		{Name: "AutoML", Params: `{` + project + `,"mlflowJobType":"AutoML","automlTool":"autosklearn"}`},
		{Name: "own project in git", Params: `{"mlflowJobType":"CustomProject","mlflowProjectRepository":"https://example.org/a.git#sub","mlflowProjectVersion":"main","params":"-P a=1\n-P b='2 3'","experimentName":"e"}`},
		{Name: "own project in a folder", Params: `{"mlflowJobType":"CustomProject","mlflowProjectRepository":"/opt/my project","mlflowProjectVersion":"main"}`},
		{Name: "serve", Params: `{"mlflowTaskType":"MLflow Models","deployType":"MLFLOW","deployModelKey":"models:/my model/1","deployPort":"7001"}`},
		{Name: "container", Params: `{"mlflowTaskType":"MLflow Models","deployType":"DOCKER","deployModelKey":"models:/model/1","deployPort":7001}`},
		{Name: "container of what is no model", Params: `{"mlflowTaskType":"MLflow Models","deployType":"DOCKER","deployModelKey":"${key}"}`},
	})
}

func TestAContainerHasToBecomeHealthy(t *testing.T) {
	t.Parallel()
	values, problems := mlflow.Plugin().Decode([]byte(`{"mlflowTaskType":"MLflow Models","deployType":"DOCKER","deployModelKey":"runs:/a/b"}`))
	require.Empty(t, problems)
	c, err := mlflow.Plugin().Process(values, task.Env{})
	require.NoError(t, err)
	for health, good := range map[string]bool{"healthy": true, "unhealthy": false} {
		bin := tasktest.Launchers(t, "mlflow")
		docker := "#!/bin/sh\nif [ \"$1\" = inspect ]; then echo " + health + "; fi\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o755))
		cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "DORADO_MLFLOW_INTERVAL=0.01")
		out, err := cmd.CombinedOutput()
		require.Equal(t, good, err == nil, string(out))
		require.Contains(t, string(out), "The container is "+health)
	}
}
