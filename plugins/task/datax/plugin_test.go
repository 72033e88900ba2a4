package datax_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/datax"
	"dorado/plugins/task/tasktest"
)

func types() []string {
	return []string{"MYSQL", "POSTGRESQL", "ORACLE", "SQLSERVER", "CLICKHOUSE", "DATABEND", "HIVE", "PRESTO", "OCEANBASE"}
}

// databases are one data source of each type, numbered from 1 in their order.
func databases(t *testing.T) map[int64]task.Source {
	t.Helper()
	all := map[int64]task.Source{99: {ID: 99, Name: "bare", Plugin: datasource.Plugin{Type: "MYSQL"}}}
	for i, name := range types() {
		for _, p := range builtin.Types() {
			if p.Type != name {
				continue
			}
			flat := form.Flat{"host": "h1", "port": "1000", "database": "shop", "userName": "etl", "password": `it's "hunter2" <&>`}
			if name == "ORACLE" {
				flat["connectType"] = "ORACLE_SID"
			}
			s, problems := p.Read(flat)
			require.Empty(t, problems, name)
			all[int64(i+1)] = task.Source{ID: int64(i + 1), Name: strings.ToLower(name), Plugin: p, Settings: s}
		}
	}
	require.Len(t, all, 10)
	return all
}

const fromForm = `{"dsType":"MYSQL","dataSource":1,"dtType":"POSTGRESQL","dataTarget":2,"sql":"select id from t","targetTable":"t"}`

func TestDataX(t *testing.T) {
	t.Parallel()
	bin := tasktest.Launchers(t, "python", "dorado")
	tasktest.Run(t, tasktest.Suite{
		Plugin: datax.Plugin(),
		Vars:   []string{"PYTHON_LAUNCHER=" + bin + "/python -u", "DATAX_LAUNCHER=" + bin + "/my data/datax.py", "DORADO_PROGRAM=" + bin + "/dorado"},
		Env:    func(t *testing.T, env *task.Env) { env.Sources = databases(t) },
		Marked: `{"customConfig":1,"json":"hunter2"}`,
		Cases: []tasktest.Case{
			{
				Name: "hands the job to DataX", Params: fromForm,
				Output: "program python\n" + tasktest.Args("-u", bin+"/my data/datax.py", "--jvm=-Xms1G -Xmx1G") + "arg </",
			},
			{Name: "runs any job", Params: `{"customConfig":1,"json":"{}","xms":"2","xmx":3}`, Output: tasktest.Args("--jvm=-Xms2G -Xmx3G")},
			{Name: "asks for the native engine", Params: strings.Replace(fromForm, "{", `{"engine":"native",`, 1), Output: "program dorado\n" + tasktest.Args("sync", "--job")},
			{Name: "asks for DataX", Params: `{"customConfig":1,"json":"{}","engine":"datax"}`, Output: "program python\n"},
			{Name: "fails with the program", Params: `{"customConfig":1,"json":"fails"}`, Fails: true},
		},
		Bad: []string{
			`{"customConfig":1}`, `{"customConfig":2,"json":"{}"}`, strings.Replace(fromForm, `"sql":"select id from t"`, `"sql":" "`, 1),
			strings.Replace(fromForm, `"targetTable":"t"`, `"x":1`, 1), strings.Replace(fromForm, "MYSQL", "MONGO", 1),
			strings.Replace(fromForm, `"dataTarget":2`, `"dataTarget":"x"`, 1), strings.Replace(fromForm, `"dataSource":1`, `"dataSource":null`, 1),
			strings.Replace(fromForm, "{", `{"preStatements":[1],`, 1), strings.Replace(fromForm, "{", `{"jobSpeedByte":-1,`, 1), strings.Replace(fromForm, "{", `{"engine":"spark",`, 1),
		},
		Slow: `{"customConfig":1,"json":"sleeps"}`,
	})
}

func TestTheJobIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	sources := databases(t)
	env := func(env *task.Env) { env.Sources = sources }
	all := []tasktest.Golden{
		{Name: "everything of the form", Params: `{"customConfig":"0","dsType":"MYSQL","dataSource":1,"dtType":"POSTGRESQL","dataTarget":"2",
			"sql":"select id, name as \"名称\", count(*) n from t where x < 'a'\r\ngroup by 1, 2;","targetTable":"ods.t","preStatements":["truncate table t"],"postStatements":["analyze t"],
			"jobSpeedByte":1024,"jobSpeedRecord":"500","xms":2,"xmx":4}`, Env: env},
		{Name: "no limits, columns that the statement does not tell", Params: `{"dsType":"MYSQL","dataSource":1,"dtType":"MYSQL","dataTarget":1,"sql":"select * from t","targetTable":"t","jobSpeedRecord":0,"xms":0,"xmx":null}`, Env: env},
		{Name: "the native engine", Params: strings.Replace(fromForm, "{", `{"engine":"native","xmx":1.5,`, 1), Env: env},
		{Name: "DataX alone", Params: `{"customConfig":1,"json":"{}","engine":"datax"}`},
		{Name: "the user's job", Params: `{"customConfig":1,"json":"{\"job\":{}}\r\n"}`},
		{Name: "parameters that the job still names", Params: `{"customConfig":1,"json":"{\"a\":\"${day}\",\"b\":\"${it}\"}"}`, Env: func(env *task.Env) {
			env.Values = map[string]string{"day": "20240101", "it": `it's "x" $(id)`, "password": "not named"}
		}},
		{Name: "a data source that is gone", Params: strings.Replace(fromForm, `"dataSource":1`, `"dataSource":50`, 1), Env: env},
		{Name: "a data source without an address", Params: strings.Replace(fromForm, `"dataTarget":2`, `"dataTarget":99`, 1), Env: env},
	}
	for i, name := range types() {
		id := strconv.Itoa(i + 1)
		all = append(all, tasktest.Golden{Name: name + " to itself", Params: `{"dsType":"` + name + `","dataSource":` + id + `,"dtType":"` + name + `","dataTarget":` + id +
			`,"sql":"select a, b as c from t","targetTable":"t"}`, Env: env})
	}
	tasktest.Commands(t, datax.Plugin(), all)
}

func TestThePasswordIsInTheJobAlone(t *testing.T) {
	t.Parallel()
	values, problems := datax.Plugin().Decode([]byte(fromForm))
	require.Empty(t, problems)
	require.Equal(t, []int64{1, 2}, datax.Plugin().SourceIDs(values))
	c, err := datax.Plugin().Process(values, task.Env{Sources: databases(t)})
	require.NoError(t, err)
	require.NotContains(t, c.Script, "hunter2")
	var job struct {
		Job struct {
			Content []struct {
				Reader, Writer struct{ Parameter struct{ Password string } }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(c.Files[0].Text), &job))
	require.Equal(t, `it's "hunter2" <&>`, job.Job.Content[0].Reader.Parameter.Password)
	require.Equal(t, `it's "hunter2" <&>`, job.Job.Content[0].Writer.Parameter.Password)
}

// datax.py puts its -p into a line for a second shell.
func TestAParameterSurvivesBothShells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "datax.py"), []byte("import subprocess, sys\nsubprocess.check_call('printf \"<%s>\" ' + sys.argv[3], shell=True)\n"), 0o600))
	values, problems := datax.Plugin().Decode([]byte(`{"customConfig":1,"json":"${x}"}`))
	require.Empty(t, problems)
	c, err := datax.Plugin().Process(values, task.Env{Dir: "/exec", Values: map[string]string{"x": `it's "q" $(id) 日报`}})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
	cmd.Env = append(os.Environ(), "DATAX_LAUNCHER="+filepath.Join(dir, "datax.py"), "PYTHON_LAUNCHER=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, `<-Dx=it's "q" $(id) 日报>`, string(out))
}

func TestWithoutALauncherTheNativeEngineDoesTheWork(t *testing.T) {
	t.Parallel()
	bin := tasktest.Launchers(t, "python", "dorado")
	for _, c := range []struct {
		engine, launcher, want string
		fails                  bool
	}{
		{"auto", "", "program dorado", false},
		{"auto", "/x/datax.py", "program python", false},
		{"native", "/x/datax.py", "program dorado", false},
		{"datax", "", "DATAX_LAUNCHER: is not set", true},
	} {
		values, problems := datax.Plugin().Decode([]byte(`{"customConfig":1,"json":"{}","engine":"` + c.engine + `"}`))
		require.Empty(t, problems)
		command, err := datax.Plugin().Process(values, task.Env{Dir: "/exec"})
		require.NoError(t, err)
		require.Equal(t, c.engine != "datax", command.Itself)
		for _, shell := range []string{"bash", "dash"} {
			cmd := exec.CommandContext(t.Context(), shell, "-c", command.Script)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DATAX_LAUNCHER=" + c.launcher, "PYTHON_LAUNCHER=" + bin + "/python", "DORADO_PROGRAM=" + bin + "/dorado"}
			out, err := cmd.CombinedOutput()
			require.Equal(t, c.fails, err != nil, "%s", out)
			require.Contains(t, string(out), c.want, shell)
		}
	}
}
