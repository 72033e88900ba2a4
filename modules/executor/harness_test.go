package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
)

// TestMain is also the native engine of DATAX tasks: they start the program of their worker, which here is this one.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "sync" {
		os.Exit(syncMain(os.Args[3]))
	}
	goleak.VerifyTestMain(m)
}

// scripted is a master that does what a test says.
type scripted struct {
	t      testing.TB
	name   string
	noAck  atomic.Bool // reports are not acknowledged
	refuse atomic.Bool // dials fail
	mute   atomic.Bool // heartbeats are not answered

	mu      sync.Mutex
	control rpc.MasterStream
	hello   *doradov1.Hello
	held    []int64
	holds   map[int64]*doradov1.HeldAttempt
	streams int     // control streams so far
	dying   []int64 // kills that are asked for again on each stream
	reports []*doradov1.Report
	beats   []*doradov1.Heartbeat
	data    rpc.MasterStream
	replies map[uint64]chan *doradov1.LogReply
	changed chan struct{}
	calls   uint64
	serving sync.WaitGroup
}

func newScripted(t testing.TB, name string) *scripted {
	t.Helper()
	m := &scripted{t: t, name: name, changed: make(chan struct{}), replies: map[uint64]chan *doradov1.LogReply{}}
	t.Cleanup(m.serving.Wait)
	return m
}

// Dial implements rpc.Dialer.
func (m *scripted) Dial() (rpc.WorkerStream, error) {
	if m.refuse.Load() {
		return nil, errors.New("master is away")
	}
	w, s := rpc.Pipe()
	m.serving.Go(func() { m.serve(s) })
	return w, nil
}

func (m *scripted) serve(s rpc.MasterStream) {
	defer func() { _ = s.Close() }()
	for {
		frame, err := s.Recv()
		if err != nil {
			return
		}
		m.mu.Lock()
		switch body := frame.GetBody().(type) {
		case *doradov1.WorkerFrame_Hello:
			welcome := &doradov1.Welcome{Protocol: min(rpc.Protocol, body.Hello.GetProtocol()), Master: m.name, Epoch: 1}
			_ = s.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Welcome{Welcome: welcome}})
			if body.Hello.GetKind() == doradov1.StreamKind_DATA {
				m.data = s
			} else {
				m.hello = body.Hello
			}
		case *doradov1.WorkerFrame_Held:
			m.held, m.holds = nil, map[int64]*doradov1.HeldAttempt{}
			for _, a := range body.Held.GetAttempts() {
				m.held = append(m.held, a.GetId())
				m.holds[a.GetId()] = a
			}
			m.control = s
			m.streams++
			if len(m.dying) > 0 {
				_ = s.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Kill{Kill: &doradov1.Kill{Ids: m.dying}}})
			}
		case *doradov1.WorkerFrame_Reports:
			m.reports = append(m.reports, body.Reports.GetReports()...)
			if !m.noAck.Load() {
				ack := &doradov1.Ack{}
				for _, r := range body.Reports.GetReports() {
					ack.Items = append(ack.Items, &doradov1.AckItem{Id: r.GetId(), Seq: r.GetSeq()})
				}
				_ = s.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Ack{Ack: ack}})
			}
		case *doradov1.WorkerFrame_Heartbeat:
			m.beats = append(m.beats, body.Heartbeat)
			if !m.mute.Load() {
				_ = s.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Alive{Alive: &doradov1.Alive{}}})
			}
		case *doradov1.WorkerFrame_Log:
			m.replies[body.Log.GetCall()] <- body.Log
		}
		close(m.changed)
		m.changed = make(chan struct{})
		m.mu.Unlock()
	}
}

// until waits for a condition on what the master has seen; it runs with the lock held.
func (m *scripted) until(what string, condition func() bool) {
	m.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		m.mu.Lock()
		ok, changed := condition(), m.changed
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			m.t.Fatalf("never happened: %s", what)
		}
	}
}

