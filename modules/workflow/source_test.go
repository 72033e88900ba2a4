package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
	flowtext "dorado/modules/flow/text"
	"dorado/modules/security/crudtest"
	"dorado/modules/workflow"
)

const nightly = `# Loads the warehouse.
name: nightly # every night

tasks:
  extract:
    type: SHELL # slow
    script: echo extract

  # needs the warehouse
  load:
    type: SHELL
    needs: [extract]
    script: |
      echo load
      echo done
`

func (w *world) imported(t testing.TB, src string) workflow.Saved {
	t.Helper()
	saved, err := w.workflows.ImportSource(w.gwen, w.project, 0, src, "from Git", workflow.AnyVersion, false)
	require.NoError(t, err)
	return saved
}

func (w *world) source(t testing.TB, code int64, version int) string {
	t.Helper()
	src, err := w.workflows.Source(w.gwen, code, version, flowtext.Style{})
	require.NoError(t, err)
	return src
}

func TestTheTextThatWasTypedSurvivesEveryEdit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		made := w.imported(t, nightly)
		code := made.Workflow.Code
		require.Equal(t, flow.Offline, made.Workflow.ReleaseState)
		require.Equal(t, nightly, w.source(t, code, 0))

		// The canvas changes one thing.
		def := w.current(t, code)
		def.Tasks[0].RetryTimes = 3
		drawn, err := w.workflows.Update(w.gwen, code, workflow.Change{Definition: def, BaseVersion: 1})
		require.NoError(t, err)
		require.True(t, drawn.Changed)
		want := strings.Replace(nightly, "    script: echo extract\n", "    script: echo extract\n    retry: 3\n", 1)
		require.Equal(t, want, w.source(t, code, 2))
		require.Equal(t, nightly, w.source(t, code, 1), "history is never rewritten")

		// The same text again is no new version, and neither is another comment; but the comment is kept.
		again := w.imported(t, want)
		require.False(t, again.Changed)
		commented := strings.Replace(want, "# slow", "# really slow", 1)
		require.False(t, w.imported(t, commented).Changed)
		require.Equal(t, commented, w.source(t, code, 0))

		// Restoring brings the text of then.
		restored, err := w.workflows.Restore(w.gwen, code, 1, "")
		require.NoError(t, err)
		require.Equal(t, 3, restored.Workflow.Version)
		require.Equal(t, nightly, w.source(t, code, 0))

		// A task keeps its code when the text calls it otherwise.
		before := w.current(t, code).Tasks[0].Code
		w.imported(t, strings.ReplaceAll(strings.ReplaceAll(nightly, "  extract:", "  fetch:"), "[extract]", "[fetch]"))
		require.Equal(t, before, w.current(t, code).Tasks[0].Code)
		require.Equal(t, "fetch", w.current(t, code).Tasks[0].Name)
	})
}

func TestADrawnWorkflowHasATextToo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		made := w.create(t, "daily", 2)
		src := w.source(t, made.Workflow.Code, 0)
		require.Contains(t, src, "name: daily\ntasks:\n  t0:\n    type: SHELL\n    script: echo 0\n")
		require.False(t, w.imported(t, src).Changed, "its own text says nothing new")

		// In another project the same text makes another workflow with its own codes.
		other, err := w.workflows.ImportSource(w.gwen, w.project, 0, strings.Replace(src, "name: daily", "name: copy", 1), "", workflow.AnyVersion, false)
		require.NoError(t, err)
		require.NotEqual(t, made.Definition.Tasks[0].Code, other.Definition.Tasks[0].Code)
	})
}

func TestReferencesToWorkflowsAreNamesThatTheReaderMaySee(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		child := w.create(t, "child", 1)
		src := "name: parent\ntasks:\n  call:\n    type: SUB_WORKFLOW\n    with:\n      workflowDefinitionCode: etl/child\n"
		parent := w.imported(t, src)
		require.Contains(t, string(parent.Definition.Tasks[0].Params), fmt.Sprint(child.Workflow.Code))
		require.Equal(t, src, w.source(t, parent.Workflow.Code, 0))

		_, err := w.workflows.ImportSource(w.gwen, w.project, 0, strings.Replace(src, "etl/child", "etl/gone", 1), "", workflow.AnyVersion, false)
		require.ErrorIs(t, err, workflow.ErrSource)
		require.Contains(t, err.Error(), "workflow.source_invalid")
	})
}

func TestAnImportIsRefusedForWhatASaveIs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		made := w.imported(t, nightly)
		changed := strings.Replace(nightly, "echo extract", "echo other", 1)
		_, err := w.workflows.Release(w.gwen, made.Workflow.Code, flow.Online)
		require.NoError(t, err)
		_, err = w.workflows.ImportSource(w.gwen, w.project, 0, changed, "", workflow.AnyVersion, false)
		require.ErrorIs(t, err, workflow.ErrOnline)
		online, err := w.workflows.ImportSource(w.gwen, w.project, 0, changed, "", workflow.AnyVersion, true)
		require.NoError(t, err)
		require.True(t, online.Workflow.Online())
		_, err = w.workflows.ImportSource(w.gwen, w.project, 0, nightly, "", 1, true)
		require.ErrorIs(t, err, workflow.ErrStale)

		var bad *workflow.SourceError
		_, err = w.workflows.ImportSource(w.gwen, w.project, 0, "name: nightly\ntasks:\n  a: {type: SHELL}\n", "", workflow.AnyVersion, true)
		require.ErrorAs(t, err, &bad, "the plugin wants a script")
		require.Equal(t, 3, bad.Problems[0].Line)
	})
}

