package instance

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/instance"
)

// tabs are the views of an instance, the first one being that without a name in the address.
func tabs() []string { return []string{"graph", "tasks", "timeline", "parameters", "events"} }

func (p pages) show(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	d, err := p.Detail(ctx, owner.Code, id)
	if err != nil {
		return nil, err
	}
	tab := r.URL.Query().Get("tab")
	if !slices.Contains(tabs(), tab) {
		tab = tabs()[0]
	}
	page, err := p.parted(ctx, owner, d, tab, map[int64]string{})
	if err != nil {
		return nil, err
	}
	here := address(owner.Code, id)
	page.Shell = p.frame.InProject(r, ref(owner), d.Name, crumb(ctx, owner.Code))
	for _, name := range tabs() {
		t := components.Tab{Label: i18n.T(ctx, "instance.tab."+name), URL: here + "?tab=" + name, Current: name == tab, Test: "tab." + name}
		if name == "tasks" {
			t.Count = i18n.Number(ctx, int64(d.Total))
		}
		page.Tabs = append(page.Tabs, t)
	}
	page.Tabs = append(page.Tabs, components.Tab{Label: i18n.T(ctx, "instance.tab.logs"), URL: here + "/logs", Test: "tab.logs"})
	if !d.State.Finished() {
		page.Shell.Events = here + "/events?tab=" + tab
	}
	if tab == "graph" {
		page.Graph = p.graph(r, d)
		page.Shell.Scripts = []string{"js/dag/editor.js", "js/elements/run-live.js"}
	}
	return web.Page(view.Show(page)), nil
}

// parted makes the parts of the page that change, for the tab that is open. lines remembers first error lines by attempt.
func (p pages) parted(ctx context.Context, owner project.Project, d *Detail, tab string, lines map[int64]string) (view.Page, error) {
	page := view.Page{Tab: tab}
	var err error
	if page.Head, err = p.headOf(ctx, owner, d, tab, lines); err != nil {
		return page, err
	}
	switch tab {
	case "tasks":
		page.Tasks = p.tasksTab(ctx, d)
	case "timeline":
		page.Gantt = p.gantt(ctx, d)
	case "parameters":
		page.Params, page.Startup, page.Globals, err = p.paramsTab(ctx, d)
	case "events":
		page.Events, err = p.eventsTab(ctx, d)
	}
	return page, err
}

// failuresShown is how many failed tasks the head names with their first error line.
const failuresShown = 3

func (p pages) headOf(ctx context.Context, owner project.Project, d *Detail, tab string, lines map[int64]string) (view.Head, error) {
	now := p.now()
	here := address(owner.Code, d.ID)
	history, err := p.RunHistory(ctx, []int64{d.WorkflowCode})
	if err != nil {
		return view.Head{}, err
	}
	h := view.Head{
		Name: d.Name, State: string(d.State), Done: d.Done, Total: d.Total, Started: d.Began(), Took: d.Duration(now), Now: now,
		Compared: compare(d.Instance, history[d.WorkflowCode], now), Actions: p.actions(ctx, d.Instance), Next: here, LogsURL: here + "/logs", CompareURL: here + "/compare", TrendsURL: workflowAddress(owner.Code, d.WorkflowCode) + "/trends",
		Summary: i18n.T(ctx, "instance.summary", "trigger", i18n.T(ctx, "instance.trigger."+string(d.CommandType)), "who", d.ExecutorName),
		Message: d.Message,
	}
	if tab != tabs()[0] {
		h.Next += "?tab=" + tab
	}
	if d.EndTime != nil {
		h.Ended = *d.EndTime
	}
	fact := func(key, value string) {
		h.Facts = append(h.Facts, components.Datum{Label: i18n.T(ctx, "instance.field."+key), Value: value})
	}
	h.Facts = append(h.Facts, components.Datum{
		Label: i18n.T(ctx, "instance.field.workflow"), Value: d.WorkflowName + " " + i18n.T(ctx, "instance.version", "version", d.WorkflowVersion),
		URL: workflowAddress(owner.Code, d.WorkflowCode) + "/versions/" + strconv.Itoa(d.WorkflowVersion),
	}, components.Datum{Label: i18n.T(ctx, "instance.field.start"), Body: components.Time(components.TimeProps{At: d.Began()})})
	if d.EndTime != nil {
		h.Facts = append(h.Facts, components.Datum{Label: i18n.T(ctx, "instance.field.end"), Body: components.Time(components.TimeProps{At: *d.EndTime})})
	}
	if d.ScheduleTime != nil {
		h.Facts = append(h.Facts, components.Datum{Label: i18n.T(ctx, "instance.field.scheduled"), Body: components.Time(components.TimeProps{At: *d.ScheduleTime})})
	}
	fact("tenant", d.TenantCode)
	if d.RunTimes > 1 {
		fact("run_times", i18n.Number(ctx, int64(d.RunTimes)))
	}
	if d.DryRun {
		fact("mode", i18n.T(ctx, "instance.dry_run"))
	}
	h.Waiting = waiting(ctx, d)
	if d.Parent() != nil {
		h.Parent = &kinLinks(ctx, []Kin{*d.Parent()})[0]
	}
	for _, a := range d.Waiting() {
		on := actOn{project: d.ProjectCode, id: a.TaskInstanceID, approval: &a, run: d.State, state: flow.TaskRunning}
		h.Questions = append(h.Questions, view.Question{
			Task: a.TaskName, Text: a.Question, Who: decides(ctx, &a), Actions: deciding(p.taskActions(ctx, on, h.Next)),
		})
	}
	p.failures(ctx, &h, d, lines)
	return h, nil
}

