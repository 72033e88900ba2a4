package instance

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

// Faults that only clients of the REST API meet.
var (
	errExecType = fault.New(fault.Invalid, "instance.exec_type")
	errBatch    = fault.New(fault.Conflict, "instance.batch_failed")
	errNotEnded = fault.New(fault.Conflict, "run.not_ended")

	errParallelism  = fault.New(fault.Invalid, "run.parallelism")
	errScheduleTime = fault.New(fault.Invalid, "run.schedule_time")
)

// routes mounts the endpoints.
func (a api) routes(r chi.Router) {
	e := a.rest.Faults(project.Faults(project.ProjectGone)).Faults(faults())
	const in = "/projects/{project}"
	r.Post(in+"/executors/start-workflow-instance", e.OK(50014, a.start))
	r.Post(in+"/executors/batch-start-workflow-instance", e.OK(50014, a.startAll))
	r.Post(in+"/executors/execute", e.OK(50015, a.execute))
	r.Post(in+"/executors/batch-execute", e.OK(50058, a.executeAll))
	r.Post(in+"/executors/execute-task", e.OK(50015, a.executeTask))
	r.Post(in+"/executors/start-check", e.OK(50016, a.startCheck))
	r.Get(in+"/executors/query-executing-workflow", e.OK(10192, a.executing))
	single := e.Faults(dsapi.Faults{workflow.ErrTaskVersionGone.Key: dsapi.Internal})
	r.Post(in+"/executors/task-instance/{code}/start", single.OK(50059, a.startTask))
	r.Get(in+"/workflow-definition/{code}/view-tree", e.OK(10111, a.tree))
	a.instances(r, e, in+"/workflow-instances")
	r.Get(in+"/task-instances", e.OK(10082, a.tasks))
	r.Post(in+"/task-instances/{id}/force-success", e.OK(10165, a.forceSuccess))
	r.Post(in+"/task-instances/{id}/stop", e.OK(10197, a.killTask))
	r.Delete(in+"/task-instances/{id}/remove-cache", e.OK(20019, a.clearCache))
	r.Get(in+"/approvals", e.OK(10082, a.approvals))
	r.Post(in+"/task-instances/{id}/decide", e.OK(10197, a.decide))
	r.Post(in+"/task-instances/{id}/savepoint", e.OK(10196, a.savepoint))
	a.linkRoutes(r)
	a.analysisRoutes(r)
	a.v2Routes(r)
	a.statisticsRoutes(r)
	r.Get("/log/detail", e.OK(10103, a.logDetail))
	r.Get("/log/download-log", e.OK(10104, a.logDownload))
	r.Get("/log/{project}/detail", e.OK(10103, a.logText))
	r.Get("/log/{project}/download-log", e.OK(10104, a.logDownload))
}

func (a api) instances(r chi.Router, e *dsapi.API, base string) {
	r.Get(base, e.OK(10113, a.page))
	r.Get(base+"/top-n", e.OK(10116, a.top))
	r.Get(base+"/trigger", e.OK(10113, a.triggered))
	r.Post(base+"/batch-delete", e.OK(10117, a.removeAll))
	r.Get(base+"/{id}", e.OK(10116, a.get))
	edit := a.rest.Faults(workflow.Codes()).Faults(project.Faults(project.ProjectGone)).Faults(faults()).Faults(dsapi.Faults{ErrEditState.Key: 50006})
	r.Put(base+"/{id}", edit.OK(10115, a.editRun))
	r.Delete(base+"/{id}", e.OK(10117, a.remove))
	r.Get(base+"/{id}/tasks", e.OK(10114, a.tasksOf))
	r.Get(base+"/{id}/view-variables", e.OK(10120, a.variables))
	r.Get(base+"/{id}/view-gantt", e.OK(10121, a.gantt))
}

