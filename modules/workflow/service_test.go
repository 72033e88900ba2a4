package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// world is a project of gwen's, with the services around it.
type world struct {
	*crudtest.App
	projects  *project.Service
	workflows *workflow.Service
	codes     *ids.Generator
	project   int64
	gwen      context.Context
	admin     context.Context
}

func open(t testing.TB, d *db.DB) *world {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules(), workflow.Rules())
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	w := &world{App: a, codes: ids.NewGenerator(1, time.Now)}
	w.projects = project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: w.codes, Now: time.Now})
	w.workflows = workflow.New(workflow.Deps{DB: d, Projects: w.projects, Audit: a.Audit, Codes: w.codes, Catalog: plugins, Now: time.Now})
	w.projects.SetContents(w.workflows)
	w.gwen, w.admin = access.WithPrincipal(t.Context(), a.General), access.WithPrincipal(t.Context(), a.Admin)
	p, err := w.projects.Create(w.gwen, project.Draft{Name: "etl"})
	require.NoError(t, err)
	w.project = p.Code
	return w
}

// member adds a user with a role in the project; without one for role "".
func (w *world) member(t testing.TB, name string, role access.Role) context.Context {
	t.Helper()
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
		VALUES (?, '', 'GENERAL_USER', ?, ?) RETURNING id`, name, time.Now(), time.Now())
	require.NoError(t, err)
	if role != "" {
		require.NoError(t, w.projects.SetMember(w.gwen, w.project, name, string(role)))
	}
	return access.WithPrincipal(t.Context(), access.Principal{UserID: id, Name: name})
}

// chain is a workflow of n shell tasks, one after the other.
func (w *world) chain(name string, n int) *flow.Definition {
	def := &flow.Definition{Name: name, ExecutionType: flow.Parallel}
	codes := w.codes.NextN(n)
	for i, code := range codes {
		def.Tasks = append(def.Tasks, flow.Task{
			Code: code, Name: fmt.Sprintf("t%d", i), Type: "SHELL", Params: json.RawMessage(fmt.Sprintf(`{"rawScript":"echo %d"}`, i)),
			Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default", EnvironmentCode: -1,
			RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1, ExecuteType: flow.Batch,
		})
		def.Locations = append(def.Locations, flow.Location{TaskCode: code, X: float64(i * 264)})
		if i > 0 {
			def.Edges = append(def.Edges, flow.Edge{Pre: codes[i-1], Post: code})
		}
	}
	return def
}

func (w *world) create(t testing.TB, name string, n int) workflow.Saved {
	t.Helper()
	s, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: w.chain(name, n)})
	require.NoError(t, err)
	return s
}

func (w *world) current(t testing.TB, code int64) *flow.Definition {
	t.Helper()
	def, err := w.workflows.Definition(w.gwen, code, 0)
	require.NoError(t, err)
	return def
}

func TestSavingMakesImmutableVersions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		made := w.create(t, "daily", 3)
		require.Equal(t, flow.Offline, made.Workflow.ReleaseState)
		require.Equal(t, 1, made.Workflow.Version)
		require.Equal(t, 3, made.Workflow.TaskCount)
		require.Equal(t, "gwen", made.Workflow.OwnerName)
		require.Greater(t, made.Workflow.Code, int64(1)<<31)

		same := w.current(t, made.Workflow.Code)
		same.Tasks[0], same.Tasks[2] = same.Tasks[2], same.Tasks[0] // the order says nothing
		kept, err := w.workflows.Update(w.gwen, made.Workflow.Code, workflow.Change{Definition: same, BaseVersion: 1})
		require.NoError(t, err)
		require.False(t, kept.Changed)
		require.Equal(t, 1, kept.Workflow.Version)

		next := w.current(t, made.Workflow.Code)
		next.Tasks[1].Params = json.RawMessage(`{"rawScript":"echo other"}`)
		gone := next.Tasks[2].Code
		fresh := w.chain("x", 1).Tasks[0]
		fresh.Name = "fresh"
		next.Tasks[2], next.Edges = fresh, next.Edges[:1]
		saved, err := w.workflows.Update(w.gwen, made.Workflow.Code, workflow.Change{Definition: next, BaseVersion: 1, Message: "swap"})
		require.NoError(t, err)
		require.True(t, saved.Changed)
		require.Equal(t, 2, saved.Workflow.Version)
		versions := map[string]int{}
		for _, task := range w.current(t, made.Workflow.Code).Tasks {
			versions[task.Name] = task.Version
		}
		require.Equal(t, map[string]int{"t0": 1, "t1": 2, "fresh": 1}, versions)

		old, err := w.workflows.Definition(w.gwen, made.Workflow.Code, 1)
		require.NoError(t, err)
		require.Len(t, old.Tasks, 3)
		require.Len(t, old.Locations, 3)
		_, err = w.workflows.TaskHome(w.gwen, w.project, gone)
		require.ErrorIs(t, err, workflow.ErrTaskNotFound, "the mirror holds the current version only")
		home, err := w.workflows.TaskHome(w.gwen, w.project, fresh.Code)
		require.NoError(t, err)
		require.Equal(t, made.Workflow.Code, home.Code)

		list, total, err := w.workflows.Versions(w.gwen, made.Workflow.Code, 10, 0)
		require.NoError(t, err)
		require.Equal(t, 2, total)
		v := list[0]
		require.Equal(t, []any{2, "swap", "gwen", 3, 1, 1, 1}, []any{v.Version, v.Message, v.OperatorName, v.TaskCount, v.Added, v.Changed, v.Removed})

		back, err := w.workflows.Restore(w.gwen, made.Workflow.Code, 1, "")
		require.NoError(t, err)
		require.Equal(t, 3, back.Workflow.Version, "history is never rewritten")
		restored := w.current(t, made.Workflow.Code)
		restored.Version, old.Version = 0, 0
		require.True(t, flow.Equal(restored, old))
		require.Equal(t, []string{"project.create", "workflow.create", "workflow.update", "workflow.update"}, w.Audited(t))
	})
}

func TestASecondBrowserCannotOverwriteTheFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		ann := w.member(t, "ann", access.All)
		code := w.create(t, "daily", 2).Workflow.Code
		mine, theirs := w.current(t, code), w.current(t, code)
		mine.Description, theirs.Description = "mine", "theirs"
		_, err := w.workflows.Update(ann, code, workflow.Change{Definition: theirs, BaseVersion: 1})
		require.NoError(t, err)
		_, err = w.workflows.Update(w.gwen, code, workflow.Change{Definition: mine, BaseVersion: 1})
		require.ErrorIs(t, err, workflow.ErrStale)
		stale, ok := errors.AsType[*workflow.StaleError](err)
		require.True(t, ok)
		require.Equal(t, 2, stale.Current.Version)
		require.Equal(t, "ann", stale.Current.ModifierName)
		require.False(t, stale.Current.UpdatedAt.IsZero())
		require.Equal(t, "theirs", w.current(t, code).Description)
		_, err = w.workflows.Update(w.gwen, code, workflow.Change{Definition: mine, BaseVersion: stale.Current.Version})
		require.NoError(t, err)
		require.Equal(t, "mine", w.current(t, code).Description)
	})
}

func TestOnlyAnOfflineWorkflowChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.create(t, "daily", 2).Workflow.Code
		on, err := w.workflows.Release(w.gwen, code, flow.Online)
		require.NoError(t, err)
		require.True(t, on.Online())
		again, err := w.workflows.Release(w.gwen, code, flow.Online)
		require.NoError(t, err)
		require.Equal(t, on.UpdatedAt, again.UpdatedAt, "online already: nothing happens")

		next := w.current(t, code)
		next.Description = "changed"
		_, err = w.workflows.Update(w.gwen, code, workflow.Change{Definition: next, BaseVersion: 1})
		require.ErrorIs(t, err, workflow.ErrOnline)
		_, err = w.workflows.Restore(w.gwen, code, 1, "")
		require.ErrorIs(t, err, workflow.ErrOnline)
		require.ErrorIs(t, w.workflows.Delete(w.gwen, code), workflow.ErrDeleteOnline)

		saved, err := w.workflows.Update(w.gwen, code, workflow.Change{Definition: next, BaseVersion: 1, Online: true})
		require.NoError(t, err)
		require.Equal(t, 2, saved.Workflow.Version)
		require.True(t, saved.Workflow.Online(), "saved and online in one step")
		off, err := w.workflows.Release(w.gwen, code, flow.Offline)
		require.NoError(t, err)
		require.False(t, off.Online())
		require.NoError(t, w.workflows.Delete(w.gwen, code))
		for _, table := range []string{"workflow_definition", "workflow_version", "task_definition", "workflow_draft"} {
			n, err := db.Get[int](t.Context(), d, "SELECT count(*) FROM "+table)
			require.NoError(t, err)
			require.Zero(t, n, table)
		}
	})
}

func TestBadDefinitionsAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		spoil func(*flow.Definition)
		want  error
	}{
		"empty": {func(d *flow.Definition) { d.Tasks, d.Edges = nil, nil }, workflow.ErrEmpty},
		"cycle": {func(d *flow.Definition) {
			d.Edges = append(d.Edges, flow.Edge{Pre: d.Tasks[2].Code, Post: d.Tasks[0].Code})
		}, workflow.ErrCycle},
		"unknown end":  {func(d *flow.Definition) { d.Edges[0].Pre = 42 }, workflow.ErrEdgeUnknown},
		"unknown type": {func(d *flow.Definition) { d.Tasks[1].Type = "COBOL" }, workflow.ErrTaskInvalid},
		"no script":    {func(d *flow.Definition) { d.Tasks[1].Params = json.RawMessage(`{}`) }, workflow.ErrTaskInvalid},
		"no name":      {func(d *flow.Definition) { d.Name = " \t" }, workflow.ErrInvalid},
		"same name":    {func(d *flow.Definition) { d.Tasks[1].Name = "t0" }, workflow.ErrTaskInvalid},
		"long text":    {func(d *flow.Definition) { d.Description = strings.Repeat("字", 256) }, workflow.ErrDescription},
		"huge script": {func(d *flow.Definition) {
			d.Tasks[0].Params = json.RawMessage(`{"rawScript":"` + strings.Repeat("x", flow.MaxTaskParams) + `"}`)
		}, workflow.ErrTaskInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			def := w.chain("bad "+name, 3)
			c.spoil(def)
			_, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def})
			require.ErrorIs(t, err, c.want)
			invalid, ok := errors.AsType[*workflow.InvalidError](err)
			require.True(t, ok)
			require.NotEmpty(t, invalid.Problems)
			problems, err := w.workflows.Check(w.gwen, w.project, def)
			require.NoError(t, err)
			if name != "long text" {
				require.True(t, flow.HasErrors(problems))
			}
		})
	}
}

func TestScriptsOfFiveMegabytesAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		def := w.chain("large", 1)
		script := strings.Repeat("echo \u4f60\u597d # \U0001f680\n", 5_000_000/22)
		raw, err := json.Marshal(map[string]string{"rawScript": script})
		require.NoError(t, err)
		def.Tasks[0].Params = raw
		require.Less(t, len(raw), flow.MaxTaskParams)
		saved, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def})
		require.NoError(t, err)
		var got struct {
			RawScript string `json:"rawScript"`
		}
		require.NoError(t, json.Unmarshal(w.current(t, saved.Workflow.Code).Tasks[0].Params, &got))
		require.Equal(t, script, got.RawScript)
	})
}

func TestNamesAndCodesAreTakenOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		first := w.create(t, "daily", 2)
		_, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: w.chain(" daily ", 1)})
		require.ErrorIs(t, err, workflow.ErrNameTaken)
		stolen := w.chain("other", 2)
		stolen.Tasks[1].Code = first.Definition.Tasks[1].Code
		stolen.Edges[0].Post = stolen.Tasks[1].Code
		_, err = w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: stolen})
		require.ErrorIs(t, err, workflow.ErrTaskCodeTaken)
		taken := w.chain("other", 1)
		taken.Code = first.Workflow.Code
		_, err = w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: taken})
		require.ErrorIs(t, err, workflow.ErrCodeTaken)
		page, err := w.workflows.List(w.gwen, w.project, listing.New(workflow.Spec(), 1, 10, ""))
		require.NoError(t, err)
		require.Equal(t, 1, page.Total, "nothing of a refused save stays")

		is, err := w.workflows.NameTaken(w.gwen, w.project, " daily", 0)
		require.NoError(t, err)
		require.True(t, is)
		is, err = w.workflows.NameTaken(w.gwen, w.project, "daily", first.Workflow.Code)
		require.NoError(t, err)
		require.False(t, is, "its own name")
	})
}

func TestCopiesHaveANewNameAndNewTaskCodes(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	made := w.create(t, strings.Repeat("n", 255), 3)
	ann := w.member(t, "ann", access.Read)
	_, err := w.workflows.Copy(ann, made.Workflow.Code, w.project)
	require.ErrorIs(t, err, project.ErrNoGrant)
	other, err := w.projects.Create(ann, project.Draft{Name: "ann's"})
	require.NoError(t, err)
	for _, target := range []int64{w.project, other.Code} {
		ctx := w.gwen
		if target != w.project {
			ctx = ann
		}
		copied, err := w.workflows.Copy(ctx, made.Workflow.Code, target)
		require.NoError(t, err)
		require.Regexp(t, `^n+_copy_\d{17}$`, copied.Workflow.Name)
		require.LessOrEqual(t, len(copied.Workflow.Name), 255)
		require.Equal(t, target, copied.Workflow.ProjectCode)
		require.Len(t, copied.Definition.Edges, 2)
		_, err = flow.Compile(copied.Definition)
		require.NoError(t, err)
		for i, task := range copied.Definition.Tasks {
			require.NotEqual(t, made.Definition.Tasks[i].Code, task.Code)
			require.Equal(t, task.Code, copied.Definition.Locations[i].TaskCode)
		}
	}
}

func TestDraftsBelongToTheirAuthorAndNoticeOtherTabs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		ann := w.member(t, "ann", access.All)
		code := w.create(t, "daily", 1).Workflow.Code
		draft := workflow.Draft{WorkflowCode: code, ProjectCode: w.project, BaseVersion: 1, Name: "daily", Body: `{"a":1}`}
		first, err := w.workflows.SaveDraft(w.gwen, draft)
		require.NoError(t, err)
		require.Equal(t, 1, first.Revision)
		first.Body = `{"a":2}`
		second, err := w.workflows.SaveDraft(w.gwen, first)
		require.NoError(t, err)
		require.Equal(t, 2, second.Revision)

		_, err = w.workflows.SaveDraft(w.gwen, first)
		late, ok := errors.AsType[*workflow.DraftStaleError](err)
		require.True(t, ok)
		require.Equal(t, 2, late.Revision)
		_, err = w.workflows.SaveDraft(w.gwen, draft)
		require.ErrorIs(t, err, workflow.ErrDraftStale)

		_, err = w.workflows.Draft(ann, w.project, code)
		require.ErrorIs(t, err, workflow.ErrNoDraft)
		kept, err := w.workflows.Draft(w.gwen, w.project, code)
		require.NoError(t, err)
		require.Equal(t, `{"a":2}`, kept.Body)
		_, err = w.workflows.SaveDraft(ann, draft)
		require.NoError(t, err)

		def := w.current(t, code)
		def.Description = "published"
		_, err = w.workflows.Update(w.gwen, code, workflow.Change{Definition: def, BaseVersion: 1})
		require.NoError(t, err)
		_, err = w.workflows.Draft(w.gwen, w.project, code)
		require.ErrorIs(t, err, workflow.ErrNoDraft, "a saved version is the end of its draft")
		_, err = w.workflows.Draft(ann, w.project, code)
		require.NoError(t, err, "of somebody else's not")
		require.NoError(t, w.workflows.DiscardDraft(ann, w.project, code))
		require.NoError(t, w.workflows.DiscardDraft(ann, w.project, code))

		unborn, err := w.workflows.SaveDraft(w.gwen, workflow.Draft{WorkflowCode: w.codes.Next(), ProjectCode: w.project, Name: "new", Body: `{}`})
		require.NoError(t, err)
		drafts, err := w.workflows.Drafts(w.gwen, w.project)
		require.NoError(t, err)
		require.Len(t, drafts, 1)
		require.Equal(t, unborn.WorkflowCode, drafts[0].WorkflowCode)
	})
}

func TestEachGrantMayWhatItSays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.create(t, "daily", 1).Workflow.Code
		for role, want := range map[access.Role]struct{ read, write error }{
			"":             {project.ErrNoAccess, project.ErrNoAccess},
			access.Read:    {nil, project.ErrNoGrant},
			access.Operate: {nil, project.ErrNoGrant},
			access.All:     {nil, nil},
		} {
			ctx := w.member(t, "u-"+string(role), role)
			check := func(want, err error) {
				t.Helper()
				if want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, want)
				}
			}
			_, err := w.workflows.Get(ctx, code)
			check(want.read, err)
			_, err = w.workflows.Definition(ctx, code, 1)
			check(want.read, err)
			_, err = w.workflows.List(ctx, w.project, listing.New(workflow.Spec(), 1, 10, ""))
			check(want.read, err)
			_, _, err = w.workflows.Versions(ctx, code, 10, 0)
			check(want.read, err)
			_, err = w.workflows.Drafts(ctx, w.project)
			check(want.read, err)
			_, err = w.workflows.Create(ctx, w.project, workflow.Change{Definition: w.chain("by "+string(role), 1)})
			check(want.write, err)
			def := w.current(t, code)
			_, err = w.workflows.Update(ctx, code, workflow.Change{Definition: def, BaseVersion: workflow.AnyVersion})
			check(want.write, err)
			_, err = w.workflows.Release(ctx, code, flow.Offline)
			check(want.write, err)
			_, err = w.workflows.Restore(ctx, code, 1, "")
			check(want.write, err)
			_, err = w.workflows.SaveDraft(ctx, workflow.Draft{WorkflowCode: code, ProjectCode: w.project, Body: "{}"})
			check(want.write, err)
			if want.write != nil {
				require.ErrorIs(t, w.workflows.Delete(ctx, code), want.write)
				require.ErrorIs(t, w.workflows.DeleteVersion(ctx, code, 1), want.write)
			}
		}
		_, err := w.workflows.Get(t.Context(), code)
		require.ErrorIs(t, err, access.ErrUnauthenticated)
		_, err = w.workflows.Get(w.admin, code)
		require.NoError(t, err)
		_, err = w.workflows.In(w.gwen, 42, code)
		require.ErrorIs(t, err, project.ErrNotFound)
		other, err := w.projects.Create(w.gwen, project.Draft{Name: "other"})
		require.NoError(t, err)
		_, err = w.workflows.In(w.gwen, other.Code, code)
		require.ErrorIs(t, err, workflow.ErrNotFound)
	})
}