func TestOnlyMembersReadAndOnlyWritersImportOverREST(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openREST(t, d)
		e := s.call(t, http.MethodPost, s.base+"/yaml", "yaml", nightly, "dryRun", "true")
		require.Zero(t, e.Code, e.Msg)
		require.Contains(t, string(e.Data), `"created":true`)
		e = s.call(t, http.MethodPost, s.base+"/yaml", "yaml", nightly)
		require.Zero(t, e.Code, e.Msg)
		var made struct{ Code int64 }
		require.NoError(t, json.Unmarshal(e.Data, &made))
		one := fmt.Sprintf("%s/%d/yaml", s.base, made.Code)

		e = s.call(t, http.MethodGet, one)
		var got struct {
			YAML    string
			Version int
		}
		require.NoError(t, json.Unmarshal(e.Data, &got))
		require.True(t, strings.HasPrefix(got.YAML, nightly), got.YAML)
		require.Equal(t, 1, got.Version)

		e = s.call(t, http.MethodPut, one, "yaml", strings.Replace(nightly, "echo done", "echo gone", 1), "baseVersion", "1", "message", "shorter")
		require.Zero(t, e.Code, e.Msg)
		e = s.call(t, http.MethodPut, one, "yaml", nightly, "baseVersion", "1")
		require.Equal(t, 50017, e.Code, "somebody saved meanwhile")
		e = s.call(t, http.MethodPut, one, "yaml", "name: nightly\ntasks: 1\n")
		require.Equal(t, 50017, e.Code)
		require.Contains(t, e.Msg, "2:8")

		reader, err := access.Must(s.member(t, "rita", access.Read))
		require.NoError(t, err)
		stranger, err := access.Must(s.member(t, "sam", ""))
		require.NoError(t, err)
		for _, c := range []struct {
			method, path string
			reads        bool
		}{{http.MethodGet, one, true}, {http.MethodPut, one, false}, {http.MethodPost, s.base + "/yaml", false}} {
			status, _ := s.as(t, access.Principal{}, c.method, c.path, "yaml", nightly)
			require.Equal(t, http.StatusUnauthorized, status)
			_, e := s.as(t, stranger, c.method, c.path, "yaml", nightly)
			require.NotZero(t, e.Code, c.path)
			_, e = s.as(t, reader, c.method, c.path, "yaml", nightly)
			require.Equal(t, c.reads, e.Code == 0, c.path)
		}
	})
}

func TestPicturesAndTextsFollowEachOther(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openSite(t, d)
		made := s.imported(t, nightly)
		at := fmt.Sprintf("%s/%d/yaml", s.path, made.Workflow.Code)
		def := s.current(t, made.Workflow.Code)

		status, out := s.call(t, s.General, http.MethodPost, at+"/write", map[string]any{"source": "", "before": nil, "definition": content(def)})
		require.Equal(t, 200, status)
		require.Equal(t, nightly, out["yaml"], "the comments are the ones that were saved")

		longer := nightly + "\n  report: {type: SHELL, needs: load, script: echo report}\n"
		status, out = s.call(t, s.General, http.MethodPost, at+"/read", map[string]any{"source": longer, "definition": content(def)})
		require.Equal(t, 200, status)
		require.Empty(t, out["problems"])
		read, _ := out["definition"].(map[string]any)
		require.Len(t, read["tasks"], 3)
		require.Len(t, read["locations"], 3, "new tasks get a place")

		status, out = s.call(t, s.General, http.MethodPost, at+"/read", map[string]any{"source": strings.Replace(longer, "needs: load", "needs: laod", 1), "definition": content(def)})
		require.Equal(t, 200, status)
		require.Nil(t, out["definition"])
		first, _ := out["problems"].([]any)[0].(map[string]any)
		require.EqualValues(t, 17, first["line"])
		require.Contains(t, first["message"], "Did you mean load?")

		// What the editor saves carries the text along.
		body := content(def)
		body["source"] = strings.Replace(nightly, "# every night", "# twice a night", 1)
		body["description"] = "x"
		status, _ = s.call(t, s.General, http.MethodPost, fmt.Sprintf("%s/%d/save", s.path, made.Workflow.Code), map[string]any{"baseVersion": 1, "definition": body})
		require.Equal(t, 200, status)
		require.Contains(t, s.source(t, made.Workflow.Code, 0), "name: nightly # twice a night\ndescription: x\n")
	})
}

