//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// sdk is a release of apache-dolphinscheduler from PyPI, in an environment of its own.
type sdk struct {
	python   string
	examples string // a copy
	port     int
	env      []string
}

var installing sync.Mutex

// installSDK installs a release once; it stays in the cache folder of the tools.
func installSDK(t *testing.T, version string, port int, env ...string) *sdk {
	t.Helper()
	cache := os.Getenv("DORADO_TOOLS")
	if cache == "" {
		home, err := os.UserCacheDir()
		require.NoError(t, err)
		cache = filepath.Join(home, "dorado", "tools")
	}
	dir := filepath.Join(cache, "python-sdk-"+version)
	s := &sdk{python: filepath.Join(dir, "bin", "python"), examples: t.TempDir(), port: port, env: env}
	pack := filepath.Join(dir, "installed") // written last
	installing.Lock()                       // several tests want the same
	defer installing.Unlock()
	if _, err := os.Stat(pack); err != nil {
		require.NoError(t, os.RemoveAll(dir))
		ctx := within(t, 5*time.Minute)
		for _, line := range [][]string{
			{"python3", "-m", "venv", dir},
			{s.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "apache-dolphinscheduler==" + version},
		} {
			if out, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput(); err != nil {
				missing(t, fmt.Errorf("the SDK cannot be installed: %w: %s", err, out))
			}
		}
		touch(t, pack)
	}
	found, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages", "pydolphinscheduler", "examples"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NoError(t, os.CopyFS(s.examples, os.DirFS(found[0])))
	// The wheel was made without this file, which an example reads.
	require.NoError(t, os.MkdirAll(filepath.Join(s.examples, "ext"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.examples, "ext", "example.sql"), []byte("select 1"), 0o600))
	return s
}

// command is a Python program against the server.
func (s *sdk) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.python, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{
		"PYDS_JAVA_GATEWAY_PORT=" + strconv.Itoa(s.port), "PYDS_USER_TENANT=default", "PYDS_WORKFLOW_TENANT=default", "PYDS_HOME=" + dir,
	}, s.env...)...)
	return cmd
}

// run runs a program text.
func (s *sdk) run(t *testing.T, text string, env ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script.py")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	cmd := s.command(within(t, 2*time.Minute), filepath.Dir(file), file)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// listed are the names of the examples.
func (s *sdk) listed(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.examples, "*.py"))
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".py"); name != "__init__" {
			names = append(names, name)
		}
	}
	return names
}

// withGateway starts a server that Python programs can talk to.
func withGateway(t *testing.T, env ...string) (s *server, port int) {
	t.Helper()
	port, err := harness.FreePort(t.Context())
	require.NoError(t, err)
	// An example calls python, which Debian does not have under that name.
	bin := open(t)
	found, err := exec.LookPath("/usr/bin/python3")
	if err != nil {
		missing(t, err)
	}
	require.NoError(t, os.Symlink(found, filepath.Join(bin, "python")))
	return standalone(t, append([]string{
		"DORADO_PYTHON_GATEWAY_ENABLED=true", "DORADO_PYTHON_GATEWAY_LISTEN=127.0.0.1:" + strconv.Itoa(port),
		"DORADO_WORKER_PATH=" + bin + ":/usr/local/bin:/usr/bin:/bin",
	}, env...)...), port
}

// pyProject is where the SDK puts workflows that nobody told where to go.
const pyProject = "project-pydolphin"

// projectCode finds a project by name.
func projectCode(t *testing.T, c *harness.Client, name string) int64 {
	t.Helper()
	page, err := c.Projects(t.Context(), name)
	require.NoError(t, err)
	for _, p := range page.TotalList {
		if p.Name == name {
			return p.Code
		}
	}
	t.Fatalf("there is no project %s", name)
	return 0
}

// notRunnable are examples of what this machine does not have: clusters, databases, programs; and of types that no worker runs.
var notRunnable = []string{
	"task_dvc_example", "task_openmldb_example", "task_sagemaker_example", "task_spark_example", "task_flink_example", "task_map_reduce_example",
	"task_datax_example", "task_sql_example", // and there is no such database
}

