package workflow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/flow/window"
	"dorado/modules/project"
	"dorado/modules/workflow"
	"dorado/plugins/form"
)

// starting is a workflow of one task for each child, which starts it.
func (w *world) starting(name, taskType string, children ...int64) *flow.Definition {
	def := w.chain(name, len(children))
	for i, child := range children {
		def.Tasks[i].Type = taskType
		def.Tasks[i].Params = json.RawMessage(fmt.Sprintf(`{"workflowDefinitionCode":%d,"items":"a","listParameters":[{"name":"a","value":"1"}]}`, child))
	}
	return def
}

// waiting is a workflow whose only task waits for another one.
func (w *world) waiting(name string, projectCode, code, task int64) *flow.Definition {
	def := w.chain(name, 1)
	def.Tasks[0].Type = "DEPENDENT"
	def.Tasks[0].Params = json.RawMessage(fmt.Sprintf(`{"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[
		{"projectCode":%d,"definitionCode":%d,"depTaskCode":%d,"cycle":"day","dateValue":"today"}]}]}}`, projectCode, code, task))
	return def
}

func (w *world) save(t testing.TB, def *flow.Definition) workflow.Saved {
	t.Helper()
	s, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def})
	require.NoError(t, err)
	return s
}

// problem is the first error of a refusal.
func problem(t testing.TB, err error) flow.Problem {
	t.Helper()
	invalid, ok := errors.AsType[*workflow.InvalidError](err)
	require.True(t, ok, "%v", err)
	at := slices.IndexFunc(invalid.Problems, func(p flow.Problem) bool { return p.Severity == flow.SeverityError })
	return invalid.Problems[at]
}

func TestAWorkflowCannotStartItself(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		a := w.create(t, "a", 1).Workflow
		b := w.save(t, w.starting("b", "SUB_WORKFLOW", a.Code)).Workflow
		c := w.save(t, w.starting("c", "FOR_EACH", b.Code)).Workflow

		def := w.starting("a", "SUB_WORKFLOW", a.Code)
		_, err := w.workflows.Update(w.gwen, a.Code, workflow.Change{Definition: def, BaseVersion: 1})
		p := problem(t, err)
		require.Equal(t, "flow.problem.child_itself", p.Key)
		require.Equal(t, def.Tasks[0].Code, p.TaskCode)

		_, err = w.workflows.Update(w.gwen, a.Code, workflow.Change{Definition: w.starting("a", "DYNAMIC", c.Code), BaseVersion: 1})
		p = problem(t, err)
		require.Equal(t, []any{"path", "a → c → b → a"}, p.Args, "the way round is named")
		require.Equal(t, "taskParams.workflowDefinitionCode", p.Field)
		require.Equal(t, 1, w.current(t, a.Code).Version)
		found, err := w.workflows.Check(w.gwen, w.project, func() *flow.Definition {
			def := w.starting("a", "DYNAMIC", c.Code)
			def.Code = a.Code
			return def
		}())
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(found), "a → c → b → a", "said before saving, too")
	})
}

func TestTwoSavesAtOnceCannotCloseARing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		a, b := w.create(t, "a", 1).Workflow, w.create(t, "b", 1).Workflow
		c := w.save(t, w.starting("c", "SUB_WORKFLOW", a.Code)).Workflow
		e := w.save(t, w.starting("e", "SUB_WORKFLOW", b.Code)).Workflow
		// a → e → b and b → c → a share no workflow but close a ring together.
		errs := make([]error, 2)
		var wait sync.WaitGroup
		wait.Go(func() {
			_, errs[0] = w.workflows.Update(w.gwen, a.Code, workflow.Change{Definition: w.starting("a", "SUB_WORKFLOW", e.Code), BaseVersion: 1})
		})
		wait.Go(func() {
			_, errs[1] = w.workflows.Update(w.gwen, b.Code, workflow.Change{Definition: w.starting("b", "SUB_WORKFLOW", c.Code), BaseVersion: 1})
		})
		wait.Wait()
		require.NotEqual(t, errs[0] == nil, errs[1] == nil, "exactly one is saved: %v, %v", errs[0], errs[1])
	})
}

