package dataquality_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
	"dorado/plugins/task"
	dataquality "dorado/plugins/task/data_quality"
	"dorado/plugins/task/tasktest"
)

// settings are those of a rule, which fails when there is anything to count.
func settings(rule int, more map[string]any) string {
	input := map[string]any{"src_datasource_id": "1", "src_table": "orders", "failure_strategy": "1"}
	maps.Copy(input, more)
	raw, _ := json.Marshal(map[string]any{"ruleId": rule, "ruleInputParameter": input, "sparkParameters": map[string]any{"others": "x"}})
	return string(raw)
}

type inputs = map[string]any

func TestDataQuality(t *testing.T) {
	t.Parallel()
	var once sync.Once
	var sources map[int64]task.Source
	tasktest.Run(t, tasktest.Suite{
		Plugin: dataquality.Plugin(),
		Env: func(_ *testing.T, env *task.Env) {
			once.Do(func() {
				sources = map[int64]task.Source{1: postgres(t, 1), 2: {ID: 2, Name: "none", Plugin: datasource.Plugin{Type: "HIVE"}}}
			})
			env.TaskName, env.Sources = "orders", sources
		},
		Cases: []tasktest.Case{
			{Name: "passes a table without defects", Params: settings(1, inputs{"src_field": "id"}), Output: "the rule holds\n"},
			{Name: "fails for one with defects", Params: settings(1, inputs{"src_field": "name"}), Output: "the rule is broken: actual - expected is 2, which is > 0\n", Fails: true},
			{Name: "shows the rows", Params: settings(5, inputs{"src_field": "name", "logic_operator": ">", "field_length": 6, "failure_strategy": "0"}), Output: "longest one"},
			{Name: "says that a table is missing", Params: settings(10, inputs{"src_table": "nowhere"}), Fails: true},
			{Name: "says that a data source is missing", Params: settings(10, inputs{"src_datasource_id": 9}), Fails: true},
			{Name: "says that a type is not supported", Params: settings(10, inputs{"src_datasource_id": 2}), Fails: true},
			{Name: "says that the master told no history", Params: settings(10, inputs{"comparison_type": 3}), Fails: true},
			{Name: "judges numbers that come late", Params: settings(10, inputs{"threshold": "${x}"}), Fails: true},
		},
		Bad: []string{
			settings(11, nil), settings(1, nil), settings(10, inputs{"src_table": ""}), settings(10, inputs{"threshold": "many"}), settings(10, inputs{"comparison_name": "x"}),
			settings(10, inputs{"comparison_type": 8}), settings(10, inputs{"comparison_type": 9}), settings(10, inputs{"operator": "6"}), settings(10, inputs{"check_type": "4"}),
			settings(10, inputs{"failure_strategy": "2"}), settings(10, inputs{"src_datasource_id": "x"}), settings(10, inputs{"src_datasource_id": nil}),
			settings(5, inputs{"src_field": "name", "logic_operator": "~", "field_length": 3}), settings(5, inputs{"src_field": "name"}),
			settings(8, inputs{"src_field": "made", "begin_time": "2024-01-01", "deadline": "2024-01-01", "datetime_format": "EEE"}),
			settings(9, inputs{"src_field": "state", "enum_list": " , "}), settings(2, nil), settings(4, inputs{"statistics_execute_sql": "x", "target_datasource_id": 1}),
			settings(3, inputs{"target_datasource_id": 1, "target_table": "t", "mapping_columns": "[]"}), settings(3, inputs{"target_datasource_id": 1, "mapping_columns": `[{"src_field":"a","target_field":"b"}]`}),
			settings(3, inputs{"target_datasource_id": 1, "target_table": "t", "mapping_columns": `[{"src_field":"a","target_field":"b","operator":"OR"}]`}),
			`{"ruleId":1,"ruleInputParameter":"x"}`, `{"ruleId":1,"ruleInputParameter":[]}`,
		},
		Slow: settings(2, inputs{"statistics_execute_sql": "SELECT count(*) FROM pg_sleep(300)"}),
	})
}

