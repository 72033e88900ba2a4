package azkaban_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/transfer/azkaban"
	"dorado/modules/transfer/neutral"
)

func read(t testing.TB, files ...string) *neutral.Bundle {
	t.Helper()
	b := &neutral.Bundle{}
	require.NoError(t, azkaban.Read(b, entries(files...)))
	require.NoError(t, b.Finish())
	return b
}

func entries(files ...string) []neutral.Entry {
	var out []neutral.Entry
	for i := 0; i < len(files); i += 2 {
		out = append(out, neutral.Entry{Path: files[i], Data: []byte(files[i+1])})
	}
	return out
}

func find(t testing.TB, b *neutral.Bundle, name string) *flow.Definition {
	t.Helper()
	for _, w := range b.Workflows {
		if w.Name() == name {
			return w.Definition
		}
	}
	require.Fail(t, "no workflow "+name)
	return nil
}

func script(t testing.TB, d *flow.Definition, task string) string {
	t.Helper()
	for _, x := range d.Tasks {
		if x.Name == task {
			var p struct{ RawScript string }
			require.NoError(t, json.Unmarshal(x.Params, &p))
			return p.RawScript
		}
	}
	require.Fail(t, "no task "+task)
	return ""
}

func edges(d *flow.Definition) []string {
	names := map[int64]string{}
	for _, x := range d.Tasks {
		names[x.Code] = x.Name
	}
	var out []string
	for _, e := range d.Edges {
		out = append(out, names[e.Pre]+">"+names[e.Post])
	}
	return out
}

func notes(b *neutral.Bundle) map[string]neutral.Note {
	out := map[string]neutral.Note{}
	for _, n := range b.Notes {
		out[n.Key] = n
	}
	return out
}

func TestJobsBecomeTheFlowsThatTheyEnd(t *testing.T) {
	t.Parallel()
	b := read(t,
		"p/system.properties", "dir=/data\nout=${dir}/out\nunused=1\n",
		"p/extract.job", "# first\ntype=command\ncommand=echo ${out}\ncommand.1=ls \\\n  -l\nretries=2\nretry.backoff=90000\nworking.dir=/tmp/x y\nenv.LANG=C\n",
		"p/load.job", "type=command\ncommand=echo load\ndependencies=extract\nfailure.emails=ops@example.org\n",
		"p/report.job", "type=noop\ndependencies=extract, load\n",
		"p/other.job", "type = javaprocess\njava.class = org.example.Main\nclasspath=./lib/*,x.jar\nXmx=1G\nmain.args=${out} 1\n",
		"p/child.job", "type=flow\nflow.name=report\ndependencies=weird\n",
		"p/weird.job", "type=pig\n",
		"p/lib/tool.jar", "PK",
	)
	require.Equal(t, neutral.Azkaban, b.Format)
	require.Len(t, b.Workflows, 3)
	d := find(t, b, "report")
	require.ElementsMatch(t, []string{"extract>load", "extract>report", "load>report"}, edges(d))
	require.Equal(t, "set -e\ncd \"/tmp/x y\"\nexport LANG=\"C\"\necho ${out}\nls -l\n", script(t, d, "extract"))
	require.Equal(t, ":\n", script(t, d, "report"))
	require.Equal(t, []flow.Property{
		{Prop: "out", Direct: flow.In, Type: flow.Varchar, Value: "${dir}/out"}, {Prop: "dir", Direct: flow.In, Type: flow.Varchar, Value: "/data"},
	}, d.GlobalParams)
	for _, x := range d.Tasks {
		if x.Name == "extract" {
			require.Equal(t, []int{2, 2}, []int{x.RetryTimes, x.RetryInterval})
		}
	}
	require.Equal(t, "set -e\njava -Xmx1G -cp \"./lib/*:x.jar\" org.example.Main ${out} 1\n", script(t, find(t, b, "other"), "other"))
	child := find(t, b, "child")
	require.Contains(t, script(t, child, "weird"), "exit 1")
	for _, x := range child.Tasks {
		if x.Name == "child" {
			require.Equal(t, "SUB_WORKFLOW", x.Type)
			require.Contains(t, string(x.Params), fmt.Sprint(d.Code))
		}
	}
	n := notes(b)
	require.Equal(t, neutral.Impossible, n["transfer.note.azkaban_type"].Level)
	require.Equal(t, "p/weird.job", n["transfer.note.azkaban_type"].File)
	require.Equal(t, neutral.Impossible, n["transfer.note.mail"].Level)
	require.Equal(t, neutral.Changed, n["transfer.note.rounded"].Level)
	require.Equal(t, "p/lib/tool.jar", n["transfer.note.azkaban_file"].File)
}