func TestWorkflowsAreNestedSixteenDeepAndNoDeeper(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	below := w.create(t, "w0", 1).Workflow.Code
	first := below
	for i := 1; i <= flow.MaxDepth; i++ {
		below = w.save(t, w.starting(fmt.Sprintf("w%d", i), "SUB_WORKFLOW", below)).Workflow.Code
	}
	_, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: w.starting("top", "SUB_WORKFLOW", below)})
	require.Equal(t, "workflow.problem.too_deep", problem(t, err).Key)
	bottom := w.create(t, "bottom", 1).Workflow.Code
	_, err = w.workflows.Update(w.gwen, first, workflow.Change{Definition: w.starting("w0", "SUB_WORKFLOW", bottom), BaseVersion: 1})
	require.Equal(t, "workflow.problem.too_deep", problem(t, err).Key, "what stands above counts, too")
}

func TestWhatIsReferredToMustBeThere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		a := w.create(t, "a", 2)
		other, err := w.projects.Create(w.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		far, err := w.workflows.Create(w.gwen, other.Code, workflow.Change{Definition: w.chain("far", 1)})
		require.NoError(t, err)
		const gone = 12345678901234
		for name, c := range map[string]struct {
			def *flow.Definition
			key string
		}{
			"child gone":             {w.starting("x", "SUB_PROCESS", gone), "workflow.problem.workflow_missing"},
			"child elsewhere":        {w.starting("x", "SUB_WORKFLOW", far.Workflow.Code), "workflow.problem.other_project"},
			"awaited gone":           {w.waiting("x", w.project, gone, 0), "workflow.problem.workflow_missing"},
			"awaited in a project":   {w.waiting("x", w.project, far.Workflow.Code, 0), "workflow.problem.workflow_missing"},
			"awaited task gone":      {w.waiting("x", w.project, a.Workflow.Code, gone), "workflow.problem.task_missing"},
			"awaited task elsewhere": {w.waiting("x", other.Code, far.Workflow.Code, a.Definition.Tasks[0].Code), "workflow.problem.task_missing"},
		} {
			_, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: c.def})
			p := problem(t, err)
			require.Equal(t, c.key, p.Key, name)
			require.Equal(t, c.def.Tasks[0].Code, p.TaskCode, name)
		}
		w.save(t, w.waiting("all", other.Code, far.Workflow.Code, -1))
		w.save(t, w.waiting("one", w.project, a.Workflow.Code, a.Definition.Tasks[1].Code))
		own := w.waiting("self", w.project, 0, 0)
		own.Code = w.codes.Next()
		own.Tasks[0].Params = json.RawMessage(strings.ReplaceAll(string(own.Tasks[0].Params), `"definitionCode":0`, fmt.Sprintf(`"definitionCode":%d`, own.Code)))
		w.save(t, own) // yesterday's run of itself
	})
}

func TestNobodyWaitsForWorkflowsThatHeMayNotSee(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		other, err := w.projects.Create(w.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		far, err := w.workflows.Create(w.gwen, other.Code, workflow.Change{Definition: w.chain("far", 1)})
		require.NoError(t, err)
		sam := w.member(t, "sam", access.All)
		wait := w.waiting("x", other.Code, far.Workflow.Code, 0)
		_, err = w.workflows.Create(sam, w.project, workflow.Change{Definition: wait})
		require.Equal(t, "workflow.problem.workflow_missing", problem(t, err).Key, "its states could be learnt by waiting for it")

		saved, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: wait})
		require.NoError(t, err)
		wait.Description = "what gwen allowed to be waited for stays"
		_, err = w.workflows.Update(sam, saved.Workflow.Code, workflow.Change{Definition: wait, BaseVersion: 1})
		require.NoError(t, err)
	})
}

