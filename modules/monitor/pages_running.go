package monitor

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/modules/cluster"
	"dorado/modules/frame"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/monitor"
)

// lengths are the choices of how long something must have run to be listed.
func lengths() []string { return []string{"1m", "10m", "1h", "6h", "24h"} }

func length(text string) time.Duration {
	if !slices.Contains(lengths(), text) {
		return 0
	}
	d, _ := time.ParseDuration(text)
	return d
}

func (p pages) running(r *http.Request) (shown, error) {
	ctx := r.Context()
	q := frame.Query(r, runningSpec())
	long := r.URL.Query().Get("longer")
	if length(long) == 0 {
		long = ""
	}
	page, err := p.Running(ctx, q, length(long))
	if err != nil {
		return shown{}, err
	}
	choices, err := p.RunningChoices(ctx)
	if err != nil {
		return shown{}, err
	}
	v := view.RunningPage{Frame: p.shell(r, RunningPath, "monitor.running."), List: frame.Listed(RunningPath, q, page), Long: long, Now: p.now()}
	f := v.List.Filters
	v.Worker, v.Project, v.Type, v.Group = f["worker"], f["project"], f["type"], f["group"]
	v.Workers = options(i18n.T(ctx, "monitor.running.any_worker"), with(choices.Workers, v.Worker))
	v.Types = options(i18n.T(ctx, "monitor.running.any_type"), with(choices.Types, v.Type))
	v.Groups = options(i18n.T(ctx, "monitor.running.any_group"), with(choices.Groups, v.Group))
	v.Projects, err = p.projectOptions(ctx)
	if err != nil {
		return shown{}, err
	}
	v.Longer = []components.Option{{Label: i18n.T(ctx, "monitor.running.any_length")}}
	for _, l := range lengths() {
		v.Longer = append(v.Longer, components.Option{Value: l, Label: i18n.T(ctx, "monitor.running.longer_than", "time", i18n.Duration(ctx, length(l)))})
	}
	p.runningChips(ctx, &v, long)
	machines, err := p.machines(ctx)
	if err != nil {
		return shown{}, err
	}
	next := withQuery(RunningPath)
	if r.URL.RawQuery != "" {
		next += "?" + r.URL.RawQuery
	}
	for i := range page.Items {
		v.Rows = append(v.Rows, p.attemptRow(ctx, &page.Items[i], machines, next, v.Now))
	}
	return shown{view.Running(v), v.Notes, view.RunningBody(v)}, nil
}

// with adds the value that is chosen, should there be nothing of it any more.
func with(list []string, chosen string) []string {
	if chosen == "" || slices.Contains(list, chosen) {
		return list
	}
	return append(slices.Clone(list), chosen)
}

func (p pages) runningChips(ctx context.Context, v *view.RunningPage, long string) {
	names := map[string]string{}
	for _, list := range [][]components.Option{v.Projects, v.Longer} {
		for _, o := range list {
			if o.Value != "" {
				names[o.Value] = o.Label
			}
		}
	}
	if long != "" {
		v.List.Filtered = true
		v.List.Filters["longer"] = long
		v.List.Query.Set("longer", long)
	}
	labels := map[string]string{}
	for _, name := range []string{"worker", "project", "type", "group", "longer"} {
		labels[name] = i18n.T(ctx, "monitor.running."+name)
	}
	v.List.ClearURL = RunningPath
	v.Chips = v.List.Chips(labels, names)
}

func (p pages) projectOptions(ctx context.Context) ([]components.Option, error) {
	out := []components.Option{{Label: i18n.T(ctx, "monitor.running.any_project")}}
	rows, err := p.projects(ctx)
	for _, o := range rows {
		out = append(out, components.Option{Value: strconv.FormatInt(o.Code, 10), Label: o.Name})
	}
	return out, err
}

// machines are the addresses of live workers, by name.
func (p pages) machines(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	nodes, err := p.nodes(ctx, cluster.Worker)
	if errors.Is(err, ErrRegistryAway) {
		return out, nil
	}
	for _, n := range nodes {
		s := Server{Node: n}
		where := n.Address
		if n.Heartbeat.Hostname != "" && n.Heartbeat.Hostname != s.Name() {
			where = n.Heartbeat.Hostname + " · " + n.Address
		}
		out[s.Name()] = where
	}
	return out, err
}

