package instance

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/ids"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/modules/workflow"
	"dorado/views/components"
	view "dorado/views/instance"
)

// streamsAddress is the page of a project's streaming tasks.
func streamsAddress(project int64) string { return tasksAddress(project) + "/stream" }

// streamStates are the states that streaming tasks are asked for.
func streamStates() []flow.TaskState {
	return []flow.TaskState{flow.TaskSubmitted, flow.TaskRunning, flow.TaskFailure, flow.TaskKill, flow.TaskSuccess, flow.TaskLost}
}

// taskTabs are the two lists of task instances.
func taskTabs(ctx context.Context, project int64, streams bool) components.TabsProps {
	return components.TabsProps{Label: i18n.T(ctx, "instance.tasks.title"), Tabs: []components.Tab{
		{Label: i18n.T(ctx, "instance.tasks.batch"), URL: tasksAddress(project), Current: !streams, Test: "tasks.batch"},
		{Label: i18n.T(ctx, "instance.tasks.stream"), URL: streamsAddress(project), Current: streams, Test: "tasks.stream"},
	}}
}

// streams lists the streaming tasks that were started.
func (p pages) streams(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, TaskSpec())
	rng, from, to := dateRange(r)
	found, err := p.ListTasks(ctx, owner.Code, q, Filter{Range: rng, Streams: true})
	if err != nil {
		return nil, err
	}
	here := streamsAddress(owner.Code)
	v := view.StreamsPage{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "instance.tasks.title")), Tabs: taskTabs(ctx, owner.Code, true),
		List: listed(here, q, found, map[string]string{"from": from, "to": to}), State: first(q, "state"), Executor: first(q, "executor"),
		Host: first(q, "host"), From: from, To: to, Zone: i18n.Zone(ctx).String(),
		Labels: labels(ctx, "state", "executor", "host", "task", "from", "to"), Names: map[string]string{},
		StartURL: "/projects/" + strconv.FormatInt(owner.Code, 10) + "/workflows",
	}
	for _, s := range streamStates() {
		label := components.StateLabel(ctx, string(s))
		v.States, v.Names[string(s)] = append(v.States, components.Option{Value: string(s), Label: label}), label
	}
	next := here
	if r.URL.RawQuery != "" {
		next += "?" + r.URL.RawQuery
	}
	ids := make([]string, len(found.Items))
	for k := range found.Items {
		ids[k] = strconv.FormatInt(found.Items[k].ID, 10)
		v.Rows = append(v.Rows, p.streamRow(ctx, &found.Items[k], next))
	}
	if len(ids) > 0 {
		v.EventsURL = here + "/events?" + url.Values{"ids": {strings.Join(ids, ",")}, "next": {next}}.Encode()
	}
	return web.Page(view.Streams(v)), nil
}

func (p pages) streamRow(ctx context.Context, t *ListedTask, next string) view.StreamRow {
	row := view.StreamRow{
		TaskRow: taskRow(ctx, t, p.now()), Workflow: t.WorkflowName, WorkflowURL: workflowAddress(t.ProjectCode, t.WorkflowCode), AppLink: t.AppLink,
	}
	row.ID, row.Actions = strconv.FormatInt(t.ID, 10), p.taskActions(ctx, p.onAttempt(t, nil, false), next)
	return row
}

// streamEvents keeps a page of the list live: a row is sent again when its attempt changed.
func (p pages) streamEvents(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	ids := selected(r.URL.Query()["ids"])
	if len(ids) == 0 || len(ids) > MaxBatch {
		return nil, ErrSelection.With("max", MaxBatch)
	}
	shown, err := p.streamTasks(ctx, owner.Code, ids)
	if err != nil {
		return nil, err
	}
	runs := make([]int64, len(shown))
	for k := range shown {
		runs[k] = shown[k].WorkflowInstanceID
	}
	if len(runs) == 0 {
		return nil, ErrTaskNotFound.With("id", ids[0])
	}
	next := web.Next(r, streamsAddress(owner.Code))
	return web.Events(func(ctx context.Context, out *web.Stream) error {
		changes, stop := p.Watch(runs...)
		defer stop()
		known := map[int64]streamKey{}
		return follow(ctx, changes, statesEvery, func() (bool, error) { return false, p.sendStreams(ctx, out, owner.Code, ids, next, known) })
	}), nil
}

// streamKey is what makes the row of a streaming task worth sending again.
type streamKey struct {
	state           flow.TaskState
	host, log, link string
	began, ended    time.Time
	valid           bool
}