// try runs a rule and returns what it found.
func try(t *testing.T, sources map[int64]task.Source, raw string) (dataquality.Result, task.Outcome, string, error) {
	t.Helper()
	return tryAfter(t, sources, raw, nil)
}

// tryAfter does so with what earlier attempts measured.
func tryAfter(t *testing.T, sources map[int64]task.Source, raw string, past *task.Past) (dataquality.Result, task.Outcome, string, error) {
	t.Helper()
	values, problems := dataquality.Plugin().Decode([]byte(raw))
	require.Empty(t, problems, raw)
	var log bytes.Buffer
	env := task.Env{TaskInstanceID: 7, WorkflowInstanceID: 2, TaskName: "check", Dir: t.TempDir(), Log: &log, Sources: sources, Past: past}
	out, err := dataquality.Plugin().Run(t.Context(), values, env)
	var r dataquality.Result
	if len(out.Extra) > 0 {
		require.Equal(t, form.Param{Prop: "check.result", Direct: "OUT", Type: "VARCHAR", Value: out.Extra[0].Value}, out.Extra[0])
		require.NoError(t, json.Unmarshal([]byte(out.Extra[0].Value), &r))
		require.Equal(t, out.Extra[0].Value, string(out.Result), "pages show the same, whether the task fails or not")
		require.Contains(t, log.String(), "data quality result: "+out.Extra[0].Value+"\n")
	}
	if r.ErrorOutputPath != "" {
		csv, err := os.ReadFile(filepath.Join(env.Dir, r.ErrorOutputPath))
		require.NoError(t, err)
		log.WriteString("CSV:\n" + string(csv))
	}
	return r, out, log.String(), err
}

