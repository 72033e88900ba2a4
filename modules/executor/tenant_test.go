package executor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
)

func TestAnAttemptIsItsTenant(t *testing.T) {
	t.Parallel()
	name := osUser(t)
	group := name + "g"
	require.NoError(t, exec.CommandContext(t.Context(), "groupadd", "-U", name, group).Run())
	t.Cleanup(func() { _ = exec.Command("groupdel", group).Run() }) // the test's context is over
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	job := shellTask("id -un; id -Gn; echo $HOME $USER $LOGNAME; touch mine && stat -c '%U %a' . mine; cat /etc/shadow")
	job.Tenant = name
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome(), "it is not allowed to read that")
	require.Contains(t, log, fmt.Sprintf("\n%s\n%s %s\n/home/%s %s %s\n%s 750\n%s 644\n", name, name, group, name, name, name, name, name))
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(r.GetLogPath(), &st))
	require.EqualValues(t, os.Geteuid(), st.Uid)
	require.EqualValues(t, 0o640, st.Mode&0o777)
	noDirs(t, w.cfg.ExecDir)

	python := newTask("PYTHON", map[string]any{"rawScript": "import os, pwd, sys\nprint(pwd.getpwuid(os.getuid()).pw_name, os.stat(sys.argv[0]).st_uid == os.getuid())"})
	python.Tenant = name
	r, log = m.run(python)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Contains(t, log, "\n"+name+" True\n")
	python = clone(python)
	python.Tenant, python.Environment = name, "export A=1"
	r, log = m.run(python)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
}

func TestATenantGetsToItsDirectoryThoughTheWayIsClosed(t *testing.T) {
	t.Parallel()
	name := osUser(t)
	for way, modes := range map[string][2]os.FileMode{
		"open": {0o711, 0o711}, "closed": {0o700, 0o700}, "closed meanwhile": {0o711, 0o700},
	} {
		t.Run(way, func(t *testing.T) {
			parent := t.TempDir()
			require.NoError(t, os.Chmod(filepath.Dir(parent), 0o711)) // else it is closed anyway
			require.NoError(t, os.Chmod(parent, modes[0]))
			cfg := testConfig(t)
			cfg.ExecDir = filepath.Join(parent, "exec")
			m := newScripted(t, "m")
			startWorker(t, cfg, m)
			require.NoError(t, os.Chmod(parent, modes[1]))
			job := shellTask("id -un; pwd; touch mine && ls")
			job.Tenant = name
			r, log := m.run(job)
			require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
			require.Contains(t, log, fmt.Sprintf("\n%s\n%s\nmine\n", name, r.GetExecutePath()))
			require.Equal(t, cfg.ExecDir, filepath.Dir(r.GetExecutePath()))
		})
	}
}

func TestAVanishedUserFailsTheAttemptAtOnce(t *testing.T) {
	t.Parallel()
	name := osUser(t)
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := shellTask("id -un")
	job.Tenant = name
	r, _ := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	require.NoError(t, exec.CommandContext(t.Context(), "userdel", "-r", name).Run())
	job = shellTask("id -un")
	job.Tenant = name
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Equal(t, fmt.Sprintf("tenant %q: this worker has no such operating-system user", name), r.GetMessage())
	require.Contains(t, log, r.GetMessage())
}

func TestTheDefaultTenantOfAPrivilegedWorkerIsNobody(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.AllowRootTenant = false
	startWorker(t, cfg, m)
	job := shellTask("id -un; echo in > file && cat file; pwd")
	job.Tenant = "default"
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Contains(t, log, "\nnobody\nin\n")
	job = shellTask("true")
	job.Tenant = "root"
	r, _ = m.run(job)
	require.Contains(t, r.GetMessage(), "superuser")
}

func TestAMissingTenantIsCreatedOnlyWhenThatIsAllowed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	name := fmt.Sprintf("dorado%dnew", os.Getpid())
	t.Cleanup(func() { _ = exec.Command("userdel", "-r", name).Run() }) // the test's context is over
	cfg := testConfig(t)
	_, _, err := newUsers(cfg).resolve(t.Context(), name)
	require.ErrorContains(t, err, "no such operating-system user")
	cfg.AutoCreateTenant = true
	a, viaSudo, err := newUsers(cfg).resolve(t.Context(), name)
	require.NoError(t, err)
	require.False(t, viaSudo)
	require.Equal(t, "/home/"+name, a.home)
	require.NotZero(t, a.uid)
}

func TestUsersAreReadFromTheirFiles(t *testing.T) {
	t.Parallel()
	etc := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(etc, name), []byte(text), 0o600))
	}
	write("passwd", "# comment\nann:x:5001:5002:Ann:/home/ann:/usr/sbin/nologin\nbad:x:no:1::/:/bin/sh\nshort:x\n")
	write("group", "a:x:5002:\nb:x:5003:zoe,ann\nc:x:5004:annette\n")
	u := newUsers(testConfig(t))
	u.etc = etc
	a, err := u.lookup(t.Context(), "ann")
	require.NoError(t, err)
	require.Equal(t, account{name: "ann", uid: 5001, gid: 5002, groups: []uint32{5002, 5003}, home: "/home/ann", shell: "/bin/sh"}, a)
	for _, name := range []string{"bad", "short"} {
		_, err = u.lookup(t.Context(), name)
		require.ErrorContains(t, err, "malformed")
	}
	write("passwd", "zoe:x:1:1::/:/bin/sh\n")
	time.Sleep(2 * stampTTL)
	_, err = u.lookup(t.Context(), "ann")
	require.ErrorIs(t, err, errNoUser, "the cache does not outlive the file")
	u.create = func(context.Context, string) error { return nil }
	for _, name := range []string{"-u", "a b", "a;b", "ä", "../x", "a/b", strings.Repeat("x", 256)} {
		_, _, err := u.resolve(t.Context(), name)
		require.ErrorContains(t, err, "not a valid user name", name)
	}
}

