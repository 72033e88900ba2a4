package transfer_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/ids"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/transfer"
	"dorado/modules/transfer/dsfile"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// world is two projects of gwen's, with what files may refer to.
type world struct {
	*crudtest.App
	*transfer.Module
	projects  *project.Service
	workflows *workflow.Service
	schedules *schedule.Service
	project   int64
	other     int64
	gwen      context.Context
}

func open(t testing.TB, d *db.DB) *world {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules(), workflow.Rules(), schedule.Rules(), queue.Rules(), tenant.Rules())
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	codes := ids.NewGenerator(1, time.Now)
	w := &world{App: a}
	queues := queue.New(queue.Deps{DB: d, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	require.NoError(t, queues.EnsureDefault(t.Context()))
	tenants := tenant.New(tenant.Deps{DB: d, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	w.projects = project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: codes, Now: time.Now})
	w.workflows = workflow.New(workflow.Deps{DB: d, Projects: w.projects, Audit: a.Audit, Codes: codes, Catalog: plugins, Now: time.Now})
	w.projects.SetContents(w.workflows)
	w.schedules = schedule.NewService(schedule.Services{
		DB: d, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Tenants: tenants.Service, Now: time.Now,
		Known: schedule.Known{
			WorkerGroup:  func(_ context.Context, name string) (bool, error) { return name == "gpu", nil },
			Environment:  func(_ context.Context, code int64) (bool, error) { return code == 77, nil },
			WarningGroup: func(_ context.Context, id int64) (bool, error) { return id == 4, nil },
		},
	})
	choices := func(c ...transfer.Choice) func(context.Context, int64) ([]transfer.Choice, error) {
		return func(context.Context, int64) ([]transfer.Choice, error) { return c, nil }
	}
	w.Module = transfer.New(transfer.Deps{
		Services: transfer.Services{DB: d, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Schedules: w.schedules, Catalog: plugins, Now: time.Now},
		Lookups: transfer.Lookups{
			neutral.Environment: choices(transfer.Choice{Value: "77", Label: "production"}),
			neutral.WorkerGroup: choices(transfer.Choice{Value: "default", Label: "default"}, transfer.Choice{Value: "gpu", Label: "gpu"}),
			neutral.AlertGroup:  choices(transfer.Choice{Value: "4", Label: "ops"}),
			neutral.Tenant:      choices(),
			neutral.TaskGroup:   choices(transfer.Choice{Value: "9", Label: "oracle"}),
			neutral.DataSource:  choices(transfer.Choice{Value: "5", Label: "warehouse"}),
		},
		Site: a.Site, API: a.API, Frame: a.Frame,
	})
	w.gwen = access.WithPrincipal(t.Context(), a.General)
	for _, p := range []struct {
		name string
		into *int64
	}{{"etl", &w.project}, {"other", &w.other}} {
		made, err := w.projects.Create(w.gwen, project.Draft{Name: p.name})
		require.NoError(t, err)
		*p.into = made.Code
	}
	return w
}

// task is a task of a file.
func task(code int64, name, kind, params, more string) string {
	return fmt.Sprintf(`{"code":%d,"name":%q,"version":3,"taskType":%q,"taskParams":%s,"flag":"YES","taskPriority":"MEDIUM","timeoutFlag":"CLOSE"%s}`, code, name, kind, params, more)
}

// dag is a workflow of a file; edges are pairs.
func dag(code int64, name, schedule string, edges [][2]int64, tasks ...string) string {
	var relations []string
	for _, e := range edges {
		relations = append(relations, fmt.Sprintf(`{"name":"","preTaskCode":%d,"postTaskCode":%d,"conditionType":"NONE","conditionParams":{}}`, e[0], e[1]))
	}
	return fmt.Sprintf(`{"processDefinition":{"id":1,"code":%d,"name":%q,"version":7,"projectCode":4652156953088,"globalParams":"[]","timeout":0,"executionType":"PARALLEL"},
	 "processTaskRelationList":[%s],"taskDefinitionList":[%s],"schedule":%s}`, code, name, strings.Join(relations, ","), strings.Join(tasks, ","), schedule)
}

const (
	parentCode = 4652338640256
	childCode  = 4652338640257
	waitCode   = 4652338640258
	t1         = 4652334706041
	t2         = 4652334706042
	t3         = 4652334706043
	t4         = 4652334706044
	t5         = 4652334706045
)

// family is a workflow that starts another one, and one that waits for a task of the first; they stand in the file before
// what they name.
func family() string {
	wait := `{"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[{"dependentType":"DEPENDENT_ON_TASK","projectCode":4652156953088,"definitionCode":4652338640256,"depTaskCode":4652334706041,"cycle":"day","dateValue":"today"}]}],"checkInterval":10},"localParams":[]}`
	conditions := `{"localParams":[],"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[{"depTaskCode":4652334706041,"status":"SUCCESS"}]}]},"conditionResult":{"successNode":[4652334706042],"failedNode":[4652334706044]}}`
	return "[" + strings.Join([]string{
		dag(waitCode, "waits", "null", [][2]int64{{0, 21}}, task(21, "wait", "DEPENDENT", wait, "")),
		dag(parentCode, "parent", `{"startTime":"2024-01-01 00:00:00","endTime":"2124-01-01 00:00:00","timezoneId":"Asia/Shanghai","crontab":"0 0 5 * * ? *","failureStrategy":"END","warningType":"ALL","warningGroupId":4,"processInstancePriority":"HIGH","workerGroup":"gpu","tenantCode":"nobody","environmentCode":-1,"releaseState":"ONLINE"}`,
			[][2]int64{{0, t1}, {t1, t3}, {t3, t2}, {t3, t4}},
			task(t1, "extract", "SHELL", `{"rawScript":"echo hi","localParams":[],"resourceList":[]}`, `,"workerGroup":"gpu","environmentCode":77`),
			task(t3, "choose", "CONDITIONS", conditions, ""),
			task(t2, "start", "SUB_PROCESS", `{"processDefinitionCode":4652338640257,"localParams":[]}`, ""),
			task(t4, "alarm", "ZEPPELIN", `{"type":"MYSQL","datasource":3,"sql":"select 1 < 2","localParams":[],"resourceList":[]}`, `,"workerGroup":"old","environmentCode":4711,"taskGroupId":9`)),
		dag(childCode, "child", "null", [][2]int64{{0, t5}}, task(t5, "work", "SHELL", `{"rawScript":"true"}`, "")),
	}, ",") + "]"
}

func bundle(t testing.TB, text string) *neutral.Bundle {
	t.Helper()
	b, err := transfer.Read("file.json", []byte(text))
	require.NoError(t, err)
	return b
}

func (w *world) definition(t testing.TB, name string) *flow.Definition {
	t.Helper()
	head, err := w.workflows.ByName(w.gwen, w.project, name)
	require.NoError(t, err)
	require.False(t, head.Online(), "what is imported is offline")
	d, err := w.workflows.Definition(w.gwen, head.Code, 0)
	require.NoError(t, err)
	return d
}

func byName(d *flow.Definition) map[string]flow.Task {
	out := map[string]flow.Task{}
	for _, t := range d.Tasks {
		out[t.Name] = t
	}
	return out
}

func number(n int64) string { return fmt.Sprint(n) }

func TestAnImportGivesEverythingNewCodesWhereverItIsNamed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		done, err := w.Import(w.gwen, w.project, bundle(t, family()), transfer.Choices{Mapping: map[string]string{"datasource:3": "5", "tenant:nobody": ""}})
		require.NoError(t, err)
		require.Len(t, done.Items, 3)
		parent, child, waits := w.definition(t, "parent"), w.definition(t, "child"), w.definition(t, "waits")
		tasks := byName(parent)
		require.NotEqual(t, int64(parentCode), parent.Code)
		require.NotEqual(t, int64(t1), tasks["extract"].Code)
		require.Equal(t, 1, parent.Version)
		require.Equal(t, 1, tasks["extract"].Version)
		require.Contains(t, string(tasks["choose"].Params), `"successNode":[`+number(tasks["start"].Code)+`],"failedNode":[`+number(tasks["alarm"].Code)+`]`)
		require.Contains(t, string(tasks["choose"].Params), `"depTaskCode":`+number(tasks["extract"].Code))
		require.Equal(t, `{"processDefinitionCode":`+number(child.Code)+`,"localParams":[]}`, string(tasks["start"].Params))
		require.Contains(t, string(byName(waits)["wait"].Params), `"projectCode":`+number(w.project)+`,"definitionCode":`+number(parent.Code)+`,"depTaskCode":`+number(tasks["extract"].Code))
		require.True(t, bytes.Equal([]byte(`{"type":"MYSQL","datasource":5,"sql":"select 1 < 2","localParams":[],"resourceList":[]}`), tasks["alarm"].Params), "mapped, and else as it was")
		require.Equal(t, []any{"gpu", int64(77)}, []any{tasks["extract"].WorkerGroup, tasks["extract"].EnvironmentCode}, "both are here")
		require.Equal(t, []any{"default", int64(-1), int64(9)}, []any{tasks["alarm"].WorkerGroup, tasks["alarm"].EnvironmentCode, tasks["alarm"].TaskGroupID}, "what is not here is left out")

		list, err := w.schedules.OfWorkflow(w.gwen, w.project, parent.Code)
		require.NoError(t, err)
		require.Len(t, list, 1)
		s := list[0]
		require.Equal(t, []any{"0 0 5 * * ? *", "2024-01-01 00:00:00", "Asia/Shanghai", "gpu", "default", int64(4), flow.Offline, flow.Priority("HIGH")}, []any{
			s.Crontab, s.StartText(), s.TimeZone, s.WorkerGroup, s.TenantCode, s.WarningGroupID, s.ReleaseState, s.Priority,
		})
		require.Contains(t, w.Audited(t), "workflow.import")
		for _, name := range []string{"child", "parent", "waits"} {
			head, err := w.workflows.ByName(w.gwen, w.project, name)
			require.NoError(t, err)
			_, err = w.workflows.Release(w.gwen, head.Code, flow.Online)
			require.NoError(t, err, name)
		}
	})
}