// rules are run on each kind of database; want is the actual value, shown what the log has to say of the rows.
func rules() []struct {
	name  string
	rule  int
	input inputs
	want  string
	shown string
} {
	return []struct {
		name  string
		rule  int
		input inputs
		want  string
		shown string
	}{
		{"null", 1, inputs{"src_field": "name"}, "2", "CSV:\nid,name,"},
		{"null with a filter", 1, inputs{"src_field": "name", "src_filter": "id < 3 -- only these"}, "1", ""},
		{"null of numbers", 1, inputs{"src_field": "amount"}, "0", ""},
		{"custom", 2, inputs{"statistics_execute_sql": "SELECT MAX(amount) AS most FROM ${src_table} WHERE ${src_filter};\n", "statistics_name": "most", "src_filter": "id < 4"}, "20.25", ""},
		{"custom without a filter", 2, inputs{"statistics_execute_sql": "SELECT 7 AS a, MAX(amount) AS MOST FROM ${src_table} WHERE ${src_filter}", "statistics_name": "most"}, "1000", ""},
		{"accuracy", 3, inputs{"target_datasource_id": "1", "target_table": "copies", "mapping_columns": `[{"src_field":"id","operator":"=","target_field":"order_id"},{"src_field":"name","target_field":"label"}]`}, "2", "longest one"},
		{"accuracy with filters", 3, inputs{"target_datasource_id": 1, "target_table": "copies", "target_filter": "order_id <> 1", "src_filter": "id < 4", "mapping_columns": `[{"src_field":"id","operator":"=","target_field":"order_id"}]`}, "1", "ann"},
		{"two values", 4, inputs{
			"statistics_execute_sql": "SELECT SUM(amount) AS s FROM ${src_table}", "statistics_name": "s", "target_datasource_id": 1, "target_table": "copies",
			"comparison_execute_sql": "SELECT COUNT(*) AS n, 1 AS m FROM ${target_table}", "comparison_name": "n",
		}, "1031.75", ""},
		{"length =", 5, inputs{"src_field": "name", "logic_operator": "=", "field_length": 3}, "1", "ann"},
		{"length <", 5, inputs{"src_field": "name", "logic_operator": "<", "field_length": "3"}, "2", "数据"},
		{"length <=", 5, inputs{"src_field": "name", "logic_operator": "<=", "field_length": 3}, "3", ""},
		{"length >", 5, inputs{"src_field": "name", "logic_operator": ">", "field_length": 3}, "1", "longest one"},
		{"length >=", 5, inputs{"src_field": "name", "logic_operator": ">=", "field_length": 3}, "2", ""},
		{"length <>", 5, inputs{"src_field": "id", "logic_operator": "<>", "field_length": 1}, "0", ""},
		{"unique", 6, inputs{"src_field": "state"}, "1", "new,3"},
		{"unique with a filter", 6, inputs{"src_field": "state", "src_filter": "id > 3"}, "0", ""},
		{"pattern", 7, inputs{"src_field": "code", "regexp_pattern": `^[A-Z]-\d$`}, "2", "it's \\ B3"},
		{"pattern with quotes", 7, inputs{"src_field": "code", "regexp_pattern": `'s \\ `}, "4", ""},
		{"timely", 8, inputs{"src_field": "made", "begin_time": "2024-01-02 00:00:00", "deadline": "2024-01-03 00:00:00"}, "2", "A-2"},
		{"timely text", 8, inputs{"src_field": "day", "datetime_format": "yyyy/MM/dd", "begin_time": "2024/01/02", "deadline": "2024/01/04"}, "3", ""},
		{"timely with a T", 8, inputs{"src_field": "made", "datetime_format": "yyyy-MM-dd'T'HH:mm:ss.SSS", "begin_time": "2024-01-02T00:00:00.001", "deadline": "2024-01-04"}, "2", ""},
		{"enum", 9, inputs{"src_field": "state", "enum_list": "new, 'old'"}, "2", "o'dd"},
		{"enum of odd texts", 9, inputs{"src_field": "state", "enum_list": `new,old,"o'dd"`}, "1", ""},
		{"enum of numbers", 9, inputs{"src_field": "id", "enum_list": "1,2,3"}, "2", ""},
		{"count", 10, nil, "5", ""},
		{"count with a filter", 10, inputs{"src_filter": "id = 1 OR id = 2"}, "2", ""},
	}
}

// seed are tables with known defects.
const seed = `
CREATE TABLE orders (id INT PRIMARY KEY, name VARCHAR(20), code VARCHAR(20), made TIMESTAMP NULL, day VARCHAR(20), state VARCHAR(10), amount DECIMAL(10,2));
INSERT INTO orders VALUES (1, 'ann', 'A-1', '2024-01-01 10:00:00', '2024/01/01', 'new', 1.5);
INSERT INTO orders VALUES (2, '', 'A-2', '2024-01-02 00:00:00', '2024/01/02', 'new', 0);
INSERT INTO orders VALUES (3, NULL, 'it''s BACKSLASH B3', '2024-01-03 00:00:00', 'never', 'new', 20.25);
INSERT INTO orders VALUES (4, '数据', 'B4', '2024-01-03 00:00:01', '2024/01/03', 'o''dd', 1000);
INSERT INTO orders VALUES (5, 'longest one', 'A-5', NULL, '2024/01/04', NULL, 10);
CREATE TABLE copies (order_id INT, label VARCHAR(20));
INSERT INTO copies VALUES (1, 'ann');
INSERT INTO copies VALUES (2, NULL);
INSERT INTO copies VALUES (3, '');
INSERT INTO copies VALUES (4, 'data');
INSERT INTO copies VALUES (NULL, NULL);
`

func TestEachRuleFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T, int64) task.Source{"postgres": postgres, "mariadb": mariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sources := map[int64]task.Source{1: open(t, 1)}
			for _, c := range rules() {
				t.Run(c.name, func(t *testing.T) {
					r, out, log, err := try(t, sources, settings(c.rule, c.input))
					require.Equal(t, c.want, r.StatisticsValue, "%s\n%v", log, err)
					require.Contains(t, log, c.shown)
					require.Equal(t, c.rule, r.RuleID)
					require.Equal(t, int64(7), r.TaskInstanceID)
					require.NotContains(t, log, "hunter2")
					broken := c.want != "0" && c.rule != 4 || c.rule == 4 && c.want != "5"
					require.Equal(t, broken, err != nil)
					require.Equal(t, broken, out.Alert != nil)
					require.Len(t, r.UniqueCode, 44)
					require.Equal(t, c.want, out.Measured)
					require.Equal(t, r.ErrorOutputPath != "", out.Detail != nil, "what is in the file is shown, too")
				})
			}
		})
	}
}

func TestEachCheckAndOperatorDecides(t *testing.T) {
	t.Parallel()
	sources := map[int64]task.Source{1: postgres(t, 1)}
	// Five rows, compared with two, four, five and with nothing.
	value := map[int]map[string]string{
		0: {"2": "-3", "4": "-1", "5": "0", "0": "-5"}, 1: {"2": "3", "4": "1", "5": "0", "0": "5"},
		2: {"2": "250", "4": "125", "5": "100", "0": ""}, 3: {"2": "-150", "4": "-25", "5": "0", "0": ""},
	}
	signs := []string{"=", "<", "<=", ">", ">=", "!="}
	for check, all := range value {
		for expected, want := range all {
			for operator, sign := range signs {
				for _, threshold := range []string{"-25", "0", "100", "125.0", "1e3"} {
					r, out, log, err := try(t, sources, settings(10, inputs{
						"comparison_name": expected, "check_type": check, "operator": fmt.Sprint(operator), "threshold": threshold, "failure_strategy": "0",
					}))
					require.NoError(t, err, "an alert is no failure")
					require.Equal(t, want, r.CheckValue, log)
					require.Equal(t, r.State == 2, out.Alert != nil)
					if want == "" {
						require.Equal(t, "the expected value is 0, so there is no percentage of it", r.Reason)
						require.Equal(t, 2, r.State)
						continue
					}
					var a, b float64
					_, err = fmt.Sscan(want, &a)
					require.NoError(t, err)
					_, err = fmt.Sscan(threshold, &b)
					require.NoError(t, err)
					fails := map[string]bool{"=": a == b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "!=": a != b}[sign]
					require.Equal(t, fails, r.State == 2, "%s %s %s", want, sign, threshold)
				}
			}
		}
	}
}

func TestExpectedValuesComeFromTables(t *testing.T) {
	t.Parallel()
	sources := map[int64]task.Source{1: postgres(t, 1)}
	r, _, log, err := try(t, sources, settings(1, inputs{"src_field": "name", "comparison_type": 7, "check_type": 2, "operator": 4, "threshold": "50", "src_filter": "id <= 4"}))
	require.ErrorContains(t, err, "the rule null_check is broken: actual / expected x 100 is 50, which is >= 50")
	require.Equal(t, "4", r.ComparisonValue, log)
	r, out, log, err := try(t, sources, settings(3, inputs{
		"target_datasource_id": "1", "target_table": "public.copies", "target_filter": "order_id IS NOT NULL", "mapping_columns": `[{"src_field":"id","target_field":"order_id"}]`,
		"comparison_type": 8, "check_type": 3, "operator": 5, "threshold": "75", "failure_strategy": 0,
	}))
	require.NoError(t, err, log)
	require.Equal(t, "4", r.ComparisonValue)
	require.Equal(t, 1, r.State)
	require.Nil(t, out.Alert)
	_, out, _, err = try(t, sources, settings(10, inputs{"failure_strategy": "0"}))
	require.NoError(t, err)
	require.Equal(t, "Data quality: check breaks the rule table_count_check", out.Alert.Title)
	require.Zero(t, out.Alert.Group)
	require.JSONEq(t, `[{"task":"check","rule":"table_count_check","reason":"actual - expected is 5, which is > 0","actual":"5","expected":"0","check":"actual - expected > 0","task instance":"7"}]`, out.Alert.Content)
}

