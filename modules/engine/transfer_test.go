package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage/local"
)

// files gives a task parameters of the type FILE: direction, name and value by turns.
func files(params ...string) func(*flow.Task) {
	return func(t *flow.Task) {
		var local []flow.Property
		for i := 0; i < len(params); i += 3 {
			local = append(local, flow.Property{Direct: flow.Direct(params[i]), Prop: params[i+1], Type: flow.File, Value: params[i+2]})
		}
		raw, err := json.Marshal(map[string]any{"rawScript": "true", "localParams": local})
		if err != nil {
			panic(err)
		}
		t.Params = raw
	}
}

// given is what a worker reports of a file that it stored.
func given(name, key, sum string) *doradov1.Param {
	return &doradov1.Param{Name: name, Value: "DATA_TRANSFER/20260101/1/1_1/" + key, Type: "FILE", Direct: "OUT", Sha256: sum, Size: 5}
}

func TestATaskGetsTheFilesThatTasksBeforeItHandedOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		w.hold = true
		id := f.run(f.define(flow.Parallel, []flow.Task{
			shell("a", files("OUT", "text", "x", "OUT", "all", "out")), shell("b"), shell("c", files("IN", "in/x", "a.text", "IN", "b/./y", "a.all", "IN", "data", "${from}.all")),
		}, "a>b", "b>c"), run{params: []flow.Property{{Prop: "from", Type: flow.Varchar, Value: "a"}}})
		w.finish(w.wait(t, 1), doradov1.Outcome_SUCCEEDED, given("a.text", "a_1_x", "aa"), given("a.all", "a_1_out_ds_pack.zip", "bb"))
		require.Empty(t, w.wait(t, 2).GetFiles())
		f.restart(time.Second) // b is lost, and what a handed on is not
		w = f.worker("w2", 10)
		w.hold = true
		w.finish(w.wait(t, 1), doradov1.Outcome_SUCCEEDED)
		got := w.wait(t, 2).GetFiles()
		require.Len(t, got, 3)
		require.Equal(t, "in/x", got[0].GetPath())
		require.Equal(t, "DATA_TRANSFER/20260101/1/1_1/a_1_x", got[0].GetBlob())
		require.Equal(t, "aa", got[0].GetSha256())
		require.EqualValues(t, 5, got[0].GetSize())
		require.False(t, got[0].GetUnpack())
		require.Equal(t, "b/y", got[1].GetPath())
		require.Equal(t, "data", got[2].GetPath())
		require.True(t, got[2].GetUnpack())

		w.finish(w.wait(t, 2), doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
	})
}

func TestATaskWhoseFileNobodyHandedOnFailsAndSaysSo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		for name, c := range map[string]struct {
			in   []string
			out  []*doradov1.Param
			want string
		}{
			"nothing":    {[]string{"IN", "x", "a.none"}, nil, `parameter "x": no task before this one handed on a file "a.none"`},
			"a text":     {[]string{"IN", "x", "a.f"}, []*doradov1.Param{{Name: "a.f", Value: "DATA_TRANSFER/1", Type: "FILE", Direct: "OUT"}}, "no task before this one"},
			"a resource": {[]string{"IN", "x", "a.f"}, []*doradov1.Param{{Name: "a.f", Value: "resources/1", Type: "FILE", Direct: "OUT", Sha256: "aa"}}, "no task before this one"},
			"climbs":     {[]string{"IN", "../x", "a.f"}, []*doradov1.Param{given("a.f", "x", "aa")}, "its name is to be the path of the file"},
		} {
			w.hold = true
			begun := w.dispatched()
			id := f.run(f.define(flow.Parallel, []flow.Task{shell("a"), shell("c", files(c.in...))}, "a>c"), run{})
			w.finish(w.wait(t, begun+1), doradov1.Outcome_SUCCEEDED, c.out...)
			f.waitState(id, flow.WorkflowFailure)
			a := f.attempt(id, "c")
			require.Equal(t, "FAILURE", a.State, name)
			require.Contains(t, a.Message, c.want, name)
			require.Equal(t, begun+1, w.dispatched(), "no worker saw it")
		}
	})
}

func TestTheCacheLooksAtWhatIsInAFileAndWhetherTheResultIsStillThere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, err := local.Open(local.Config{Dir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		f := newFixture(t, d)
		f.files = s
		f.restart(0)
		w := f.worker("w1", 10)
		w.hold = true
		def := f.define(flow.Parallel, []flow.Task{
			shell("a", files("OUT", "f", "x")), shell("c", files("IN", "x", "a.f", "OUT", "g", "y"), func(t *flow.Task) { t.IsCache = flow.FlagYes }),
		}, "a>c")
		result := given("c.g", "c_1_y", "cc")
		_, err = s.Put(t.Context(), result.GetValue(), strings.NewReader("12345"), 5)
		require.NoError(t, err)
		jobs := 0
		again := func(key, sum string, known bool) {
			t.Helper()
			id := f.run(def, run{})
			jobs++
			w.finish(w.wait(t, jobs), doradov1.Outcome_SUCCEEDED, given("a.f", key, sum))
			if !known {
				jobs++
				w.finish(w.wait(t, jobs), doradov1.Outcome_SUCCEEDED, result)
			}
			f.waitState(id, flow.WorkflowSuccess)
			require.Equal(t, jobs, w.dispatched())
			require.Equal(t, result.GetValue(), outs(t, f.attempt(id, "c"))["c.g"])
		}
		again("a_1_x", "aa", false)
		again("a_2_x", "aa", true)
		again("a_3_x", "bb", false)
		again("a_4_x", "bb", true)
		require.NoError(t, s.Delete(t.Context(), result.GetValue()))
		again("a_5_x", "aa", false)
	})
}

func TestWhatARunHandedOnGoesWithItsLogs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, err := local.Open(local.Config{Dir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		f := newFixture(t, d)
		f.files = s
		f.restart(0)
		day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).Format("20060102")
		mine, other := flow.TransferRun(day, 7, 1, 9), flow.TransferRun(day, 7, 1, 90)
		for _, key := range []string{mine + "a_1_x", mine + "a_1_x.crc", other + "a_2_x"} {
			_, err := s.Put(t.Context(), key, strings.NewReader("1"), 1)
			require.NoError(t, err)
		}
		_ = f.engine.RemoveLogs(t.Context(), map[string][]string{"gone": {"/logs/" + day + "/7/1/9/1.log", "/logs/" + day + "/7/1/9/2.log"}})
		var left []string
		for info, err := range s.List(t.Context(), "DATA_TRANSFER/", true) {
			require.NoError(t, err)
			if !info.Dir() {
				left = append(left, info.Key)
			}
		}
		require.Equal(t, []string{other + "a_2_x"}, left)
	})
}