func TestAPreviewTellsWhatIsMissingAndWritesNothing(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	seen, err := w.Preview(w.gwen, w.project, bundle(t, family()), transfer.Choices{})
	require.NoError(t, err)
	require.True(t, seen.Ready())
	refs := map[string]transfer.Reference{}
	for _, r := range seen.References {
		refs[r.Ref.Key()] = r
	}
	require.Len(t, refs, 8)
	for key, chosen := range map[string]string{
		"worker_group:gpu": "gpu", "worker_group:old": "", "environment:77": "77", "environment:4711": "", "task_group:9": "9", "datasource:3": "",
		"tenant:nobody": "", "alert_group:4": "4",
	} {
		require.Equal(t, chosen, refs[key].Chosen, key)
		require.False(t, refs[key].Open, key)
	}
	require.Equal(t, []string{"parent → alarm"}, refs["datasource:3"].Uses)
	require.Equal(t, []string{"ZEPPELIN"}, seen.Items[1].Foreign)
	all, err := w.workflows.All(w.gwen, w.project)
	require.NoError(t, err)
	require.Empty(t, all)
	_, err = w.Preview(w.gwen, w.project, bundle(t, family()), transfer.Choices{Mapping: map[string]string{"worker_group:old": "no such"}})
	require.ErrorIs(t, err, transfer.ErrChoice)
}

