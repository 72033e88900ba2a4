package executor

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
)

// TestUpgradeProcess is no test: others run it as a worker of its own, which replaces itself by the program that the file
// "program" in its data folder names, at each SIGUSR2.
func TestUpgradeProcess(t *testing.T) {
	dir := os.Getenv("DORADO_TEST_UPGRADE")
	if dir == "" {
		t.Skip("run by the tests of upgrades")
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	handover, err := Inherited()
	require.NoError(t, err)
	cfg := DefaultConfig(dir)
	cfg.AllowRootTenant, cfg.MaxDiskUsage, cfg.MaxMemoryUsage = true, 0, 0
	cfg.KillInterruptWait, cfg.KillTerminateWait = time.Second, time.Second
	cfg.Heartbeat, cfg.DrainTimeout = 100*time.Millisecond, time.Second
	cfg.Slots, cfg.FullPolicy, cfg.QueueLength = 80, FullContinue, 10
	c, err := catalog.Builtin()
	require.NoError(t, err)
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	e, err := New(Deps{Config: cfg, Catalog: c, Environ: os.Environ(), Logger: logger, Handover: handover, Masters: []Master{{
		"m", rpc.TCPDialer{Addr: os.Getenv("DORADO_TEST_MASTER"), Config: rpc.Config{Secret: []byte("s")}},
	}}})
	require.NoError(t, err)
	if p, err := strconv.Atoi(os.Getenv("DORADO_TEST_PROTOCOL")); err == nil && handover != nil {
		e.protocol = uint32(p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for {
		select {
		case <-signals:
			program, err := os.ReadFile(dir + "/program")
			require.NoError(t, err)
			err = e.Upgrade(ctx, Upgrade{Program: string(program), Args: os.Args, Environ: os.Environ()})
			fmt.Fprintln(os.Stdout, "failed: "+err.Error())
		case <-stop:
			cancel()
			require.NoError(t, <-done)
			return
		}
	}
}

// upgradable is a worker in a process of its own.
type upgradable struct {
	*scripted
	process *exec.Cmd
	dir     string
	said    chan string
}

func startUpgradable(t *testing.T, env ...string) *upgradable {
	t.Helper()
	m := newScripted(t, "m")
	ctx, cancel := context.WithCancel(t.Context())
	listener, err := rpc.Listen(ctx, "127.0.0.1:0", rpc.Config{Secret: []byte("s")}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- listener.Serve(ctx, func(_ context.Context, s rpc.MasterStream) { m.serve(s) }) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	u := &upgradable{scripted: m, dir: t.TempDir(), said: make(chan string, 100)}
	u.program(t, os.Args[0])
	u.process = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUpgradeProcess$")
	u.process.Env = append(os.Environ(), append(env, "DORADO_TEST_UPGRADE="+u.dir, "DORADO_TEST_MASTER="+listener.Addr())...)
	u.process.Stderr = os.Stderr
	if !testing.Verbose() {
		u.process.Stderr = nil
	}
	out, err := u.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, u.process.Start())
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "failed: ") {
				u.said <- lines.Text()
			}
		}
	}()
	t.Cleanup(func() { // before the listener goes
		_ = u.process.Process.Signal(syscall.SIGTERM)
		_ = u.process.Wait()
	})
	return u
}

// program sets what the next upgrade becomes.
func (u *upgradable) program(t *testing.T, file string) {
	t.Helper()
	require.NoError(t, os.WriteFile(u.dir+"/program", []byte(file), 0o600))
}

// upgrade replaces the worker's program and returns the new hello.
func (u *upgradable) upgrade(t *testing.T) *doradov1.Hello {
	t.Helper()
	u.connected()
	u.mu.Lock()
	streams, old := u.streams, u.hello.GetIncarnation()
	u.mu.Unlock()
	require.NoError(t, u.process.Process.Signal(syscall.SIGUSR2))
	var hello *doradov1.Hello
	u.until("the next program says what it holds", func() bool { hello = u.hello; return u.streams > streams })
	require.NotEqual(t, old, hello.GetIncarnation())
	require.Equal(t, old, hello.GetContinues())
	return hello
}

