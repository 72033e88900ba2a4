package monitor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/cluster"
	"dorado/views/components"
	view "dorado/views/monitor"
)

func (p pages) masters(r *http.Request) (shown, error) {
	return p.nodesPage(r, cluster.Master, MastersPath, "monitor.masters.", "server")
}

func (p pages) workers(r *http.Request) (shown, error) {
	return p.nodesPage(r, cluster.Worker, WorkersPath, "monitor.workers.", "cpu")
}

func (p pages) alerts(r *http.Request) (shown, error) {
	return p.nodesPage(r, cluster.AlertServer, AlertsPath, "monitor.alerts.", "siren")
}

func (p pages) nodesPage(r *http.Request, kind cluster.Kind, path, keys, icon string) (shown, error) {
	ctx := r.Context()
	now := p.now()
	v := view.NodesPage{
		Frame: p.shell(r, path, keys), Now: now,
		Empty: components.EmptyProps{Icon: icon, Title: i18n.T(ctx, keys+"empty.title"), Text: i18n.T(ctx, keys+"empty.text")},
	}
	servers, err := p.Servers(ctx, kind)
	if errors.Is(err, ErrRegistryAway) {
		v.Notes = append(v.Notes, view.Note{Kind: components.ToastError, Text: web.Message(ctx, err)})
		v.Empty.Title, v.Empty.Text = i18n.T(ctx, "monitor.away.title"), i18n.T(ctx, "monitor.away.text")
	} else if err != nil {
		return shown{}, err
	}
	day := r.URL.Query().Get("range") == "24h"
	span, step := time.Hour, time.Minute
	if day {
		span, step = 24*time.Hour, 10*time.Minute
	}
	v.Ranges = []view.Choice{
		{Label: i18n.T(ctx, "monitor.range.1h"), URL: path, Current: !day},
		{Label: i18n.T(ctx, "monitor.range.24h"), URL: path + "?range=24h", Current: day},
	}
	history, err := p.History(ctx, kind, now.Add(-span))
	if err != nil {
		return shown{}, err
	}
	usualVersion, err := p.versionNotes(ctx, kind, &v.Frame)
	if err != nil {
		return shown{}, err
	}
	manage := kind == cluster.Worker && p.Access.Can(ctx, Manage)
	for i := range servers {
		s := &servers[i]
		n := p.node(ctx, s, now)
		n.Odd = usualVersion != "" && s.Heartbeat.Version != "" && s.Heartbeat.Version != usualVersion
		n.DirectoryURL = withQuery(path+"/directory", "address", s.Address)
		n.Charts = charts(ctx, s, thin(history[s.Name()], step), now.Add(-span), now, step)
		if kind == cluster.Worker {
			n.RunningURL = withQuery(RunningPath, "worker", s.Name())
			switch {
			case !manage:
			case s.Drained:
				n.UndrainURL = withQuery(WorkersPath+"/undrain", "name", s.Name())
			default:
				n.DrainURL = withQuery(WorkersPath+"/drain", "name", s.Name())
			}
		}
		v.Nodes = append(v.Nodes, n)
	}
	v.Figures = nodeFigures(ctx, kind, servers, now)
	return shown{view.Nodes(v), v.Notes, view.NodesBody(v)}, nil
}

// versionNotes warns when not all masters and workers are of one version, and returns what most are.
func (p pages) versionNotes(ctx context.Context, kind cluster.Kind, f *view.Frame) (usual string, err error) {
	if kind == cluster.AlertServer {
		return "", nil
	}
	programs, protocols, err := p.Versions(ctx)
	if errors.Is(err, ErrRegistryAway) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if len(programs) > 1 {
		names := slices.SortedFunc(maps.Keys(programs), func(a, b string) int {
			return cmp.Or(programs[b]-programs[a], strings.Compare(a, b))
		})
		usual = names[0]
		var parts []string
		for _, name := range names {
			parts = append(parts, name+" × "+strconv.Itoa(programs[name]))
		}
		f.Notes = append(f.Notes, view.Note{Kind: components.ToastWarning, Text: i18n.T(ctx, "monitor.mixed.versions", "versions", strings.Join(parts, ", "))})
	}
	if len(protocols) > 1 {
		var parts []string
		for _, n := range slices.Sorted(maps.Keys(protocols)) {
			parts = append(parts, strconv.FormatUint(uint64(n), 10)+" × "+strconv.Itoa(protocols[n]))
		}
		f.Notes = append(f.Notes, view.Note{Kind: components.ToastWarning, Text: i18n.T(ctx, "monitor.mixed.protocols", "protocols", strings.Join(parts, ", "))})
	}
	return usual, nil
}

// garbageShown is how much of a value that is no heartbeat a card shows.
const garbageShown = 200