func TestAMissingWorkflowMustBeChosen(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	lonely := "[" + dag(parentCode, "parent", "null", [][2]int64{{0, t2}}, task(t2, "start", "SUB_PROCESS", `{"processDefinitionCode":4652338640257}`, "")) + "]"
	seen, err := w.Preview(w.gwen, w.project, bundle(t, lonely), transfer.Choices{})
	require.NoError(t, err)
	require.False(t, seen.Ready())
	require.True(t, seen.References[0].Open)
	require.Contains(t, seen.Items[0].Problems[0], "4652338640257")
	_, err = w.Import(w.gwen, w.project, bundle(t, lonely), transfer.Choices{})
	require.ErrorIs(t, err, transfer.ErrNothing)
	_, err = w.Import(w.gwen, w.project, bundle(t, lonely), transfer.Choices{Stamped: true})
	require.ErrorIs(t, err, transfer.ErrBlocked)

	child := "[" + dag(childCode, "child", "null", [][2]int64{{0, t5}}, task(t5, "work", "SHELL", `{"rawScript":"true"}`, "")) + "]"
	done, err := w.Import(w.gwen, w.project, bundle(t, child), transfer.Choices{})
	require.NoError(t, err)
	made, _ := done.Last()
	_, err = w.Import(w.gwen, w.project, bundle(t, lonely), transfer.Choices{Mapping: map[string]string{"workflow:4652338640257": number(made.Code)}})
	require.NoError(t, err)
	require.Contains(t, string(w.definition(t, "parent").Tasks[0].Params), number(made.Code))
}