func TestTablesInDifferentPlacesAreCompared(t *testing.T) {
	t.Parallel()
	sources := map[int64]task.Source{1: postgres(t, 1), 2: mariaDB(t, 2)}
	columns := `[{"src_field":"id","operator":"=","target_field":"order_id"},{"src_field":"name","target_field":"label"}]`
	for name, ids := range map[string][2]int{"one way": {1, 2}, "the other": {2, 1}} {
		r, _, log, err := try(t, sources, settings(3, inputs{"src_datasource_id": ids[0], "target_datasource_id": fmt.Sprint(ids[1]), "target_table": "copies", "mapping_columns": columns, "comparison_type": 8}))
		require.NoError(t, err, log)
		require.Equal(t, "2", r.StatisticsValue, name)
		require.Equal(t, "5", r.ComparisonValue, name)
		require.Contains(t, log, "4   数据", name)
		require.Contains(t, log, "5,longest one\n", name)
	}
	_, _, _, err := try(t, sources, settings(3, inputs{"target_datasource_id": 2, "target_table": "copies", "mapping_columns": strings.Replace(columns, "=", "<", 1)}))
	require.ErrorContains(t, err, "compared by = only")
	r, _, log, err := try(t, sources, settings(4, inputs{
		"statistics_execute_sql": "SELECT COUNT(*) FROM ${src_table}", "target_datasource_id": 2, "target_table": "copies", "comparison_execute_sql": "SELECT COUNT(*) FROM ${target_table}",
	}))
	require.NoError(t, err, log)
	require.Equal(t, "5", r.StatisticsValue)
}

func TestWhatCannotBeAskedSaysWhy(t *testing.T) {
	t.Parallel()
	source := postgres(t, 1)
	wrong := source
	wrong.Settings.Password = "hunter2-wrong"
	wrong.Settings.All = maps.Clone(source.Settings.All)
	wrong.Settings.All["password"] = "hunter2-wrong"
	sources := map[int64]task.Source{1: source, 5: wrong}
	for want, raw := range map[string]string{
		"ask the data source shop":           settings(2, inputs{"statistics_execute_sql": "SELECT 1 FROM nowhere"}),
		"read-only transaction":              settings(2, inputs{"statistics_execute_sql": "DELETE FROM orders RETURNING 1"}),
		"the statement returned no row":      settings(2, inputs{"statistics_execute_sql": "SELECT 1 WHERE 1 = 2"}),
		`returned "", which is no number`:    settings(2, inputs{"statistics_execute_sql": "SELECT MAX(id) FROM orders WHERE id > 99"}),
		`returned "ann", which is no number`: settings(2, inputs{"statistics_execute_sql": "SELECT name FROM orders WHERE id = 1"}),
		`columns a, b, and none called "c"`:  settings(2, inputs{"statistics_execute_sql": "SELECT 1 AS a, 2 AS b", "statistics_name": "c"}),
		"is no name of a database":           settings(10, inputs{"src_database": "a b"}),
		"connect to the data source shop":    settings(10, inputs{"src_database": "nowhere"}),
		"the time yesterday does not have":   settings(8, inputs{"src_field": "made", "begin_time": "yesterday", "deadline": "2024-01-01"}),
		"older than this worker":             settings(10, inputs{"comparison_type": "6"}),
	} {
		_, out, _, err := try(t, sources, raw)
		require.ErrorContains(t, err, want)
		require.Nil(t, out.Alert, "a rule that was not tried is not broken")
		require.Empty(t, out.Extra)
	}
	_, _, log, err := try(t, sources, settings(10, inputs{"src_datasource_id": 5}))
	if err != nil { // a PostgreSQL that trusts everybody takes any password
		require.NotContains(t, err.Error()+log, "hunter2")
	}
}