func TestUnderSudoTheTenantOwnsEverythingAndCanBeKilled(t *testing.T) {
	t.Parallel()
	name := osUser(t)
	if _, err := exec.LookPath("sudo"); err != nil {
		t.Skip("needs sudo")
	}
	m := newScripted(t, "m")
	cfg := testConfig(t)
	// The tenant must be able to reach the directory by its path.
	base, err := os.MkdirTemp("", "dorado-sudo") //nolint:usetesting // others may not enter what lies around t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	require.NoError(t, os.Chmod(base, 0o755))
	cfg.ExecDir = filepath.Join(base, "exec")
	cfg.Sudo = SudoAlways
	w := startWorker(t, cfg, m)
	job := shellTask("id -un; pwd; stat -c '%U %a' . \"$0\"; echo $DORADO_TASK_INSTANCE_ID $FROM_ENV; read x; echo \"input <$x>\"; exit 5")
	job.Tenant, job.Environment = name, "export FROM_ENV=\"it's me\""
	r, log := m.run(job)
	require.EqualValues(t, 5, r.GetExitCode(), log)
	require.Contains(t, log, fmt.Sprintf("\n%s\n%s\n%s 750\n%s 700\n%d it's me\ninput <>\n", name, r.GetExecutePath(), name, name, job.GetId()))
	noDirs(t, w.cfg.ExecDir)

	python := newTask("PYTHON", map[string]any{"rawScript": "import os\nprint(os.getcwd(), os.environ['A'])"})
	python.Tenant, python.Environment = name, "export A=b"
	r, log = m.run(python)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Contains(t, log, r.GetExecutePath()+" b\n")

	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	job = shellTask("echo $$ > " + dir + "/pid; sleep 1000 & wait")
	job.Tenant = name
	m.dispatch(job)
	pid := pidFrom(t, filepath.Join(dir, "pid"))
	m.kill(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, m.finished(job.GetId()).GetOutcome())
	gone(t, pid)
}

func TestAWorkerWithoutPrivilegeUsesSudoOnlyForOthers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("needs a worker without privilege")
	}
	me, err := user.Current()
	require.NoError(t, err)
	cfg := testConfig(t)
	a, viaSudo, err := newUsers(cfg).resolve(t.Context(), me.Username)
	require.NoError(t, err)
	require.True(t, a.self)
	require.False(t, viaSudo)
	_, viaSudo, err = newUsers(cfg).resolve(t.Context(), "daemon")
	require.NoError(t, err)
	require.True(t, viaSudo)
	cfg.Sudo = SudoNever
	_, _, err = newUsers(cfg).resolve(t.Context(), "daemon")
	require.ErrorContains(t, err, "not privileged")
}

// TestSudoWorkerProcess is no test of its own: the next one runs it as an ordinary user who may become the tenant.
func TestSudoWorkerProcess(t *testing.T) {
	tenant, dir := os.Getenv("DORADO_TEST_TENANT"), os.Getenv("DORADO_TEST_DIR")
	if tenant == "" {
		t.Skip("run by TestAnOrdinaryWorkerBecomesItsTenantsThroughSudo")
	}
	cfg := testConfig(t)
	cfg.ExecDir = filepath.Join(dir, "exec")
	m := newScripted(t, "m")
	startWorker(t, cfg, m)
	job := shellTask("id -un; stat -c '%U %a' .; mkdir -p a; echo x > a/b; chmod 700 a")
	job.Tenant = tenant
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Contains(t, log, "\n"+tenant+"\n"+tenant+" 750\n")
	noDirs(t, cfg.ExecDir)

	job = shellTask("trap '' INT; echo $$ > /tmp/" + tenant + ".pid; setsid sleep 1000 & sleep 1001")
	job.Tenant = tenant
	m.dispatch(job)
	pid := pidFrom(t, "/tmp/"+tenant+".pid")
	m.kill(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, m.finished(job.GetId()).GetOutcome())
	gone(t, pid)
	noDirs(t, cfg.ExecDir)
}

func TestAnOrdinaryWorkerBecomesItsTenantsThroughSudo(t *testing.T) {
	t.Parallel()
	me, tenant := osUser(t), osUser(t)
	if _, err := exec.LookPath("sudo"); err != nil {
		t.Skip("needs sudo")
	}
	rule := "/etc/sudoers.d/" + me
	require.NoError(t, os.WriteFile(rule, []byte(me+" ALL=("+tenant+") NOPASSWD: ALL\n"), 0o440))
	t.Cleanup(func() { _ = os.Remove(rule); _ = os.Remove("/tmp/" + tenant + ".pid") })
	dir, err := os.MkdirTemp("", "dorado-sudo") //nolint:usetesting // others may not enter what lies around t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	program := filepath.Join(dir, "executor.test")
	require.NoError(t, exec.CommandContext(t.Context(), "cp", os.Args[0], program).Run())
	data := filepath.Join(dir, "data")
	require.NoError(t, os.Mkdir(data, 0o755))
	a, err := newUsers(testConfig(t)).lookup(t.Context(), me)
	require.NoError(t, err)
	require.NoError(t, os.Chown(data, int(a.uid), int(a.gid)))
	worker := exec.CommandContext(t.Context(), program, "-test.run=^TestSudoWorkerProcess$", "-test.v")
	worker.Dir = data
	worker.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + a.home, "TMPDIR=" + data, "DORADO_TEST_TENANT=" + tenant, "DORADO_TEST_DIR=" + data}
	worker.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential()}
	out, err := worker.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestSudoWorkerProcess")
}