func TestTakenNamesAreRenamedSkippedOrBecomeTheNextVersion(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, err := w.Import(w.gwen, w.project, bundle(t, family()), transfer.Choices{})
		require.NoError(t, err)
		before := w.definition(t, "parent")

		seen, err := w.Preview(w.gwen, w.project, bundle(t, family()), transfer.Choices{})
		require.NoError(t, err)
		for _, i := range seen.Items {
			require.Equal(t, []any{transfer.Skip, true}, []any{i.Action, i.Same}, i.Name)
		}

		changed := strings.Replace(family(), "echo hi", "echo hello", 1)
		done, err := w.Import(w.gwen, w.project, bundle(t, changed), transfer.Choices{Conflict: transfer.Version})
		require.NoError(t, err)
		after := w.definition(t, "parent")
		require.Equal(t, before.Code, after.Code)
		require.Equal(t, 2, after.Version)
		require.Equal(t, byName(before)["extract"].Code, byName(after)["extract"].Code)
		require.Equal(t, 2, byName(after)["extract"].Version)
		require.Equal(t, 1, byName(after)["alarm"].Version, "what did not change keeps its version")
		require.Equal(t, 1, w.definition(t, "child").Version)
		require.True(t, done.Items[1].Kept, "its own schedules stay")

		again, err := w.Import(w.gwen, w.project, bundle(t, changed), transfer.Choices{Actions: map[int]transfer.Action{0: transfer.Skip, 1: transfer.Rename, 2: transfer.Skip}, Names: map[int]string{1: "parent new"}})
		require.NoError(t, err)
		require.Equal(t, "parent new", again.Items[1].Workflow.Name)
		renamed := w.definition(t, "parent new")
		require.NotEqual(t, after.Code, renamed.Code)
		require.Contains(t, string(byName(renamed)["start"].Params), number(w.definition(t, "child").Code), "what was skipped is found by its name")

		third, err := w.Import(w.gwen, w.project, bundle(t, changed), transfer.Choices{Conflict: transfer.Rename})
		require.NoError(t, err)
		require.Equal(t, "parent(1)", third.Items[1].Workflow.Name)

		head, err := w.workflows.ByName(w.gwen, w.project, "child")
		require.NoError(t, err)
		_, err = w.workflows.Release(w.gwen, head.Code, flow.Online)
		require.NoError(t, err)
		seen, err = w.Preview(w.gwen, w.project, bundle(t, changed), transfer.Choices{Conflict: transfer.Version})
		require.NoError(t, err)
		require.True(t, seen.Items[2].Blocked, "online workflows do not change")
	})
}