func (p pages) sendStreams(ctx context.Context, out *web.Stream, projectCode int64, ids []int64, next string, known map[int64]streamKey) error {
	list, err := p.streamTasks(ctx, projectCode, ids)
	if err != nil {
		return err
	}
	for k := range list {
		t := &list[k]
		row := p.streamRow(ctx, t, next)
		key := streamKey{state: t.State, host: t.Host, log: t.LogPath, link: t.AppLink, began: row.Started, ended: row.Ended, valid: t.Valid}
		if !worthSending(known, t.ID, key, row.Ended, row.Now) {
			continue
		}
		if err := send(ctx, out, view.StreamPartial(row)); err != nil {
			return err
		}
	}
	return nil
}

// streamTarget is what the dialog of a streaming task is about.
type streamTarget struct {
	owner    project.Project
	workflow workflow.Workflow
	task     *flow.Task
}

func (p pages) streamTarget(r *http.Request) (streamTarget, error) {
	ctx := r.Context()
	t, err := p.runTarget(r, "")
	if err != nil {
		return streamTarget{}, err
	}
	code, err := web.Number(r, "task")
	if err != nil {
		return streamTarget{}, err
	}
	n, known := t.program.graph.Index[code]
	if !known {
		return streamTarget{}, workflow.ErrTaskNotFound.With("code", code)
	}
	out := streamTarget{owner: t.owner, workflow: t.workflow, task: &t.program.graph.Tasks[n]}
	if out.task.ExecuteType != flow.Stream {
		return out, errNoStreamTask.With("name", out.task.Name)
	}
	return out, p.mayRun(ctx, t.owner.Code, t.workflow.Code, Operate)
}

// streamForm is the dialog, prefilled by the preferences of the project and the task's own settings.
func (p pages) streamForm(r *http.Request) (web.Response, error) {
	t, err := p.streamTarget(r)
	if err != nil {
		return nil, err
	}
	req, err := p.preferred(r.Context(), t.owner.Code)
	if err != nil {
		return nil, err
	}
	req.IdempotencyKey = ids.Token()
	if t.task.WorkerGroup != "" && t.task.WorkerGroup != "default" {
		req.WorkerGroup = t.task.WorkerGroup
	}
	if t.task.EnvironmentCode > 0 {
		req.EnvironmentCode = t.task.EnvironmentCode
	}
	return p.streamView(r, t, req, nil)
}

func (p pages) streamView(r *http.Request, t streamTarget, req StartRequest, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	at := workflowAddress(t.owner.Code, t.workflow.Code)
	title := i18n.T(ctx, "instance.stream.start", "name", t.task.Name)
	v := view.RunForm{
		Shell: p.frame.InProject(r, ref(t.owner), title, components.Crumb{Label: t.workflow.Name, URL: at}), Title: title,
		Text: i18n.T(ctx, "instance.stream.start_text", "version", t.workflow.Version), Action: at + "/tasks/" + strconv.FormatInt(t.task.Code, 10) + "/start",
		CancelURL: at, Submit: i18n.T(ctx, "instance.stream.submit"), Key: req.IdempotencyKey, Group: req.WorkerGroup, Tenant: req.TenantCode,
		Environment: strconv.FormatInt(req.EnvironmentCode, 10), DryRun: req.DryRun, Error: f.Notice(), Errors: f.Errors(),
	}
	if !t.workflow.Online() {
		v.Refused = i18n.T(ctx, ErrOffline.Key, "name", t.workflow.Name)
	}
	p.groups(ctx, &v)
	if err := p.choices(ctx, &v); err != nil {
		return nil, err
	}
	for _, s := range req.StartParams {
		v.Params = append(v.Params, view.StartParam{Name: s.Prop, Type: string(s.Type), Value: s.Value, Out: s.Direct == flow.Out})
	}
	for range spareParams {
		v.Params = append(v.Params, view.StartParam{Type: string(flow.Varchar)})
	}
	return f.Again(view.StartStream(v)), nil
}