// faults gives what can go wrong the numbers clients know. Every reason to refuse an operation is 50006.
func faults() dsapi.Faults {
	f := dsapi.Faults{
		ErrNotFound.Key: 50001, ErrTaskNotFound.Key: 10008, ErrOffline.Key: 50004, ErrStartNode.Key: 10207, ErrTenantUnknown.Key: 10017,
		ErrChangedState.Key: 50009, ErrNoLog.Key: 10191, workflow.ErrNotFound.Key: 50003, workflow.ErrVersionNotFound.Key: 50003,
		ErrSubOffline.Key: 50004, workflow.ErrTaskNotFound.Key: 50030, ErrDecided.Key: 50009, ErrNotYours.Key: dsapi.Code(30002),
		// The faults of the backfill module, which stands above this one.
		"backfill.no_dates": 50081, "backfill.range": 50081, ErrDate.Key: 50081, errScheduleTime.Key: 50081, "backfill.list_too_long": 1400003,
		"backfill.too_many": 50081, "backfill.width": 50080, errParallelism.Key: 50080, "backfill.all_skipped": 50081,
		errNotEnded.Key: 50071, errExecType.Key: dsapi.Internal, errBatch.Key: dsapi.Internal, ErrParamEvaluate.Key: dsapi.Internal,
	}
	for _, op := range flow.Operations() {
		for _, state := range flow.WorkflowStates() {
			if ok, reason := flow.Allowed(op, state); !ok {
				f[reason] = 50006
			}
		}
	}
	_, reason := flow.AllowedOnTask(flow.OpForceSuccess, flow.TaskSuccess, flow.WorkflowFailure)
	f[reason] = 10166
	return f
}

// operationOf reads executeType.
func operationOf(p *dsapi.Params) (flow.Operation, error) {
	text := p.RequiredText("executeType")
	if err := p.Err(); err != nil {
		return "", err
	}
	op, err := flow.ParseOperation(text)
	if err != nil {
		return "", errExecType.With("type", text)
	}
	return op, nil
}

func (a api) execute(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.RequiredInt64("workflowInstanceId")
	op, err := operationOf(p)
	if err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	if _, err := a.svc.GetIn(r.Context(), in, id); err != nil {
		return nil, err
	}
	if op == flow.OpExecuteTask {
		return nil, a.executeOne(r, p, id)
	}
	return nil, a.svc.Operate(r.Context(), id, op)
}

// within checks that the caller may see the project, so that a project that is missing, or somebody else's, is told from
// an instance that is.
func (a api) within(r *http.Request, code int64) error {
	_, err := a.svc.Projects.Require(r.Context(), code, Read)
	return err
}

func (a api) executeAll(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	op, err := operationOf(p)
	if err != nil {
		return nil, err
	}
	if op == flow.OpExecuteTask { // a task belongs to one workflow
		return nil, errExecType.With("type", string(op))
	}
	return nil, a.batch(r, p, in, "workflowInstanceIds", func(id int64) error { return a.svc.Operate(r.Context(), id, op) })
}

func (a api) removeAll(r *http.Request, p *dsapi.Params) (any, error) {
	return nil, a.batch(r, p, p.Path("project"), "workflowInstanceIds", func(id int64) error { return a.svc.Delete(r.Context(), id) })
}