func TestWorkflowsThatWaitForEachOtherComeInTogether(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	wait := func(on int64) string {
		return fmt.Sprintf(`{"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[{"projectCode":1,"definitionCode":%d,"depTaskCode":0,"cycle":"day","dateValue":"last1Days"}]}]}}`, on)
	}
	_, err := w.Import(w.gwen, w.project, bundle(t, "["+
		dag(parentCode, "a", "null", [][2]int64{{0, t1}}, task(t1, "wait", "DEPENDENT", wait(childCode), ""))+","+
		dag(childCode, "b", "null", [][2]int64{{0, t2}}, task(t2, "wait", "DEPENDENT", wait(parentCode), ""))+"]"), transfer.Choices{})
	require.NoError(t, err)
	a, b := w.definition(t, "a"), w.definition(t, "b")
	require.Contains(t, string(a.Tasks[0].Params), `"definitionCode":`+number(b.Code))
	require.Contains(t, string(b.Tasks[0].Params), `"definitionCode":`+number(a.Code))
}

func TestWorkflowsThatStartEachOtherAreRefused(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	starts := func(on int64) string { return fmt.Sprintf(`{"processDefinitionCode":%d}`, on) }
	ring := "[" + dag(parentCode, "a", "null", [][2]int64{{0, t1}}, task(t1, "s", "SUB_PROCESS", starts(childCode), "")) + "," +
		dag(childCode, "b", "null", [][2]int64{{0, t2}}, task(t2, "s", "SUB_PROCESS", starts(parentCode), "")) + "]"
	seen, err := w.Preview(w.gwen, w.project, bundle(t, ring), transfer.Choices{})
	require.NoError(t, err)
	require.False(t, seen.Ready())
}

func TestAllIsImportedOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		// The second has no task: it is broken, and the import of DolphinScheduler takes all or nothing.
		text := "[" + dag(childCode, "child", "null", [][2]int64{{0, t5}}, task(t5, "work", "SHELL", `{"rawScript":"true"}`, "")) + "," + dag(parentCode, "empty", "null", nil) + "]"
		_, err := w.Import(w.gwen, w.project, bundle(t, text), transfer.Choices{Stamped: true})
		require.ErrorIs(t, err, transfer.ErrBlocked)
		all, err := w.workflows.All(w.gwen, w.project)
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

func (w *world) export(t testing.TB, words dsfile.Words, stable bool, names ...string) string {
	t.Helper()
	var codes []int64
	for _, name := range names {
		codes = append(codes, w.definition(t, name).Code)
	}
	e, err := w.Export(w.gwen, w.project, codes)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, e.Write(w.gwen, &out, words, stable))
	return out.String()
}

// masked takes out what DolphinScheduler's import makes anew: codes, numbers of rows, times, and the end of names.
func masked(text string) string {
	text = regexp.MustCompile(`\d{13,19}`).ReplaceAllString(text, "CODE")
	text = regexp.MustCompile(`_import_(CODE|\d{17})`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`"id" : \d+`).ReplaceAllString(text, `"id" : N`)
	return regexp.MustCompile(`"(createTime|updateTime|operateTime)" : "[^"]*"`).ReplaceAllString(text, `"$1" : T`)
}

func TestExportImportExportGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, err := w.Import(w.gwen, w.project, bundle(t, family()), transfer.Choices{})
		require.NoError(t, err)
		for _, words := range []dsfile.Words{dsfile.Workflow, dsfile.Process} {
			first := w.export(t, words, false, "waits", "parent", "child")
			done, err := w.Import(w.gwen, w.project, bundle(t, first), transfer.Choices{Stamped: true})
			require.NoError(t, err)
			var names []string
			for _, i := range done.Items {
				names = append(names, i.Workflow.Name)
				require.Regexp(t, `^(waits|parent|child)\(1\)_import_\d{17}$`, i.Workflow.Name)
			}
			second := w.export(t, words, false, names...)
			require.Equal(t, masked(first), strings.ReplaceAll(masked(second), "(1)", ""))
		}
	})
}

