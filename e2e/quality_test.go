//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// checks is a workflow that fills a table of a data source a little more and then measures it.
func checks(source int64) harness.Workflow {
	text := fmt.Sprint(source)
	rule := func(name string, id int, more map[string]any) harness.Task {
		input := map[string]any{
			"src_datasource_id": text, "src_table": "sales", "comparison_type": "1", "comparison_name": "0", "check_type": "1", "operator": "3", "threshold": "0", "failure_strategy": "0",
		}
		maps.Copy(input, more)
		return harness.Task{
			Name: name, Type: "DATA_QUALITY", After: []string{"fill"},
			Settings: func(map[string]int64) map[string]any {
				return map[string]any{"ruleId": id, "ruleInputParameter": input}
			},
		}
	}
	fill := harness.Task{Name: "fill", Type: "SQL", Settings: func(map[string]int64) map[string]any {
		return map[string]any{
			"type": "POSTGRESQL", "datasource": source, "sqlType": "1",
			"sql": `CREATE TABLE IF NOT EXISTS sales (id serial PRIMARY KEY, customer text, state text, amount numeric(10,2), note text);
				CREATE TABLE IF NOT EXISTS copies (sale_id int);
				INSERT INTO sales (customer, state, amount, note) SELECT CASE WHEN n % 3 = 0 THEN NULL ELSE '顾客 ' || n END, CASE WHEN n = 7 THEN 'lsot' ELSE 'new' END, n * 19.99, CASE WHEN n = 3 THEN repeat('a long note ', 30) ELSE '=1+1' END
					FROM generate_series(1, 10 + (SELECT count(*) / 2 FROM sales)::int) n;
				INSERT INTO copies SELECT id FROM sales WHERE id % 5 <> 0 EXCEPT SELECT sale_id FROM copies`,
		}
	}}
	return harness.Workflow{Name: "checks", Tasks: []harness.Task{
		fill,
		rule("sales have a customer", 1, map[string]any{"src_field": "customer"}),
		rule("sales grow slowly", 10, map[string]any{"comparison_type": "2", "check_type": "2", "operator": "3", "threshold": "150"}),
		rule("states are known", 9, map[string]any{"src_field": "state", "enum_list": "new,sent", "failure_strategy": "1"}),
		rule("amounts are right", 2, map[string]any{"statistics_execute_sql": "SELECT SUM(amount) AS total FROM ${src_table}", "statistics_name": "total", "operator": "1", "threshold": "1"}),
		rule("copies are complete", 3, map[string]any{
			"target_datasource_id": text, "target_table": "copies", "mapping_columns": `[{"src_field":"id","operator":"=","target_field":"sale_id"}]`,
		}),
		rule("as many copies as sales", 4, map[string]any{
			"target_datasource_id": text, "target_table": "copies", "statistics_execute_sql": "SELECT COUNT(*) AS n FROM ${src_table}", "statistics_name": "n",
			"comparison_execute_sql": "SELECT COUNT(*) AS n FROM ${target_table}", "comparison_name": "n",
		}),
	}}
}

// Ana measures her tables several times and looks at what was found: the list, one result with its rows, and its past.
func TestAnAnalystLooksAtWhatHerChecksFound(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 5*time.Minute)
	in := project(t, s.Admin, "retail")
	flow, err := s.Admin.Publish(ctx, in, checks(source(t, s.Admin, "warehouse")))
	require.NoError(t, err)
	const runs = 4
	for range runs {
		id, err := s.Admin.StartWorkflow(ctx, in, flow.Code, harness.StartOptions{})
		require.NoError(t, err)
		_, err = s.Admin.WaitInstance(ctx, in, id, 50*time.Millisecond, "FAILURE") // one rule blocks
		require.NoError(t, err)
	}
	type result struct {
		TaskInstanceID  int64
		TaskName        string
		State           int
		StatisticsValue float64
		ComparisonValue float64
	}
	var list harness.Page[result]
	require.NoError(t, s.Admin.Call(ctx, http.MethodGet, "/data-quality/result/page?pageNo=1&pageSize=100", nil, &list))
	require.Equal(t, 6*runs, list.Total)
	states, last := map[string][]int{}, map[string]result{}
	for _, r := range slices.Backward(list.TotalList) { // the newest is the first
		states[r.TaskName], last[r.TaskName] = append(states[r.TaskName], r.State), r
	}
	require.Equal(t, map[string][]int{
		"sales have a customer": {2, 2, 2, 2}, "states are known": {2, 2, 2, 2}, "amounts are right": {1, 1, 1, 1}, "copies are complete": {2, 2, 2, 2},
		"as many copies as sales": {2, 2, 2, 2}, "sales grow slowly": {0, 2, 2, 2},
	}, states, "the first of a series has nothing to be compared with")
	grown := last["sales grow slowly"]
	require.InDelta(t, 80, grown.StatisticsValue, 0)
	require.InDelta(t, 27.33, grown.ComparisonValue, 0, "the average of 10, 25 and 47")

	broken := last["sales have a customer"].TaskInstanceID
	here := fmt.Sprintf("/projects/%d/task-instances/%d/quality", in, broken)
	for _, look := range append(browser.Looks(), browser.Look{Language: "en", Width: 360, Height: 800}, browser.Look{Language: "zh", Width: 1440, Height: 900}, browser.Look{Language: "en", Width: 1100, Height: 800}) {
		t.Run(fmt.Sprintf("%s-%d", look, look.Width), func(t *testing.T) {
			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(name string) { tab.Screenshot(fmt.Sprintf("quality-%s-%d-%s", look, look.Width, name)) }
			check := func() {
				t.Helper()
				for _, v := range tab.Axe(axe) {
					t.Error(v.String())
				}
				require.LessOrEqual(t, browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"), 0)
			}
			tab.SignIn("admin", password)
			tab.Goto("/data-quality/results")
			tab.See(browser.Test("quality.result"), "sales have a customer")
			shot("0-results")
			check()
			require.LessOrEqual(t, browser.Eval[int](tab, `(() => {
				const table = document.querySelector('[data-test="quality.results"]');
				return Math.round(table.getBoundingClientRect().right - table.closest('.card').getBoundingClientRect().right);
			})()`), 0, "no column is cut off")
			tab.Goto("/data-quality/results?state=NONE&rule=table_count_check")
			tab.Wait("the one result", `document.querySelectorAll('[data-test="quality.result"]').length === 1`)
			shot("1-filtered")
			tab.Goto(here)
			tab.See(browser.Test("quality.rows"), "NULL")
			require.Equal(t, runs, browser.Eval[int](tab, `document.querySelectorAll('svg.trend rect').length`))
			shot("2-result")
			check()
			tab.Click(browser.Test("quality.trend.table") + " summary")
			shot("3-trend")
			tab.Goto(fmt.Sprintf("/projects/%d/task-instances/%d/quality", in, grown.TaskInstanceID))
			shot("4-average")
			tab.Goto("/data-quality/rules")
			shot("5-rules")
			if look.Width != 360 { // the editor wants room
				tab.Goto(fmt.Sprintf("/projects/%d/workflows/%d", in, flow.Code))
				tab.Editor().OpenTask("sales grow slowly")
				tab.WaitText(browser.Test("field.ruleInputParameter.src_datasource_id"), "warehouse")
				shot("6-form")
			}
			silent(t, tab)
		})
	}
}
