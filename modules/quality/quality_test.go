package quality_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/quality"
	"dorado/modules/security/crudtest"
	"dorado/plugins/catalog"
)

type dict = map[string]any

const sales, payroll = int64(1), int64(2)

type world struct {
	*crudtest.App
	*quality.Module
	b *webtest.Browser
}

// open makes two projects, of which the general user may read the first, with results in each.
func open(t *testing.T, d *db.DB) *world {
	t.Helper()
	types, err := catalog.BuiltinDataSources()
	require.NoError(t, err)
	w := &world{App: crudtest.NewApp(t, d, quality.Rules(), project.Rules(), instance.Rules())}
	w.Module = quality.New(quality.Deps{DB: d, Access: w.Access, Types: types, Site: w.Site, API: w.App.API, Frame: w.Frame})
	w.b = w.Browser(t, w.Routes)
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	for code, name := range map[int64]string{sales: "sales", payroll: "payroll"} {
		w.exec(t, `INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)`, code, name, w.Admin.UserID, at, at)
	}
	require.NoError(t, w.Access.Grant(t.Context(), w.General.UserID, access.Project(sales), access.Read))
	w.found(t, 1, sales, "orders have keys", at, dict{"ruleId": 1, "ruleType": 0, "ruleName": "null_check", "statisticsName": "null_count.nulls", "statisticsValue": "3", "comparisonType": 1, "comparisonValue": "0", "checkType": 1, "checkValue": "3", "operator": 3, "threshold": "0.5", "failureStrategy": 1, "state": 2, "reason": "actual - expected is 3", "errorOutputPath": "error_rows.csv"})
	w.found(t, 2, sales, "orders are many", at.AddDate(0, 0, 1), dict{"ruleId": 10, "ruleType": 0, "ruleName": "table_count_check", "statisticsValue": "12345678", "comparisonType": 7, "comparisonValue": "12345678", "checkType": 2, "operator": 1, "threshold": "1", "state": 1})
	w.found(t, 3, payroll, "salaries match", at.AddDate(0, 0, 2), dict{"ruleId": 3, "ruleType": 2, "ruleName": "multi_table_accuracy", "statisticsValue": "0", "comparisonValue": "0", "state": 1, "reason": "there is no <b>percentage"})
	w.exec(t, `UPDATE task_result SET detail = ? WHERE task_instance_id = 1`, `{"columns":["id","=name"],"rows":[["1",null],["-2","=SUM(A1)"],["3","<b>a"]],"more":true}`)
	for id, value := range map[int64]string{1: "3", 2: "12345678", 40: "1.5", 41: "9"} { // the runs of 40 and 41 are gone
		code, series := int64(71), "nulls"
		if id == 2 {
			code, series = 72, "count"
		}
		day := at.AddDate(0, 0, -int(id))
		if id < 3 {
			day = at.AddDate(0, 0, int(id)-1)
		} else if id == 41 {
			day = at.AddDate(0, 0, 9) // after the result
		}
		w.exec(t, `INSERT INTO task_measure (task_instance_id, workflow_code, task_code, series, value, measured_at) VALUES (?, ?, 5, ?, ?, ?)`, id, code, series, value, day)
	}
	w.exec(t, `INSERT INTO task_result (task_instance_id, kind, body, created_at) VALUES (99, 'DATA_QUALITY', '{}', ?)`, at) // its attempt is gone
	return w
}

func (w *world) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := w.DB.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

func (w *world) found(t *testing.T, id, in int64, task string, at time.Time, body any) {
	t.Helper()
	w.exec(t, `INSERT INTO workflow_instance (id, name, workflow_code, workflow_version, workflow_name, project_code, state, command_type, executor_id, executor_name, start_time, created_at, updated_at)
		VALUES (?, ?, ?, 1, 'nightly', ?, 'SUCCESS', 'START_PROCESS', ?, 'gwen', ?, ?, ?)`, id, fmt.Sprintf("nightly-%d", id), 70+id, in, w.General.UserID, at, at, at)
	w.exec(t, `INSERT INTO task_instance (id, workflow_instance_id, project_code, task_code, task_version, name, task_type, state, first_submit_time, submit_time)
		VALUES (?, ?, ?, 5, 1, ?, 'DATA_QUALITY', 'SUCCESS', ?, ?)`, id, id, in, task, at, at)
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	w.exec(t, `INSERT INTO task_result (task_instance_id, kind, body, created_at) VALUES (?, 'DATA_QUALITY', ?, ?)`, id, string(raw), at)
}