func TestAFileWithKeptCodesComesBackByteForByte(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		_, err := w.Import(w.gwen, w.project, bundle(t, family()), transfer.Choices{})
		require.NoError(t, err)
		names := []string{"waits", "parent", "child"}
		first := w.export(t, dsfile.Process, true, names...)
		var codes []int64
		for _, name := range names {
			codes = append(codes, w.definition(t, name).Code)
		}
		require.NoError(t, w.workflows.DeleteAll(w.gwen, codes))
		_, err = w.Import(w.gwen, w.project, bundle(t, first), transfer.Choices{KeepCodes: true})
		require.NoError(t, err)
		require.Equal(t, codes[1], w.definition(t, "parent").Code, "free codes are kept")
		require.Equal(t, first, w.export(t, dsfile.Process, true, names...))

		_, err = w.Import(w.gwen, w.project, bundle(t, first), transfer.Choices{KeepCodes: true, Conflict: transfer.Rename})
		require.NoError(t, err)
		require.NotEqual(t, codes[1], w.definition(t, "parent(1)").Code, "taken codes are not")
	})
}

func TestTextsOfOursLeaveAndComeBackTogether(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	_, err := w.Import(w.gwen, w.project, bundle(t, family()), transfer.Choices{Mapping: map[string]string{"datasource:3": "5"}})
	require.NoError(t, err)
	names := []string{"waits", "parent", "child"}
	var codes []int64
	for _, name := range names {
		codes = append(codes, w.definition(t, name).Code)
	}
	e, err := w.Export(w.gwen, w.project, codes)
	require.NoError(t, err)
	var out, again bytes.Buffer
	require.NoError(t, w.WriteYAML(w.gwen, e, &out, true))
	require.NoError(t, w.WriteYAML(w.gwen, e, &again, true))
	require.Equal(t, out.Bytes(), again.Bytes())
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	require.Len(t, archive.File, 3)
	require.NoError(t, w.workflows.DeleteAll(w.gwen, codes))
	b, err := transfer.Read("x.zip", out.Bytes())
	require.NoError(t, err)
	require.Equal(t, neutral.YAML, b.Format)
	done, err := w.Import(w.gwen, w.project, b, transfer.Choices{})
	require.NoError(t, err)
	require.Len(t, done.Items, 3)
	tasks := byName(w.definition(t, "parent"))
	require.Contains(t, string(tasks["start"].Params), number(w.definition(t, "child").Code))
	require.Contains(t, string(byName(w.definition(t, "waits"))["wait"].Params), `"depTaskCode":`+number(tasks["extract"].Code))
}

