package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/app/kit/vault"
	"dorado/modules/engine"
	"dorado/modules/flow"
	"dorado/modules/rpc"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage"
)

// fixture is a database with one project and a running engine.
type fixture struct {
	t      *testing.T
	db     *db.DB
	engine *engine.Engine
	config engine.Config
	sealer *secret.Sealer
	vault  *vault.Client
	// sources says which data sources settings name; nil = none.
	sources func(string, json.RawMessage) []int64
	// files is where files are that tasks handed on; nil = nowhere.
	files  storage.Storage
	series func(string, json.RawMessage) engine.Series
	stop   func()       // ends the engine, which must go well
	end    func() error // ends the engine
}

func newFixture(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	now := time.Now()
	exec(t, d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at) VALUES ('ann', 'x', 'ADMIN_USER', ?, ?)`, now, now)
	exec(t, d, `INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (7, 'p', 1, ?, ?)`, now, now)
	f := &fixture{t: t, db: d, config: engine.Config{Name: "m1", Shards: 2, WorkerTimeout: time.Second}}
	f.start()
	t.Cleanup(func() { f.stop() })
	return f
}

func exec(t *testing.T, d *db.DB, query string, args ...any) {
	t.Helper()
	_, err := d.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

// start runs an engine until stop.
func (f *fixture) start() {
	f.t.Helper()
	e := engine.New(f.config, engine.Deps{DB: f.db, Logger: slog.New(slog.NewTextHandler(f.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Now: time.Now, Children: f, Sealer: f.sealer, Vault: f.vault, Sources: f.sources, Files: f.files, Series: f.series})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	select {
	case <-e.Ready():
	case err := <-done:
		f.t.Fatalf("engine did not start: %v", err)
	}
	f.engine = e
	f.end = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	f.stop = func() { require.NoError(f.t, f.end()) }
}

// workflow saves a definition of tasks and "from>to" edges by index and returns its code.
func (f *fixture) workflow(tasks int, edges ...[2]int) int64 {
	f.t.Helper()
	now := time.Now()
	code := now.UnixNano() >> 8
	def := &flow.Definition{Code: code, Version: 1, ProjectCode: 7, Name: fmt.Sprint("w", code), ExecutionType: flow.Parallel}
	for i := range tasks {
		def.Tasks = append(def.Tasks, flow.Task{
			Code: code + int64(i) + 1, Version: 1, Name: fmt.Sprint("t", i), Type: "SHELL", Flag: flow.FlagYes, Priority: flow.Medium,
			WorkerGroup: "default", Params: json.RawMessage(`{"rawScript":"true","localParams":[]}`), EnvironmentCode: -1,
		})
	}
	for _, e := range edges {
		def.Edges = append(def.Edges, flow.Edge{Pre: def.Tasks[e[0]].Code, Post: def.Tasks[e[1]].Code})
	}
	body, err := flow.Marshal(def)
	require.NoError(f.t, err)
	exec(f.t, f.db, `INSERT INTO workflow_definition (code, project_code, name, version, release_state, execution_type, owner_id, modified_by, created_at, updated_at)
		VALUES (?, 7, ?, 1, 'ONLINE', 'PARALLEL', 1, 1, ?, ?)`, code, def.Name, now, now)
	exec(f.t, f.db, `INSERT INTO workflow_version (workflow_code, version, body, operator_id, created_at) VALUES (?, 1, ?, 1, ?)`, code, string(body), now)
	return code
}

// trigger inserts an instance and its command, as the API does, and returns the instance's id.
func (f *fixture) trigger(code int64) int64 {
	f.t.Helper()
	var id int64
	err := f.db.InTx(f.t.Context(), func(ctx context.Context) error {
		now := time.Now()
		var err error
		id, err = db.Get[int64](ctx, f.db, `INSERT INTO workflow_instance (name, workflow_code, workflow_version, workflow_name, project_code, state,
			command_type, executor_id, executor_name, start_time, created_at, updated_at)
			VALUES ('i', ?, 1, 'w', 7, 'SUBMITTED_SUCCESS', 'START_PROCESS', 1, 'ann', ?, ?, ?) RETURNING id`, code, now, now, now)
		if err != nil {
			return err
		}
		return f.command(ctx, id, flow.CommandStart)
	})
	require.NoError(f.t, err)
	return id
}

func (f *fixture) command(ctx context.Context, instance int64, kind flow.CommandType) error {
	_, err := f.db.Exec(ctx, `INSERT INTO command (command_type, workflow_instance_id, executor_id, created_at) VALUES (?, ?, 1, ?)`, kind, instance, time.Now())
	if err != nil {
		return err
	}
	return f.db.Notify(ctx, engine.CommandChannel, fmt.Sprint(instance))
}

func (f *fixture) state(id int64) string {
	f.t.Helper()
	state, err := db.Get[string](f.t.Context(), f.db, `SELECT state FROM workflow_instance WHERE id = ?`, id)
	require.NoError(f.t, err)
	return state
}

func (f *fixture) waitState(id int64, want flow.WorkflowState) {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return f.state(id) == string(want) }, 60*time.Second, 5*time.Millisecond,
		"instance %d should become %s", id, want)
}

// worker is a scripted worker: it runs nothing, and says what the script says.
type worker struct {
	stream rpc.WorkerStream
	mu     sync.Mutex
	seen   map[int64]int // attempt → how often dispatched
	killed map[int64]bool
	acked  map[int64]bool
	hold   bool // do not finish what is dispatched
	// stubborn workers do not confirm kills.
	stubborn bool
	held     []*doradov1.Task
	over     chan struct{} // closed when everything that was sent to it has arrived
}

func (f *fixture) worker(name string, slots int, held ...*doradov1.HeldAttempt) *worker {
	f.t.Helper()
	return f.join(name, slots, func(*worker) {}, held...)
}

// join is worker with a script that is there before the first task can come.
func (f *fixture) join(name string, slots int, script func(*worker), held ...*doradov1.HeldAttempt) *worker {
	f.t.Helper()
	stream, err := f.engine.Dialer(f.t.Context()).Dial()
	require.NoError(f.t, err)
	w := &worker{stream: stream, seen: map[int64]int{}, killed: map[int64]bool{}, acked: map[int64]bool{}, over: make(chan struct{})}
	script(w)
	send := func(frame *doradov1.WorkerFrame) { require.NoError(f.t, stream.Send(frame)) }
	send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Hello{Hello: &doradov1.Hello{Protocol: 1, Worker: name, Slots: uint32(slots)}}})
	send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Held{Held: &doradov1.Held{Attempts: held}}})
	go w.serve()
	f.t.Cleanup(func() { stream.Close() })
	return w
}

func (w *worker) serve() {
	defer close(w.over)
	for {
		frame, err := w.stream.Recv()
		if err != nil {
			return
		}
		w.mu.Lock()
		var reports []*doradov1.Report
		for _, task := range frame.GetDispatch().GetTasks() {
			w.seen[task.GetId()]++
			if w.hold {
				w.held = append(w.held, task)
				continue
			}
			reports = append(reports, finished(task, doradov1.Outcome_SUCCEEDED))
		}
		for _, id := range frame.GetKill().GetIds() {
			w.killed[id] = true
			if w.stubborn {
				continue
			}
			reports = append(reports, &doradov1.Report{
				Id: id, Seq: 1, Kind: doradov1.ReportKind_FINISHED, Outcome: doradov1.Outcome_KILLED,
				WorkflowInstanceId: w.runOf(id), EndMs: time.Now().UnixMilli(),
			})
		}
		for _, a := range frame.GetAck().GetItems() {
			w.acked[a.GetId()] = true
		}
		w.mu.Unlock()
		if len(reports) > 0 {
			w.report(reports...)
		}
	}
}

func (w *worker) runOf(id int64) int64 {
	for _, t := range w.held {
		if t.GetId() == id {
			return t.GetWorkflowInstanceId()
		}
	}
	return 0
}

func (w *worker) report(reports ...*doradov1.Report) {
	_ = w.stream.Send(&doradov1.WorkerFrame{Body: &doradov1.WorkerFrame_Reports{Reports: &doradov1.Reports{Reports: reports}}})
}

func finished(task *doradov1.Task, outcome doradov1.Outcome) *doradov1.Report {
	now := time.Now().UnixMilli()
	return &doradov1.Report{
		Id: task.GetId(), Seq: 1, Kind: doradov1.ReportKind_FINISHED, WorkflowInstanceId: task.GetWorkflowInstanceId(),
		StartMs: now, EndMs: now, Pid: 42, Outcome: outcome, LogPath: "/l",
	}
}

func (w *worker) dispatched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

func (w *worker) waitHeld(t *testing.T, n int) []*doradov1.Task {
	t.Helper()
	require.Eventually(t, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.held) >= n }, 60*time.Second, 2*time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*doradov1.Task(nil), w.held...)
}

func TestADiamondRunsToSuccess(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 10)
		id := f.trigger(f.workflow(4, [2]int{0, 1}, [2]int{0, 2}, [2]int{1, 3}, [2]int{2, 3}))
		f.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, 4, w.dispatched())
		states, err := db.Select[string](t.Context(), d, `SELECT DISTINCT state FROM task_instance WHERE workflow_instance_id = ?`, id)
		require.NoError(t, err)
		require.Equal(t, []string{"SUCCESS"}, states)
		left, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM command`)
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