func TestResultsAreListedOfProjectsOneMayRead(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		admin, gwen := w.b.As(crudtest.As(w.Admin)), w.b.As(crudtest.As(w.General))
		tasks := func(b *webtest.Browser, query string) []string {
			t.Helper()
			return b.Get(quality.ResultsPath + "?" + query).Require(http.StatusOK).Texts("tbody td:first-child a")
		}
		require.Equal(t, []string{"salaries match", "orders are many", "orders have keys"}, tasks(admin, ""), "the newest first")
		require.Equal(t, []string{"orders are many", "orders have keys"}, tasks(gwen, ""))
		require.Empty(t, tasks(gwen, "project=2"), "a filter opens nothing")
		require.Equal(t, []string{"orders have keys"}, tasks(admin, "rule=null_check"))
		require.Equal(t, []string{"salaries match"}, tasks(admin, "type=accuracy"))
		require.Equal(t, []string{"orders have keys"}, tasks(admin, "state=FAILURE"))
		require.Equal(t, []string{"orders are many"}, tasks(admin, "q=many"))
		require.Equal(t, []string{"orders are many"}, tasks(admin, "from=2026-05-02&to=2026-05-02"))
		require.Equal(t, []string{"orders are many", "orders have keys", "salaries match"}, tasks(admin, "sort=task"))
		require.Len(t, tasks(admin, "from=yesterday&rule=&sort=x&page=-1"), 3, "what makes no sense narrows nothing")
		require.Contains(t, admin.Get(quality.ResultsPath+"?rule=x").Body, "No", "no rule has that name")

		page := gwen.Get(quality.ResultsPath + "?state=FAILURE&from=2026-05-01")
		require.Contains(t, page.Text(".chips"), "2026-05-01")
		line := page.Text("[data-test='quality.result']")
		for _, text := range []string{"Null check", "actual - expected = 3", "> 0.5", "sales", "nightly-1", "Alert and fail", "Fixed value"} {
			require.Contains(t, line, text)
		}
		for _, hint := range []string{`title="Single table"`, `title="null_count.nulls"`} {
			require.Contains(t, page.Body, hint)
		}
		odd := admin.Get(quality.ResultsPath + "?type=accuracy")
		require.Contains(t, odd.Text("[data-test='quality.result']"), "there is no <b>percentage")
		require.NotContains(t, odd.Body, "<b>percentage")
		require.Contains(t, page.Body, `href="/projects/1/task-instances/1/quality"`)
		require.Contains(t, page.Body, `href="/projects/1/task-instances/1/quality#rows"`)
		require.Len(t, page.Texts("svg.runs rect"), 2, "the values up to this one")
		require.Contains(t, page.Body, `href="/projects/1/instances/1"`)
		require.NotContains(t, page.Body, "payroll", "not even among the filters")

		w.Policy(t, access.Policy{Subject: fmt.Sprintf("user:%d", w.General.UserID), Permission: instance.Read, Project: sales, Workflow: 71, Effect: access.EffectDeny})
		require.Equal(t, []string{"orders are many"}, tasks(gwen, ""), "nor of a workflow that is hidden from one")
		w.b.Get(quality.ResultsPath).Require(http.StatusSeeOther)

		w.exec(t, `DELETE FROM task_result`)
		require.Contains(t, admin.Get(quality.ResultsPath).Require(http.StatusOK).Body, "Nothing has been measured yet")
	})
}