func TestFilesAreRecognisedByWhatTheyHold(t *testing.T) {
	t.Parallel()
	pack := func(files ...string) []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		for i := 0; i < len(files); i += 2 {
			f, err := z.Create(files[i])
			require.NoError(t, err)
			_, err = f.Write([]byte(files[i+1]))
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		return out.Bytes()
	}
	yaml := "name: y\ntasks:\n  a: {type: SHELL, script: echo}\n"
	xml := `<workflow-app name="o"><start to="a"/><action name="a"><fs/><ok to="e"/><error to="k"/></action><kill name="k"/><end name="e"/></workflow-app>`
	for name, c := range map[string]struct {
		file string
		data []byte
		want neutral.Format
		n    int
	}{
		"json":                {"w.json", []byte(family()), neutral.DS2, 3},
		"json of any name":    {"export", []byte(family()), neutral.DS2, 3},
		"zip of many":         {"w.zip", pack("a.json", family(), "b/c.json", strings.ReplaceAll(family(), "parent", "parent2")), neutral.DS2, 6},
		"sql zip":             {"nightly.zip", pack("a.sql", "select 1", "b.sql", "-- upstream: a\nselect 2"), neutral.SQLZip, 1},
		"yaml":                {"y.yaml", []byte(yaml), neutral.YAML, 1},
		"yaml and a note":     {"y.zip", pack("y.yaml", yaml, "README.md", "hello"), neutral.YAML, 1},
		"azkaban":             {"p.zip", pack("a.job", "type=noop", "p.properties", "x=1", "lib.jar", "PK"), neutral.Azkaban, 1},
		"azkaban flow":        {"x.flow", []byte("nodes:\n  - {name: a, type: noop}\n"), neutral.Azkaban, 1},
		"oozie":               {"workflow.xml", []byte(xml), neutral.Oozie, 1},
		"oozie with blanks":   {"x", []byte("\n  " + xml), neutral.Oozie, 1},
		"crontab":             {"crontab", []byte("0 1 * * * ls\n"), neutral.Crontab, 1},
		"crontab of any name": {"jobs.txt", []byte("0 1 * * * ls\n"), neutral.Crontab, 1},
		"mixed":               {"m.zip", pack("a.json", family(), "x.cron", "0 1 * * * ls\n"), neutral.Mixed, 4},
	} {
		b, err := transfer.Read(c.file, c.data)
		require.NoError(t, err, name)
		require.Equal(t, c.want, b.Format, name)
		require.Len(t, b.Workflows, c.n, name)
	}
	_, err := transfer.Read("x.png", []byte("\x89PNG\r\n"))
	require.ErrorIs(t, err, neutral.ErrUnknown)
	_, err = transfer.Read("x.zip", pack("a.txt", "hello", "b.txt", "world"))
	require.ErrorIs(t, err, neutral.ErrEmpty)
	_, err = transfer.Read("x.json", make([]byte, 100<<20))
	require.ErrorIs(t, err, neutral.ErrTooLarge)
}

func TestABadYAMLIsReportedByLine(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b, err := transfer.Read("y.yaml", []byte("name: y\ntasks:\n  a: {type: SHELL, script: echo, nonsense: 1}\n"))
	require.NoError(t, err)
	require.Equal(t, []any{neutral.Impossible, 3}, []any{b.Notes[0].Level, b.Notes[0].Line})
	seen, err := w.Preview(w.gwen, w.project, b, transfer.Choices{})
	require.NoError(t, err)
	require.False(t, seen.Ready())
}

func TestJobsOfACrontabRunAtTheirTimes(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b, err := transfer.Read("crontab", []byte("# backup\n0 12 13 * fri /opt/backup.sh\n0 0 30 2 * never\n"))
	require.NoError(t, err)
	done, err := w.Import(w.gwen, w.project, b, transfer.Choices{})
	require.NoError(t, err)
	require.Equal(t, 2, done.Items[0].Scheduled)
	require.Zero(t, done.Items[1].Scheduled, "the 30th of February does not come")
	refused := 0
	for _, n := range done.Notes {
		if n.Key == "transfer.note.schedule_refused" {
			refused++
		}
	}
	require.Equal(t, 1, refused)
}

func TestOnlyThoseWhoMayBringInAndTakeOut(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	_, err := w.Import(w.gwen, w.project, bundle(t, family()), transfer.Choices{})
	require.NoError(t, err)
	code := w.definition(t, "child").Code
	stranger := access.WithPrincipal(t.Context(), w.stranger(t, "eve", ""))
	reader := access.WithPrincipal(t.Context(), w.stranger(t, "rita", access.Read))
	operator := access.WithPrincipal(t.Context(), w.stranger(t, "otto", access.Operate))
	for who, ctx := range map[string]context.Context{"stranger": stranger, "reader": reader, "operator": operator} {
		_, err := w.Preview(ctx, w.project, bundle(t, family()), transfer.Choices{})
		require.Error(t, err, who)
		_, err = w.Import(ctx, w.project, bundle(t, family()), transfer.Choices{})
		require.Error(t, err, who)
	}
	_, err = w.Export(stranger, w.project, []int64{code})
	require.Error(t, err)
	_, err = w.Export(reader, w.project, []int64{code})
	require.NoError(t, err)
	_, err = w.Export(w.gwen, w.other, []int64{code})
	require.ErrorIs(t, err, workflow.ErrNotFound, "a workflow of another project")
}

