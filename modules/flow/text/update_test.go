package text_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/flow/text"
)

const typed = `# Loads the warehouse every night.
# Owner: data platform.

name: nightly   # do not rename: others wait for it

params:
    day: ${system.biz.date}   # the day before the run
    # how many rows at once
    batch: '1000'

tasks:
    # -- the sources --
    extract:
        type: SHELL
        retry: 3          # the source is flaky
        script: |
            # a comment of the script
            echo extract ${day}

    # Slow: see the wiki.
    load:
        type: SHELL
        needs:
        - extract
        worker_note: x
        script: echo load
    report: {type: SHELL, needs: [load], script: "echo report"}   # one line is enough

# the end
`

func parse(t testing.TB, src string, o text.Options) *flow.Definition {
	t.Helper()
	doc := text.Parse([]byte(src), o)
	require.Empty(t, doc.Problems, src)
	return doc.Definition
}

func example(t testing.TB) (string, *flow.Definition) {
	t.Helper()
	src := strings.Replace(typed, "        worker_note: x\n", "", 1)
	return src, parse(t, src, text.Options{})
}

// edited applies a change to a copy of a definition.
func edited(t testing.TB, def *flow.Definition, change func(d *flow.Definition)) *flow.Definition {
	t.Helper()
	raw, err := flow.Marshal(def)
	require.NoError(t, err)
	out, err := flow.Unmarshal(raw)
	require.NoError(t, err)
	change(out)
	return out
}

func TestAnEditElsewhereChangesOnlyItsOwnLines(t *testing.T) {
	t.Parallel()
	src, def := example(t)
	for name, c := range map[string]struct {
		change func(d *flow.Definition)
		old    string
		new    string
	}{
		"nothing":         {func(*flow.Definition) {}, "", ""},
		"a moved task":    {func(d *flow.Definition) { d.Locations = []flow.Location{{TaskCode: 1, X: 5, Y: 6}} }, "", ""},
		"a setting":       {func(d *flow.Definition) { d.Tasks[0].RetryTimes = 5 }, "retry: 3          # the source is flaky", "retry: 5 # the source is flaky"},
		"a new setting":   {func(d *flow.Definition) { d.Tasks[0].DelayMinutes = 2 }, "is flaky\n", "is flaky\n        delay: 2\n"},
		"a parameter":     {func(d *flow.Definition) { d.GlobalParams[1].Value = "5" }, "batch: '1000'", `batch: "5"`},
		"the description": {func(d *flow.Definition) { d.Description = "x" }, "others wait for it\n", "others wait for it\ndescription: x\n"},
		"a renamed task":  {func(d *flow.Definition) { d.Tasks[0].Name = "fetch" }, "    extract:\n", "    fetch:\n"},
		"a script": {
			func(d *flow.Definition) {
				d.Tasks[1].Params = json.RawMessage(`{"localParams":[],"resourceList":[],"rawScript":"a\nb\n"}`)
			},
			"        script: echo load\n", "        script: |\n          a\n          b\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := edited(t, def, c.change)
			got := string(text.Update([]byte(src), def, next, nil))
			want := strings.Replace(src, c.old, c.new, 1)
			if name == "a renamed task" {
				want = strings.Replace(want, "        needs:\n        - extract\n", "        needs: [fetch]\n", 1)
			}
			require.Equal(t, want, got)
		})
	}
}

func TestAddedAndRemovedTasksLeaveTheOthersAlone(t *testing.T) {
	t.Parallel()
	src, def := example(t)
	next := edited(t, def, func(d *flow.Definition) {
		added := d.Tasks[0]
		added.Code, added.Name = 99, "check"
		d.Tasks = append(d.Tasks, added)
		d.Edges = append(d.Edges, flow.Edge{Pre: 2, Post: 99})
	})
	got := string(text.Update([]byte(src), def, next, nil))
	require.Contains(t, got, "# one line is enough\n\n    check:\n      type: SHELL\n      needs: [load]\n")
	require.Contains(t, got, "# the end\n")

	back := string(text.Update([]byte(got), next, def, nil))
	require.Equal(t, src, back)

	without := edited(t, def, func(d *flow.Definition) {
		d.Tasks = append(d.Tasks[:1], d.Tasks[2])
		d.Edges = []flow.Edge{{Pre: 1, Post: 3}}
	})
	got = string(text.Update([]byte(src), def, without, nil))
	require.NotContains(t, got, "Slow: see the wiki")
	for _, comment := range []string{"# Owner: data platform.", "# -- the sources --", "# the source is flaky", "# how many rows at once", "# one line is enough", "# the end"} {
		require.Contains(t, got, comment)
	}
}

func TestAnyTextCanFollowAnyDefinition(t *testing.T) {
	t.Parallel()
	for seed := range 400 {
		g := random(seed)
		prev, next := g.definition(), g.definition()
		next.Code = prev.Code
		if g.IntN(2) == 0 { // a small change instead of another workflow
			next = edited(t, prev, func(d *flow.Definition) {
				i := g.IntN(len(d.Tasks))
				codes := []int64{}
				for _, task := range d.Tasks {
					codes = append(codes, task.Code)
				}
				d.Tasks[i] = g.task(d.Tasks[i].Code, d.Tasks[i].Name, codes)
			})
		}
		old := text.Format(prev, outside(), text.Style{Layout: g.IntN(2) == 0, Codes: g.IntN(2) == 0})
		got := text.Update(old, prev, next, outside())
		doc := text.Parse(got, text.Options{Names: outside(), Base: next})
		require.Empty(t, doc.Problems, "seed %d\n%s", seed, got)
		doc.Definition.Locations = next.Locations
		equal(t, next, doc.Definition, got, seed)
	}
}

func TestCommentsOfUntouchedTasksSurviveAnyEdit(t *testing.T) {
	t.Parallel()
	for seed := range 200 {
		g := random(seed)
		prev := g.definition()
		names := map[string]bool{}
		for i := range prev.Tasks { // plain names, so that the test can find the lines
			prev.Tasks[i].Name = fmt.Sprintf("task-%d", i)
			names[prev.Tasks[i].Name] = true
		}
		src := string(text.Format(prev, outside(), text.Style{}))
		for name := range names {
			src = strings.Replace(src, "\n  "+name+":\n", "\n  # about "+name+"\n  "+name+": # at "+name+"\n", 1)
		}
		touched := g.IntN(len(prev.Tasks))
		next := edited(t, prev, func(d *flow.Definition) {
			d.Tasks[touched] = g.task(d.Tasks[touched].Code, d.Tasks[touched].Name, []int64{d.Tasks[touched].Code})
			d.Description = g.awkward()
		})
		got := string(text.Update([]byte(src), prev, next, outside()))
		for name := range names {
			require.Contains(t, got, "  # about "+name+"\n  "+name+": # at "+name+"\n", "seed %d\n%s\n----\n%s", seed, src, got)
		}
	}
}