func TestAResultIsShownWithItsRowsAndItsPast(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		admin, gwen := w.b.As(crudtest.As(w.Admin)), w.b.As(crudtest.As(w.General))
		const here = "/projects/1/task-instances/1/quality"
		page := gwen.Get(here).Require(http.StatusOK)
		require.Equal(t, "orders have keys", page.Text("h1"))
		for _, text := range []string{"Null check", "actual - expected = 3", "fails when > 0.5", "Alert and fail", "the first 3; more are in error_rows.csv"} {
			require.Contains(t, page.Text("main"), text)
		}
		require.Equal(t, []string{"1", "NULL", "-2", "=SUM(A1)", "3", "<b>a"}, page.Texts("[data-test='quality.rows'] td"))
		require.NotContains(t, page.Body, "<b>a")
		require.Len(t, page.Texts("svg.trend rect"), 2)
		require.Equal(t, []string{"3", "1.5"}, page.Texts("[data-test='quality.trend.table'] td.num"), "the newest first, nothing after this result")
		require.Contains(t, page.Body, `href="/projects/1/task-instances/1/log"`)
		require.Contains(t, page.Body, `href="/projects/1/instances/1"`)

		csv := gwen.Get(here + "/rows.csv").Require(http.StatusOK)
		require.Equal(t, "\ufeffid,'=name\r\n1,\r\n-2,'=SUM(A1)\r\n3,<b>a\r\n", csv.Body, "no formula in a spreadsheet")
		require.Contains(t, csv.Header.Get("Content-Disposition"), "orders have keys-1-rows.csv")

		odd := admin.Get("/projects/2/task-instances/3/quality").Require(http.StatusOK)
		require.Contains(t, odd.Text("main"), "there is no <b>percentage")
		require.Contains(t, odd.Text("main"), "No rows were kept")
		require.Contains(t, odd.Text("main"), "first value")
		admin.Get("/projects/2/task-instances/3/quality/rows.csv").Require(http.StatusNotFound)
		gwen.Get("/projects/1/task-instances/2/quality").Require(http.StatusOK)
		for _, path := range []string{"/projects/2/task-instances/3", "/projects/1/task-instances/3", "/projects/1/task-instances/99", "/projects/2/task-instances/1"} {
			gwen.Get(path + "/quality").Require(http.StatusNotFound)
			gwen.Get(path + "/quality/rows.csv").Require(http.StatusNotFound)
		}
		w.b.Get(here).Require(http.StatusSeeOther)

		w.exec(t, `UPDATE task_result SET detail = '[]' WHERE task_instance_id = 1`)
		require.Contains(t, gwen.Get(here).Require(http.StatusOK).Text("main"), "The first ones are in the log", "what a newer program wrote is not shown")
		w.exec(t, `UPDATE task_result SET detail = NULL, body = '{"ruleId":10,"ruleName":"table_count_check","statisticsValue":"3","comparisonType":3,"state":0,"reason":"nothing to compare"}' WHERE task_instance_id = 1`)
		page = gwen.Get(here).Require(http.StatusOK)
		require.Contains(t, page.Text("main"), "Not judged")
		require.Contains(t, page.Text("main"), "nothing to compare")
		require.Equal(t, []string{"orders have keys"}, gwen.Get(quality.ResultsPath+"?state=NONE").Texts("tbody td:first-child a"))
		w.Policy(t, access.Policy{Subject: fmt.Sprintf("user:%d", w.General.UserID), Permission: instance.Read, Project: sales, Workflow: 71, Effect: access.EffectDeny})
		gwen.Get(here).Require(http.StatusNotFound)
	})
}

func TestTheRulesAreShownWithTheSQLTheyStandFor(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	gwen := w.b.As(crudtest.As(w.General))
	page := gwen.Get(quality.RulesPath).Require(http.StatusOK)
	require.Len(t, page.Texts("tbody tr"), 10)
	require.Equal(t, "Null check", page.Text("tbody tr:first-child a"))
	require.Contains(t, page.Text("tbody tr:first-child details"), `SELECT COUNT(*) FROM "src_table" WHERE`)
	require.Contains(t, page.Text("tbody tr:nth-child(8)"), "2026-01-01")
	require.Contains(t, page.Text("tbody tr:nth-child(3) details"), "LEFT JOIN")
	require.Equal(t, []string{"Uniqueness"}, gwen.Get(quality.RulesPath+"?q=UNIQ").Texts("tbody a"))
	require.Equal(t, []string{"跨表准确性"}, gwen.In("zh-CN").Get(quality.RulesPath+"?type=accuracy").Texts("tbody td:nth-child(3)"))
	require.Equal(t, "10", gwen.Get(quality.RulesPath+"?sort=-id").Text("tbody td:first-child"))
	require.Empty(t, gwen.Get(quality.RulesPath+"?q=nothing+like+it").Require(http.StatusOK).Texts("tbody tr"))
	require.Equal(t, quality.ResultsPath, gwen.Get("/data-quality/task-result").Require(http.StatusSeeOther).Header.Get("Location"))
	w.b.Get(quality.RulesPath).Require(http.StatusSeeOther)
}

