package sqoop_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/sqoop"
	"dorado/plugins/task/tasktest"
)

const password = "it's \"hunter2\" $(id)"

// databases are one data source of each type, by its number.
func databases(t *testing.T) map[int64]task.Source {
	t.Helper()
	all := map[int64]task.Source{9: {ID: 9, Name: "bare", Plugin: datasource.Plugin{Type: "MYSQL"}}}
	for i, name := range []string{"MYSQL", "ORACLE", "SQLSERVER", "HANA"} {
		for _, p := range builtin.Types() {
			if p.Type != name {
				continue
			}
			flat := form.Flat{"host": "h1", "port": "1000", "database": "shop", "userName": "etl", "password": password}
			if name == "ORACLE" {
				flat["connectType"] = "ORACLE_SID"
			}
			s, problems := p.Read(flat)
			require.Empty(t, problems, name)
			all[int64(i+1)] = task.Source{ID: int64(i + 1), Name: strings.ToLower(name), Plugin: p, Settings: s}
		}
	}
	require.Len(t, all, 5)
	return all
}

// settings writes taskParams with their two texts of JSON.
func settings(t *testing.T, more map[string]any, source, target string) string {
	t.Helper()
	all := map[string]any{"jobName": "daily", "sourceParams": source, "targetParams": target}
	maps.Copy(all, more)
	raw, err := json.Marshal(all)
	require.NoError(t, err)
	return string(raw)
}

const (
	fromMySQL = `{"srcDatasource":1,"srcQueryType":"0","srcTable":"orders","srcColumnType":"0"}`
	toHive    = `{"hiveDatabase":"ods","hiveTable":"orders"}`
)