func (p pages) node(ctx context.Context, s *Server, now time.Time) view.Node {
	h := &s.Heartbeat
	n := view.Node{
		Name: s.Name(), Host: h.Hostname, Address: s.Address, State: string(h.ServerStatus), Reason: h.Reason, Beat: s.Beat(), Late: s.Late(now),
		Started: milli(h.StartupTime), Version: h.Version, CPU: h.CPUUsage, Memory: h.MemoryUsage, Disk: h.DiskUsage, Slots: h.Slots, Running: h.Running,
	}
	if s.Garbage != "" {
		n.Garbage, _ = Shown("", s.Garbage)
		n.Garbage = clip(n.Garbage, garbageShown)
	}
	switch {
	case n.Late || s.Garbage != "":
		n.State = "LOST"
	case h.ServerStatus != cluster.Busy:
		n.State = string(cluster.Normal)
	}
	switch {
	case s.Drained:
		n.Drained = i18n.T(ctx, "monitor.drained", "count", h.Running)
	case h.Draining:
		n.Drained = i18n.T(ctx, "monitor.leaving", "count", h.Running)
	}
	fact := func(key, value string) {
		if value != "" {
			n.Facts = append(n.Facts, components.Datum{Label: i18n.T(ctx, "monitor.fact."+key), Value: value})
		}
	}
	fact("load", strconv.FormatFloat(h.LoadAverage, 'f', 2, 64))
	if h.ProcessID != 0 {
		fact("process", i18n.T(ctx, "monitor.fact.process_value", "pid", h.ProcessID, "cpu", view.Percent(h.JVMCPUUsage), "memory", view.Percent(h.JVMMemoryUsage)))
	}
	if h.Protocol != 0 {
		fact("protocol", strconv.FormatUint(uint64(h.Protocol), 10))
	}
	switch s.Kind {
	case cluster.Worker:
		if h.WorkerHostWeight != 0 {
			fact("weight", strconv.Itoa(h.WorkerHostWeight))
		}
		fact("groups", strings.Join(h.Groups, ", "))
	case cluster.Master:
		fact("runs", i18n.Number(ctx, int64(h.Running)))
		fact("waiting", i18n.Number(ctx, int64(h.Waiting)))
		fact("rpc", h.RPCAddress)
		fact("web", h.WebAddress)
	case cluster.AlertServer:
	}
	if s.Garbage != "" {
		n.Facts = nil
	}
	return n
}

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func nodeFigures(ctx context.Context, kind cluster.Kind, servers []Server, now time.Time) []view.Figure {
	var busy, late, running, slots, waiting, drained int
	for i := range servers {
		s := &servers[i]
		running, waiting = running+s.Heartbeat.Running, waiting+s.Heartbeat.Waiting
		switch {
		case s.Late(now) || s.Garbage != "":
			late++
		case s.Heartbeat.ServerStatus == cluster.Busy:
			busy++
		}
		if s.Drained || s.Heartbeat.Draining {
			drained++
		} else {
			slots += s.Heartbeat.Slots
		}
	}
	number := func(n int) string { return i18n.Number(ctx, int64(n)) }
	out := []view.Figure{
		{Label: i18n.T(ctx, "monitor.figure.nodes"), Value: number(len(servers)), Test: "figure.nodes"},
		{Label: i18n.T(ctx, "monitor.figure.busy"), Value: number(busy)},
		{Label: i18n.T(ctx, "monitor.figure.late"), Value: number(late), Bad: late > 0, Test: "figure.late"},
	}
	switch kind {
	case cluster.Worker:
		out = append(out,
			view.Figure{Label: i18n.T(ctx, "monitor.figure.tasks"), Value: number(running), Small: i18n.T(ctx, "monitor.figure.of_slots", "count", slots), URL: RunningPath},
			view.Figure{Label: i18n.T(ctx, "monitor.figure.drained"), Value: number(drained)},
		)
	case cluster.Master:
		out = append(out,
			view.Figure{Label: i18n.T(ctx, "monitor.figure.runs"), Value: number(running)},
			view.Figure{Label: i18n.T(ctx, "monitor.figure.waiting"), Value: number(waiting), URL: StatisticsPath},
		)
	case cluster.AlertServer:
	}
	if len(servers) == 0 {
		return nil
	}
	return out
}

// thin averages samples so that there is one a step.
func thin(list []Sample, step time.Duration) []Sample {
	if step <= sampleEvery {
		return list
	}
	var out []Sample
	n := 0.0
	for _, s := range list {
		at := s.At.Truncate(step)
		if len(out) == 0 || !out[len(out)-1].At.Equal(at) {
			s.At, n = at, 1
			out = append(out, s)
			continue
		}
		o := &out[len(out)-1]
		n++
		o.CPU += (s.CPU - o.CPU) / n
		o.Memory += (s.Memory - o.Memory) / n
		o.Disk += (s.Disk - o.Disk) / n
		o.Load += (s.Load - o.Load) / n
		o.Running, o.Slots = max(o.Running, s.Running), max(o.Slots, s.Slots)
	}
	return out
}

