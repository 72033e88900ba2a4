package hivecli_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/hivecli"
	"dorado/plugins/task/tasktest"
)

// hive is a data source with a password that has every character a shell might read.
func hive(t *testing.T) map[int64]task.Source {
	t.Helper()
	for _, p := range builtin.Types() {
		if p.Type != "HIVE" {
			continue
		}
		s, problems := p.Read(form.Flat{"host": "h1", "port": "10000", "database": "ods", "userName": "etl", "password": "it's $(id)", "other": `{"ssl":"true"}`})
		require.Empty(t, problems)
		return map[int64]task.Source{7: {ID: 7, Name: "warehouse", Plugin: p, Settings: s}, 8: {ID: 8, Name: "bare", Plugin: datasource.Plugin{Type: "HIVE"}}}
	}
	t.Fatal("no HIVE")
	return nil
}

func TestHiveCli(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: hivecli.Plugin(),
		Path:   tasktest.Launchers(t, "hive", "beeline", "yarn"),
		Env:    func(t *testing.T, env *task.Env) { env.Sources = hive(t) },
		Cases: []tasktest.Case{
			{Name: "runs a text", Params: `{"hiveSqlScript":"select 1","hiveCliOptions":"--hiveconf 'a=b c'"}`, Output: tasktest.Args("--hiveconf", "a=b c")},
			{
				Name: "runs a file whatever it is called", Params: `{"hiveCliTaskExecutionType":"FILE","resourceList":[{"resourceName":"/我的 it's.sql"}]}`,
				Output: "program hive\n" + tasktest.Args("-f", "/我的 it's.sql"),
			},
			{
				Name: "runs beeline", Params: `{"client":"beeline","datasource":"7","hiveSqlScript":"select 1"}`,
				Output: "program beeline\n" + tasktest.Args("-u", "jdbc:hive2://h1:10000/ods;ssl=true", "-n", "etl", "-w"),
			},
			{Name: "fails with the program", Params: `{"hiveSqlScript":"x","hiveCliOptions":"fails"}`, Fails: true},
		},
		Bad: []string{
			`{"hiveSqlScript":" "}`, `{"hiveCliTaskExecutionType":"FILE"}`, `{"hiveCliTaskExecutionType":"x","hiveSqlScript":"y"}`,
			`{"client":"beeline","hiveSqlScript":"x"}`, `{"client":"psql","hiveSqlScript":"x"}`,
		},
		Slow: `{"hiveSqlScript":"x","hiveCliOptions":"sleeps"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	sources := hive(t)
	files := func(env *task.Env) { env.Files, env.Sources = map[string]string{"/q.sql": "sql/q.sql"}, sources }
	tasktest.Commands(t, hivecli.Plugin(), []tasktest.Golden{
		{Name: "a text", Params: `{"hiveSqlScript":"select 1;\r\nselect '日报';","hiveCliOptions":"--hiveconf x=y\n-v"}`},
		{Name: "a file", Params: `{"hiveCliTaskExecutionType":"FILE","resourceList":[{"resourceName":"/q.sql"}],"hiveCliOptions":"-v"}`, Env: files},
		{Name: "beeline", Params: `{"client":"beeline","datasource":7,"hiveSqlScript":"select 1;","hiveCliOptions":"--silent=true"}`, Env: files},
		{Name: "beeline with a file", Params: `{"client":"beeline","datasource":7,"hiveCliTaskExecutionType":"FILE","resourceList":[{"resourceName":"/q.sql"}]}`, Env: files},
		{Name: "beeline without a data source", Params: `{"client":"beeline","datasource":9,"hiveSqlScript":"select 1;"}`, Env: files},
		{Name: "beeline with what is no database", Params: `{"client":"beeline","datasource":8,"hiveSqlScript":"select 1;"}`, Env: files},
		{Name: "a lost attempt", Params: `{"hiveSqlScript":"select 1;"}`, Env: func(env *task.Env) { env.Link = "application_1_1" }},
		{Name: "a file of an older release", Params: `{"hiveCliTaskExecutionType":"FILE","resourceList":[{"id":4}]}`},
	})
}
