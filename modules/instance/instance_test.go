package instance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/rpc/doradov1"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// fakeLogs is a worker with logs in memory.
type fakeLogs struct {
	mu      sync.Mutex
	files   map[string][]string // path → lines
	removed []string
	asked   []string
	follow  chan struct{} // closed: a follow ends
	err     error
}

func (f *fakeLogs) RemoveLogs(_ context.Context, byWorker map[string][]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for worker, paths := range byWorker {
		for _, path := range paths {
			f.asked = append(f.asked, path)
			if worker != "away" {
				f.removed = append(f.removed, path)
				delete(f.files, path)
			}
		}
	}
	return nil
}

func (f *fakeLogs) ReadLog(ctx context.Context, worker string, req *doradov1.LogRequest, fn func(*doradov1.LogReply) error) error {
	f.mu.Lock()
	lines, ok := f.files[req.GetPath()]
	f.asked = append(f.asked, req.GetPath())
	err := f.err
	f.mu.Unlock()
	switch {
	case err != nil:
		return err
	case worker == "away":
		return fault.New(fault.Unavailable, "log.worker_away").With("worker", worker)
	case !ok:
		return fault.New(fault.NotFound, "log.gone").With("worker", worker)
	}
	switch want := req.GetWant().(type) {
	case *doradov1.LogRequest_Lines:
		from := want.Lines.GetFrom()
		if from < 0 {
			from = max(0, int64(len(lines))+from)
		}
		from = min(from, int64(len(lines)))
		to := min(int64(len(lines)), from+int64(want.Lines.GetLimit()))
		return fn(&doradov1.LogReply{From: from, Lines: lines[from:to], Total: int64(len(lines)), Size: int64(len(strings.Join(lines, "\n"))), Done: true})
	case *doradov1.LogRequest_Search:
		if want.Search.GetRegex() && want.Search.GetQuery() == "(" {
			return fault.New(fault.Invalid, "log.bad_pattern")
		}
		r := &doradov1.LogReply{Done: true}
		needle := want.Search.GetQuery()
		if want.Search.GetRegex() {
			needle = "ERROR"
		}
		for n, l := range lines {
			if int64(n) >= want.Search.GetFrom() && strings.Contains(l, needle) && len(r.Lines) < int(want.Search.GetLimit()) {
				r.Lines, r.Numbers = append(r.Lines, l), append(r.Numbers, int64(n))
			}
		}
		return fn(r)
	case *doradov1.LogRequest_Bytes:
		return fn(&doradov1.LogReply{Data: []byte(strings.Join(lines, "\n") + "\n"), Done: true})
	case *doradov1.LogRequest_Follow:
		if from := want.Follow.GetFrom(); from < int64(len(lines)) {
			if err := fn(&doradov1.LogReply{From: from, Lines: lines[from:]}); err != nil {
				return err
			}
		}
		if f.follow != nil {
			select {
			case <-f.follow:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return fn(&doradov1.LogReply{Done: true})
	}
	return fmt.Errorf("fake logs: %T", req.GetWant())
}

// fakeWorkers serves the default group.
type fakeWorkers struct{ waiting, serving int }

func (f fakeWorkers) Backlog(group string) (int, int) {
	if group != "default" {
		return 0, 0
	}
	return f.waiting, f.serving
}
func (f fakeWorkers) Groups() []string { return []string{"default"} }

// world is a project of gwen's with a workflow that is online, and the services around it.
type world struct {
	*crudtest.App
	*instance.Module
	projects  *project.Service
	workflows *workflow.Service
	tenants   *tenant.Module
	codes     *ids.Generator
	logs      *fakeLogs
	project   int64
	gwen      context.Context
	admin     context.Context
	flow      workflow.Saved
}

func open(t testing.TB, d *db.DB) *world {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules(), workflow.Rules(), instance.Rules(), queue.Rules(), tenant.Rules())
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	w := &world{App: a, codes: ids.NewGenerator(1, time.Now), logs: &fakeLogs{files: map[string][]string{}}}
	queues := queue.New(queue.Deps{DB: d, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	require.NoError(t, queues.EnsureDefault(t.Context()))
	w.tenants = tenant.New(tenant.Deps{DB: d, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	w.projects = project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: w.codes, Now: time.Now})
	w.workflows = workflow.New(workflow.Deps{DB: d, Projects: w.projects, Audit: a.Audit, Codes: w.codes, Catalog: plugins, Now: time.Now})
	w.projects.SetContents(w.workflows)
	w.Module = instance.New(instance.Deps{
		Services: instance.Services{
			DB: d, Access: a.Access, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Tenants: w.tenants.Service, Logs: w.logs,
			Workers: fakeWorkers{serving: 1}, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		},
		Catalog: plugins, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	w.gwen, w.admin = access.WithPrincipal(t.Context(), a.General), access.WithPrincipal(t.Context(), a.Admin)
	p, err := w.projects.Create(w.gwen, project.Draft{Name: "etl"})
	require.NoError(t, err)
	w.project = p.Code
	w.flow = w.online(t, "daily", "a", "b", "c")
	return w
}

// online saves a chain of shell tasks and puts it online.
func (w *world) online(t testing.TB, name string, tasks ...string) workflow.Saved {
	t.Helper()
	def := &flow.Definition{Name: name, ExecutionType: flow.Parallel, GlobalParams: []flow.Property{
		{Prop: "dt", Direct: flow.In, Type: flow.Varchar, Value: "$[yyyyMMdd]"}, {Prop: "db_password", Direct: flow.In, Type: flow.Varchar, Value: "hunter2"},
	}}
	codes := w.codes.NextN(len(tasks))
	for i, code := range codes {
		def.Tasks = append(def.Tasks, flow.Task{
			Code: code, Name: tasks[i], Type: "SHELL", Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default",
			Params: json.RawMessage(`{"rawScript":"echo ${dt}","localParams":[{"prop":"n","direct":"IN","type":"INTEGER","value":"1"}]}`), EnvironmentCode: -1,
			RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1, ExecuteType: flow.Batch,
		})
		if i > 0 {
			def.Edges = append(def.Edges, flow.Edge{Pre: codes[i-1], Post: code})
		}
	}
	s, err := w.workflows.Create(w.gwen, w.project, workflow.Change{Definition: def, Online: true})
	require.NoError(t, err)
	return s
}

func (w *world) start(t testing.TB) int64 {
	t.Helper()
	id, err := w.Start(w.gwen, w.project, instance.StartRequest{WorkflowCode: w.flow.Workflow.Code})
	require.NoError(t, err)
	return id
}

// become writes a state as a master would.
func (w *world) become(t testing.TB, id int64, state flow.WorkflowState) {
	t.Helper()
	var end *time.Time
	if state.Finished() {
		now := time.Now()
		end = &now
	}
	_, err := w.DB.Exec(t.Context(), `UPDATE workflow_instance SET state = ?, end_time = ? WHERE id = ?`, state, end, id)
	require.NoError(t, err)
}

// attempt is a row of task_instance as an engine writes it.
type attempt struct {
	task    int // index into the workflow
	state   flow.TaskState
	number  int
	old     bool
	log     string
	host    string
	pool    string
	message string
	due     time.Duration
	retries int
}

func (w *world) attempt(t testing.TB, run, id int64, a attempt) int64 {
	t.Helper()
	task := w.flow.Definition.Tasks[a.task]
	now := time.Now()
	var start, end, due *time.Time
	if a.state.OnWorker() || a.state.Finished() {
		s := now.Add(-time.Minute)
		start = &s
	}
	if a.state.Finished() {
		end = &now
	}
	if a.due != 0 {
		d := now.Add(a.due)
		due = &d
	}
	if a.pool == "" {
		a.pool = "[]"
	}
	if a.host == "" && start != nil {
		a.host = "worker-1"
	}
	_, err := w.DB.Exec(t.Context(), `INSERT INTO task_instance (id, workflow_instance_id, project_code, task_code, task_version, name, task_type, state,
		valid, attempt, max_retry_times, host, log_path, var_pool, message, first_submit_time, submit_time, due_time, start_time, end_time)
		VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, run, w.project, task.Code, task.Name, task.Type, a.state, !a.old,
		a.number, a.retries, a.host, a.log, a.pool, a.message, now.Add(-2*time.Minute), now.Add(-2*time.Minute), due, start, end)
	require.NoError(t, err)
	return id
}

// member adds a user with a role in the project; without one for role "".
func (w *world) member(t testing.TB, name string, role access.Role) access.Principal {
	t.Helper()
	id, err := db.Get[int64](t.Context(), w.DB, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at)
		VALUES (?, '', 'GENERAL_USER', ?, ?) RETURNING id`, name, time.Now(), time.Now())
	require.NoError(t, err)
	if role != "" {
		require.NoError(t, w.projects.SetMember(w.gwen, w.project, name, string(role)))
	}
	return access.Principal{UserID: id, Name: name}
}

func (w *world) commands(t testing.TB, id int64) []string {
	t.Helper()
	list, err := db.Select[string](t.Context(), w.DB, `SELECT command_type FROM command WHERE workflow_instance_id = ? ORDER BY id`, id)
	require.NoError(t, err)
	return list
}

func projectDraft(name string) project.Draft { return project.Draft{Name: name} }