// charts are the curves of a node.
func charts(ctx context.Context, s *Server, history []Sample, from, to time.Time, step time.Duration) []view.Spark {
	h := &s.Heartbeat
	curve := func(key, color, value string, top float64, of func(Sample) float64, write func(float64) string) view.Spark {
		c := view.Spark{Label: i18n.T(ctx, "monitor.chart."+key), Value: value, From: from, To: to, Gap: step * 5 / 2, Max: top, Color: color}
		low, high := 0.0, 0.0
		for i, x := range history {
			v := of(x)
			c.Points = append(c.Points, view.Point{At: x.At, V: v})
			if i == 0 {
				low, high = v, v
			}
			low, high = min(low, v), max(high, v)
		}
		span := "1h"
		if to.Sub(from) > time.Hour {
			span = "24h"
		}
		c.Words = i18n.T(ctx, "monitor.chart.words", "name", c.Label, "span", i18n.T(ctx, "monitor.range."+span), "low", write(low), "high", write(high), "now", value)
		return c
	}
	decimal := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	whole := func(v float64) string { return i18n.Number(ctx, int64(v)) }
	last := curve("runs", "success", whole(float64(h.Running)), 0, func(x Sample) float64 { return float64(x.Running) }, whole)
	if s.Kind == cluster.Worker {
		top := float64(h.Slots)
		for _, x := range history {
			top = max(top, float64(x.Slots))
		}
		last = curve("slots", "success", whole(float64(h.Running)), top, func(x Sample) float64 { return float64(x.Running) }, whole)
	}
	return []view.Spark{
		curve("cpu", "running", view.Percent(h.CPUUsage), 1, func(x Sample) float64 { return x.CPU }, view.Percent),
		curve("memory", "forced", view.Percent(h.MemoryUsage), 1, func(x Sample) float64 { return x.Memory }, view.Percent),
		curve("load", "paused", decimal(h.LoadAverage), 0, func(x Sample) float64 { return x.Load }, decimal),
		last,
	}
}

// directory shows what the registry keeps of one node.
func (p pages) directory(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	path := strings.TrimSuffix(r.URL.Path, "/directory")
	kind := map[string]cluster.Kind{MastersPath: cluster.Master, WorkersPath: cluster.Worker, AlertsPath: cluster.AlertServer}[path]
	s, err := p.Server(ctx, kind, r.URL.Query().Get("address"))
	if err != nil {
		return nil, err
	}
	raw := s.Garbage
	if raw == "" {
		text, err := json.Marshal(s.Heartbeat)
		if err != nil {
			return nil, err
		}
		raw = string(text)
	}
	title := i18n.T(ctx, "monitor.directory_of", "name", s.Name())
	v := view.DirectoryPage{Shell: p.frame.Page(r, title), Title: title, BackURL: path}
	where := s.Path
	if where == "" {
		where = "/nodes/" + string(kind) + "/" + s.Address
	}
	v.Value, v.Clipped = Shown("", raw)
	v.Facts = []components.Datum{
		{Label: i18n.T(ctx, "monitor.registry.path"), Value: where, Mono: true, Copy: true},
		{Label: i18n.T(ctx, "monitor.registry.kept_by"), Value: p.Registry.Name()},
		{Label: i18n.T(ctx, "monitor.registry.created"), Body: components.Time(components.TimeProps{At: s.Created})},
		{Label: i18n.T(ctx, "monitor.registry.updated"), Body: components.Time(components.TimeProps{At: s.Updated})},
	}
	return web.Page(view.Directory(v)), nil
}

// askDrain asks before a worker is drained.
func (p pages) askDrain(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := p.Access.Require(ctx, Manage); err != nil {
		return nil, err
	}
	name := r.URL.Query().Get("name")
	n, err := p.byName(ctx, cluster.Worker, name)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "monitor.drain.title", "name", name)
	return web.Page(view.Confirm(view.ConfirmPage{
		Shell: p.frame.Page(r, title, components.Crumb{Label: i18n.T(ctx, "monitor.workers.title"), URL: WorkersPath}),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "monitor.drain.text", "count", n.Heartbeat.Running), Action: WorkersPath + "/drain",
			Submit: i18n.T(ctx, "monitor.drain.submit"), CancelURL: WorkersPath, Fields: map[string]string{"name": name}, Safe: true, Test: "drain",
		},
	})), nil
}

func (p pages) drain(drained bool) web.Handler {
	return func(r *http.Request) (web.Response, error) {
		name := r.FormValue("name")
		if err := p.Drain(r.Context(), name, drained); err != nil {
			return nil, err
		}
		if drained {
			return web.Redirect(WorkersPath).Toast("monitor.drain.done", "name", name), nil
		}
		return web.Redirect(WorkersPath).Toast("monitor.undrain.done", "name", name), nil
	}
}
