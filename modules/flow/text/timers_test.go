package text_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/flow/text"
)

const timed = `name: nightly
tasks:
  a: {type: SHELL, script: echo a}

schedules:
  # after the sources are closed
  close of business:
    cron: 0 0 2 * * ?    # at two
    timeZone: Europe/Berlin
    state: ONLINE
    calendar: banking
  "0 30 * * * ?": {cron: "0 30 * * * ?", timeZone: UTC, start: 2026-01-01, params: {mode: fast}}

layout:
  a: [1, 2]
`

func timers(t *testing.T, src string) (*flow.Definition, []text.Timer) {
	t.Helper()
	doc := text.Parse([]byte(src), text.Options{})
	require.Empty(t, doc.Problems, src)
	return doc.Definition, doc.Timers
}

func TestSchedulesAreRead(t *testing.T) {
	t.Parallel()
	doc := text.Parse([]byte(timed), text.Options{})
	require.Empty(t, doc.Problems)
	require.True(t, doc.Scheduled)
	require.Equal(t, []text.Timer{
		{Name: "close of business", Cron: "0 0 2 * * ?", Zone: "Europe/Berlin", Start: text.Always, End: text.Forever, Online: true, Calendar: "banking"},
		{
			Name: "0 30 * * * ?", Cron: "0 30 * * * ?", Zone: "UTC", Start: "2026-01-01 00:00:00", End: text.Forever,
			Params: []flow.Property{{Prop: "mode", Direct: flow.In, Type: flow.Varchar, Value: "fast"}},
		},
	}, doc.Timers)
	line, _ := doc.LocateTimer("close of business", "time_zone")
	require.Equal(t, 9, line)
	line, _ = doc.LocateTimer("close of business", "done_by")
	require.Equal(t, 7, line)
	line, _ = doc.LocateTimer("gone", "")
	require.Equal(t, 1, line)
	plain := text.Parse([]byte("name: x\ntasks: {a: {type: SHELL}}\n"), text.Options{})
	require.False(t, plain.Scheduled, "a text that says nothing about schedules leaves them alone")
	for src, want := range map[string]string{
		"  x: {timeZone: UTC}":                     "no_cron [name x]",
		"  x: {cron: '0 0 2 * * ?'}":               "no_cron [name x]",
		"  x: {cron: a, timeZone: UTC, state: on}": "no_such_value",
		"  x: {cron: a, timeZone: UTC, cronn: b}":  "unknown_field_near",
		"  x: 7":                          "want_map",
		"  - {cron: a}":                   "want_map",
		"  x: {cron: [1], timeZone: UTC}": "want_text",
		"  x: {cron: a, timeZone: UTC}\n  x: {cron: b}":      "",
		"  x: {cron: a, timeZone: UTC, params: {a: {b: 1}}}": "unknown_field",
	} {
		doc := text.Parse([]byte("name: x\ntasks: {a: {type: SHELL}}\nschedules:\n"+src+"\n"), text.Options{})
		require.NotEmpty(t, doc.Problems, src)
		require.Contains(t, doc.Problems[0].String(), want)
	}
}

func TestSchedulesOfATextAreBroughtInStep(t *testing.T) {
	t.Parallel()
	def, all := timers(t, timed)
	require.Equal(t, timed, string(text.WithTimers([]byte(timed), def, all, nil)))
	require.Equal(t, timed, string(text.WithTimers([]byte(timed), def, []text.Timer{all[1], all[0]}, nil)), "their order says nothing")

	later := append([]text.Timer(nil), all...)
	later[0].Cron, later[0].Online = "0 0 3 * * ?", false
	out := string(text.WithTimers([]byte(timed), def, later, nil))
	require.Equal(t, strings.Replace(strings.Replace(timed, "cron: 0 0 2 * * ?    # at two", "cron: 0 0 3 * * ? # at two", 1), "    state: ONLINE\n", "", 1), out)

	one := append(later[:1:1], text.Timer{Name: "new", Cron: "0 0 * * * ?", Zone: "UTC", Start: "2026-01-01 00:00:00", End: text.Forever, Priority: "HIGH"})
	out = string(text.WithTimers([]byte(timed), def, one, nil))
	require.Contains(t, out, "# after the sources are closed")
	require.NotContains(t, out, "mode: fast")
	require.Contains(t, out, "  new:\n    cron: 0 0 * * * ?\n    timeZone: UTC\n    start: \"2026-01-01 00:00:00\"\n    priority: HIGH\n")
	_, again := timers(t, out)
	require.True(t, text.SameTimers(one, again))

	gone := string(text.WithTimers([]byte(timed), def, nil, nil))
	require.Equal(t, "name: nightly\ntasks:\n  a: {type: SHELL, script: echo a}\n\nlayout:\n  a: [1, 2]\n", gone)
	back := string(text.WithTimers([]byte(gone), def, all, nil))
	require.Less(t, strings.Index(back, "tasks:"), strings.Index(back, "schedules:"))
	require.Less(t, strings.Index(back, "schedules:"), strings.Index(back, "layout:"))
	_, again = timers(t, back)
	require.True(t, text.SameTimers(all, again))

	for _, src := range []string{"{name: nightly, tasks: {a: {type: SHELL, script: echo a}}}", "name: nightly\ntasks: {a: {type: SHELL, script: echo a}}\nschedules: {x: {cron: a, timeZone: b}}"} {
		d, _ := timers(t, src)
		_, again = timers(t, string(text.WithTimers([]byte(src), d, all, nil)))
		require.True(t, text.SameTimers(all, again), src)
	}
}

func TestAnEditOfThePictureLeavesSchedulesAsTheyWereTyped(t *testing.T) {
	t.Parallel()
	def, _ := timers(t, timed)
	next := *def
	next.Description = "every night"
	out := string(text.Update([]byte(timed), def, &next, nil))
	require.Equal(t, strings.Replace(timed, "name: nightly\n", "name: nightly\ndescription: every night\n", 1), out)
}

func FuzzWithTimers(f *testing.F) {
	f.Add(timed, "a", "0 0 2 * * ?")
	f.Add("{name: x, tasks: {a: {type: SHELL}}}", "b: c", "x # y")
	f.Fuzz(func(t *testing.T, src, name, cron string) {
		doc := text.Parse([]byte(src), text.Options{})
		if doc.Definition == nil || name == "" {
			return
		}
		out := text.WithTimers([]byte(src), doc.Definition, []text.Timer{{Name: name, Cron: cron, Zone: "UTC", Start: text.Always, End: text.Forever}}, nil)
		text.Parse(out, text.Options{})
	})
}