func TestOnlineNeedsEverythingBelowToBeOnline(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		a := w.create(t, "a", 1).Workflow
		b := w.save(t, w.starting("b", "SUB_WORKFLOW", a.Code)).Workflow
		c := w.save(t, w.starting("c", "SUB_WORKFLOW", b.Code)).Workflow
		_, err := w.workflows.Release(w.gwen, c.Code, flow.Online)
		require.ErrorIs(t, err, workflow.ErrChildOffline)
		require.ErrorContains(t, err, "b, a", "all of them are named, the indirect ones too")
		_, err = w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: w.starting("d", "SUB_WORKFLOW", b.Code), Online: true})
		require.ErrorIs(t, err, workflow.ErrChildOffline)
		for _, code := range []int64{a.Code, b.Code, c.Code} {
			_, err := w.workflows.Release(w.gwen, code, flow.Online)
			require.NoError(t, err)
		}
		_, err = w.workflows.Release(w.gwen, a.Code, flow.Offline)
		require.ErrorIs(t, err, workflow.ErrNeededOnline)
		require.ErrorContains(t, err, "b → t0")
		for _, code := range []int64{c.Code, b.Code, a.Code} {
			_, err := w.workflows.Release(w.gwen, code, flow.Offline)
			require.NoError(t, err, "from the top it goes")
		}
	})
}

func TestWhatDependsOnAWorkflowKeepsItAndIsNamed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		a := w.create(t, "a", 1).Workflow
		b := w.save(t, w.starting("b", "FOR_EACH", a.Code)).Workflow
		other, err := w.projects.Create(w.admin, project.Draft{Name: "secret"})
		require.NoError(t, err)
		c, err := w.workflows.Create(w.admin, other.Code, workflow.Change{Definition: w.waiting("c", w.project, a.Code, 0)})
		require.NoError(t, err)

		all, err := w.workflows.Dependants(w.admin, a.Code)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, "b → t0", all[0].Label())
		require.Equal(t, workflow.Starts, all[0].Kind)
		require.Equal(t, "c → t0", all[1].Label())
		require.Contains(t, all[1].URL(), fmt.Sprintf("/projects/%d/workflows/%d?task=", other.Code, c.Workflow.Code))
		seen, err := w.workflows.Dependants(w.gwen, a.Code)
		require.NoError(t, err)
		require.True(t, seen[1].Hidden || seen[0].Hidden, "names of projects one may not see are kept back")
		require.NotContains(t, seen[0].Label()+seen[1].Label(), "c →")
		_, err = w.workflows.Dependants(w.member(t, "nobody", ""), a.Code)
		require.ErrorIs(t, err, project.ErrNoAccess)

		require.ErrorIs(t, w.workflows.Delete(w.gwen, a.Code), workflow.ErrInUse)
		require.NoError(t, w.workflows.Delete(w.admin, c.Workflow.Code))
		require.NoError(t, w.workflows.DeleteAll(w.gwen, []int64{a.Code, b.Code}), "together they may go")

		// A version that no longer refers to anything leaves no row behind.
		e := w.create(t, "e", 1).Workflow
		f := w.save(t, w.starting("f", "SUB_WORKFLOW", e.Code)).Workflow
		_, err = w.workflows.Update(w.gwen, f.Code, workflow.Change{Definition: w.chain("f", 1), BaseVersion: 1})
		require.NoError(t, err)
		require.NoError(t, w.workflows.Delete(w.gwen, e.Code))
		_, err = w.workflows.Restore(w.gwen, f.Code, 1, "")
		require.Equal(t, "workflow.problem.workflow_missing", problem(t, err).Key, "restoring checks like saving")
	})
}