// startStream starts the task and leads to the list of those that were started.
func (p pages) startStream(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	t, err := p.streamTarget(r)
	if err != nil {
		return nil, err
	}
	req := StartRequest{
		WorkerGroup: f.Text("group"), TenantCode: f.Text("tenant"), EnvironmentCode: f.Int64("environment"), DryRun: f.Bool("dry_run"),
		TimeZone: i18n.Zone(ctx).String(), IdempotencyKey: f.Text("key"), StartParams: readParams(r, f),
	}
	if req.EnvironmentCode == 0 {
		req.EnvironmentCode = -1
	}
	var id int64
	if f.OK() {
		id, err = p.StartTask(ctx, t.owner.Code, t.task.Code, t.task.Version, req)
	}
	if f.Rejects(err) {
		return p.streamView(r, t, req, f)
	}
	if err != nil {
		return nil, err
	}
	p.awaitAttempt(ctx, id)
	return web.Redirect(streamsAddress(t.owner.Code)).Toast("instance.stream.started", "name", t.task.Name), nil
}

// beginShown is how long the dialog waits for a master to begin the task, so that the list shows it.
const beginShown = time.Second

func (p pages) awaitAttempt(ctx context.Context, instance int64) {
	changes, stop := p.Watch(instance)
	defer stop()
	over := time.After(beginShown)
	for {
		if tasks, err := p.store.tasks(ctx, instance, false); err != nil || len(tasks) > 0 {
			return
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return
		case <-over:
			return
		}
	}
}

// saveShown is how long a page waits for a savepoint. One that takes longer goes on, and is found on the page of its task.
const saveShown = 20 * time.Second

// savepoint takes a savepoint and leads back to where the button was.
func (p pages) savepoint(ctx context.Context, t *ListedTask, next string) (web.Response, error) {
	type outcome struct {
		path string
		err  error
	}
	taken := make(chan outcome, 1)
	go func() {
		path, err := p.Savepoint(context.WithoutCancel(ctx), t.ID)
		taken <- outcome{path, err}
	}()
	select {
	case o := <-taken:
		if o.err != nil {
			return nil, o.err
		}
		return web.Redirect(next).Toast("instance.stream.saved", "name", t.Name, "path", o.path), nil
	case <-time.After(saveShown):
		return web.Redirect(next).Toast("instance.stream.saving", "name", t.Name), nil
	}
}

// runCrumbs are the steps above a task: its run, or the list of those that have none.
func runCrumbs(ctx context.Context, owner project.Project, t *ListedTask, more ...components.Crumb) []components.Crumb {
	if t.Stream {
		return append([]components.Crumb{{Label: i18n.T(ctx, "instance.tasks.stream_title"), URL: streamsAddress(owner.Code)}}, more...)
	}
	return append([]components.Crumb{crumb(ctx, owner.Code), {Label: t.InstanceName, URL: address(owner.Code, t.WorkflowInstanceID)}}, more...)
}

// home is the page that one returns to from a task.
func home(t *ListedTask) string {
	if t.Stream {
		return taskAddress(t.ProjectCode, t.ID)
	}
	return address(t.ProjectCode, t.WorkflowInstanceID)
}

// detailOfTask is the run of a task, or what stands for it.
func (p pages) detailOfTask(ctx context.Context, t *ListedTask) (*Detail, error) {
	if !t.Stream {
		return p.Detail(ctx, t.ProjectCode, t.WorkflowInstanceID)
	}
	i, err := p.store.get(ctx, t.WorkflowInstanceID)
	if err != nil {
		return nil, err
	}
	return p.detailOf(ctx, i)
}

// savepointRows are the savepoints of a streaming task.
func (p pages) savepointRows(ctx context.Context, t *ListedTask) ([]view.SavepointRow, error) {
	list, err := p.store.savepoints(ctx, t.WorkflowInstanceID)
	out, now := make([]view.SavepointRow, 0, len(list)), p.now()
	for k := range list {
		one := &list[k]
		row := view.SavepointRow{At: one.CreatedAt, User: one.User, Path: one.Path, Message: one.Message}
		switch one.State(now) {
		case SaveOpen:
			row.Open = true
		case SaveUnknown:
			row.Message = i18n.T(ctx, "instance.stream.unknown")
		case SaveTaken, SaveFailed:
		}
		out = append(out, row)
	}
	return out, err
}

// streamActs are what one can do to a streaming task; it has no run to go on with.
func streamActs() []taskAct { return []taskAct{actSavepoint, actStop} }

// streamRefused says why something cannot be done to a streaming task now.
func (t *actOn) streamRefused(act taskAct) string {
	switch {
	case !slices.Contains(streamActs(), act):
		return "operate.act.no_run"
	case t.state.Finished():
		return "operate.act.over"
	case act == actSavepoint && t.state != flow.TaskRunning:
		return "operate.act.not_begun"
	}
	return ""
}