func TestTheImportPageShowsWhatItWouldDoBeforeItDoesIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openSite(t, d)
		at := s.path + "/import"
		require.True(t, s.gwenB.Get(at).Has("[data-test='import.yaml']"))
		page := s.gwenB.Post(at, "yaml", nightly)
		require.Contains(t, page.Text("[data-test='import.preview']"), "nightly with 2 tasks")
		require.True(t, page.Has("[data-test='import.confirm']"))
		_, err := s.workflows.ByName(s.gwen, s.project, "nightly")
		require.ErrorIs(t, err, workflow.ErrNotFound, "nothing is written yet")

		require.Equal(t, http.StatusSeeOther, s.gwenB.Post(at, "yaml", nightly, "confirm", "yes", "version", "0").Status)
		w, err := s.workflows.ByName(s.gwen, s.project, "nightly")
		require.NoError(t, err)
		require.False(t, w.Online())
		require.Contains(t, s.gwenB.Post(at, "yaml", nightly).Text("[data-test='import.preview']"), "Nothing would change")
		require.Contains(t, s.gwenB.Post(at, "yaml", nightly+"  x: 1\n", "confirm", "yes").Text("[data-test='import.problems']"), "16:6")
		_, err = s.workflows.Release(s.gwen, w.Code, flow.Online)
		require.NoError(t, err)
		page = s.gwenB.Post(at, "yaml", strings.Replace(nightly, "echo extract", "echo e", 1), "confirm", "yes")
		require.Contains(t, page.Text("[data-test='import.preview']"), "is online")

		require.Contains(t, s.gwenB.Get(fmt.Sprintf("%s/%d/yaml", s.path, w.Code)).Body, "# Loads the warehouse.")
	})
}

func TestAnyTwoVersionsAreCompared(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openSite(t, d)
		made := s.imported(t, nightly)
		code := made.Workflow.Code
		s.imported(t, strings.Replace(nightly, "echo done", "echo gone", 1)+"\n  report: {type: SHELL, needs: [load], script: echo report}\n")
		def := s.current(t, code)
		def.Tasks, def.Edges = def.Tasks[1:], def.Edges[1:]
		_, err := s.workflows.Update(s.gwen, code, workflow.Change{Definition: def, BaseVersion: 2})
		require.NoError(t, err)
		at := fmt.Sprintf("%s/%d/versions", s.path, code)

		list := s.gwenB.Get(at)
		require.True(t, list.Has("[data-test='versions.compare']"))
		page := s.gwenB.Get(at + "/compare?v=3&v=1")
		require.Contains(t, page.Text("h1"), "Version 1 → version 3")
		require.Contains(t, page.Text("[data-test='compare.counts']"), "1 task added")
		require.Contains(t, page.Text("[data-test='compare.counts']"), "1 task changed")
		require.Contains(t, page.Text("[data-test='compare.counts']"), "1 task removed")
		require.True(t, page.Has("svg [data-state='removed']"))
		require.True(t, page.Has("svg path[data-state='added']"))
		require.Contains(t, page.Text("[data-test='change.load']"), "echo gone")
		require.True(t, page.Has("[data-test='change.extract'] [data-op='removed']"))

		text := s.gwenB.Get(at + "/compare?old=1&new=2&view=text")
		require.Equal(t, "echo done", strings.TrimSpace(text.Text("tr[data-op='removed'] td:last-child")))
		require.Contains(t, s.gwenB.Get(at+"/compare").Text("h1"), "Version 2 → version 3", "the last two, when none are named")
		require.Equal(t, http.StatusNotFound, s.gwenB.Get(at+"/compare?old=1&new=99").Status)
		require.Contains(t, s.gwenB.In("zh-CN").Get(at+"/compare").Text("h1"), "版本 2 → 版本 3")
	})
}

func TestPagesOfTextsAreForWhoMayReadOrWrite(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openSite(t, d)
		one := fmt.Sprintf("%s/%d", s.path, s.imported(t, nightly).Workflow.Code)
		reader, stranger := s.member(t, "rita", access.Read), s.member(t, "sam", "")
		status := func(who context.Context, method, path string) int {
			p, _ := access.From(who)
			b := s.gwenB.As(crudtest.As(p))
			if method == http.MethodGet {
				return b.Get(path).Status
			}
			return b.Post(path, "yaml", nightly).Status
		}
		for _, c := range []struct {
			method, path string
			reads        int
		}{
			{http.MethodGet, one + "/yaml", 200},
			{http.MethodGet, one + "/versions/compare", 200},
			{http.MethodGet, s.path + "/import", 403},
			{http.MethodPost, s.path + "/import", 403},
		} {
			require.Equal(t, 403, status(stranger, c.method, c.path), c.path)
			if c.path != one+"/versions/compare" { // needs two versions
				require.Equal(t, c.reads, status(reader, c.method, c.path), c.path)
			}
		}
		for _, path := range []string{one + "/yaml/write", one + "/yaml/read"} {
			p, _ := access.From(stranger)
			got, _ := s.call(t, p, http.MethodPost, path, map[string]any{"source": nightly, "definition": map[string]any{}})
			require.Equal(t, 403, got, path)
		}
		require.Equal(t, 200, s.gwenB.Get("/schema/workflow.json").Status)
	})
}