func TestACopyBranchesToItsOwnTasks(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	def := w.chain("branches", 4)
	codes := []int64{def.Tasks[0].Code, def.Tasks[1].Code, def.Tasks[2].Code, def.Tasks[3].Code}
	def.Tasks[1].Type = "CONDITIONS"
	def.Tasks[1].Params = json.RawMessage(fmt.Sprintf(`{"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[{"depTaskCode":%d,"status":"SUCCESS"}]}]},
		"conditionResult":{"successNode":[%d],"failedNode":[%d]}}`, codes[0], codes[2], codes[3]))
	def.Edges = []flow.Edge{{Pre: codes[0], Post: codes[1]}, {Pre: codes[1], Post: codes[2]}, {Pre: codes[1], Post: codes[3]}}
	made := w.save(t, def)
	copied, err := w.workflows.Copy(w.gwen, made.Workflow.Code, w.project)
	require.NoError(t, err)
	for _, task := range copied.Definition.Tasks {
		for _, old := range codes {
			require.NotContains(t, string(task.Params), fmt.Sprint(old), task.Name)
		}
	}
	require.Contains(t, string(copied.Definition.Tasks[1].Params), fmt.Sprint(copied.Definition.Tasks[2].Code))
}

func TestAFasterSaveIsSeenAlthoughComparingCameFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.create(t, "busy", 3).Workflow.Code
		const savers = 8
		errs := make([]error, savers)
		var wait sync.WaitGroup
		for i := range savers {
			def := w.current(t, code)
			def.Tasks[i%3].Description = fmt.Sprint(i)
			wait.Go(func() {
				_, errs[i] = w.workflows.Update(w.gwen, code, workflow.Change{Definition: def, BaseVersion: workflow.AnyVersion})
			})
		}
		wait.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		def := w.current(t, code)
		require.Equal(t, savers+1, def.Version)
		mirrored, err := db.Select[int](t.Context(), d, `SELECT version FROM task_definition WHERE workflow_code = ? ORDER BY name`, code)
		require.NoError(t, err)
		for i, task := range def.Tasks {
			require.Equal(t, task.Version, mirrored[i], "the mirror shows what was saved last")
		}
	})
}

func TestTheFormIsGivenOnlyWhatOneMaySee(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openSite(t, d)
		made := s.create(t, "daily load", 2)
		s.create(t, "weekly", 1)
		_, err := s.projects.Create(s.admin, project.Draft{Name: "secret"})
		require.NoError(t, err)

		status, answer := s.call(t, s.General, "GET", s.path+"/choices?q=LOAD", nil)
		require.Equal(t, 200, status)
		require.Len(t, answer["workflows"], 1)
		status, answer = s.call(t, s.General, "GET", s.path+fmt.Sprintf("/choices?q=week&codes=%d", made.Workflow.Code), nil)
		require.Equal(t, 200, status)
		require.Len(t, answer["workflows"], 2, "what is chosen already has a name, too")
		status, answer = s.call(t, s.General, "GET", fmt.Sprintf("%s/%d/tasks", s.path, made.Workflow.Code), nil)
		require.Equal(t, 200, status)
		require.Len(t, answer["tasks"], 2)
		_, answer = s.call(t, s.General, "GET", s.path+"/choices/projects", nil)
		require.Len(t, answer["projects"], 1, "another's project is not listed")

		stranger, ok := access.From(s.member(t, "nobody", ""))
		require.True(t, ok)
		for _, path := range []string{"/choices", "/choices/projects", fmt.Sprintf("/%d/tasks", made.Workflow.Code), fmt.Sprintf("/%d/dependants", made.Workflow.Code)} {
			status, _ := s.call(t, stranger, "GET", s.path+path, nil)
			require.Equal(t, 403, status, path)
		}
		status, _ = s.call(t, stranger, "POST", s.path+"/preview", map[string]any{"definition": content(s.current(t, made.Workflow.Code))})
		require.Equal(t, 403, status)
	})
}