// A data engineer has Python programs that use DolphinScheduler's SDK. She points them at Dorado.
func TestTheOfficialPythonSDKRunsItsTutorialsAndExamples(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"4.1.0", "4.0.4", "3.1.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			old := version == "3.1.0"
			var env []string
			if old { // it knows of no token
				env = append(env, "DORADO_PYTHON_GATEWAY_TOKEN=")
			}
			if version == "4.0.4" { // it is for that release
				env = append(env, "DORADO_PYTHON_GATEWAY_VERSION=3.1.9")
			}
			s, port := withGateway(t, env...)
			py := installSDK(t, version, port)
			prepare(t, s, py, old)
			names := py.listed(t)
			require.GreaterOrEqual(t, len(names), 15)
			for _, name := range names {
				out, err := py.command(within(t, time.Minute), py.examples, filepath.Join(py.examples, name+".py")).CombinedOutput()
				require.NoError(t, err, "%s %s:\n%s", version, name, out)
				require.NotContains(t, string(out), "unmatched version", "%s", name)
			}
			t.Logf("%s: %d examples ended well: %s", version, len(names), strings.Join(names, ", "))
			in := projectCode(t, s.Admin, pyProject)
			online, runs := examplesKept(t, s, in, names), map[string]string{}
			// What only submits itself is started by hand.
			for _, name := range []string{"tutorial_decorator", "workflow:0", "task_python_example", "task_switch_example"} {
				if code, ok := online[name]; ok {
					_, err := s.Admin.StartWorkflow(t.Context(), in, code, harness.StartOptions{})
					require.NoError(t, err, name)
				}
			}
			page, err := s.Admin.Instances(t.Context(), in, 1, 100, nil)
			require.NoError(t, err)
			for _, i := range page.TotalList {
				done, err := s.Admin.WaitInstance(within(t, time.Minute), in, i.ID, 50*time.Millisecond, "SUCCESS", "FAILURE", "STOP", "PAUSE")
				require.NoError(t, err)
				name := i.Name[:strings.LastIndexByte(i.Name, '-')]
				runs[name] = done.State
				want := "SUCCESS"
				if slices.Contains(notRunnable, name) {
					want = "FAILURE"
				}
				require.Equal(t, want, done.State, name)
			}
			t.Logf("%s: runs: %v", version, runs)
		})
	}
}

// prepare makes what examples take for granted: files, and data sources that their user may use.
func prepare(t *testing.T, s *server, py *sdk, old bool) {
	t.Helper()
	user := "from pydolphinscheduler.models import User; User('userPythonGateway', 'userPythonGateway', 'u@example.org', '11111111111', 'default', 'q', 1).create_if_not_exists()\n"
	out, err := py.run(t, user)
	require.NoError(t, err, out)
	var text strings.Builder
	text.WriteString("from pydolphinscheduler.core.resource import Resource\n")
	for _, jar := range []string{"WordCount.jar", "hadoop-mapreduce-examples-3.3.1.jar", "spark-examples_2.12-3.2.0.jar"} {
		fmt.Fprintf(&text, "Resource(name=%q, content='x', user_name='userPythonGateway').create_or_update_resource()\n", jar)
	}
	if old {
		text.Reset()
		text.WriteString("from pydolphinscheduler.java_gateway import JavaGate\n")
		for _, jar := range []string{"WordCount.jar", "hadoop-mapreduce-examples-3.3.1.jar", "spark-examples_2.12-3.2.0.jar"} {
			fmt.Fprintf(&text, "JavaGate().create_or_update_resource('userPythonGateway', %q, 'x')\n", jar)
		}
	}
	out, err = py.run(t, text.String())
	require.NoError(t, err, out)
	for _, name := range []string{"first_mysql", "second_mysql", "metadata"} {
		body := fmt.Sprintf(`{"type":"MYSQL","name":%q,"host":"127.0.0.1","port":3306,"database":"db","userName":"u","password":"p","other":{}}`, name)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/dolphinscheduler/datasources", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("token", s.Admin.Token)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		var answer bytes.Buffer
		_, err = answer.ReadFrom(res.Body)
		require.NoError(t, errors.Join(err, res.Body.Close()))
		require.Contains(t, answer.String(), `"code":0`, "a data source")
	}
	var users struct{ TotalList []struct{ ID int64 } }
	require.NoError(t, s.Admin.Call(t.Context(), http.MethodGet, "/users/list-paging?pageNo=1&pageSize=10&searchVal=userPythonGateway", nil, &users))
	require.Len(t, users.TotalList, 1)
	require.NoError(t, s.Admin.Call(t.Context(), http.MethodPost, "/users/grant-datasource", url.Values{
		"userId": {itoa(users.TotalList[0].ID)}, "datasourceIds": {"1,2,3"},
	}, nil))
}

// examplesKept checks that every example left its workflow, and returns those that are online.
func examplesKept(t *testing.T, s *server, in int64, names []string) map[string]int64 {
	t.Helper()
	page, err := s.Admin.Workflows(t.Context(), in, "")
	require.NoError(t, err)
	online, there := map[string]int64{}, map[string]bool{}
	for _, w := range page.TotalList {
		if there[w.Name] = true; w.ReleaseState == "ONLINE" {
			online[w.Name] = w.Code
		}
	}
	for _, name := range names {
		switch name {
		case "bulk_create_example": // makes ten
			for i := range 10 {
				require.Contains(t, online, "workflow:"+strconv.Itoa(i))
			}
		default:
			known := slices.ContainsFunc([]string{name, strings.TrimSuffix(name, "_example")}, func(n string) bool { return there[n] })
			require.True(t, known, "%s left no workflow: %v", name, there)
		}
	}
	return online
}