// waiting says what a stop or a pause waits for.
func waiting(ctx context.Context, d *Detail) string {
	if d.State == flow.WorkflowSerialWait {
		return d.ofSerial().Say(ctx)
	}
	if d.State != flow.WorkflowReadyStop && d.State != flow.WorkflowReadyPause {
		return ""
	}
	var names []string
	for n := range d.Nodes {
		if a := d.Nodes[n].Current; a != nil && a.State.OnWorker() {
			names = append(names, a.Name)
		}
	}
	key := "instance.waits." + string(d.State)
	if len(names) == 0 {
		key += ".master"
	}
	return i18n.T(ctx, key, "tasks", name(names), "count", len(names))
}

func (p pages) failures(ctx context.Context, h *view.Head, d *Detail, lines map[int64]string) {
	failed := d.Failed()
	var names []string
	for k, node := range failed {
		a := node.Current
		names = append(names, a.Name)
		if k >= failuresShown {
			h.MoreFailed++
			continue
		}
		line, known := lines[a.ID]
		if !known {
			line = p.firstError(ctx, a)
			lines[a.ID] = line
		}
		if line == "" {
			line = node.Reason.Say(ctx)
		}
		f := view.Failure{Task: a.Name, URL: taskAddress(d.ProjectCode, a.ID), Line: line}
		if a.LogPath != "" {
			f.LogURL = f.URL + "/log"
		}
		h.Failures = append(h.Failures, f)
	}
	h.FailedNames = name(names)
	if p.Access.CanWorkflow(ctx, d.ProjectCode, d.WorkflowCode, Operate) {
		h.AgainURL = workflowAddress(d.ProjectCode, d.WorkflowCode) + "/run?like=" + strconv.FormatInt(d.ID, 10)
	}
	if ok, _ := flow.Allowed(flow.OpRecoverFailed, d.State); ok && p.Access.CanWorkflow(ctx, d.ProjectCode, d.WorkflowCode, Operate) {
		h.RecoverURL = address(d.ProjectCode, d.ID) + "/operate"
	}
}

// graph makes the tab with the canvas.
func (p pages) graph(r *http.Request, d *Detail) view.Graph {
	ctx := r.Context()
	here := address(d.ProjectCode, d.ID)
	g := view.Graph{Data: p.canvas(ctx, d), Fallback: drawing(ctx, d), PanelURL: here + "/task"}
	code, err := strconv.ParseInt(r.URL.Query().Get("task"), 10, 64)
	if err != nil {
		return g // no task is chosen
	}
	if node := d.Node(code); node != nil {
		panel := p.panelOf(ctx, d, node)
		g.Panel = &panel
	}
	return g
}

