package instance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/views/components"
	view "dorado/views/instance"
)

// compareChoices is how many runs of the same workflow are offered to compare with.
const compareChoices = 30

// comparePage shows a run beside another one of the project, what differs first (P-INST-5).
func (p pages) comparePage(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, i, err := p.instance(r)
	if err != nil {
		return nil, err
	}
	others, err := db.Select[Instance](ctx, p.DB, `SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.workflow_code = ? AND w.project_code = ? AND w.id <> ? AND NOT w.stream
		ORDER BY w.id DESC LIMIT ?`, i.WorkflowCode, owner.Code, i.ID, compareChoices)
	if err != nil {
		return nil, fmt.Errorf("list runs to compare with: %w", err)
	}
	here := address(owner.Code, i.ID)
	v := view.Compared{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "operate.compare.title"), crumb(ctx, owner.Code), components.Crumb{Label: i.Name, URL: here}),
		Here:  here + "/compare", A: view.Side{Name: i.Name, URL: here, State: string(i.State)},
	}
	for k := range others {
		o := &others[k]
		v.Choices = append(v.Choices, components.Option{
			Value: strconv.FormatInt(o.ID, 10), Label: o.Name + " · " + components.StateLabel(ctx, string(o.State)) + " · " + i18n.DateTime(ctx, o.Began()),
		})
	}
	with, err := p.compareWith(r, owner.Code, i, others)
	if err != nil || with == nil {
		return web.Page(view.Compare(v)), err
	}
	v.With = strconv.FormatInt(with.ID, 10)
	if !slices.ContainsFunc(v.Choices, func(o components.Option) bool { return o.Value == v.With }) {
		v.Choices = append(v.Choices, components.Option{Value: v.With, Label: with.Name})
	}
	a, err := p.Detail(ctx, owner.Code, i.ID)
	if err != nil {
		return nil, err
	}
	b, err := p.Detail(ctx, owner.Code, with.ID)
	if err != nil {
		return nil, err
	}
	v.B = view.Side{Name: b.Name, URL: address(owner.Code, b.ID), State: string(b.State)}
	v.Facts = p.compareFacts(ctx, a, b)
	v.Params = compareParams(a, b)
	v.Tasks = p.compareTasks(ctx, a, b)
	for _, t := range v.Tasks {
		if t.Differs {
			v.Different++
		}
	}
	return web.Page(view.Compare(v)), nil
}

// compareWith is the run that ?with= names; without it the last successful one before, or else the one before. It is nil
// when there is none.
func (p pages) compareWith(r *http.Request, projectCode int64, i *Instance, others []Instance) (*Instance, error) {
	if text := r.URL.Query().Get("with"); text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, ErrNotFound.With("id", text)
		}
		return p.GetIn(r.Context(), projectCode, id)
	}
	var before *Instance
	for k := range others {
		o := &others[k]
		if o.ID > i.ID {
			continue
		}
		if o.State == flow.WorkflowSuccess {
			return o, nil
		}
		if before == nil {
			before = o
		}
	}
	if before == nil && len(others) > 0 {
		before = &others[0]
	}
	return before, nil
}

func (p pages) compareFacts(ctx context.Context, a, b *Detail) []view.Pair {
	now := p.now()
	var out []view.Pair
	add := func(key string, value func(*Detail) string) {
		out = append(out, view.Pair{Name: i18n.T(ctx, "instance.field."+key), A: value(a), B: value(b)})
	}
	add("state", func(d *Detail) string { return components.StateLabel(ctx, string(d.State)) })
	add("workflow", func(d *Detail) string {
		return d.WorkflowName + " " + i18n.T(ctx, "instance.version", "version", d.WorkflowVersion)
	})
	add("trigger", func(d *Detail) string { return i18n.T(ctx, "instance.trigger."+string(d.CommandType)) })
	add("start", func(d *Detail) string { return i18n.DateTime(ctx, d.Began()) })
	add("duration", func(d *Detail) string { return i18n.Duration(ctx, d.Duration(now)) })
	add("scheduled", func(d *Detail) string {
		if d.ScheduleTime == nil {
			return ""
		}
		return i18n.DateTime(ctx, *d.ScheduleTime)
	})
	add("group", func(d *Detail) string { return d.WorkerGroup })
	add("tenant", func(d *Detail) string { return d.TenantCode })
	add("executor", func(d *Detail) string { return d.ExecutorName })
	differentFirst(out)
	return out
}