func TestAWideRunNeverHasMoreInFlightThanSlots(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 7)
		id := f.trigger(f.workflow(500))
		f.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, 500, w.dispatched())
	})
}

func TestATaskWaitsUntilAWorkerConnects(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		id := f.trigger(f.workflow(1))
		f.waitState(id, flow.WorkflowRunning)
		waiting, serving := f.engine.Backlog("default")
		require.Equal(t, 1, waiting)
		require.Zero(t, serving)
		f.worker("late", 1)
		f.waitState(id, flow.WorkflowSuccess)
	})
}

func TestStopKillsWhatRuns(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 2)
		w.hold = true
		id := f.trigger(f.workflow(5))
		w.waitHeld(t, 2)
		exec(t, d, `UPDATE workflow_instance SET state = 'READY_STOP' WHERE id = ?`, id)
		require.NoError(t, f.command(t.Context(), id, flow.CommandStop))
		f.waitState(id, flow.WorkflowStop)
		killed, err := db.Get[int](t.Context(), d, `SELECT count(*) FROM task_instance WHERE state = 'KILL'`)
		require.NoError(t, err)
		require.Equal(t, 5, killed)
	})
}

func TestARestartGoesOnWithTheAttemptsItsWorkerHolds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 2)
		w.hold = true
		id := f.trigger(f.workflow(2, [2]int{0, 1}))
		task := w.waitHeld(t, 1)[0]
		f.stop()
		f.start()
		again := f.worker("w1", 2, &doradov1.HeldAttempt{Id: task.GetId(), WorkflowInstanceId: id})
		again.report(finished(task, doradov1.Outcome_SUCCEEDED))
		f.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, 1, again.dispatched(), "only the second task is dispatched after the restart")
		again.mu.Lock()
		require.True(t, again.acked[task.GetId()])
		again.mu.Unlock()
	})
}