func TestFlowsOfVersion2AreRead(t *testing.T) {
	t.Parallel()
	b := read(t,
		"flow20.project", "azkaban-flow-version: 2.0\n",
		"daily.flow", `config:
  day: "1"
nodes:
  - name: jobC
    type: noop
    dependsOn: [embedded, jobB]
    condition: one_success
  - name: jobB
    type: command
    config:
      command: echo ${day} ${azkaban.flow.flowid}
  - name: embedded
    type: flow
    config: {day: "2"}
    nodes:
      - name: inner
        type: command
        config: {command: pwd}
trigger:
  maxWaitMins: 5
  schedule:
    type: cron
    value: 0 1 ? * *
  triggerDependencies:
    - name: d
      type: kafka
`)
	require.Len(t, b.Workflows, 2)
	d := find(t, b, "daily")
	require.ElementsMatch(t, []string{"embedded>jobC", "jobB>jobC"}, edges(d))
	require.Equal(t, "1", d.GlobalParams[0].Value)
	require.Equal(t, []neutral.Schedule{{Crontab: "0 0 1 ? * *"}}, b.Workflows[0].Schedules)
	require.Equal(t, "set -e\npwd\n", script(t, find(t, b, "daily_embedded"), "inner"))
	n := notes(b)
	require.Equal(t, neutral.Impossible, n["transfer.note.azkaban_trigger"].Level)
	require.Equal(t, 4, n["transfer.note.azkaban_condition"].Line)
	require.Equal(t, "jobC", n["transfer.note.azkaban_condition"].Node)
	require.Equal(t, neutral.Impossible, n["transfer.note.azkaban_runtime"].Level)
}

func TestARingOfJobsIsNamed(t *testing.T) {
	t.Parallel()
	b := read(t, "a.job", "type=noop\ndependencies=b\n", "b.job", "type=noop\ndependencies=a\n")
	require.True(t, b.Workflows[0].Broken)
	require.Contains(t, notes(b), "transfer.note.cycle")
}

func TestHostileFlowsAreRefused(t *testing.T) {
	t.Parallel()
	laugh := "a: &a [x,x]\nb: &b [*a,*a]\nnodes: [*b]\n"
	deep := "nodes: " + strings.Repeat("[{name: x, type: flow, nodes: ", 40) + "[]" + strings.Repeat("}]", 40)
	for name, text := range map[string]string{
		"aliases": laugh, "deep": deep, "no nodes": "a: 1\n", "no mapping": "- a\n", "no YAML": "a: [", "nameless": "nodes:\n  - type: noop\n", "nothing": "",
	} {
		require.ErrorIs(t, azkaban.Read(&neutral.Bundle{}, entries("x.flow", text)), neutral.ErrUnreadable, name)
	}
	require.ErrorIs(t, azkaban.Read(&neutral.Bundle{}, entries("x.properties", "a=b")), neutral.ErrUnreadable)

	var files []string
	before := ""
	for i := range 400 {
		files = append(files, fmt.Sprintf("j%d.job", i), "type=noop\ndependencies="+before+"\n")
		before = fmt.Sprintf("j%d", i)
	}
	for i := range 400 {
		files = append(files, fmt.Sprintf("end%d.job", i), "type=noop\ndependencies="+before+"\n")
	}
	require.ErrorIs(t, azkaban.Read(&neutral.Bundle{}, entries(files...)), neutral.ErrTooMany, "each end has all before it")
}

func FuzzJob(f *testing.F) {
	for _, s := range []string{"type=command\ncommand=ls", "a:b\\\n c=d\\u0041", "type=flow\nflow.name=x", "dependencies=x,y\n!c\n", "nodes:\n  - {name: a, type: noop}\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{"x.job", "x.flow"} {
			b := &neutral.Bundle{}
			if azkaban.Read(b, entries(name, s, "y.job", "type=noop\n", "p.properties", s)) != nil || b.Finish() != nil {
				continue
			}
			for _, w := range b.Workflows {
				for _, x := range w.Definition.Tasks {
					require.True(t, json.Valid(x.Params))
				}
			}
		}
	})
}