// panel is what the side panel says of one task.
func (p pages) panel(r *http.Request) (web.Response, error) {
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	d, err := p.Detail(r.Context(), owner.Code, id)
	if err != nil {
		return nil, err
	}
	code, err := strconv.ParseInt(r.URL.Query().Get("code"), 10, 64)
	if err != nil || d.Node(code) == nil {
		return nil, ErrTaskNotFound.With("id", r.URL.Query().Get("code"))
	}
	return web.Page(view.PanelFragment(p.panelOf(r.Context(), d, d.Node(code)))), nil
}

// tailLines is how many lines of a log the side panel shows.
const tailLines = 30

func (p pages) panelOf(ctx context.Context, d *Detail, n *Node) view.TaskPanel {
	code := strconv.FormatInt(n.Task.Code, 10)
	v := view.TaskPanel{
		URL: address(d.ProjectCode, d.ID) + "/task?" + url.Values{"code": {code}}.Encode(), Name: n.Task.Name, Type: n.Task.Type,
		State: n.State, Reason: n.Reason.Say(ctx), Attempts: p.attempts(ctx, n.All),
	}
	a := n.Current
	if a == nil {
		return v
	}
	v.TaskURL = taskAddress(d.ProjectCode, a.ID)
	v.Facts = p.facts(ctx, a, false)
	v.Live = !a.State.Finished()
	v.Kin = kinLinks(ctx, d.Children(n.Task.Code))
	cached, _ := p.cached(ctx, []int64{a.ID}) // without the answer the action is only shown as not possible
	back := address(d.ProjectCode, d.ID) + "?task=" + code
	v.Actions = p.taskActions(ctx, p.onAttempt(&ListedTask{Task: *a, RunState: d.State}, d.approvalOf(a.ID), cached[a.ID]), back)
	v.Decide = deciding(v.Actions)
	if a.LogPath == "" {
		return v
	}
	v.LogURL = v.TaskURL + "/log"
	page, err := p.LogLines(ctx, &ListedTask{Task: *a}, -tailLines, tailLines)
	if err != nil {
		v.LogError = web.Message(ctx, err)
	}
	v.Log = plainLines(page.Lines)
	return v
}

// facts are what is known of an attempt.
func (p pages) facts(ctx context.Context, a *Task, all bool) []components.Datum {
	var out []components.Datum
	text := func(key, value string, mono bool) {
		if value != "" {
			out = append(out, components.Datum{Label: i18n.T(ctx, "instance.field."+key), Value: value, Mono: mono, Copy: mono})
		}
	}
	moment := func(key string, t *time.Time) {
		if t != nil {
			out = append(out, components.Datum{Label: i18n.T(ctx, "instance.field."+key), Body: components.Time(components.TimeProps{At: *t})})
		}
	}
	text("attempt", attemptLabel(ctx, a), false)
	moment("submit", &a.SubmitTime)
	moment("start", a.StartTime)
	moment("end", a.EndTime)
	if a.StartTime != nil {
		out = append(out, components.Datum{Label: i18n.T(ctx, "instance.field.duration"), Body: duration(a, p.now())})
	}
	text("host", a.Host, false)
	text("group", a.WorkerGroup, false)
	if a.ExitCode != nil {
		text("exit", strconv.Itoa(*a.ExitCode), false)
	}
	if a.PID != 0 {
		text("pid", strconv.Itoa(a.PID), false)
	}
	if all {
		text("type", a.Type, false)
		text("priority", i18n.T(ctx, "instance.priority."+string(a.Priority)), false)
		text("path", a.ExecutePath, true)
		text("log_path", a.LogPath, true)
	}
	text("app_link", a.AppLink, false)
	return out
}

func attemptLabel(ctx context.Context, a *Task) string {
	return i18n.T(ctx, "instance.attempt", "n", a.Attempt+1, "of", a.MaxRetryTimes+1)
}

