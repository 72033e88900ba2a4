package spark_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/spark"
	"dorado/plugins/task/tasktest"
)

func TestSpark(t *testing.T) {
	t.Parallel()
	home := tasktest.Launchers(t, "bin/spark-submit", "bin/spark-sql", "yarn")
	tasktest.Run(t, tasktest.Suite{
		Plugin: spark.Plugin(),
		Vars:   []string{"SPARK_HOME=" + home},
		Path:   home,
		Marked: `{"mainJar":{"resourceName":"a.jar"},"mainArgs":"hunter2","others":"hunter2","appName":"hunter2"}`,
		Env: func(_ *testing.T, env *task.Env) {
			env.Files = map[string]string{"/jars/我的 it's $(id).jar": "jars/我的 it's $(id).jar", "a.jar": "/jars/a.jar"}
		},
		Cases: []tasktest.Case{
			{
				Name: "hands every word over as it was typed",
				Params: `{"programType":"JAVA","mainJar":{"resourceName":"a.jar"},"mainClass":"a.B; id","appName":"it's $(id) \"日报\"",
					"others":"--conf 'a=b c'\n--conf d=\"$((1+1))\" \\\n","mainArgs":"x 'y z'\nlast","deployMode":"client","yarnQueue":"a b"}`,
				Output: "program spark-submit\n" + tasktest.Args("--master", "yarn", "--deploy-mode", "client", "--class", "a.B; id",
					"--conf", "spark.driver.cores=1", "--conf", "spark.driver.memory=512M", "--conf", "spark.executor.instances=2",
					"--conf", "spark.executor.cores=2", "--conf", "spark.executor.memory=2G", "--name", `it's $(id) "日报"`, "--queue", "a b",
					"--conf", "a=b c", "--conf", "d=2", "/jars/a.jar", "x", "y z", "last"),
			},
			{
				Name: "finds a file whatever it is called", Params: `{"mainJar":{"resourceName":"/jars/我的 it's $(id).jar"}}`,
				Output: "/jars/我的 it's $(id).jar>",
			},
			{
				Name: "runs a text", Params: `{"programType":"SQL","rawScript":"select 1"}`, Output: "program spark-sql\n" + tasktest.Args("--master", "local"),
			},
			{Name: "fails with the program", Params: `{"mainJar":{"resourceName":"a.jar"},"mainArgs":"fails"}`, Output: "application_1700000000000_0001", Fails: true},
		},
		Bad: []string{
			`{"programType":"COBOL","mainJar":{"resourceName":"a"}}`, `{"mainJar":{"resourceName":" "}}`, `{"mainJar":7}`, `{"mainJar":[{}]}`,
			`{"programType":"SQL"}`, `{"programType":"SQL","sqlExecutionType":"FILE"}`,
			`{"programType":"SQL","sqlExecutionType":"FILE","resourceList":[{"resourceName":"a"},{"resourceName":"b"}]}`,
			`{"programType":"SQL","rawScript":"x","deployMode":"cluster"}`, `{"mainJar":{"resourceName":"a"},"driverMemory":"much"}`,
			`{"mainJar":{"resourceName":"a"},"namespace":"{"}`, `{"mainJar":{"resourceName":"a"},"driverCores":-1}`,
		},
		Slow: `{"mainJar":{"resourceName":"a.jar"},"mainArgs":"sleeps"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	const jar = `"mainJar":{"resourceName":"/jars/app.jar"}`
	files := func(env *task.Env) { env.Files = map[string]string{"/jars/app.jar": "jars/app.jar", "/q.sql": "q.sql"} }
	queue := func(env *task.Env) { files(env); env.Queue = "tenant" }
	tasktest.Commands(t, spark.Plugin(), []tasktest.Golden{
		{Name: "defaults", Params: `{` + jar + `}`, Env: queue},
		{Name: "scala on yarn cluster", Params: `{` + jar + `,"programType":"SCALA","mainClass":"a.B","deployMode":"cluster","appName":"daily","yarnQueue":"q1","mainArgs":"a b","others":"--conf x=y"}`, Env: queue},
		{Name: "java on yarn client, queue of the tenant", Params: `{` + jar + `,"programType":"JAVA","mainClass":"a.B","deployMode":"client"}`, Env: queue},
		{Name: "queue in the options", Params: `{` + jar + `,"deployMode":"client","yarnQueue":"q1","others":"--conf spark.yarn.queue=q2"}`, Env: queue},
		{Name: "python has no class", Params: `{` + jar + `,"programType":"PYTHON","mainClass":"left over","deployMode":"cluster"}`, Env: files},
		{Name: "explicit master", Params: `{` + jar + `,"master":"local[*]","deployMode":"local"}`, Env: files},
		{Name: "nothing but the jar", Params: `{` + jar + `,"driverCores":0,"driverMemory":"","numExecutors":null,"executorCores":"0","executorMemory":" ","deployMode":""}`, Env: files},
		{Name: "kubernetes", Params: `{` + jar + `,"deployMode":"cluster","namespace":"{\"name\":\"etl ns\",\"cluster\":\"c1\"}","others":"--conf x=y","mainArgs":"1"}`, Env: files},
		{Name: "sql from the form", Params: `{"programType":"SQL","deployMode":"client","rawScript":"select 1;\r\nselect 'x';"}`, Env: files},
		{Name: "sql from a file", Params: `{"programType":"SQL","sqlExecutionType":"FILE","resourceList":[{"resourceName":"/q.sql"}]}`, Env: files},
		{Name: "a lost attempt", Params: `{` + jar + `,"deployMode":"client"}`, Env: func(env *task.Env) {
			files(env)
			env.Link = "application_1_1,application_1_2,$(rm -rf /)"
		}},
		{Name: "a file of an older release", Params: `{"mainJar":{"id":3}}`},
	})
}

func TestWhatALostAttemptLeftIsEndedFirst(t *testing.T) {
	t.Parallel()
	home := tasktest.Launchers(t, "bin/spark-submit", "yarn")
	values, problems := spark.Plugin().Decode([]byte(`{"mainJar":{"resourceName":"a.jar"},"mainArgs":"fails"}`))
	require.Empty(t, problems)
	c, err := spark.Plugin().Process(values, task.Env{Dir: "/exec", Link: "application_1_1,application_1_2"})
	require.NoError(t, err)
	for _, shell := range c.Interpreter {
		cmd := exec.CommandContext(t.Context(), shell, "-c", c.Script)
		cmd.Env = append(os.Environ(), "SPARK_HOME="+home, "PATH="+home+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		require.ErrorContains(t, err, "exit status 3", "the program decides")
		require.Contains(t, string(out), "program yarn\n"+tasktest.Args("application", "-kill", "application-1-1", "application-1-2"), shell)
		cmd = exec.CommandContext(t.Context(), shell, "-c", c.Script)
		cmd.Env = append(os.Environ(), "SPARK_HOME=")
		out, err = cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "SPARK_HOME: is not set", shell)
	}
}

// TestSparkItself runs Spark when SPARK_HOME says where it is; docs/extended-tests.md tells how to get it.
func TestSparkItself(t *testing.T) {
	t.Parallel()
	home := os.Getenv("SPARK_HOME")
	if _, err := os.Stat(filepath.Join(home, "bin", "spark-submit")); home == "" || err != nil {
		t.Skip("SPARK_HOME names no Spark; see docs/extended-tests.md")
	}
	dir := t.TempDir()
	const program = "import sys\nfrom pyspark.sql import SparkSession\ns = SparkSession.builder.getOrCreate()\n" +
		"print('sum', s.range(10).selectExpr('sum(id)').first()[0], sys.argv[1:], s.conf.get('spark.app.name'))\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "我的 sum.py"), []byte(program), 0o600))
	for params, want := range map[string]string{
		`{"programType":"PYTHON","mainJar":{"resourceName":"我的 sum.py"},"appName":"it's $(id)","mainArgs":"a 'b c'","numExecutors":1}`: "sum 45 ['a', 'b c'] it's $(id)",
		`{"programType":"SQL","rawScript":"select concat('4', '5') as both;\nselect '日报' as title;"}`:                                  "45",
	} {
		values, problems := spark.Plugin().Decode([]byte(params))
		require.Empty(t, problems)
		c, err := spark.Plugin().Process(values, task.Env{WorkflowInstanceID: 1, TaskInstanceID: 2, Dir: dir})
		require.NoError(t, err)
		for _, f := range c.Files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600))
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), want)
	}
}