func TestSqoop(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: sqoop.Plugin(),
		Path:   tasktest.Launchers(t, "sqoop", "yarn"),
		Env:    func(t *testing.T, env *task.Env) { env.Sources = databases(t) },
		Marked: settings(t, map[string]any{"splitBy": "hunter2"}, fromMySQL, toHive),
		Cases: []tasktest.Case{
			{
				Name: "hands every word over as it was typed",
				Params: settings(t, map[string]any{
					"jobName": "日报 $(id)", "hadoopCustomParams": []any{map[string]any{"prop": "a.b", "value": "c d", "direct": "IN", "type": "VARCHAR"}},
					"sqoopAdvancedParams": []any{map[string]any{"prop": "--direct", "value": ""}, map[string]any{"prop": "--boundary-query", "value": "select 'x'"}},
				}, `{"srcDatasource":"1","srcQueryType":"1","srcQuerySql":"select '它''s' from t;"}`, toHive),
				Output: "program sqoop\n" + tasktest.Args("import", "-D", "sqoop.export.records.per.statement=1", "-D", "mapred.job.name=日报 $(id)", "-D", "a.b=c d",
					"--direct", "--boundary-query", "select 'x'", "-m", "1", "--connect", "jdbc:mysql://h1:1000/shop", "--username", "etl", "--password-file"),
			},
			{
				Name: "asks for its rows in parts", Params: settings(t, nil, `{"srcDatasource":1,"srcQuerySql":"select 1"}`, toHive),
				Output: tasktest.Args("--query", "select 1 WHERE $CONDITIONS"),
			},
			{Name: "runs a script", Params: `{"jobType":"CUSTOM","customShell":"sqoop list-tables\r\nsqoop 'a b'"}`, Output: tasktest.Args("a b")},
			{Name: "fails with the program", Params: `{"jobType":"CUSTOM","customShell":"sqoop fails"}`, Fails: true},
		},
		Bad: []string{
			`{"jobType":"CUSTOM"}`, `{"jobName":"x"}`, settings(t, nil, `{`, toHive), settings(t, nil, `[]`, toHive), settings(t, nil, fromMySQL, `{"hiveDatabase":{}}`),
			settings(t, nil, `{"srcDatasource":"x","srcQueryType":"0","srcTable":"t"}`, toHive), settings(t, nil, `{"srcDatasource":1}`, toHive),
			settings(t, map[string]any{"concurrency": 2}, fromMySQL, toHive), settings(t, map[string]any{"concurrency": 0}, fromMySQL, toHive),
			settings(t, map[string]any{"modelType": "export"}, fromMySQL, toHive), settings(t, map[string]any{"sourceType": "HIVE"}, fromMySQL, toHive),
			settings(t, map[string]any{"targetType": "MYSQL"}, fromMySQL, toHive), settings(t, map[string]any{"targetType": "HDFS"}, fromMySQL, toHive),
			settings(t, map[string]any{"jobName": " "}, fromMySQL, toHive), settings(t, nil, fromMySQL, `{"hiveDatabase":"ods"}`),
		},
		Slow: `{"jobType":"CUSTOM","customShell":"sqoop sleeps"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	sources := databases(t)
	env := func(env *task.Env) { env.Sources = sources }
	export := func(more map[string]any) map[string]any {
		all := map[string]any{"modelType": "export", "sourceType": "HIVE", "targetType": "MYSQL"}
		maps.Copy(all, more)
		return all
	}
	const fromHive = `{"hiveDatabase":"ods","hiveTable":"orders"}`
	all := []tasktest.Golden{
		{Name: "a table of MySQL to Hive", Params: settings(t, nil, fromMySQL, toHive), Env: env},
		{Name: "some columns, several workers", Params: settings(t, map[string]any{"concurrency": "4", "splitBy": "id"},
			`{"srcDatasource":1,"srcQueryType":"0","srcTable":"orders","srcColumnType":"1","srcColumns":"id,name"}`, toHive), Env: env},
		{Name: "a query with types of columns", Params: settings(t, nil, `{"srcDatasource":1,"srcQueryType":"1","srcQuerySql":"SELECT id FROM t WHERE id > 1","mapColumnHive":[{"prop":"id","value":"string","direct":"IN"}],
			"mapColumnJava":[{"prop":"id","value":"String"},{"prop":"n","value":"Integer"}]}`, `{"hiveDatabase":"ods","hiveTable":"t","hiveTargetDir":"/tmp/x y"}`), Env: env},
		{Name: "everything of Hive", Params: settings(t, nil, fromMySQL, `{"hiveDatabase":"ods","hiveTable":"orders","createHiveTable":true,"dropDelimiter":"true","hiveOverWrite":false,
			"hiveTargetDir":"/d","replaceDelimiter":" ","hivePartitionKey":"dt","hivePartitionValue":"2024-01-01"}`), Env: env},
		{Name: "to HDFS", Params: settings(t, map[string]any{"targetType": "HDFS"}, fromMySQL, `{"targetPath":"/out/我的","deleteTargetDir":true,"compressionCodec":"snappy","fileType":"--as-textfile","fieldsTerminated":"|","linesTerminated":"\\n"}`), Env: env},
		{Name: "to HDFS with what is usual", Params: settings(t, map[string]any{"targetType": "HDFS"}, fromMySQL, `{"targetPath":"/out","deleteTargetDir":false}`), Env: env},
		{Name: "from Hive to MySQL", Params: settings(t, export(nil), fromHive, `{"targetDatasource":1,"targetTable":"orders"}`), Env: env},
		{Name: "a partition, rows updated", Params: settings(t, export(nil), `{"hiveDatabase":"ods","hiveTable":"t","hivePartitionKey":"dt","hivePartitionValue":"d1"}`,
			`{"targetDatasource":1,"targetTable":"t","targetColumns":"a,b","fieldsTerminated":"\t","isUpdate":"true","targetUpdateKey":"id","targetUpdateMode":"allowinsert"}`), Env: env},
		{Name: "from HDFS", Params: settings(t, export(map[string]any{"sourceType": "HDFS"}), `{"exportDir":"/in put"}`, `{"targetDatasource":1,"targetTable":"t","isUpdate":true,"targetUpdateKey":"","preQuery":"delete"}`), Env: env},
		{Name: "a script", Params: `{"jobType":"CUSTOM","customShell":"sqoop list-databases"}`},
		{Name: "a data source that is gone", Params: settings(t, nil, strings.Replace(fromMySQL, "1", "8", 1), toHive), Env: env},
		{Name: "a data source without an address", Params: settings(t, nil, strings.Replace(fromMySQL, "1", "9", 1), toHive), Env: env},
		{Name: "parameters stay within their member", Params: settings(t, nil, `{"srcDatasource":1,"srcQuerySql":"select ${x}"}`, toHive), Env: func(e *task.Env) {
			env(e)
			e.Expand = func(s string) (string, error) { return strings.ReplaceAll(s, "${x}", `'a","srcDatasource":"2'`), nil }
		}},
		{Name: "a lost attempt", Params: settings(t, nil, fromMySQL, toHive), Env: func(e *task.Env) { env(e); e.Link = "application_1_1" }},
	}
	for i, name := range []string{"ORACLE", "SQLSERVER", "HANA"} {
		from, to := strings.Replace(fromMySQL, "1", string(rune('2'+i)), 1), `{"targetDatasource":`+string(rune('2'+i))+`,"targetTable":"t"}`
		all = append(all,
			tasktest.Golden{Name: "from " + name, Params: settings(t, map[string]any{"sourceType": name}, from, toHive), Env: env},
			tasktest.Golden{Name: "to " + name, Params: settings(t, export(map[string]any{"targetType": name}), fromHive, to), Env: env})
	}
	tasktest.Commands(t, sqoop.Plugin(), all)
}

func TestThePasswordIsOnNoCommandLine(t *testing.T) {
	t.Parallel()
	sources := databases(t)
	for _, params := range []string{
		settings(t, nil, fromMySQL, toHive),
		settings(t, map[string]any{"modelType": "export", "sourceType": "HIVE", "targetType": "SQLSERVER"}, toHive, `{"targetDatasource":3,"targetTable":"t"}`),
	} {
		values, problems := sqoop.Plugin().Decode([]byte(params))
		require.Empty(t, problems)
		require.Len(t, sqoop.Plugin().SourceIDs(values), 1)
		c, err := sqoop.Plugin().Process(values, task.Env{Sources: sources})
		require.NoError(t, err)
		require.NotContains(t, c.Script, "hunter2")
		require.Equal(t, password, c.Files[0].Text, "without a line end, which would belong to it")
	}
}

func TestARowsConditionIsAddedWhereTheStatementHasItsOwn(t *testing.T) {
	t.Parallel()
	sources := databases(t)
	for sql, want := range map[string]string{
		"select 1":                            "WHERE",
		"select 1 Where x":                    "AND",
		"select a from (select 1 where x) t":  "WHERE",
		"select 'where' as \"where\" from t":  "WHERE",
		"select 1 -- where\nfrom t":           "WHERE",
		"select 1 where x -- all":             "(?m)^AND",
		"select 1 from t where x in (1, 2);;": "AND",
	} {
		raw, err := json.Marshal(map[string]any{"srcDatasource": 1, "srcQuerySql": sql})
		require.NoError(t, err)
		values, problems := sqoop.Plugin().Decode([]byte(settings(t, nil, string(raw), toHive)))
		require.Empty(t, problems)
		c, err := sqoop.Plugin().Process(values, task.Env{Sources: sources})
		require.NoError(t, err)
		require.Regexp(t, `[ \n]`+want+` \$CONDITIONS' --hive-import`, c.Script, sql)
	}
}

