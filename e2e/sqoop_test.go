//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

// sides reads what a SQOOP task holds of its source and its target, as they are stored.
func sides(t *testing.T, raw []byte) (params map[string]any, source, target string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &params))
	source, _ = params["sourceParams"].(string)
	target, _ = params["targetParams"].(string)
	return params, source, target
}

// Ana opens a job that DolphinScheduler has stored, reads it in a form, turns it round, and stores it as it was: texts of JSON.
func TestAnAnalystTurnsASqoopJobRoundInAForm(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 3*time.Minute)
	in := project(t, s.Admin, "lake")
	var shop struct{ ID int64 }
	require.NoError(t, s.Admin.CallJSON(ctx, http.MethodPost, "/datasources", map[string]any{
		"type": "MYSQL", "name": "shop", "note": "", "host": "127.0.0.1", "port": 3306, "userName": "u", "password": "p", "database": "shop", "other": map[string]string{},
	}, &shop))
	const source, target = `{"srcType":"MYSQL","srcDatasource":%d,"srcTable":"orders","srcQueryType":"0","srcQuerySql":"","srcColumnType":"1","srcColumns":"id,name","srcConditionList":[],"mapColumnHive":[{"prop":"id","value":"bigint"}],"mapColumnJava":[]}`,
		`{"hiveDatabase":"ods","hiveTable":"orders","createHiveTable":false,"dropDelimiter":false,"hiveOverWrite":true,"hiveTargetDir":"","replaceDelimiter":"","hivePartitionKey":"dt","hivePartitionValue":"$[yyyy-MM-dd]"}`
	for n, look := range append(browser.Looks(), browser.Look{Language: "zh", Width: 1440, Height: 900}) {
		name := fmt.Sprintf("copy-%d", n)
		def, err := s.Admin.CreateWorkflow(ctx, in, harness.Workflow{Name: name, Tasks: []harness.Task{{Name: "orders", Type: "SQOOP", Settings: func(map[string]int64) map[string]any {
			return map[string]any{
				"jobType": "TEMPLATE", "jobName": "daily", "modelType": "import", "sourceType": "MYSQL", "targetType": "HIVE", "concurrency": 1, "splitBy": "",
				"hadoopCustomParams": []any{map[string]any{"prop": "mapreduce.job.queuename", "value": "etl"}}, "sqoopAdvancedParams": []any{},
				"sourceParams": fmt.Sprintf(source, shop.ID), "targetParams": target,
			}
		}}}})
		require.NoError(t, err)
		t.Run(fmt.Sprintf("%s-%d", look, look.Width), func(t *testing.T) {
			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(name string) { tab.Screenshot(fmt.Sprintf("sqoop-%s-%d-%s", look, look.Width, name)) }
			tab.SignIn("admin", password)
			tab.Goto(fmt.Sprintf("/projects/%d/workflows/%d", in, def.Code))
			editor := tab.Editor()
			before := editor.Document()
			editor.OpenTask("orders")
			tab.WaitText(browser.Test("field.sourceParams.srcDatasource"), "shop")
			shot("0-import")
			require.Equal(t, before, editor.Document(), "to look at it changes nothing")
			for _, v := range tab.Axe(axe) {
				t.Error(v.String())
			}
			stored := func() (map[string]any, string, string) {
				return sides(t, []byte(browser.Eval[string](tab, `JSON.stringify([...document.querySelector('dag-editor').model.tasks.values()][0].taskParams)`)))
			}
			at := func(name string) string { // the middle of the panel: a field at its edge may lie below the tabs
				tab.See(browser.Test("field." + name))
				browser.Eval[bool](tab, `(document.querySelector($1).scrollIntoView({block: 'center', behavior: 'instant'}), true)`, browser.Test("field."+name))
				return browser.Test("field." + name)
			}
			tab.Choose(browser.Test("field.sourceParams.srcQueryType"), "1")
			tab.See(browser.Test("field.sourceParams.srcQuerySql.editor"))
			editor.Code("sourceParams.srcQuerySql", `SELECT "id" FROM orders`)
			_, from, to := stored()
			require.JSONEq(t, fmt.Sprintf(`{"srcType":"MYSQL","srcDatasource":%d,"srcQueryType":"1","srcQuerySql":"SELECT \"id\" FROM orders","srcConditionList":[],"mapColumnHive":[{"prop":"id","value":"bigint"}],"mapColumnJava":[]}`, shop.ID), from)
			require.JSONEq(t, target, to)
			shot("1-statement")

			tab.Choose(at("targetType"), "HDFS")
			tab.Fill(at("targetParams.targetPath"), "/lake/orders")
			at("targetParams.fileType")
			shot("2-hdfs")
			_, _, to = stored()
			require.JSONEq(t, `{"targetPath":"/lake/orders","deleteTargetDir":true,"compressionCodec":"","fileType":"--as-avrodatafile"}`, to)

			tab.Choose(at("modelType"), "export")
			tab.Fill(at("sourceParams.hiveDatabase"), "ods")
			tab.Fill(at("sourceParams.hiveTable"), "orders")
			at("targetParams.targetDatasource")
			editor.Pick("field.targetParams.targetDatasource", "shop")
			tab.Fill(at("targetParams.targetTable"), "orders_copy")
			tab.Fill(at("targetParams.fieldsTerminated"), `\t`)
			tab.Click(at("targetParams.isUpdate"))
			tab.Fill(at("targetParams.targetUpdateKey"), "id")
			tab.Choose(at("targetParams.targetUpdateMode"), "updateonly")
			shot("3-export")
			editor.WaitValid()
			editor.ClosePanel()
			editor.Save(name, false)
			dag, err := s.Admin.Workflow(within(t, time.Minute), in, def.Code)
			require.NoError(t, err)
			params, from, to := sides(t, dag.TaskDefinitionList[0].TaskParams)
			require.Equal(t, []any{"export", "HIVE", "MYSQL", "daily"}, []any{params["modelType"], params["sourceType"], params["targetType"], params["jobName"]})
			require.JSONEq(t, `{"hiveDatabase":"ods","hiveTable":"orders","srcConditionList":[]}`, from)
			require.JSONEq(t, fmt.Sprintf(`{"targetType":"MYSQL","targetDatasource":%d,"targetTable":"orders_copy","fieldsTerminated":"\\t","isUpdate":true,"targetUpdateKey":"id","targetUpdateMode":"updateonly"}`, shop.ID), to)
			silent(t, tab)
		})
	}
}