// batch does something with several instances of a project and tells what failed, joined.
func (a api) batch(r *http.Request, p *dsapi.Params, in int64, name string, do func(id int64) error) error {
	ids := p.Int64s(name)
	if len(ids) == 0 {
		p.RequiredInt64(name)
	}
	if err := p.Err(); err != nil {
		return err
	}
	if err := a.within(r, in); err != nil {
		return err
	}
	if len(ids) > MaxBatch {
		return ErrSelection.With("max", MaxBatch)
	}
	var failed []string
	for _, id := range ids {
		_, err := a.svc.GetIn(r.Context(), in, id)
		if err == nil {
			err = do(id)
		}
		if err != nil {
			if fault.From(err) == nil || fault.KindOf(err) == fault.Internal {
				return err
			}
			failed = append(failed, strconv.FormatInt(id, 10)+": "+web.Message(r.Context(), err))
		}
	}
	if len(failed) > 0 {
		return errBatch.With("reasons", strings.Join(failed, "\n"))
	}
	return nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	no, size := p.Paging()
	q := listing.New(Spec(), no, size, p.Text("searchVal"))
	if code := p.Int64("workflowDefinitionCode", 0); code != 0 {
		q = q.WithFilter("workflow", strconv.FormatInt(code, 10))
	}
	if v := p.Text("executorName"); v != "" {
		q = q.WithFilter("executor", v)
	}
	if state := choice(p, "stateType", "", flow.WorkflowStates()...); state != "" {
		q = q.WithFilter("state", string(state))
	}
	f := Filter{Range: between(p), Host: p.Text("host")}
	if err := p.Err(); err != nil {
		return nil, err
	}
	page, err := a.svc.List(r.Context(), in, q, f)
	if err != nil {
		return nil, err
	}
	now := a.svc.now()
	return dsapi.Listed(page, no, size, func(i Instance) dsInstance { return toDS(&i, now) }), nil
}

// between reads startDate and endDate, both included, to the second.
func between(p *dsapi.Params) Range {
	r := Range{From: p.Time("startDate"), To: p.Time("endDate")}
	if !r.To.IsZero() {
		r.To = r.To.Add(time.Second)
	}
	return r
}

// instance reads the instance of the path.
func (a api) instance(r *http.Request, p *dsapi.Params) (*Instance, error) {
	in, id := p.Path("project"), p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	return a.svc.GetIn(r.Context(), in, id)
}

// get reads one instance with the workflow that it runs. Whoever only waits for its end says dag=false: a workflow of ten
// thousand tasks is megabytes each time.
func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	dag := p.Bool("dag", true)
	i, err := a.instance(r, p)
	if err != nil {
		return nil, err
	}
	if !dag {
		return toDS(i, a.svc.now()), nil
	}
	prog, err := a.svc.program(r.Context(), i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	w, err := a.svc.Workflows.Get(r.Context(), i.WorkflowCode)
	if err != nil {
		return nil, err
	}
	w.Name, w.Version = prog.def.Name, i.WorkflowVersion
	out := toDS(i, a.svc.now())
	if out.DagData, err = workflow.DagData(w, prog.def); err != nil {
		return nil, err
	}
	if len(prog.def.Locations) > 0 {
		text := mustJSON(prog.def.Locations)
		out.Locations = &text
	}
	return out, nil
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	i, err := a.instance(r, p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), i.ID)
}

func (a api) tasksOf(r *http.Request, p *dsapi.Params) (any, error) {
	i, err := a.instance(r, p)
	if err != nil {
		return nil, err
	}
	list, err := a.tasksIn(r.Context(), i)
	return dsTasks{State: i.State, List: list}, err
}

