package oozie_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/flow/cron"
	"dorado/modules/transfer/neutral"
	"dorado/modules/transfer/oozie"
)

func entries(files ...string) []neutral.Entry {
	var out []neutral.Entry
	for i := 0; i < len(files); i += 2 {
		out = append(out, neutral.Entry{Path: files[i], Data: []byte(files[i+1])})
	}
	return out
}

func read(t testing.TB, files ...string) *neutral.Bundle {
	t.Helper()
	b := &neutral.Bundle{}
	require.NoError(t, oozie.Read(b, entries(files...)))
	require.NoError(t, b.Finish())
	return b
}

func task(t testing.TB, d *flow.Definition, name string) flow.Task {
	t.Helper()
	for _, x := range d.Tasks {
		if x.Name == name {
			return x
		}
	}
	require.Fail(t, "no task "+name)
	return flow.Task{}
}

func script(t testing.TB, d *flow.Definition, name string) string {
	t.Helper()
	var p struct{ RawScript string }
	require.NoError(t, json.Unmarshal(task(t, d, name).Params, &p))
	return p.RawScript
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

const app = `<?xml version="1.0" encoding="UTF-8"?>
<workflow-app xmlns="uri:oozie:workflow:0.5" name="etl">
  <parameters><property><name>day</name><value>2024-01-01</value></property><property><name>queue</name></property></parameters>
  <start to="split"/>
  <fork name="split"><path start="a"/><path start="b"/></fork>
  <action name="a" retry-max="3" retry-interval="5"><shell xmlns="uri:oozie:shell-action:0.2"><exec>run.sh</exec><argument>-d</argument><argument>${day} x</argument><env-var>LANG=C</env-var><file>run.sh#run.sh</file><capture-output/></shell><ok to="both"/><error to="fail"/></action>
  <action name="b"><spark><master>yarn</master><mode>client</mode><name>job</name><class>org.example.Main</class><jar>x.jar</jar><spark-opts>--num-executors 2</spark-opts><arg>${day}</arg></spark><ok to="both"/><error to="fail"/></action>
  <join name="both" to="choice"/>
  <decision name="choice"><switch><case to="c">${wf:conf('day') eq '2024-01-01' and n gt 3}</case><case to="d">${fs:exists('/x')}</case><default to="end"/></switch></decision>
  <action name="c"><hive><script>q.hql</script><param>d=${day}</param></hive><ok to="end"/><error to="mail"/></action>
  <action name="d"><sub-workflow><app-path>${root}/child</app-path></sub-workflow><ok to="end"/><error to="fail"/></action>
  <action name="mail"><email><to>ops@example.org</to><subject>bad</subject></email><ok to="fail"/><error to="fail"/></action>
  <action name="lost"><fs><mkdir path="/x"/></fs><ok to="end"/><error to="fail"/></action>
  <kill name="fail"><message>no</message></kill>
  <end name="end"/>
</workflow-app>`

const child = `<workflow-app name="the child"><start to="x"/><action name="x"><fs><delete path="${nameNode}/tmp/a b"/><move source="/a" target="/b"/></fs><ok to="end"/><error to="k"/></action><kill name="k"/><end name="end"/></workflow-app>`

const coordinator = `<coordinator-app name="daily etl" frequency="${coord:days(1)}" start="2024-01-01T18:30Z" end="2030-01-01T00:00Z" timezone="Asia/Shanghai">
  <controls><concurrency>2</concurrency></controls><input-events><data-in name="i" dataset="d"/></input-events>
  <action><workflow><app-path>${root}/etl</app-path></workflow></action></coordinator-app>`

func TestApplicationsBecomeWorkflows(t *testing.T) {
	t.Parallel()
	b := read(t, "apps/etl/workflow.xml", app, "apps/child/workflow.xml", child, "apps/etl/coordinator.xml", coordinator,
		"apps/etl/job.properties", "nameNode=hdfs://n\nroot=${nameNode}/apps\n", "apps/etl/run.sh", "#!/bin/sh")
	require.Equal(t, neutral.Oozie, b.Format)
	require.Len(t, b.Workflows, 2)
	w := b.Workflows[0]
	d := w.Definition
	require.Equal(t, "etl", d.Name)
	require.Subset(t, edges(d), []string{"a>choice", "b>choice", "choice>choice_1", "choice_1>c", "choice>choice_2", "choice_2>d", "choice>choice_default", "c>c_outcome", "c_outcome>c_ok", "c_outcome>c_error", "c_error>mail"})
	require.Len(t, d.Edges, 11)
	require.Equal(t, "export LANG=C\nrun.sh -d \"${day} x\"\n", script(t, d, "a"))
	require.Equal(t, []int{3, 5}, []int{task(t, d, "a").RetryTimes, task(t, d, "a").RetryInterval})
	require.Equal(t, "SPARK", task(t, d, "b").Type)
	require.JSONEq(t, `{"localParams":[],"resourceList":[],"programType":"SCALA","mainClass":"org.example.Main","mainJar":{"resourceName":"x.jar"},"deployMode":"client",
	 "master":"yarn","appName":"job","mainArgs":"${day}","others":"--num-executors 2"}`, string(task(t, d, "b").Params))
	require.Equal(t, "HIVECLI", task(t, d, "c").Type)
	var choice struct {
		SwitchResult struct {
			DependTaskList []struct {
				Condition string
				NextNode  int64
			}
			NextNode int64
		}
	}
	require.NoError(t, json.Unmarshal(task(t, d, "choice").Params, &choice))
	require.Equal(t, `${day} == "2024-01-01" && ${n} > 3`, choice.SwitchResult.DependTaskList[0].Condition)
	require.Equal(t, "false", choice.SwitchResult.DependTaskList[1].Condition)
	require.Equal(t, task(t, d, "choice_default").Code, choice.SwitchResult.NextNode)
	require.Contains(t, string(task(t, d, "d").Params), `"workflowDefinitionCode":`+num(b.Workflows[1].Definition.Code))
	require.Equal(t, "day", d.GlobalParams[0].Prop)
	require.Equal(t, "set -e\nhdfs dfs -rm -r -f \"${nameNode}/tmp/a b\"\nhdfs dfs -mv /a /b\n", script(t, b.Workflows[1].Definition, "x"))
	require.Equal(t, []neutral.Schedule{{Name: "daily etl", Zone: "Asia/Shanghai", Start: "2024-01-02 02:30:00", End: "2030-01-01 08:00:00", Crontab: "0 30 2 * * ?"}}, w.Schedules)
	n := notes(b)
	for key, level := range map[string]neutral.Level{
		"transfer.note.oozie_predicate": neutral.Impossible, "transfer.note.oozie_input": neutral.Impossible, "transfer.note.mail": neutral.Impossible,
		"transfer.note.oozie_capture": neutral.Impossible, "transfer.note.oozie_unreached": neutral.Changed, "transfer.note.oozie_resource": neutral.Changed,
		"transfer.note.oozie_error": neutral.Translated, "transfer.note.oozie_foreign": neutral.Translated, "transfer.note.oozie_frequency": neutral.Translated,
		"transfer.note.oozie_file": neutral.Changed, "transfer.note.oozie_parameter": neutral.Changed,
	} {
		require.Equal(t, level, n[key].Level, key)
	}
	require.Equal(t, 9, n["transfer.note.oozie_predicate"].Line)
}

func num(n int64) string {
	raw, _ := json.Marshal(n)
	return string(raw)
}

func TestFrequenciesBecomeExpressions(t *testing.T) {
	t.Parallel()
	for frequency, want := range map[string]string{
		"60": "0 30 * * * ?", "10": "0 0/10 * * * ?", "1440": "0 30 18 * * ?", "${coord:hours(6)}": "0 30 0/6 * * ?", "${coord:days(7)}": "0 30 18 ? * MON",
		"${coord:months(1)}": "0 30 18 1 * ?", "${coord:months(3)}": "0 30 18 1 1/3 ?", "0 2 * * 1-5": "0 0 2 ? * MON-FRI", "${coord:days(2)}": "0 30 18 1/2 * ?",
		"${coord:endOfDays(1)}": "", "nonsense": "", "90": "", "0": "",
	} {
		b := read(t, "workflow.xml", child, "coordinator.xml", strings.NewReplacer("${coord:days(1)}", frequency, "Asia/Shanghai", "UTC").Replace(coordinator))
		if want == "" {
			require.Empty(t, b.Workflows[0].Schedules, frequency)
			require.Equal(t, neutral.Impossible, notes(b)["transfer.note.cron_time"].Level)
			continue
		}
		require.Equal(t, want, b.Workflows[0].Schedules[0].Crontab, frequency)
		_, err := cron.Parse(want)
		require.NoError(t, err)
	}
}

func TestEntitiesAndTypesOfDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a file":         `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><workflow-app name="&e;"/>`,
		"laughs":         `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><workflow-app name="x">&b;</workflow-app>`,
		"a type":         `<!DOCTYPE workflow-app SYSTEM "http://example.org/x.dtd"><workflow-app/>`,
		"an entity":      `<workflow-app name="x">&unknown;</workflow-app>`,
		"an instruction": `<?xml-stylesheet href="x"?><workflow-app/>`,
		"a charset":      `<?xml version="1.0" encoding="UTF-7"?><workflow-app/>`,
		"deep":           strings.Repeat("<a>", 100),
		"open":           `<workflow-app>`,
		"nothing":        ``,
		"two nodes":      `<workflow-app><action name="a"/><action name="a"/></workflow-app>`,
	} {
		require.ErrorIs(t, oozie.Read(&neutral.Bundle{}, entries("workflow.xml", text)), neutral.ErrUnreadable, name)
	}
	require.ErrorIs(t, oozie.Read(&neutral.Bundle{}, entries("x.xml", "<html/>")), neutral.ErrUnreadable)
}

func TestALoopIsNamed(t *testing.T) {
	t.Parallel()
	b := read(t, "workflow.xml", `<workflow-app name="x"><start to="a"/><action name="a"><fs/><ok to="b"/><error to="k"/></action><action name="b"><fs/><ok to="a"/><error to="k"/></action><kill name="k"/></workflow-app>`)
	require.True(t, b.Workflows[0].Broken)
	require.Contains(t, notes(b), "transfer.note.cycle")
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{app, child, coordinator, `<workflow-app name="x"><start to="j"/><join name="j" to="j"/></workflow-app>`, `<workflow-app><start to="f"/><fork name="f"><path start="f"/></fork></workflow-app>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := &neutral.Bundle{}
		if oozie.Read(b, entries("workflow.xml", s, "child/workflow.xml", child, "p.properties", "a=${a}${a}\n")) != nil || b.Finish() != nil {
			return
		}
		for _, w := range b.Workflows {
			for _, x := range w.Definition.Tasks {
				require.True(t, json.Valid(x.Params), string(x.Params))
			}
			for _, s := range w.Schedules {
				_, err := cron.Parse(s.Crontab)
				require.NoError(t, err, s.Crontab)
			}
		}
	})
}
