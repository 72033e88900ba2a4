package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/instance"
)

func (p pages) tasks(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, TaskSpec())
	rng, from, to := dateRange(r)
	found, err := p.ListTasks(ctx, owner.Code, q, Filter{Range: rng})
	if err != nil {
		return nil, err
	}
	v := view.TasksPage{
		Tabs: taskTabs(ctx, owner.Code, false), Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "instance.tasks.title")), List: listed(tasksAddress(owner.Code), q, found, map[string]string{"from": from, "to": to}),
		State: first(q, "state"), Type: first(q, "type"), Executor: first(q, "executor"), Host: first(q, "host"), From: from, To: to,
		Zone: i18n.Zone(ctx).String(), Labels: labels(ctx, "state", "type", "executor", "host", "instance", "task", "from", "to"), Names: map[string]string{},
		StartURL: "/projects/" + strconv.FormatInt(owner.Code, 10) + "/workflows",
	}
	for _, s := range flow.TaskStates() {
		label := components.StateLabel(ctx, string(s))
		v.States, v.Names[string(s)] = append(v.States, components.Option{Value: string(s), Label: label}), label
	}
	for _, t := range p.catalog.Tasks() {
		v.Types = append(v.Types, components.Option{Value: t.Type, Label: i18n.T(ctx, t.Label)})
	}
	ids := make([]int64, len(found.Items))
	for k := range found.Items {
		ids[k] = found.Items[k].ID
	}
	cached, err := p.cached(ctx, ids)
	if err != nil {
		return nil, err
	}
	now, next := p.now(), tasksAddress(owner.Code)
	if r.URL.RawQuery != "" {
		next += "?" + r.URL.RawQuery
	}
	for k := range found.Items {
		t := &found.Items[k]
		row := taskRow(ctx, t, now)
		row.ID, row.Actions = strconv.FormatInt(t.ID, 10), p.taskActions(ctx, p.onAttempt(t, nil, cached[t.ID]), next)
		v.Rows = append(v.Rows, row)
	}
	return web.Page(view.Tasks(v)), nil
}

func taskRow(ctx context.Context, t *ListedTask, now time.Time) view.TaskRow {
	here := taskAddress(t.ProjectCode, t.ID)
	row := view.TaskRow{
		Name: t.Name, URL: here, Type: t.Type, Instance: t.InstanceName, InstanceURL: address(t.ProjectCode, t.WorkflowInstanceID),
		State: string(t.State), Executor: t.ExecutorName, Host: t.Host, Attempt: itoa(t.Attempt+1) + "/" + itoa(t.MaxRetryTimes+1), Old: !t.Valid,
		DryRun: t.DryRun, Submitted: t.SubmitTime, Took: t.Duration(now), Now: now, LogURL: here + "/log", RawURL: here + "/log/raw",
	}
	if t.StartTime != nil {
		row.Started = *t.StartTime
	}
	if t.EndTime != nil {
		row.Ended = *t.EndTime
	}
	if t.LogPath == "" {
		row.NoLog = i18n.T(ctx, ErrNoLog.Key, "name", t.Name)
	}
	return row
}

// attempt is the task instance of the address. One of another project is not there.
func (p pages) attempt(r *http.Request) (project.Project, *ListedTask, error) {
	owner, err := p.within(r)
	if err != nil {
		return owner, nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return owner, nil, err
	}
	t, err := p.Task(r.Context(), id)
	if err == nil && t.ProjectCode != owner.Code {
		err = ErrTaskNotFound.With("id", id)
	}
	return owner, t, err
}

func (p pages) task(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	d, err := p.detailOfTask(ctx, t)
	if err != nil {
		return nil, err
	}
	node := d.Node(t.TaskCode)
	if node == nil {
		return nil, ErrTaskNotFound.With("id", t.ID)
	}
	params, err := p.Params(ctx, d)
	if err != nil {
		return nil, err
	}
	v := view.TaskPage{
		Shell: p.frame.InProject(r, ref(owner), t.Name, runCrumbs(ctx, owner, t)...),
		Name:  t.Name, State: string(t.State), Summary: t.Type + " · " + attemptLabel(ctx, &t.Task), Facts: p.facts(ctx, &t.Task, true),
		Timing: timing(ctx, &t.Task, p.now()), Attempts: p.attempts(ctx, node.All), Current: strconv.FormatInt(t.ID, 10),
		Script: pretty(node.Task.Params),
	}
	if node.Current != nil && node.Current.ID == t.ID {
		v.Reason = node.Reason.Say(ctx)
	} else if t.State.Finished() {
		v.Reason = ended(&t.Task).Say(ctx)
	}
	cached, err := p.cached(ctx, []int64{t.ID})
	if err != nil {
		return nil, err
	}
	v.Actions = p.taskActions(ctx, p.onAttempt(t, d.approvalOf(t.ID), cached[t.ID]), taskAddress(owner.Code, t.ID))
	if t.Stream {
		v.Stream = true
		if v.Savepoints, err = p.savepointRows(ctx, t); err != nil {
			return nil, err
		}
	}
	if t.Valid {
		v.Kin = kinLinks(ctx, d.Children(t.TaskCode))
	}
	if v.History, err = p.taskHistory(ctx, d, t); err != nil {
		return nil, err
	}
	for k := range params {
		if params[k].Task.Code == t.TaskCode {
			v.Params = paramsOf(ctx, &params[k])
		}
	}
	if t.LogPath == "" {
		v.NoLog = i18n.T(ctx, ErrNoLog.Key, "name", t.Name)
	} else {
		v.Log = p.logView(r, t)
		v.Shell.Scripts = []string{"js/elements/log-view.js"}
	}
	return web.Page(view.Task(v)), nil
}

// timing splits the time of an attempt into waiting and running.
func timing(ctx context.Context, t *Task, now time.Time) []view.Span {
	start, end := now, now
	if t.EndTime != nil {
		start, end = *t.EndTime, *t.EndTime
	}
	if t.StartTime != nil {
		start = *t.StartTime
	}
	all := end.Sub(t.SubmitTime)
	if all <= 0 {
		return nil
	}
	cut := int(1000 * start.Sub(t.SubmitTime) / all)
	spans := []view.Span{{Label: i18n.T(ctx, "instance.timing.queued"), Took: start.Sub(t.SubmitTime), State: string(flow.TaskSubmitted), X: "0", Width: itoa(cut)}}
	if t.StartTime != nil {
		spans = append(spans, view.Span{Label: i18n.T(ctx, "instance.timing.running"), Took: end.Sub(start), State: string(t.State), X: itoa(cut), Width: itoa(1000 - cut)})
	}
	return spans
}

// pretty writes the parameters of a task for people: scripts as they are, and the rest as JSON. Values that are secrets by
// their name are hidden.
func pretty(raw json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return string(raw)
	}
	var b strings.Builder
	if script, ok := members["rawScript"]; ok {
		var text string
		if json.Unmarshal(script, &text) == nil {
			b.WriteString(strings.TrimRight(text, "\n") + "\n")
			delete(members, "rawScript")
		}
	}
	for name, value := range members {
		if bytes.Equal(value, []byte("[]")) || bytes.Equal(value, []byte("null")) || bytes.Equal(value, []byte(`""`)) {
			delete(members, name)
		} else if secretName.MatchString(name) {
			members[name] = json.RawMessage(`"` + Hidden + `"`)
		}
	}
	if len(members) > 0 {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(members); err != nil {
			return string(raw)
		}
	}
	return b.String()
}