func (p pages) attemptRow(ctx context.Context, a *Attempt, machines map[string]string, next string, now time.Time) view.Attempt {
	here := project.Address(a.ProjectCode, "/task-instances/"+strconv.FormatInt(a.ID, 10))
	row := view.Attempt{
		Task: a.Name, TaskURL: here, Type: a.Type, State: string(a.State), Retry: a.Number, Instance: a.Instance,
		InstanceURL: project.Address(a.ProjectCode, "/instances/"+strconv.FormatInt(a.InstanceID, 10)), Project: a.Project, Host: a.Host, Machine: machines[a.Host],
		Owner: a.Owner, Group: a.Group, Since: a.Since(), Expected: a.Expected,
	}
	kill := "KILL"
	if a.Stream {
		kill, row.Instance = "STOP", a.Workflow
		row.InstanceURL = project.Address(a.ProjectCode, "/workflows/"+strconv.FormatInt(a.WorkflowCode, 10))
	}
	if row.Host == "" {
		row.Host = a.Owner // a master carries it out itself
	}
	took := now.Sub(row.Since)
	row.Over = a.Expected > 0 && took > a.Expected*3/2+10*time.Second
	if a.HasLog {
		row.LogURL = here + "/log"
	}
	if p.Access.CanProject(ctx, a.ProjectCode, instance.Operate) {
		row.KillURL = here + "/act?" + url.Values{"op": {kill}, "next": {next}}.Encode()
	}
	return row
}

func (p pages) events(r *http.Request) (shown, error) {
	ctx := r.Context()
	q := frame.Query(r, eventSpec())
	page, err := p.Events(ctx, q)
	if err != nil {
		return shown{}, err
	}
	v := view.EventsPage{
		Frame: p.shell(r, EventsPath, "monitor.event."), List: frame.Listed(EventsPath, q, page),
		Kinds: []components.Option{{Label: i18n.T(ctx, "monitor.event.any_kind")}},
	}
	v.Kind = v.List.Filters["kind"]
	names := map[string]string{}
	for _, k := range EventKinds() {
		names[string(k)] = i18n.T(ctx, "monitor.event."+string(k))
		v.Kinds = append(v.Kinds, components.Option{Value: string(k), Label: names[string(k)]})
	}
	v.Chips = v.List.Chips(map[string]string{"kind": i18n.T(ctx, "monitor.event.kind"), "node": i18n.T(ctx, "monitor.event.node")}, names)
	zone := i18n.Zone(ctx)
	for i := range page.Items {
		e := &page.Items[i]
		day := e.At.In(zone).Format(time.DateOnly)
		if len(v.Days) == 0 || v.Days[len(v.Days)-1].Label != day {
			v.Days = append(v.Days, view.Day{Label: day})
		}
		d := &v.Days[len(v.Days)-1]
		d.Events = append(d.Events, eventRow(ctx, e, zone))
	}
	return shown{view.Events(v), v.Notes, view.EventsBody(v)}, nil
}

func eventRow(ctx context.Context, e *Event, zone *time.Location) view.Event {
	row := view.Event{
		At: e.At, Clock: e.At.In(zone).Format("15:04:05"), Kind: string(e.Kind), State: "skipped", Icon: "info", Detail: e.Detail,
		Took: time.Duration(e.TookMS) * time.Millisecond,
	}
	by := e.By
	if by == "" {
		by = i18n.T(ctx, "monitor.event.somebody")
	}
	if !slices.Contains(EventKinds(), e.Kind) { // of a newer version
		row.Text = e.Node + " " + e.By
		return row
	}
	row.Kind = i18n.T(ctx, "monitor.event."+string(e.Kind))
	row.Text = i18n.T(ctx, "monitor.story."+string(e.Kind), "node", e.Node, "by", by, "workflows", i18n.T(ctx, "monitor.count.workflows", "count", e.Workflows), "tasks", i18n.T(ctx, "monitor.count.tasks", "count", e.Tasks))
	switch e.Kind {
	case MasterJoined, WorkerJoined, WorkerUndrained, Recovered:
		row.State, row.Icon = "success", "plug"
	case MasterLeft, WorkerLeft:
		row.State, row.Icon = "stopped", "logout"
	case MasterLost, WorkerLost:
		row.State, row.Icon = "failed", "unlink"
	case TakenOver:
		row.State, row.Icon = "running", "share"
	case LeaseLost:
		row.State, row.Icon = "retry", "hourglass"
	case Overloaded:
		row.State, row.Icon = "retry", "warn"
	case WorkerDrained:
		row.State, row.Icon = "paused", "pause"
	}
	return row
}