func (m *scripted) connected() {
	m.t.Helper()
	m.until("the worker connects", func() bool { return m.control != nil })
}

func (m *scripted) send(frame *doradov1.MasterFrame) {
	m.t.Helper()
	m.connected()
	m.mu.Lock()
	s := m.control
	m.mu.Unlock()
	require.NoError(m.t, s.Send(frame))
}

func (m *scripted) dispatch(tasks ...*doradov1.Task) {
	m.t.Helper()
	m.send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Dispatch{Dispatch: &doradov1.Dispatch{Tasks: tasks}}})
}

func (m *scripted) kill(ids ...int64) {
	m.t.Helper()
	m.send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Kill{Kill: &doradov1.Kill{Ids: ids}}})
}

func (m *scripted) killAt(epoch uint64, ids ...int64) {
	m.t.Helper()
	kill := &doradov1.Kill{Ids: ids}
	for range ids {
		kill.Epochs = append(kill.Epochs, epoch)
	}
	m.send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Kill{Kill: kill}})
}

// claim asks for attempts that other masters dispatched.
func (m *scripted) claim(epoch uint64, tasks ...*doradov1.Task) {
	m.t.Helper()
	claim := &doradov1.Claim{}
	for _, t := range tasks {
		claim.Items = append(claim.Items, &doradov1.ClaimItem{Id: t.GetId(), WorkflowInstanceId: t.GetWorkflowInstanceId(), Epoch: epoch})
	}
	m.send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Claim{Claim: claim}})
}

// beat waits for a heartbeat that meets a condition.
func (m *scripted) beat(what string, meets func(*doradov1.Heartbeat) bool) {
	m.t.Helper()
	m.until(what, func() bool { return len(m.beats) > 0 && meets(m.beats[len(m.beats)-1]) })
}

// hangUp breaks the control stream; the worker dials again.
func (m *scripted) hangUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.control != nil {
		_ = m.control.Close()
		m.control = nil
	}
}

func (m *scripted) report(id int64, kind doradov1.ReportKind) *doradov1.Report {
	m.t.Helper()
	var found *doradov1.Report
	m.until(kind.String()+" of "+strconv.FormatInt(id, 10), func() bool {
		for _, r := range m.reports {
			if r.GetId() == id && r.GetKind() == kind {
				found = r
			}
		}
		return found != nil
	})
	return found
}

func (m *scripted) finished(id int64) *doradov1.Report {
	m.t.Helper()
	return m.report(id, doradov1.ReportKind_FINISHED)
}

// run dispatches one task and returns how it ended and its log.
func (m *scripted) run(task *doradov1.Task) (*doradov1.Report, string) {
	m.t.Helper()
	m.dispatch(task)
	r := m.finished(task.GetId())
	log, err := os.ReadFile(r.GetLogPath())
	require.NoError(m.t, err)
	return r, string(log)
}

func (m *scripted) count(id int64, kind doradov1.ReportKind) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.reports {
		if r.GetId() == id && r.GetKind() == kind {
			n++
		}
	}
	return n
}

// ask sends a log request and returns the channel of its replies.
func (m *scripted) ask(request *doradov1.LogRequest) <-chan *doradov1.LogReply {
	m.t.Helper()
	m.until("the worker opens its data stream", func() bool { return m.data != nil })
	m.mu.Lock()
	m.calls++
	request.Call = m.calls
	replies := make(chan *doradov1.LogReply, 10000)
	m.replies[request.Call] = replies
	s := m.data
	m.mu.Unlock()
	require.NoError(m.t, s.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Log{Log: request}}))
	return replies
}

// worker is an executor under test.
type worker struct {
	*Executor
	cfg  Config
	stop func()
}

func testConfig(t testing.TB) Config {
	t.Helper()
	cfg := DefaultConfig(t.TempDir())
	cfg.KillInterruptWait, cfg.KillTerminateWait = 300*time.Millisecond, 300*time.Millisecond
	cfg.DrainTimeout = 0
	cfg.Heartbeat = 200 * time.Millisecond
	cfg.AllowRootTenant = true
	cfg.MaxMemoryUsage, cfg.MaxDiskUsage = 0, 0 // whatever the machine that tests has to spare
	return cfg
}

