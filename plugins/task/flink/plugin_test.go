package flink_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/flink"
	"dorado/plugins/task/tasktest"
)

func TestFlink(t *testing.T) {
	t.Parallel()
	home := tasktest.Launchers(t, "bin/flink", "bin/sql-client.sh", "yarn")
	tasktest.Run(t, tasktest.Suite{
		Plugin: flink.Plugin(),
		Vars:   []string{"FLINK_HOME=" + home},
		Path:   home,
		Marked: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"hunter2","others":"hunter2","appName":"hunter2"}`,
		Cases: []tasktest.Case{
			{
				Name: "hands every word over as it was typed",
				Params: `{"programType":"JAVA","mainJar":{"resourceName":"/我的 it's.jar"},"mainClass":"a.B","appName":"日报 $(id)","yarnQueue":"q 1","flinkVersion":">=1.12",
					"others":"-D\n'a=b c'","mainArgs":"--in \"/in put\""}`,
				Output: "program flink\n" + tasktest.Args("run", "-t", "yarn-per-job", "-ys", "1", "-ynm", "日报 $(id)", "-yjm", "1G", "-ytm", "2G", "-p", "1", "-sae",
					"-D", "a=b c", "-Dyarn.application.queue=q 1", "-c", "a.B", "/我的 it's.jar", "--in", "/in put"),
			},
			{Name: "runs a text", Params: `{"programType":"SQL","rawScript":"select 1;"}`, Output: "program sql-client.sh\n" + tasktest.Args("-i")},
			{Name: "fails with the program", Params: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"fails"}`, Fails: true},
		},
		Bad: []string{
			`{"programType":"SQL"}`, `{"mainJar":{"resourceName":"/a"},"flinkVersion":"0.9"}`, `{"mainJar":{"resourceName":"/a"},"deployMode":"moon"}`,
			`{"mainJar":{"resourceName":"/a"},"deployMode":"application"}`, `{"mainJar":{"resourceName":"/a"},"taskManagerMemory":"all"}`,
			`{"mainJar":{"resourceName":"/a"},"deployMode":"kubernetes-application","flinkVersion":">=1.13"}`, `{"mainJar":{"resourceName":"/a"},"parallelism":[]}`,
		},
		Slow: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"sleeps"}`,
	})
}

func TestTheCommandLineIsDolphinSchedulers(t *testing.T) {
	t.Parallel()
	const jar = `"mainJar":{"resourceName":"/jars/app.jar"}`
	files := func(env *task.Env) { env.Files = map[string]string{"/jars/app.jar": "jars/app.jar"} }
	queue := func(env *task.Env) { files(env); env.Queue = "tenant" }
	all := []tasktest.Golden{
		{Name: "defaults", Params: `{` + jar + `}`, Env: queue},
		{Name: "java", Params: `{` + jar + `,"programType":"JAVA","mainClass":"a.B","appName":"daily","mainArgs":"--x 1","others":"-d"}`, Env: files},
		{Name: "python", Params: `{` + jar + `,"programType":"PYTHON","mainClass":"left over","deployMode":"local"}`, Env: files},
		{Name: "queue in the options", Params: `{` + jar + `,"yarnQueue":"q1","others":"-yqu q2"}`, Env: files},
		{Name: "nothing but the jar", Params: `{` + jar + `,"slot":0,"taskManager":0,"parallelism":0,"jobManagerMemory":"","taskManagerMemory":""}`, Env: files},
		{Name: "sql quotes what it is given", Params: `{"programType":"SQL","appName":"it's; 日报","rawScript":"select 1;\r\nselect 2;","initScript":"set 'a' = 'b';"}`},
		{Name: "a lost attempt on yarn", Params: `{` + jar + `}`, Env: func(env *task.Env) { files(env); env.Link = "application_1_1" }},
		{Name: "a lost attempt elsewhere", Params: `{` + jar + `,"deployMode":"local"}`, Env: func(env *task.Env) { files(env); env.Link = "a1b2c3" }},
		{Name: "a file of an older release", Params: `{"mainJar":{"id":3}}`},
	}
	for _, version := range []string{"<1.10", "1.11", ">=1.10", ">=1.12", ">=1.13", ">=2.0"} {
		for _, mode := range []string{"cluster", "application", "local", "standalone", "kubernetes-application"} {
			if (mode == "application" && version == "<1.10") || (mode == "kubernetes-application" && version != ">=2.0") {
				continue
			}
			params := `{` + jar + `,"flinkVersion":"` + version + `","deployMode":"` + mode + `","appName":"daily","yarnQueue":"q","mainClass":"a.B","mainArgs":"1","others":"-Dx=y"}`
			all = append(all, tasktest.Golden{Name: version + " " + mode, Params: params, Env: files})
		}
	}
	for _, mode := range []string{"cluster", "application", "local", "standalone"} {
		for _, version := range []string{">=1.13", ">=2.0"} {
			params := `{"programType":"SQL","rawScript":"select 1;","flinkVersion":"` + version + `","deployMode":"` + mode + `","appName":"daily","yarnQueue":"q","others":"-l lib"}`
			all = append(all, tasktest.Golden{Name: "sql " + version + " " + mode, Params: params})
		}
	}
	tasktest.Commands(t, flink.Plugin(), all)
}

// TestFlinkItself runs a job and cancels another when FLINK_HOME says where Flink is and a session cluster answers on this
// machine; docs/extended-tests.md tells how to get that.
func TestFlinkItself(t *testing.T) {
	t.Parallel()
	home := os.Getenv("FLINK_HOME")
	if _, err := os.Stat(filepath.Join(home, "bin", "flink")); home == "" || err != nil {
		t.Skip("FLINK_HOME names no Flink; see docs/extended-tests.md")
	}
	dir := t.TempDir()
	run := func(params map[string]any) (task.Command, string) {
		raw, err := json.Marshal(params)
		require.NoError(t, err)
		values, problems := flink.Plugin().Decode(raw)
		require.Empty(t, problems)
		c, err := flink.Plugin().Process(values, task.Env{WorkflowInstanceID: 1, TaskInstanceID: 2, Dir: dir})
		require.NoError(t, err)
		for _, f := range c.Files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600))
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return c, string(out)
	}
	version := os.Getenv("FLINK_VERSION_CHOICE") // >=1.13 where it is empty
	if version == "" {
		version = ">=1.13"
	}
	_, out := run(map[string]any{
		"programType": "SQL", "deployMode": "local", "flinkVersion": version, "initScript": "SET 'sql-client.execution.result-mode' = 'TABLEAU';",
		"rawScript": "SET 'execution.runtime-mode' = 'batch';\nSELECT SUM(x) AS total FROM (VALUES (19), (23)) AS t(x);",
	})
	require.Contains(t, out, "42")
	require.NotContains(t, out, "ERROR")
	// A job without an end, submitted detached to the session cluster, then ended as the executor would.
	c, out := run(map[string]any{
		"programType": "SQL", "deployMode": "standalone", "flinkVersion": version, "appName": "it's $(id)",
		"rawScript": "CREATE TEMPORARY TABLE a (x BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');\n" +
			"CREATE TEMPORARY TABLE b (x BIGINT) WITH ('connector' = 'blackhole');\nINSERT INTO b SELECT x FROM a;",
	})
	found := regexp.MustCompile(`Job ID: (\w+)`).FindStringSubmatch(out)
	require.NotNil(t, found, out)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Remote.Cancel)
	cmd.Env = append(os.Environ(), "DORADO_REMOTE_IDS="+found[1])
	answer, err := cmd.CombinedOutput()
	require.NoError(t, err, string(answer))
	require.Contains(t, string(answer), "Cancelled job "+found[1])
}