func TestParametersAreShownAsTheyWouldBe(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	for name, value := range map[string]string{"bucket": "prod", "day": "never"} {
		_, err := s.projects.CreateParameter(s.gwen, s.project, project.ParameterDraft{Name: name, Value: value, Type: flow.Varchar})
		require.NoError(t, err)
	}
	def := s.chain("daily", 2)
	def.GlobalParams = []flow.Property{{Prop: "day", Direct: flow.In, Type: flow.Varchar, Value: "$[yyyy-MM-dd-1]"}}
	def.Tasks[0].Params = json.RawMessage(`{"rawScript":"x","localParams":[{"prop":"rows","direct":"OUT","type":"INTEGER","value":""}]}`)
	def.Tasks[1].Params = json.RawMessage(`{"rawScript":"x","localParams":[{"prop":"path","direct":"IN","type":"VARCHAR","value":"${bucket}/${day}"}]}`)
	edited := content(def)
	edited["globalParams"] = def.GlobalParams
	body := map[string]any{
		"definition": edited, "taskCode": def.Tasks[1].Code, "at": "2026-03-01T08:00", "zone": "Asia/Shanghai", "texts": []string{"cp ${path} ${rows} $[HHmm] ${HOME}"},
	}
	status, answer := s.call(t, s.General, "POST", s.path+"/preview", body)
	require.Equal(t, 200, status, answer)
	require.Equal(t, []any{"cp prod/2026-02-28 ${rows} 0800 ${HOME}"}, answer["texts"])
	require.Equal(t, "2026-03-01T08:00:00+08:00", answer["at"])
	values := map[string]string{}
	for _, raw := range answer["params"].([]any) {
		p := raw.(map[string]any)
		values[p["name"].(string)] = fmt.Sprintf("%v %v %v", p["value"], p["level"], p["from"])
	}
	require.Equal(t, "prod/2026-02-28 local <nil>", values["path"])
	require.Equal(t, "2026-02-28 global <nil>", values["day"])
	require.Equal(t, "prod project <nil>", values["bucket"])
	require.Equal(t, " upstream t0", values["rows"], "known only when that task has run")
	require.Equal(t, "20260228 builtin <nil>", values["system.biz.date"])

	body["samples"] = map[string]string{"rows": "12"}
	_, answer = s.call(t, s.General, "POST", s.path+"/preview", body)
	require.Equal(t, []any{"cp prod/2026-02-28 12 0800 ${HOME}"}, answer["texts"], "a sample stands for what is not known yet")

	body["texts"] = []string{"$[add_months(yyyyMMdd)]"}
	status, answer = s.call(t, s.General, "POST", s.path+"/preview", body)
	require.Equal(t, 422, status, answer)
	for _, wrong := range []map[string]any{{"zone": "Nowhere/City"}, {"zone": "Local"}, {"at": "tomorrow"}} {
		wrong["definition"] = body["definition"]
		status, _ := s.call(t, s.General, "POST", s.path+"/preview", wrong)
		require.Equal(t, 422, status, wrong)
	}
}

func TestBranchesAndDatesAreShownAsTheyWouldBe(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	def := w.chain("x", 3)
	def.Tasks[0].Params = json.RawMessage(`{"rawScript":"x","localParams":[{"prop":"rows","direct":"OUT","type":"INTEGER","value":""}]}`)
	def.Tasks[1].Type = "SWITCH"
	def.Tasks[1].Params = json.RawMessage(`{"switchResult":{"dependTaskList":[
		{"condition":"${rows} > 1000","nextNode":7},{"condition":"${rows} === 12","nextNode":8},{"condition":"${gone} == 1","nextNode":8}],"nextNode":9}}`)
	def.Tasks[2] = w.waiting("y", w.project, 5, 0).Tasks[0]
	base := time.Date(2026, 3, 1, 8, 0, 0, 0, time.FixedZone("here", 8*3600))
	got, err := w.workflows.PreviewAt(w.gwen, w.project, def, workflow.PreviewRequest{Task: def.Tasks[1].Code, Base: base, Samples: map[string]string{"rows": "12"}})
	require.NoError(t, err)
	require.Equal(t, "12 > 1000", got.Branches[0].Text)
	require.Equal(t, []bool{false, true, false}, []bool{got.Branches[0].Holds, got.Branches[1].Holds, got.Branches[2].Holds}, "numbers as their type says")
	require.Contains(t, got.Branches[2].Error, "gone")
	got, err = w.workflows.PreviewAt(w.gwen, w.project, def, workflow.PreviewRequest{Task: def.Tasks[2].Code, Base: base})
	require.NoError(t, err)
	require.Len(t, got.Dates, 1)
	require.Equal(t, "2026-03-01T00:00:00+08:00", got.Dates[0].From.Format(time.RFC3339))
	require.Equal(t, 1, got.Dates[0].Count)
}