func (w *world) stranger(t testing.TB, name string, role access.Role) access.Principal {
	t.Helper()
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at) VALUES (?, '', 'GENERAL_USER', ?, ?) RETURNING id`, name, time.Now(), time.Now())
	require.NoError(t, err)
	if role != "" {
		require.NoError(t, w.Access.Grant(t.Context(), id, access.Project(w.project), role))
	}
	return access.Principal{UserID: id, Name: name}
}

func TestANameWithTheTimeOfAnEarlierImportGetsTheNewOne(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	text := "[" + dag(childCode, "child_import_20240101000000000", "null", [][2]int64{{0, t5}}, task(t5, "work", "SHELL", `{"rawScript":"true"}`, "")) + "]"
	done, err := w.Import(w.gwen, w.project, bundle(t, text), transfer.Choices{Stamped: true})
	require.NoError(t, err)
	made, _ := done.Last()
	require.Regexp(t, `^child_import_\d{17}$`, made.Name)
	require.NotContains(t, made.Name, "20240101")
	var raw json.RawMessage
	require.NoError(t, json.Unmarshal(w.definition(t, made.Name).Tasks[0].Params, &raw))
}

func TestFilesThatAreNamedByNumberAreMappedBeforeTheImport(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		file := "[" + dag(parentCode, "parent", "null", nil, task(t1, "extract", "SHELL", `{"rawScript":"sh a.sh","localParams":[],"resourceList":[{"id":3},{"id":4,"res":"b.sh"}]}`, "")) + "]"
		seen, err := w.Preview(w.gwen, w.project, bundle(t, file), transfer.Choices{})
		require.NoError(t, err)
		require.Len(t, seen.References, 2)
		require.Equal(t, []any{"resource:id:3", "", false}, []any{seen.References[0].Ref.Key(), seen.References[0].Chosen, seen.References[0].Open})
		require.Equal(t, []any{"resource:b.sh", "b.sh"}, []any{seen.References[1].Ref.Key(), seen.References[1].Chosen})
		require.Len(t, seen.Notes, 1)
		require.True(t, seen.Ready(), "it may be imported without")

		_, err = w.Import(w.gwen, w.project, bundle(t, file), transfer.Choices{Mapping: map[string]string{"resource:id:3": "etl/a.sh"}})
		require.NoError(t, err)
		require.Equal(t, []string{"etl/a.sh", "b.sh"}, flow.ResourceNames(byName(w.definition(t, "parent"))["extract"].Params))
	})
}

func TestSchedulesOfATextComeInOffline(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b, err := transfer.Read("y.yaml", []byte(`name: y
tasks: {a: {type: SHELL, script: echo}}
schedules:
  night: {cron: '0 0 2 * * ?', timeZone: Europe/Berlin, state: ONLINE, calendar: banking, missed: SKIP_MISSED}
  '0 30 * * * ?': {cron: '0 30 * * * ?', timeZone: UTC}
`))
	require.NoError(t, err)
	require.Equal(t, "transfer.note.calendar_left_out", b.Notes[0].Key)
	_, err = w.Import(w.gwen, w.project, b, transfer.Choices{})
	require.NoError(t, err)
	list, err := w.schedules.OfWorkflow(w.gwen, w.project, w.definition(t, "y").Code)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []any{"night", "0 0 2 * * ?", schedule.SkipMissed, flow.Offline, false}, []any{list[0].Name, list[0].Crontab, list[0].Misfire, list[0].ReleaseState, list[0].WishOnline})
	require.Empty(t, list[1].Name)
}
