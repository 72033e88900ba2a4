package instance_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

// runForm is the address of the run dialog.
func (w *world) runForm() string {
	return w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/run")
}

func TestTheRunDialogIsFilledByPreferencesPresetsAndTheLastRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.browser(t, w.General)
		now := time.Now()
		_, err := d.Exec(t.Context(), `INSERT INTO environment (code, name, config, operator_id, created_at, updated_at) VALUES (77, 'spark3', '', 1, ?, ?)`, now, now)
		require.NoError(t, err)
		_, err = d.Exec(t.Context(), `INSERT INTO worker_group (name, created_at, updated_at) VALUES ('gpu', ?, ?)`, now, now)
		require.NoError(t, err)
		_, err = d.Exec(t.Context(), `INSERT INTO project_preference (project_code, code, enabled, body, operator_id, created_at, updated_at)
			VALUES (?, 1, ?, '{"workerGroup":"gpu","environmentCode":77,"taskPriority":"HIGH","warningType":"FAILURE","alertGroup":1}', 1, ?, ?)`,
			w.project, true, now, now)
		require.NoError(t, err)
		chosen := func(page, name string) string {
			return b.Get(page).Require(http.StatusOK).Attr(`[name="`+name+`"] option[selected]`, "value")
		}
		for name, want := range map[string]string{"group": "gpu", "environment": "77", "priority": "HIGH", "warning": "FAILURE", "alert_group": "1"} {
			require.Equal(t, want, chosen(w.runForm(), name))
		}
		_, err = d.Exec(t.Context(), `UPDATE project_preference SET enabled = ?`, false)
		require.NoError(t, err)
		require.Equal(t, "default", chosen(w.runForm(), "group"), "preferences that are off suggest nothing")

		_, err = w.Start(w.gwen, w.project, instance.StartRequest{
			WorkflowCode: w.flow.Workflow.Code, Priority: flow.Lowest, StartParams: []flow.Property{{Prop: "region", Direct: flow.In, Type: flow.Varchar, Value: "EU"}},
		})
		require.NoError(t, err)
		require.True(t, b.Get(w.runForm()).Has(`[data-test="run.like_last"]`))
		last := b.Get(w.runForm() + "?like=last")
		require.Equal(t, "LOWEST", chosen(w.runForm()+"?like=last", "priority"))
		require.True(t, last.Has(`[name="param_name"][value="region"]`))
		require.True(t, last.Has(`[name="param_name"][value="dt"]`), "and what the workflow itself has")

		wf := w.flow.Workflow
		require.NoError(t, w.SavePreset(w.gwen, wf, "nightly", instance.StartRequest{Priority: flow.Low, WorkerGroup: "gpu"}))
		require.NoError(t, w.SavePreset(w.gwen, wf, "nightly", instance.StartRequest{Priority: flow.Highest, WorkerGroup: "gpu"}))
		presets, err := w.Presets(w.gwen, wf.Code)
		require.NoError(t, err)
		require.Len(t, presets, 1, "of one name there is one")
		require.Equal(t, "HIGHEST", chosen(w.runForm()+"?preset="+strconv.FormatInt(presets[0].ID, 10), "priority"))
		require.ErrorIs(t, w.DeletePreset(w.gwen, wf, 999), instance.ErrPresetNotFound)
	})
}

func TestAPreviewResolvesParametersAndStartsNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.browser(t, w.General)
		_, err := d.Exec(t.Context(), `INSERT INTO project_parameter (code, project_code, name, value, data_type, creator_id, modifier_id, created_at, updated_at)
			VALUES (1, ?, 'bucket', 's3://lake', 'VARCHAR', 1, 1, ?, ?)`, w.project, time.Now(), time.Now())
		require.NoError(t, err)
		fields := []string{
			"do", "preview", "failure", "END", "priority", "HIGH", "group", "default", "tenant", "default", "environment", "-1", "warning", "NONE",
			"param_name", "path", "param_type", "VARCHAR", "param_direct", "IN", "param_value", "${bucket}/$[yyyy]",
		}
		page := b.Post(w.runForm(), fields...).Require(http.StatusOK)
		text := page.Text(`[data-test="run.plan"]`)
		require.Contains(t, text, "s3://lake/"+time.Now().UTC().Format("2006"))
		require.Contains(t, text, "system.biz.date")
		require.NotContains(t, text, "hunter2", "what looks like a secret is not shown")
		n, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM workflow_instance`)
		require.NoError(t, err)
		require.Zero(t, n)
		b.Post(w.runForm(), append(fields, "param_name", "x", "param_value", "$[add_months(yyyy)]")...).Require(http.StatusUnprocessableEntity)
	})
}

func TestTheDialogShowsTheSameRunAsACall(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	page := b.Post(w.runForm(), "do", "preview", "failure", "END", "priority", "HIGH", "group", "default", "tenant", "default", "environment", "-1",
		"warning", "NONE", "param_name", "quote", "param_value", `it's "so" & $(reboot)`, "param_name", "db_password", "param_value", "hunter2")
	call := page.Text(".as-call")
	require.Contains(t, call, "-d failureStrategy=END")
	require.Contains(t, call, "-d workflowInstancePriority=HIGH")
	require.Contains(t, call, `it'\''s`, "a quote does not end the word")
	require.Contains(t, call, "dorado workflow run daily --project etl")
	require.NotContains(t, call, "hunter2", "a secret has no place on a command line")
}

func TestWhoeverIsToBeToldMustBeNamed(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	fields := []string{"failure", "END", "priority", "HIGH", "group", "default", "tenant", "default", "environment", "-1", "warning", "ALL"}
	require.True(t, b.Post(w.runForm(), fields...).Require(http.StatusUnprocessableEntity).Has("#f-alert_group-error"))
	b.Post(w.runForm(), append(fields, "alert_group", "1")...).Require(http.StatusSeeOther)
	i, err := w.Get(w.gwen, 1)
	require.NoError(t, err)
	require.Equal(t, flow.WarningAll, i.WarningType)
	require.Equal(t, int64(1), i.WarningGroupID)
}