// attempts describes the attempts of one task, newest first.
func (p pages) attempts(ctx context.Context, all []Task) []view.Attempt {
	out := make([]view.Attempt, 0, len(all))
	for _, a := range slices.Backward(all) {
		v := view.Attempt{
			ID: strconv.FormatInt(a.ID, 10), Label: attemptLabel(ctx, &a), State: string(a.State), Host: a.Host, Old: !a.Valid,
			Took: a.Duration(p.now()), Now: p.now(), URL: taskAddress(a.ProjectCode, a.ID),
		}
		if a.State.Finished() {
			v.Reason = ended(&a).Say(ctx)
		}
		if a.StartTime != nil {
			v.Started, v.Queued = *a.StartTime, a.StartTime.Sub(a.SubmitTime)
		}
		if a.EndTime != nil {
			v.Ended = *a.EndTime
		}
		if a.ExitCode != nil {
			v.ExitCode = strconv.Itoa(*a.ExitCode)
		}
		if a.LogPath != "" {
			v.LogURL = v.URL + "/log"
		}
		out = append(out, v)
	}
	return out
}

func (p pages) tasksTab(ctx context.Context, d *Detail) view.TasksTab {
	var t view.TasksTab
	now := p.now()
	for n := range d.Nodes {
		node := &d.Nodes[n]
		row := view.TaskLine{Name: node.Task.Name, Type: node.Task.Type, State: node.State, Reason: node.Reason.Say(ctx), Now: now}
		if a := node.Current; a != nil {
			row.URL, row.Host, row.Took = taskAddress(d.ProjectCode, a.ID), a.Host, a.Duration(now)
			row.Attempt = strconv.Itoa(a.Attempt+1) + "/" + strconv.Itoa(a.MaxRetryTimes+1)
			if a.StartTime != nil {
				row.Started = *a.StartTime
			}
			if a.EndTime != nil {
				row.Ended = *a.EndTime
			}
			if a.LogPath != "" {
				row.LogURL = row.URL + "/log"
			}
		}
		row.Attempts = p.attempts(ctx, node.All)
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (p pages) paramsTab(ctx context.Context, d *Detail) ([]view.TaskParams, []components.Datum, []view.Param, error) {
	params, err := p.Params(ctx, d)
	if err != nil {
		return nil, nil, nil, err
	}
	out := make([]view.TaskParams, 0, len(params))
	for k := range params {
		out = append(out, paramsOf(ctx, &params[k]))
	}
	var startup []components.Datum
	add := func(key, value string) {
		if value != "" {
			startup = append(startup, components.Datum{Label: i18n.T(ctx, "instance.field."+key), Value: value})
		}
	}
	add("trigger", i18n.T(ctx, "instance.trigger."+string(d.CommandType)))
	add("failure", i18n.T(ctx, "instance.run."+strings.ToLower(string(d.FailureStrategy))))
	add("priority", i18n.T(ctx, "instance.priority."+string(d.Priority)))
	add("group", d.WorkerGroup)
	add("tenant", d.TenantCode)
	add("zone", d.TimeZone)
	if p.Trace != nil {
		id, url := p.Trace(d.ID, d.RunTimes)
		startup = append(startup, components.Datum{Label: i18n.T(ctx, "monitor.trace"), Value: id, URL: url, Mono: true, Copy: true})
	}
	if len(d.param.StartNodes) > 0 {
		var names []string
		for _, code := range d.param.StartNodes {
			if n := d.Node(code); n != nil {
				names = append(names, n.Task.Name)
			}
		}
		add("start_nodes", name(names)+" ("+i18n.T(ctx, "instance.depend."+string(d.DependType))+")")
	}
	for _, v := range d.param.CommandParams {
		v = conceal(v)
		startup = append(startup, components.Datum{Label: v.Prop, Value: v.Value, Mono: true, Copy: true})
	}
	var globals []view.Param
	var cured []flow.Property
	if json.Unmarshal([]byte(d.GlobalParams), &cured) == nil {
		raw := map[string]string{}
		for _, g := range d.Version.GlobalParams {
			raw[g.Prop] = conceal(g).Value
		}
		for _, g := range cured {
			level := flow.LevelGlobal
			if slices.ContainsFunc(d.param.CommandParams, func(s flow.Property) bool { return s.Prop == g.Prop }) {
				level = flow.LevelStartup
			}
			globals = append(globals, view.Param{
				Name: g.Prop, Type: string(g.Type), Raw: raw[g.Prop], Value: conceal(g).Value, From: i18n.T(ctx, level.MessageKey()),
			})
		}
	}
	return out, startup, globals, nil
}

func paramsOf(ctx context.Context, t *TaskParams) view.TaskParams {
	v := view.TaskParams{Name: t.Task.Name, ID: strconv.FormatInt(t.Task.Code, 10), Problem: t.Problem}
	list := func(in []Input) []view.Param {
		out := make([]view.Param, 0, len(in))
		for _, p := range in {
			from := i18n.T(ctx, p.Source.Level.MessageKey())
			if p.From != "" {
				from += ": " + p.From
			}
			out = append(out, view.Param{Name: p.Prop, Type: string(p.Type), Raw: p.Raw, Value: p.Value, From: from})
		}
		return out
	}
	v.Inputs, v.Builtin = list(t.Inputs), list(t.Builtin)
	for _, o := range t.Outputs {
		v.Outputs = append(v.Outputs, view.Param{Name: o.Prop, Type: string(o.Type), Value: o.Value, Raw: o.Value})
	}
	return v
}

// eventsLimit bounds the events of one page.
const eventsLimit = 500

// eventsTab is what happened, newest first: the states of the run, its attempts, and what people did.
func (p pages) eventsTab(ctx context.Context, d *Detail) ([]view.Event, error) {
	var out []view.Event
	var history []struct{ Time, State, Desc string }
	if json.Unmarshal([]byte(d.StateHistory), &history) == nil {
		for _, h := range history {
			at, err := time.Parse(time.DateTime, h.Time)
			if err != nil {
				continue
			}
			e := view.Event{At: at, State: h.State, Text: h.Desc}
			for _, kind := range []string{"instance.trigger.", "instance.because."} {
				if key := kind + strings.ReplaceAll(h.Desc, " ", "_"); i18n.Has(key) {
					e.Text = i18n.T(ctx, key)
				}
			}
			out = append(out, e)
		}
	}
	for n := range d.Nodes {
		for _, a := range d.Nodes[n].All {
			label := a.Name + " · " + attemptLabel(ctx, &a)
			out = append(out, view.Event{At: a.SubmitTime, State: string(flow.TaskSubmitted), Text: label})
			if a.StartTime != nil {
				out = append(out, view.Event{At: *a.StartTime, State: string(flow.TaskRunning), Text: label + " · " + a.Host})
			}
			if a.EndTime != nil {
				text := label
				if why := ended(&a).Say(ctx); why != "" && !a.State.Succeeded() {
					text += ": " + why
				}
				out = append(out, view.Event{At: *a.EndTime, State: string(a.State), Text: text})
			}
		}
	}
	deeds, err := p.store.deeds(ctx, d.ID, eventsLimit)
	if err != nil {
		return nil, err
	}
	for _, deed := range deeds {
		e := view.Event{At: deed.At, Icon: "user", Text: deed.Action, Who: deed.UserName}
		if key := "instance.deed." + deed.Action; i18n.Has(key) {
			e.Text = i18n.T(ctx, key, "name", deed.Name)
		}
		if said := deed.comment(); said != "" {
			e.Text += ": " + said
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b view.Event) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(b.State, a.State)) })
	return out[:min(len(out), eventsLimit)], nil
}

// deciding are the actions that approve and reject.
func deciding(actions []view.Action) []view.Action {
	var out []view.Action
	for _, a := range actions {
		if op := taskAct(a.Op); op == actApprove || op == actReject {
			out = append(out, a)
		}
	}
	return out
}

// decides says who may decide, and until when.
func decides(ctx context.Context, a *Approval) string {
	text := i18n.T(ctx, "operate.decides", "role", i18n.T(ctx, "operate.role."+roleKey(a.Role)))
	if a.ExpiresAt != nil {
		text += " " + i18n.T(ctx, "operate.until", "time", i18n.DateTime(ctx, *a.ExpiresAt))
	}
	return text
}