func TestTheFormOffersExactlyTheDatesThatTheEngineKnows(t *testing.T) {
	t.Parallel()
	var offered []string
	for _, c := range form.DateCycles() {
		offered = append(offered, c.Dates...)
	}
	require.Equal(t, window.Values(), offered)
}

func TestNewTasksBeginAsTheProjectPrefers(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	on := true
	_, err := s.projects.SavePreference(s.gwen, s.project, `{"taskPriority":"HIGH","failRetryTimes":3,"failRetryInterval":2}`, &on)
	require.NoError(t, err)
	_, err = s.projects.CreateParameter(s.gwen, s.project, project.ParameterDraft{Name: "bucket", Value: "secret value", Type: flow.Varchar})
	require.NoError(t, err)
	made := s.create(t, "daily", 1)
	text := s.gwenB.Get(fmt.Sprintf("%s/%d", s.path, made.Workflow.Code)).Require(200).Text("#dag-data")
	var doc struct {
		Preference    map[string]any
		ProjectParams []string
		WorkerGroups  []string
	}
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	require.Equal(t, "HIGH", doc.Preference["taskPriority"])
	require.EqualValues(t, 3, doc.Preference["failRetryTimes"])
	require.Equal(t, []string{"bucket"}, doc.ProjectParams)
	require.NotContains(t, text, "secret value")
	require.Equal(t, []string{"default"}, doc.WorkerGroups)
}

func TestGoingOfflineAsksWhenSomethingDepends(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	a := s.create(t, "a", 1).Workflow
	_, err := s.workflows.Release(s.gwen, a.Code, flow.Online)
	require.NoError(t, err)
	s.save(t, s.waiting("reader", s.project, a.Code, 0))
	at := fmt.Sprintf("%s/%d", s.path, a.Code)
	page := s.gwenB.Post(at+"/release", "state", "OFFLINE").Require(409)
	require.Contains(t, page.Text("body"), "reader → t0")
	s.gwenB.Post(at+"/release", "state", "OFFLINE", "sure", "1").Require(303)

	_, err = s.workflows.Release(s.gwen, a.Code, flow.Online)
	require.NoError(t, err)
	b, err := s.workflows.Create(s.gwen, s.project, workflow.Change{Definition: s.starting("b", "SUB_WORKFLOW", a.Code), Online: true})
	require.NoError(t, err)
	page = s.gwenB.Post(at+"/release", "state", "OFFLINE", "sure", "").Require(409)
	require.Contains(t, page.Attr("[data-test='refused'] a.link", "href"), fmt.Sprint(b.Workflow.Code))
	status, _ := s.call(t, s.General, "POST", at+"/offline", map[string]any{})
	require.Equal(t, 409, status)
	for _, code := range []int64{b.Workflow.Code, a.Code} {
		_, err = s.workflows.Release(s.gwen, code, flow.Offline)
		require.NoError(t, err)
	}
	require.Contains(t, s.gwenB.Get(at+"/delete").Text("body"), "b → t0")
}

func TestTheEditorHearsOfARingBeforeSaving(t *testing.T) {
	t.Parallel()
	s := openSite(t, dbtest.SQLite(t))
	a := s.create(t, "a", 1).Workflow
	b := s.save(t, s.starting("b", "SUB_WORKFLOW", a.Code)).Workflow
	status, answer := s.call(t, s.General, "POST", fmt.Sprintf("%s/%d/check", s.path, a.Code), map[string]any{"definition": content(s.starting("a", "SUB_WORKFLOW", b.Code))})
	require.Equal(t, 200, status)
	require.Contains(t, fmt.Sprint(answer["problems"]), "a → b → a")
}