func TestTheSettingsOfBothSidesAreTextsThatHoldJSON(t *testing.T) {
	t.Parallel()
	plugin := sqoop.Plugin()
	fields := func(raw string) []string {
		t.Helper()
		values, problems := plugin.Decode([]byte(raw))
		var shown []string
		for _, f := range plugin.Schema {
			if f.Packed && f.SameAs == "" && plugin.Schema.Shown(f, values) {
				shown = append(shown, f.Name)
			}
		}
		require.Empty(t, problems, raw)
		return shown
	}
	require.Equal(t, []string{
		"sourceParams.srcDatasource", "sourceParams.srcQueryType", "sourceParams.srcTable", "sourceParams.srcColumnType", "sourceParams.mapColumnHive", "sourceParams.mapColumnJava",
		"targetParams.hiveDatabase", "targetParams.hiveTable", "targetParams.createHiveTable", "targetParams.dropDelimiter", "targetParams.hiveOverWrite", "targetParams.hiveTargetDir",
		"targetParams.replaceDelimiter", "targetParams.hivePartitionKey", "targetParams.hivePartitionValue",
	}, fields(settings(t, nil, fromMySQL, toHive)))
	require.Equal(t, []string{
		"sourceParams.exportDir", "targetParams.targetDatasource", "targetParams.targetTable", "targetParams.targetColumns", "targetParams.fieldsTerminated",
		"targetParams.linesTerminated", "targetParams.isUpdate", "targetParams.targetUpdateKey", "targetParams.targetUpdateMode",
	}, fields(settings(t, map[string]any{"modelType": "export", "sourceType": "HDFS", "targetType": "ORACLE"}, `{"exportDir":"/in"}`, `{"targetDatasource":2,"targetTable":"t","isUpdate":true}`)))
	require.Empty(t, fields(`{"jobType":"CUSTOM","customShell":"x","sourceParams":"","targetParams":null}`))
	require.Empty(t, fields(`{"jobType":"CUSTOM","customShell":"x","sourceParams":"{}"}`))

	for raw, field := range map[string]string{
		settings(t, nil, "{", toHive):          "sourceParams.srcType",
		settings(t, nil, fromMySQL, "[]"):      "targetParams.hiveDatabase",
		`{"jobName":"x","sourceParams":{}}`:    "sourceParams.srcType",
		settings(t, nil, `"{}"`, toHive):       "sourceParams.srcType",
		`{"jobName":"x","targetParams":[1,2]}`: "targetParams.hiveDatabase",
	} {
		_, problems := plugin.Decode([]byte(raw))
		var said []form.Problem
		for _, p := range problems {
			if p.Key == "form.not_packed" {
				said = append(said, p)
			}
		}
		require.Len(t, said, 1, "once: %s", raw)
		require.Equal(t, field, said[0].Field)
	}
	_, problems := plugin.Decode([]byte(settings(t, nil, `{"srcDatasource":0,"srcQueryType":"0"}`, `{"hiveDatabase":"ods"}`)))
	require.Len(t, problems, 3)
	require.Equal(t, []string{"sourceParams.srcDatasource", "sourceParams.srcTable", "targetParams.hiveTable"}, []string{problems[0].Field, problems[1].Field, problems[2].Field})
}

func FuzzSettings(f *testing.F) {
	f.Add(`{"jobName":"x","sourceParams":"{\"srcDatasource\":[]}","targetParams":"{}"}`)
	f.Fuzz(func(_ *testing.T, raw string) {
		values, _ := sqoop.Plugin().Decode([]byte(raw))
		_, _ = sqoop.Plugin().Process(values, task.Env{})
		sqoop.Plugin().SourceIDs(values)
	})
}