func TestW31_AnUpgradeInPlaceKeepsEveryTaskWithItsProcess(t *testing.T) {
	t.Parallel()
	u := startUpgradable(t, "DORADO_TEST_PROTOCOL=1")
	dir := t.TempDir()
	var long, short []*doradov1.Task
	for i := range 50 {
		long = append(long, shellTask(fmt.Sprintf("echo x >> %s/%d; while [ ! -e %s/go ]; do sleep 0.1; done; exit %d", dir, i, dir, i%3)))
	}
	for i := range 27 { // some end before, some after, some while the programs change
		short = append(short, shellTask(fmt.Sprintf("sleep %.2f; echo '${setValue(a=%d)}'; exit %d", 0.1*float64(i), i, i)))
	}
	stubborn, late := shellTask("trap '' INT TERM; echo $$ > "+dir+"/stubborn; while :; do sleep 0.05; done"), shellTask("sleep 100")
	slow := shellTask("sleep 100")
	slow.TimeoutMs = 2500
	queued := shellTask("exit 9")
	u.dispatch(long...)
	u.dispatch(stubborn, late, slow)
	u.dispatch(short...)
	u.dispatch(queued)
	pids := map[int64]int32{}
	for _, job := range long {
		pids[job.GetId()] = u.report(job.GetId(), doradov1.ReportKind_STARTED).GetPid()
	}
	pidFrom(t, dir+"/stubborn")
	u.kill(stubborn.GetId()) // its end is under way when the program changes
	u.mu.Lock()
	u.dying = []int64{late.GetId()} // asked for while nobody listens
	u.mu.Unlock()

	require.Equal(t, uint32(1), u.upgrade(t).GetProtocol(), "the next program may speak an older protocol")
	u.mu.Lock()
	u.dying = nil
	held := u.holds
	u.mu.Unlock()
	for _, job := range long {
		require.Contains(t, held, job.GetId())
		require.True(t, held[job.GetId()].GetYours())
		require.Zero(t, u.count(job.GetId(), doradov1.ReportKind_FINISHED))
		require.True(t, alive(int(pids[job.GetId()])))
	}
	u.upgrade(t) // and once more
	require.NoError(t, os.WriteFile(dir+"/go", nil, 0o600))
	for i, job := range long {
		r := u.finished(job.GetId())
		require.EqualValues(t, i%3, r.GetExitCode())
		require.Equal(t, pids[job.GetId()], r.GetPid())
		runs, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(t, err)
		require.Equal(t, "x\n", string(runs))
	}
	for i, job := range short {
		r := u.finished(job.GetId())
		require.EqualValues(t, i, r.GetExitCode())
		require.NotEqual(t, doradov1.Outcome_LOST, r.GetOutcome())
		log, err := os.ReadFile(r.GetLogPath())
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(log), "exit code"), "the log has one end: %s", log)
	}
	require.Equal(t, doradov1.Outcome_KILLED, u.finished(stubborn.GetId()).GetOutcome())
	require.Equal(t, doradov1.Outcome_KILLED, u.finished(late.GetId()).GetOutcome())
	require.Contains(t, u.finished(slow.GetId()).GetMessage(), "timeout")
	require.EqualValues(t, 9, u.finished(queued.GetId()).GetExitCode(), "what waited for a slot got it")
	r, _ := u.run(shellTask("true"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), "it takes new work")
	noDirs(t, DefaultConfig(u.dir).ExecDir)
}

func TestAnUpgradeThatFailsLeavesTheWorkerAsItWas(t *testing.T) {
	t.Parallel()
	u := startUpgradable(t)
	job, release, runs := waiting(t)
	u.dispatch(job)
	pid := u.report(job.GetId(), doradov1.ReportKind_STARTED).GetPid()
	noProgram := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(noProgram, []byte("no program at all"), 0o700))
	for _, program := range []string{filepath.Join(t.TempDir(), "absent"), noProgram} {
		u.program(t, program)
		require.NoError(t, u.process.Process.Signal(syscall.SIGUSR2))
		require.Contains(t, <-u.said, "become "+program)
	}
	u.until("it is still the same program", func() bool { return u.streams == 1 })
	r, _ := u.run(shellTask("exit 2"))
	require.EqualValues(t, 2, r.GetExitCode(), "it takes new work")
	release()
	r = u.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	require.Equal(t, pid, r.GetPid())
	require.Equal(t, "x\n", runs())
	u.program(t, os.Args[0])
	u.upgrade(t)
}

func TestAWorkerThatIsKilledAfterAnUpgradeLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	u := startUpgradable(t)
	file := filepath.Join(t.TempDir(), "pid")
	job := shellTask("echo $$ > " + file + "; sleep 1000")
	u.dispatch(job)
	pid := pidFrom(t, file)
	u.upgrade(t)
	require.NoError(t, u.process.Process.Signal(syscall.SIGKILL))
	_ = u.process.Wait()
	require.True(t, alive(pid))
	m := newScripted(t, "m")
	cfg := testConfig(t)
	next := DefaultConfig(u.dir)
	cfg.ExecDir, cfg.LogDir, cfg.JournalDir = next.ExecDir, next.LogDir, next.JournalDir
	startWorker(t, cfg, m)
	require.Equal(t, doradov1.Outcome_LOST, m.finished(job.GetId()).GetOutcome())
	gone(t, pid)
}

func TestAProgramSaysWhetherItCanTakeOver(t *testing.T) {
	t.Parallel()
	require.NoError(t, CanTakeOver("dorado 1.2.3\n"+HandoverLine()+"\n"))
	require.ErrorIs(t, CanTakeOver("dorado 0.1.0\n"), errNoHandover)
	require.ErrorContains(t, CanTakeOver("handover 999"), "it knows form 999")
}

func TestAHandoverOfAnotherFormIsRefusedButItsFilesAreUsable(t *testing.T) {
	t.Parallel()
	h := &Handover{Format: HandoverFormat + 1, Version: "9.9", Files: map[string]int{}, Attempts: []carried{{ID: 1}}}
	fd, err := h.memory()
	require.NoError(t, err)
	got, err := readHandover(fd)
	require.ErrorContains(t, err, "9.9")
	require.Empty(t, got.Attempts)
	require.Nil(t, got.File("journal"))
	fd, err = sealedFile("garbage")
	require.NoError(t, err)
	_, err = readHandover(fd)
	require.ErrorContains(t, err, "read what the program before left")
}
