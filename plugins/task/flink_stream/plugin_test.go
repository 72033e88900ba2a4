package flinkstream_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	flinkstream "dorado/plugins/task/flink_stream"
	"dorado/plugins/task/tasktest"
)

func TestFlinkStream(t *testing.T) {
	t.Parallel()
	home := tasktest.Launchers(t, "bin/flink", "bin/sql-client.sh", "yarn")
	require.True(t, flinkstream.Plugin().Stream)
	require.False(t, flinkstream.Plugin().Retryable, "a stream that fails is looked at by a person")
	tasktest.Run(t, tasktest.Suite{
		Plugin: flinkstream.Plugin(),
		Vars:   []string{"FLINK_HOME=" + home},
		Path:   home,
		Marked: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"hunter2"}`,
		Cases: []tasktest.Case{
			{
				Name: "submits", Params: `{"mainJar":{"resourceName":"/a.jar"},"deployMode":"local","others":"-d","mainArgs":"x"}`,
				Output: tasktest.Args("run", "-p", "1", "-d", "/a.jar", "x"),
			},
			{Name: "fails with the program", Params: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"fails"}`, Fails: true},
		},
		Bad:  []string{`{"programType":"SQL","rawScript":" "}`, `{"mainJar":{"resourceName":"/a"},"deployMode":"application"}`},
		Slow: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"sleeps"}`,
	})
}

const (
	job    = "0123456789abcdef0123456789abcdef"
	second = "0123456789abcdef0123456789abcde0"
	jar    = `"mainJar":{"resourceName":"/jars/app.jar"}`
)

func TestSavepointsOfTheFlinkCommand(t *testing.T) {
	t.Parallel()
	home := tasktest.FlinkCluster(t)
	require.NoError(t, os.MkdirAll(filepath.Join(home, "cluster"), 0o755))
	for _, id := range []string{job, second} {
		require.NoError(t, os.WriteFile(filepath.Join(home, "cluster", id), []byte("RUNNING\n"), 0o600))
	}
	const at = "file:/savepoints/savepoint-"
	tasktest.Run(t, tasktest.Suite{
		Plugin: flinkstream.Plugin(),
		Vars:   []string{"FLINK_HOME=" + home, "DORADO_FOLLOW_SECONDS=0.1"},
		Marked: `{"mainJar":{"resourceName":"/a.jar"},"mainArgs":"hunter2"}`,
		Slow:   `{` + jar + `,"deployMode":"local"}`,
		Cases: []tasktest.Case{
			{Name: "a job that was only submitted is looked after", Params: `{` + jar + `,"deployMode":"local","others":"-d","mainArgs":"ends"}`, Output: "JobID 0000"},
			{Name: "and its failure is the task's", Params: `{` + jar + `,"deployMode":"local","others":"-d","mainArgs":"fails"}`, Output: "ended: FAILED", Fails: true},
		},
		Saves: []tasktest.Save{
			{Name: "of a job", Params: `{` + jar + `,"deployMode":"local"}`, IDs: job, Output: "Triggering savepoint for job " + job, Saved: []string{at + job}},
			{Name: "of several", Params: `{"programType":"SQL","deployMode":"standalone","rawScript":"x"}`, IDs: job + " " + second, Saved: []string{at + job, at + second}},
			{Name: "of a job that is gone", Params: `{` + jar + `,"deployMode":"local"}`, IDs: "feed", Output: "could not be found", Fails: true},
			{Name: "of the jobs of an application on YARN", Params: `{` + jar + `}`, IDs: "application_1_1", Saved: []string{at + second, at + job}},
			{Name: "on Kubernetes", Params: `{` + jar + `,"flinkVersion":">=2.0","deployMode":"kubernetes-application"}`, IDs: "clicks", Saved: []string{at + second, at + job}},
		},
	})
	t.Cleanup(func() { // after the cases
		calls, err := os.ReadFile(filepath.Join(home, "calls"))
		require.NoError(t, err)
		require.Contains(t, string(calls), "run -p 1 -d ", "the job does not end with its client")
	})
}

// again runs the script of an attempt that finds the work of an earlier one.
func again(t *testing.T, home, link string, during func()) (string, error) {
	t.Helper()
	values, problems := flinkstream.Plugin().Decode([]byte(`{` + jar + `,"deployMode":"local"}`))
	require.Empty(t, problems)
	c, err := flinkstream.Plugin().Process(values, task.Env{TaskInstanceID: 3, WorkflowInstanceID: 1, Dir: t.TempDir(), Link: link})
	require.NoError(t, err)
	require.True(t, c.Remote.Stays)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
	cmd.Env = append(os.Environ(), "FLINK_HOME="+home, "DORADO_FOLLOW_SECONDS=0.1")
	if during != nil {
		timer := time.AfterFunc(500*time.Millisecond, during)
		defer timer.Stop()
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAJobWhoseWorkerWasLostIsFoundAgainAndNotStartedAgain(t *testing.T) {
	t.Parallel()
	state := func(home, to string) {
		if err := os.WriteFile(filepath.Join(home, "cluster", job), []byte(to+"\n"), 0o600); err != nil {
			panic(err)
		}
	}
	for to, fails := range map[string]bool{"FINISHED": false, "CANCELED": true, "FAILED": true} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			home := tasktest.FlinkCluster(t)
			require.NoError(t, os.MkdirAll(filepath.Join(home, "cluster"), 0o755))
			state(home, "RUNNING")
			out, err := again(t, home, job, func() { state(home, to) })
			require.Equal(t, fails, err != nil, out)
			require.Contains(t, out, "JobID "+job, "the worker finds the name in the log")
			calls, err := os.ReadFile(filepath.Join(home, "calls"))
			require.NoError(t, err)
			require.NotContains(t, string(calls), "run")
			require.NotContains(t, string(calls), "cancel")
			require.Greater(t, strings.Count(string(calls), "list -a"), 1)
		})
	}
	t.Run("a cluster that does not answer for a while is waited for", func(t *testing.T) {
		t.Parallel()
		home := tasktest.FlinkCluster(t)
		require.NoError(t, os.MkdirAll(filepath.Join(home, "cluster"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(home, "down"), nil, 0o600))
		state(home, "FINISHED")
		out, err := again(t, home, job, func() { _ = os.Remove(filepath.Join(home, "down")) })
		require.NoError(t, err, out)
		require.Contains(t, out, "Connection refused")
	})
	t.Run("a job that the cluster does not know fails", func(t *testing.T) {
		t.Parallel()
		out, err := again(t, tasktest.FlinkCluster(t), job, nil)
		require.Error(t, err)
		require.Contains(t, out, "not known to the cluster")
		require.Contains(t, out, "may go on")
	})
}

// kubectl knows the deployments that are files in the folder deployments beside it.
const kubectl = `#!/bin/sh
echo "kubectl $*" >> "${0%/*}/calls"
[ ! -e "${0%/*}/deployments/$3" ] || echo "deployment.apps/$3"
`

func TestAnApplicationOnKubernetesThatNobodyWasToldOfIsFoundByItsName(t *testing.T) {
	t.Parallel()
	const name = "dorado-190464900061216-7"
	values, problems := flinkstream.Plugin().Decode([]byte(`{` + jar + `,"deployMode":"kubernetes-application","flinkVersion":">=2.0","mainArgs":"ends"}`))
	require.Empty(t, problems)
	// attempt runs the script of an attempt of run 7 that was told nothing, and returns what it printed and what it called.
	attempt := func(t *testing.T, home string, id int64) (out, calls string) {
		c, err := flinkstream.Plugin().Process(values, task.Env{TaskInstanceID: id, WorkflowInstanceID: 7, TaskCode: 190464900061216, Dir: t.TempDir()})
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), "bash", "-c", c.Script)
		cmd.Env = append(os.Environ(), "FLINK_HOME="+home, "PATH="+home+":"+os.Getenv("PATH"), "DORADO_FOLLOW_SECONDS=0.1")
		raw, err := cmd.CombinedOutput()
		require.NoError(t, err, string(raw))
		said, err := os.ReadFile(filepath.Join(home, "calls"))
		require.NoError(t, err)
		require.Regexp(t, c.Remote.Pattern, "application cluster "+name+" successfully")
		return string(raw), string(said)
	}
	home := tasktest.FlinkCluster(t)
	require.NoError(t, os.WriteFile(filepath.Join(home, "kubectl"), []byte(kubectl), 0o755))
	_, calls := attempt(t, home, 11)
	require.Contains(t, calls, "run -t kubernetes-application")
	require.Contains(t, calls, "-Dkubernetes.cluster-id="+name)

	home = tasktest.FlinkCluster(t)
	require.NoError(t, os.WriteFile(filepath.Join(home, "kubectl"), []byte(kubectl), 0o755))
	deployment := filepath.Join(home, "deployments", name)
	require.NoError(t, os.MkdirAll(filepath.Dir(deployment), 0o755))
	require.NoError(t, os.WriteFile(deployment, nil, 0o600))
	gone := time.AfterFunc(500*time.Millisecond, func() { _ = os.Remove(deployment) })
	defer gone.Stop()
	out, calls := attempt(t, home, 12)
	require.Contains(t, out, "application cluster "+name+" successfully", "the worker finds the name in the log")
	require.NotContains(t, calls, "run -t")
	require.Greater(t, strings.Count(calls, "kubectl get deployment "+name), 1, "it is looked after")
}

func TestTheCommandLineIsThatOfFlink(t *testing.T) {
	t.Parallel()
	coded := func(env *task.Env) { env.TaskCode = 190464900061216 }
	lost := func(link string) func(*task.Env) { return func(env *task.Env) { env.Link = link } }
	tasktest.Commands(t, flinkstream.Plugin(), []tasktest.Golden{
		{Name: "session cluster, detached", Params: `{` + jar + `,"deployMode":"local","others":"-d"}`},
		{Name: "yarn", Params: `{` + jar + `}`},
		{Name: "yarn application", Params: `{` + jar + `,"deployMode":"application","flinkVersion":">=1.12","appName":"clicks"}`},
		{Name: "sql", Params: `{"programType":"SQL","deployMode":"standalone","rawScript":"insert into b select * from a;"}`},
		{Name: "sql within the client", Params: `{"programType":"SQL","deployMode":"local","rawScript":"select 1;"}`, Env: lost("a1b2")},
		{Name: "kubernetes", Params: `{` + jar + `,"deployMode":"kubernetes-application","flinkVersion":">=2.0","appName":"clicks"}`},
		{Name: "kubernetes, without a name", Params: `{` + jar + `,"deployMode":"kubernetes-application","flinkVersion":">=2.0"}`, Env: coded},
		{Name: "kubernetes, named by an option", Params: `{` + jar + `,"deployMode":"kubernetes-application","flinkVersion":">=2.0","others":"-Dkubernetes.cluster-id=mine"}`, Env: coded},
		{Name: "kubernetes, sql without a name", Params: `{"programType":"SQL","deployMode":"kubernetes-application","flinkVersion":">=2.0","rawScript":"insert into b select * from a;"}`, Env: coded},
		{Name: "a lost attempt", Params: `{` + jar + `,"deployMode":"local"}`, Env: lost("a1b2")},
		{Name: "a lost attempt on yarn", Params: `{` + jar + `}`, Env: lost("application_1_1,$(id)")},
	})
}