func TestClientsReadRulesAndResultsAsDolphinSchedulerSaysThem(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		admin, gwen := crudtest.REST(t, w.App, w.Admin, w.Module.API), crudtest.REST(t, w.App, w.General, w.Module.API)
		narrow := w.General
		narrow.Scope = []string{"tenant.view"} // a token that is for something else
		refused := crudtest.REST(t, w.App, narrow, w.Module.API)

		list := gwen("GET", "/data-quality/ruleList", "")["data"].([]any)
		require.Len(t, list, 10)
		first := list[0].(dict)
		require.Equal(t, []any{1.0, "$t(null_check)", 0.0, "2020-01-12 00:00:00"}, []any{first["id"], first["name"], first["type"], first["createTime"]})
		require.Len(t, first, 8)
		var definition struct {
			Entries []dict `json:"ruleInputEntryList"`
			SQL     []dict `json:"executeSqlList"`
		}
		require.NoError(t, json.Unmarshal([]byte(first["ruleJson"].(string)), &definition))
		require.Equal(t, "src_connector_type", definition.Entries[0]["field"])
		require.Len(t, definition.SQL, 2)

		rules := func(query string) any {
			t.Helper()
			return gwen("GET", "/data-quality/rule/page?pageNo=1&pageSize=3&"+query, "")["data"].(dict)["total"]
		}
		require.InDelta(t, 10, rules(""), 0)
		require.InDelta(t, 7, rules("ruleType=0"), 0)
		require.InDelta(t, 1, rules("searchVal=unique"), 0)
		require.InDelta(t, 0, rules("startDate=2024-01-01+00:00:00"), 0)
		require.Len(t, gwen("GET", "/data-quality/rule/page?pageNo=4&pageSize=3", "")["data"].(dict)["totalList"], 1)

		for id := range 10 {
			text := gwen("GET", fmt.Sprintf("/data-quality/getRuleFormCreateJson?ruleId=%d", id+1), "")["data"].(string)
			var fields []dict
			require.NoError(t, json.Unmarshal([]byte(text), &fields))
			require.Contains(t, text, `"field":"threshold","name":"$t(threshold)"`)
			require.Equal(t, id+1 == 3 || id+1 == 4, strings.Contains(text, "target_table"))
		}

		results := gwen("GET", "/data-quality/result/page?pageNo=1&pageSize=10", "")["data"].(dict)
		require.InDelta(t, 2, results["total"], 0, "those of the other project are not hers")
		require.InDelta(t, 3, admin("GET", "/data-quality/result/page?pageNo=1&pageSize=10", "")["data"].(dict)["total"], 0)
		last := results["totalList"].([]any)[1].(dict)
		require.Equal(t, dict{
			"id": 1.0, "workflowDefinitionId": nil, "workflowDefinitionName": "nightly", "processDefinitionName": "nightly", "processDefinitionCode": 71.0,
			"processInstanceId": 1.0, "processInstanceName": "nightly-1", "projectCode": 1.0, "taskInstanceId": 1.0, "taskName": "orders have keys",
			"ruleType": 0.0, "ruleName": "$t(null_check)", "statisticsValue": 3.0, "comparisonValue": 0.0, "comparisonType": 1.0, "comparisonTypeName": "FixValue",
			"checkType": 1.0, "threshold": 0.5, "operator": 3.0, "failureStrategy": 1.0, "userId": float64(w.General.UserID), "userName": "gwen", "state": 2.0,
			"errorOutputPath": "error_rows.csv", "createTime": "2026-05-01 08:00:00", "updateTime": "2026-05-01 08:00:00",
		}, last)
		for query, total := range map[string]float64{
			"state=2": 1, "state=0": 0, "ruleType=0": 2, "ruleType=2": 0, "ruleType=9": 0, "ruleType=-1": 2, "searchVal=many": 1,
			"startDate=2026-05-02+00:00:00": 1, "endDate=2026-05-01+08:00:00": 1,
		} {
			require.InDelta(t, total, gwen("GET", "/data-quality/result/page?pageNo=1&pageSize=10&"+query, "")["data"].(dict)["total"], 0, query)
		}
		for target, code := range map[string]float64{
			"getRuleFormCreateJson?ruleId=11": 1200015, "getRuleFormCreateJson?ruleId=x": 1200012, "rule/page?pageNo=0&pageSize=10": 10001,
			"rule/page?pageNo=1&pageSize=10&startDate=x": 1200013, "result/page?pageNo=1&pageSize=10&state=x": 1200016,
		} {
			require.InDelta(t, code, gwen("GET", "/data-quality/"+target, "")["code"], 0, target)
		}
		for _, target := range []string{"getRuleFormCreateJson?ruleId=1", "rule/page?pageNo=1&pageSize=10", "ruleList", "result/page?pageNo=1&pageSize=10"} {
			answer := refused("GET", "/data-quality/"+target, "")
			require.InDelta(t, 30001, answer["code"], 0, target)
			require.Nil(t, answer["data"], target)
		}
	})
}