// startWorker runs an executor until the test ends.
func startWorker(t testing.TB, cfg Config, masters ...*scripted) *worker {
	t.Helper()
	c, err := catalog.Builtin()
	require.NoError(t, err)
	return startWith(t, cfg, c, masters...)
}

func startWith(t testing.TB, cfg Config, c Catalog, masters ...*scripted) *worker {
	t.Helper()
	return startTuned(t, Deps{Config: cfg, Catalog: c, Environ: []string{"PATH=" + cfg.Path}, Logger: slog.New(slog.DiscardHandler)}, nil, masters...)
}

// startTuned starts a worker of which tune changes what is not configured.
func startTuned(t testing.TB, deps Deps, tune func(*Executor), masters ...*scripted) *worker {
	t.Helper()
	for _, m := range masters {
		deps.Masters = append(deps.Masters, Master{Name: m.name, Dialer: m})
	}
	e, err := New(deps)
	require.NoError(t, err)
	if tune != nil {
		tune(e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	var once sync.Once
	w := &worker{Executor: e, cfg: deps.Config, stop: func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-done)
		})
	}}
	t.Cleanup(w.stop)
	return w
}

// self is the tenant that needs no switch.
const self = "root"

var lastID atomic.Int64 // numbers that differ between tests that run side by side

func shellTask(script string) *doradov1.Task {
	return newTask("SHELL", map[string]any{"rawScript": script})
}

func newTask(kind string, params map[string]any) *doradov1.Task {
	raw, err := json.Marshal(params)
	if err != nil {
		panic(err)
	}
	tenant := "default"
	if os.Geteuid() == 0 {
		tenant = self
	}
	return &doradov1.Task{
		Id: lastID.Add(1), WorkflowInstanceId: 7, ProjectCode: 1, WorkflowCode: 42, WorkflowVersion: 3, TaskCode: 9, TaskVersion: 1,
		Name: "extract", Type: kind, WorkflowName: "daily", ProjectName: "sales", Params: raw, Tenant: tenant,
		FirstSubmitMs: time.Date(2024, 2, 29, 23, 30, 0, 0, time.UTC).UnixMilli(),
		BaseMs:        time.Date(2024, 2, 29, 23, 30, 0, 0, time.UTC).UnixMilli(), TimeZone: "UTC", Epoch: 1,
	}
}

// osUser creates an operating-system user for the test; it skips where that is not allowed.
func osUser(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to create an operating-system user")
	}
	name := "dorado" + strconv.Itoa(os.Getpid()) + "x" + strconv.FormatInt(lastID.Add(1), 10)
	out, err := exec.CommandContext(t.Context(), "useradd", "-m", name).CombinedOutput()
	require.NoError(t, err, string(out))
	t.Cleanup(func() { _ = exec.Command("userdel", "-r", name).Run() }) // the test's context is over
	return name
}

// alive reports whether a process is there and no zombie.
func alive(pid int) bool {
	p, ok := readProcess(pid, make([]byte, 4096))
	return ok && !p.zombie
}

// pidFrom waits until a script has written a pid into a file.
func pidFrom(t testing.TB, file string) int {
	t.Helper()
	var pid int
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(string(bytes.TrimSpace(text)))
		return err == nil
	}, 20*time.Second, 5*time.Millisecond)
	return pid
}

// noDirs waits until no working directory is left; they go after the report.
func noDirs(t testing.TB, dir string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(names(t, dir)) == 0 }, 20*time.Second, time.Millisecond)
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		if left, err := os.ReadDir(filepath.Join(dir, e.Name())); err == nil && len(left) == 0 {
			continue // a spare one
		}
		all = append(all, filepath.Base(e.Name()))
	}
	return all
}