func differentFirst(list []view.Pair) {
	slices.SortStableFunc(list, func(x, y view.Pair) int { return cmp.Compare(same(x.A == x.B), same(y.A == y.B)) })
}

func same(equal bool) int {
	if equal {
		return 1
	}
	return 0
}

// compareParams lists the parameters that both runs were given, secrets hidden.
func compareParams(a, b *Detail) []view.Pair {
	read := func(d *Detail) map[string]string {
		out := map[string]string{}
		var globals []flow.Property
		if json.Unmarshal([]byte(d.GlobalParams), &globals) != nil {
			globals = nil // what cannot be read is shown as missing
		}
		for _, g := range append(globals, d.param.CommandParams...) {
			out[g.Prop] = conceal(g).Value
		}
		return out
	}
	left, right := read(a), read(b)
	names := make([]string, 0, len(left))
	for n := range left {
		names = append(names, n)
	}
	for n := range right {
		if _, known := left[n]; !known {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	out := make([]view.Pair, 0, len(names))
	for _, n := range names {
		out = append(out, view.Pair{Name: n, A: left[n], B: right[n]})
	}
	differentFirst(out)
	return out
}

func (p pages) compareTasks(ctx context.Context, a, b *Detail) []view.TaskPair {
	var out []view.TaskPair
	now := p.now()
	for n := range a.Nodes {
		x := &a.Nodes[n]
		t := view.TaskPair{Name: x.Task.Name}
		t.StateA, t.URLA, t.LogA, t.TookA = taskSide(a, x, now)
		if y := b.Node(x.Task.Code); y != nil {
			t.StateB, t.URLB, t.LogB, t.TookB = taskSide(b, y, now)
			if x.Task.Version != y.Task.Version || !bytes.Equal(x.Task.Params, y.Task.Params) {
				t.Definition = i18n.T(ctx, "operate.compare.changed")
			}
		} else {
			t.StateB, t.Definition = NodeNone, i18n.T(ctx, "operate.compare.only", "name", a.Name)
		}
		t.Change = changed(t.TookB, t.TookA)
		t.Differs = t.StateA != t.StateB || t.Definition != "" || t.Change != ""
		out = append(out, t)
	}
	for n := range b.Nodes {
		if y := &b.Nodes[n]; a.Node(y.Task.Code) == nil {
			t := view.TaskPair{Name: y.Task.Name, StateA: NodeNone, Definition: i18n.T(ctx, "operate.compare.only", "name", b.Name), Differs: true}
			t.StateB, t.URLB, t.LogB, t.TookB = taskSide(b, y, now)
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(x, y view.TaskPair) int { return cmp.Compare(same(!x.Differs), same(!y.Differs)) })
	return out
}

func taskSide(d *Detail, n *Node, now time.Time) (state, url, log string, took time.Duration) {
	state = n.State
	if a := n.Current; a != nil {
		url, took = taskAddress(d.ProjectCode, a.ID), a.Duration(now)
		if a.LogPath != "" {
			log = url + "/log"
		}
	}
	return state, url, log, took
}

// changed says how much longer the second took; nothing of what is little.
func changed(first, second time.Duration) string {
	if first <= 0 || second <= 0 || max(first, second) < time.Second {
		return ""
	}
	change := int(100 * (first - second) / second)
	if change > -20 && change < 20 {
		return ""
	}
	return fmt.Sprintf("%+d %%", change)
}