func TestAnAttemptThatNeverArrivedIsSentAgainUnderItsID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 2)
		w.hold = true
		id := f.trigger(f.workflow(1))
		task := w.waitHeld(t, 1)[0]
		f.stop()
		f.start()
		again := f.worker("w1", 2)
		f.waitState(id, flow.WorkflowSuccess)
		again.mu.Lock()
		require.Equal(t, map[int64]int{task.GetId(): 1}, again.seen)
		again.mu.Unlock()
	})
}

func TestALostWorkersTasksBeginAgainElsewhere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		w := f.worker("w1", 2)
		w.hold = true
		id := f.trigger(f.workflow(1))
		task := w.waitHeld(t, 1)[0]
		w.report(&doradov1.Report{Id: task.GetId(), Seq: 1, Kind: doradov1.ReportKind_STARTED, WorkflowInstanceId: id, StartMs: time.Now().UnixMilli()})
		other := f.worker("w2", 2)
		w.stream.Close()
		f.waitState(id, flow.WorkflowSuccess)
		require.Equal(t, 1, other.dispatched())
		lost, err := db.Get[string](t.Context(), d, `SELECT state FROM task_instance WHERE id = ? AND NOT valid`, task.GetId())
		require.NoError(t, err)
		require.Equal(t, "NEED_FAULT_TOLERANCE", lost)
	})
}

func TestAFencedMasterStops(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.worker("w1", 2)
		second := engine.New(engine.Config{Name: "m2", Shards: 1, WorkerTimeout: time.Second}, engine.Deps{DB: d, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- second.Run(ctx) }()
		<-second.Ready()
		f.stop = func() { _ = f.end() } // fenced off, or stopped before it noticed
		id := f.trigger(f.workflow(1))
		require.Eventually(t, func() bool { return f.state(id) != "SUBMITTED_SUCCESS" }, 60*time.Second, 5*time.Millisecond)
		owner, err := db.Get[string](t.Context(), d, `SELECT owner FROM workflow_instance WHERE id = ?`, id)
		require.NoError(t, err)
		require.Equal(t, "m2", owner)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestAnUnbuildableInstanceFailsWithItsReason(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		code := f.workflow(1)
		exec(t, d, `UPDATE workflow_version SET body = 'garbage' WHERE workflow_code = ?`, code)
		id := f.trigger(code)
		f.waitState(id, flow.WorkflowFailure)
		message, err := db.Get[string](t.Context(), d, `SELECT message FROM error_command WHERE workflow_instance_id = ?`, id)
		require.NoError(t, err)
		require.NotEmpty(t, message)
	})
}