const pyShell = `
from pydolphinscheduler.core.workflow import Workflow
from pydolphinscheduler.tasks.shell import Shell
`

func TestPythonProgramsSeeWhatGoesWrong(t *testing.T) {
	t.Parallel()
	s, port := withGateway(t)
	py := installSDK(t, "4.1.0", port)
	out, err := py.run(t, "from pydolphinscheduler.models.datasource import Datasource; Datasource.get_task_usage_4j('nope')")
	require.Error(t, err)
	require.Contains(t, out, "Can not find any datasource by name nope")

	out, err = py.run(t, pyShell+"with Workflow(name='x') as w:\n  Shell(name='a', command='true')\n  w.submit()", "PYDS_JAVA_GATEWAY_AUTH_TOKEN=wrong")
	require.Error(t, err)
	require.Contains(t, out, "Py4JAuthenticationError")
	out, err = py.run(t, pyShell+"with Workflow(name='x') as w:\n  Shell(name='a', command='true')\n  w.submit()")
	require.NoError(t, err, out)
	in := projectCode(t, s.Admin, pyProject)
	page, err := s.Admin.Workflows(t.Context(), in, "x")
	require.NoError(t, err)
	require.Len(t, page.TotalList, 1)
}

func TestPythonProgramsAtOnceAndKilledOnesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s, port := withGateway(t)
	py := installSDK(t, "4.1.0", port)
	script := pyShell + `
import sys, threading
def one(n):
  with Workflow(name='thread-%s-%d' % (sys.argv[1] if len(sys.argv) > 1 else 'x', n)) as w:
    first = Shell(name='a', command='true')
    first >> Shell(name='b', command='true')
    w.submit()
for n in range(2):
  one(n)
failed = []
def again(n):
  from pydolphinscheduler.java_gateway import gateway
  for k in range(20):
    m = gateway.get_code_and_version('project-pydolphin', 'thread-x-%d' % n, 'a')
    if m.get('version') != 1: failed.append(m.get('version'))
threads = [threading.Thread(target=again, args=(n,)) for n in range(2)]
for x in threads: x.start()
for x in threads: x.join()
assert not failed, failed
`
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			out, err := py.run(t, script)
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	group.Wait()
	killed := "import os, signal\nfrom pydolphinscheduler.java_gateway import gateway\nkeep = [gateway.get_code_and_version('p', 'w', 't') for _ in range(200)]\nos.kill(os.getpid(), signal.SIGKILL)\n"
	for range 3 {
		_, err := py.run(t, killed)
		require.Error(t, err)
	}
	// What was killed leaves at most what it held, for an hour, and no connection.
	require.Eventually(t, func() bool { return gatewayGauge(t, s, "dorado_gateway_connections") == 0 }, 20*time.Second, 50*time.Millisecond)
	require.LessOrEqual(t, gatewayGauge(t, s, "dorado_gateway_objects"), 3*200+50)
}

// gatewayGauge reads one number of the metrics.
func gatewayGauge(t *testing.T, s *server, name string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/actuator/prometheus", http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	var text bytes.Buffer
	_, err = text.ReadFrom(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	for line := range strings.Lines(text.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(t, err)
			return int(n)
		}
	}
	t.Fatalf("no %s in the metrics", name)
	return 0
}

func TestScriptsFromPythonArriveAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	s, port := withGateway(t)
	py := installSDK(t, "4.1.0", port)
	out, err := py.run(t, pyShell+`
with Workflow(name='夜间 é 😀', param={'p': 'a\\b"c'}) as w:
  Shell(name='任务', command="printf 'ü 数据 😀 a\\\\\\\\b\"c\"'\n# \\ \t tab\r\necho\n")
  Shell(name='large', command='true # ' + 'x' * 5_000_000)
  w.run()
`)
	require.NoError(t, err, out)
	in := projectCode(t, s.Admin, pyProject)
	page, err := s.Admin.Workflows(t.Context(), in, "夜间 é 😀")
	require.NoError(t, err)
	require.Len(t, page.TotalList, 1)
	runs, err := s.Admin.Instances(t.Context(), in, 1, 10, url.Values{})
	require.NoError(t, err)
	require.Len(t, runs.TotalList, 1)
	done, err := s.Admin.WaitInstance(within(t, time.Minute), in, runs.TotalList[0].ID, 50*time.Millisecond, "SUCCESS", "FAILURE", "STOP", "PAUSE")
	require.NoError(t, err)
	tasks, err := s.Admin.Tasks(t.Context(), in, done.ID)
	require.NoError(t, err)
	for _, task := range tasks {
		if task.Name == "任务" {
			log, err := s.Admin.DownloadLog(t.Context(), task.ID)
			require.NoError(t, err)
			require.Contains(t, log, `ü 数据 😀 a\\b"c"`)
		}
	}
	require.Equal(t, "SUCCESS", done.State)
}