// tasksIn lists the attempts of a run that count.
func (a api) tasksIn(ctx context.Context, i *Instance) ([]dsTask, error) {
	prog, err := a.svc.program(ctx, i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	tasks, err := a.svc.store.tasks(ctx, i.ID, true)
	if err != nil {
		return nil, err
	}
	list := make([]dsTask, 0, len(tasks))
	now := a.svc.now()
	for _, t := range tasks {
		l := ListedTask{
			Task: t, InstanceName: i.Name, WorkflowName: i.WorkflowName, WorkflowCode: i.WorkflowCode, RunState: i.State,
			ExecutorID: i.ExecutorID, ExecutorName: i.ExecutorName, DryRun: i.DryRun, WorkflowVersion: i.WorkflowVersion, EnvironmentCode: i.EnvironmentCode,
		}
		list = append(list, toDSTask(&l, prog, now))
	}
	return list, nil
}

func (a api) tasks(r *http.Request, p *dsapi.Params) (any, error) {
	ctx := r.Context()
	in := p.Path("project")
	no, size := p.Paging()
	spec := TaskSpec()
	spec.Search = []string{"t.name"}
	q := listing.New(spec, no, size, p.Text("searchVal"))
	filter := func(name, value string) {
		if value != "" && value != "0" {
			q = q.WithFilter(name, value)
		}
	}
	id := p.Int64("workflowInstanceId", 0)
	filter("instance", strconv.FormatInt(id, 10))
	filter("task", strconv.FormatInt(p.Int64("taskCode", 0), 10))
	filter("name", p.Text("taskName"))
	filter("executor", p.Text("executorName"))
	filter("state", string(choice(p, "stateType", "", flow.TaskStates()...)))
	f := Filter{
		Range: between(p), ByStart: true, Host: p.Text("host"), Instance: p.Text("workflowInstanceName"),
		Workflow: p.Text("workflowDefinitionName"), Streams: p.Enum("taskExecuteType", "BATCH", "STREAM") == string(flow.Stream),
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	page, err := a.svc.ListTasks(ctx, in, q, f)
	if err != nil {
		return nil, err
	}
	now := a.svc.now()
	return dsapi.Listed(page, no, size, func(t ListedTask) dsTask {
		prog, err := a.svc.program(ctx, t.WorkflowCode, t.WorkflowVersion)
		if err != nil {
			prog = nil // the row is shown without what only the definition knows
		}
		return toDSTask(&t, prog, now)
	}), nil
}

func (a api) variables(r *http.Request, p *dsapi.Params) (any, error) {
	i, err := a.instance(r, p)
	if err != nil {
		return nil, err
	}
	prog, err := a.svc.program(r.Context(), i.WorkflowCode, i.WorkflowVersion)
	if err != nil {
		return nil, err
	}
	out := dsVariables{GlobalParams: []flow.Property{}, LocalParams: map[string]dsLocal{}}
	if err := json.Unmarshal([]byte(i.GlobalParams), &out.GlobalParams); err != nil {
		return nil, err
	}
	for n := range prog.graph.Tasks {
		if list := prog.locals[n]; len(list) > 0 {
			out.LocalParams[prog.graph.Tasks[n].Name] = dsLocal{TaskType: prog.graph.Tasks[n].Type, List: list}
		}
	}
	return out, nil
}

func (a api) gantt(r *http.Request, p *dsapi.Params) (any, error) {
	i, err := a.instance(r, p)
	if err != nil {
		return nil, err
	}
	d, err := a.svc.Detail(r.Context(), i.ProjectCode, i.ID)
	if err != nil {
		return nil, err
	}
	return toDSGantt(d, a.svc.now()), nil
}

// maxTop bounds the list of the longest runs.
const maxTop = 1000

func (a api) top(r *http.Request, p *dsapi.Params) (any, error) {
	in, size := p.Path("project"), p.RequiredInt("size")
	from, to := p.RequiredTime("startTime"), p.RequiredTime("endTime")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if size <= 0 || size > maxTop || to.Before(from) {
		return nil, dsapi.ErrPaging
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	list, err := a.svc.longest(r.Context(), in, Range{From: from, To: to}, size)
	if err != nil {
		return nil, err
	}
	return many(list, a.svc.now()), nil
}

// triggered answers what a trigger started: an instance is its own trigger here.
func (a api) triggered(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.RequiredInt64("triggerCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	i, err := a.svc.GetIn(r.Context(), in, id)
	if errors.Is(err, ErrNotFound) {
		return []dsInstance{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := []Instance{*i}
	others, err := a.svc.store.sameBackfill(r.Context(), id)
	for _, other := range others {
		if i, err := a.svc.GetIn(r.Context(), in, other); err == nil {
			all = append(all, *i)
		}
	}
	return many(all, a.svc.now()), err
}

func many(list []Instance, now time.Time) []dsInstance {
	out := make([]dsInstance, 0, len(list))
	for k := range list {
		out = append(out, toDS(&list[k], now))
	}
	return out
}
