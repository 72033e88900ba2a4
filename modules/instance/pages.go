package instance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/plugins/catalog"
	"dorado/views/components"
	view "dorado/views/instance"
)

type pages struct {
	*Service
	frame   *frame.Frame
	site    *web.Site
	catalog *catalog.Catalog
	gate    *gate // lets each user do one thing to many at a time
}

// within is the project of the address, when whoever acts may see it.
func (p pages) within(r *http.Request) (project.Project, error) {
	code, err := web.Number(r, "project")
	if err != nil {
		return project.Project{}, err
	}
	return p.Projects.ByCode(r.Context(), code)
}

func ref(o project.Project) frame.ProjectRef {
	return frame.ProjectRef{Code: o.Code, Name: o.Name, Note: o.OwnerName}
}

// day reads a day in the viewer's zone, some days later; the text is empty when it is none.
func day(r *http.Request, name string, after int) (time.Time, string) {
	text := strings.TrimSpace(r.URL.Query().Get(name))
	t, err := time.ParseInLocation(time.DateOnly, text, i18n.Zone(r.Context()))
	if err != nil {
		return time.Time{}, ""
	}
	return t.AddDate(0, 0, after), text
}

// dateRange reads from and to, days in the viewer's zone, both included.
func dateRange(r *http.Request) (rng Range, from, to string) {
	rng.From, from = day(r, "from", 0)
	rng.To, to = day(r, "to", 1)
	return rng, from, to
}

// listFilter reads what narrows the list of instances beyond its Spec, and the texts of what was read.
func listFilter(r *http.Request) (Filter, map[string]string) {
	var f Filter
	said := map[string]string{}
	f.Range, said["from"], said["to"] = dateRange(r)
	f.Scheduled.From, said["scheduled"] = day(r, "scheduled", 0)
	f.Scheduled.To, _ = day(r, "scheduled", 1)
	if id, err := strconv.ParseInt(r.URL.Query().Get("backfill"), 10, 64); err == nil && id > 0 {
		f.Backfill, said["backfill"] = id, strconv.FormatInt(id, 10)
	}
	return f, said
}

// listed makes the view's listing, with what said holds as filters like the others.
func listed[T any](path string, q listing.Query, page listing.Page[T], said map[string]string) components.Listing {
	l := frame.Listed(path, q, page)
	if l.Query == nil {
		l.Query = url.Values{}
	}
	for name, value := range said {
		if value != "" {
			l.Filters[name], l.Filtered = value, true
			l.Query.Set(name, value)
		}
	}
	clear := url.Values{}
	for _, keep := range []string{"sort", "size"} {
		if v := l.Query.Get(keep); v != "" {
			clear.Set(keep, v)
		}
	}
	l.ClearURL = path
	if len(clear) > 0 {
		l.ClearURL += "?" + clear.Encode()
	}
	return l
}

func labels(ctx context.Context, names ...string) map[string]string {
	out := make(map[string]string, len(names))
	for _, n := range names {
		out[n] = i18n.T(ctx, "instance.field."+n)
	}
	return out
}

func (p pages) list(r *http.Request) (web.Response, error) {
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	page, err := p.listPage(r, owner, nil)
	if err != nil {
		return nil, err
	}
	return web.Page(view.List(page)), nil
}

func (p pages) listPage(r *http.Request, owner project.Project, results []view.Result) (view.ListPage, error) {
	ctx := r.Context()
	q := frame.Query(r, Spec())
	narrow, said := listFilter(r)
	found, err := p.List(ctx, owner.Code, q, narrow)
	if err != nil {
		return view.ListPage{}, err
	}
	workflows, err := p.Workflows.All(ctx, owner.Code)
	if err != nil {
		return view.ListPage{}, err
	}
	path := listAddress(owner.Code)
	v := view.ListPage{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "instance.title")), List: listed(path, q, found, said), Results: results,
		State: first(q, "state"), Workflow: first(q, "workflow"), Executor: first(q, "executor"), From: said["from"], To: said["to"],
		Scheduled: said["scheduled"], Backfill: said["backfill"], Type: first(q, "type"),
		Zone: i18n.Zone(ctx).String(), StartURL: "/projects/" + strconv.FormatInt(owner.Code, 10) + "/workflows",
		Labels: labels(ctx, "state", "workflow", "executor", "from", "to", "type", "scheduled"), Names: map[string]string{},
		CanDelete: p.Access.CanProject(ctx, owner.Code, Delete),
	}
	if p.Access.CanProject(ctx, owner.Code, Operate) {
		v.BatchURL = path + "/batch"
	}
	for _, s := range flow.WorkflowStates() {
		label := components.StateLabel(ctx, string(s))
		v.States, v.Names[string(s)] = append(v.States, components.Option{Value: string(s), Label: label}), label
	}
	for _, w := range workflows {
		code := strconv.FormatInt(w.Code, 10)
		v.Workflows, v.Names[code] = append(v.Workflows, components.Option{Value: code, Label: w.Name}), w.Name
	}
	v.Labels["type"], v.Labels["backfill"] = i18n.T(ctx, "instance.field.trigger"), i18n.T(ctx, "operate.backfill")
	for _, kind := range startTypes() {
		label := i18n.T(ctx, "instance.trigger."+string(kind))
		v.Types, v.Names[string(kind)] = append(v.Types, components.Option{Value: string(kind), Label: label}), label
	}
	if v.BatchURL != "" && found.Total > 0 {
		v.AllURL, v.AllCount = path+"/bulk?"+bulkQuery(v.List).Encode(), found.Total
	}
	next := path
	if r.Method == http.MethodGet && r.URL.RawQuery != "" {
		next += "?" + r.URL.RawQuery
	}
	if v.Rows, err = p.rows(ctx, found.Items, next); err != nil {
		return v, err
	}
	if len(found.Items) > 0 {
		ids := make([]string, len(found.Items))
		for k := range found.Items {
			ids[k] = strconv.FormatInt(found.Items[k].ID, 10)
		}
		v.EventsURL = path + "/events?" + url.Values{"ids": {strings.Join(ids, ",")}, "next": {next}}.Encode()
	}
	return v, nil
}

func first(q listing.Query, filter string) string {
	if values := q.Filters[filter]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// rows makes the rows of instances of one project.
func (p pages) rows(ctx context.Context, list []Instance, next string) ([]view.Row, error) {
	progress, err := p.Progress(ctx, list)
	if err != nil {
		return nil, err
	}
	var codes []int64
	for k := range list {
		if !slices.Contains(codes, list[k].WorkflowCode) {
			codes = append(codes, list[k].WorkflowCode)
		}
	}
	history, err := p.RunHistory(ctx, codes)
	if err != nil {
		return nil, err
	}
	now := p.now()
	out := make([]view.Row, 0, len(list))
	for k := range list {
		i := &list[k]
		pr := progress[i.ID]
		row := view.Row{
			ID: strconv.FormatInt(i.ID, 10), Name: i.Name, URL: address(i.ProjectCode, i.ID), Workflow: i.WorkflowName,
			WorkflowURL: workflowAddress(i.ProjectCode, i.WorkflowCode), Version: strconv.Itoa(i.WorkflowVersion), State: string(i.State),
			Trigger: i18n.T(ctx, "instance.trigger."+string(i.CommandType)), StartedAt: i.Began(), Took: i.Duration(now), Done: pr.Done,
			Total: max(pr.Total, pr.Done), Failed: strings.Join(pr.Failed, ", "), RunTimes: i.RunTimes, DryRun: i.DryRun, Recovered: i.Recovery,
			Executor: i.ExecutorName, Host: i.Host, Now: now, Next: next, Actions: p.actions(ctx, i), Compared: compare(i, history[i.WorkflowCode], now),
		}
		if i.State == flow.WorkflowSuccess {
			row.Total = row.Done // what a branch left out is not waited for
		}
		if i.ScheduleTime != nil {
			row.ScheduledAt = *i.ScheduleTime
		}
		if i.EndTime != nil {
			row.EndedAt = *i.EndTime
		}
		if p.Access.CanWorkflow(ctx, i.ProjectCode, i.WorkflowCode, Operate) {
			row.BatchForm = "batch"
		}
		out = append(out, row)
	}
	return out, nil
}

// compare says how much longer, or shorter, a run took than usual: "+38 %". It says nothing of little.
func compare(i *Instance, runs []Run, now time.Time) string {
	usual := median(runs)
	if usual < time.Second || len(runs) < 3 || i.State != flow.WorkflowSuccess && i.State != flow.WorkflowRunning {
		return ""
	}
	change := int(100 * (i.Duration(now) - usual) / usual)
	if i.State == flow.WorkflowRunning && change < 0 || change > -10 && change < 10 {
		return ""
	}
	return fmt.Sprintf("%+d %%", change)
}

// actions are the operations on an instance that the viewer could be allowed, each possible now or with the reason why not.
func (p pages) actions(ctx context.Context, i *Instance) []view.Action {
	var out []view.Action
	add := func(op flow.Operation, icon string, asks, danger bool) {
		a := view.Action{
			Op: string(op), Label: i18n.T(ctx, "instance.op."+string(op)), Icon: icon, URL: address(i.ProjectCode, i.ID) + "/operate",
			Dialog: asks, Danger: danger,
		}
		if ok, reason := flow.Allowed(op, i.State); !ok {
			a.Disabled = i18n.T(ctx, reason)
		}
		out = append(out, a)
	}
	if p.Access.CanWorkflow(ctx, i.ProjectCode, i.WorkflowCode, Operate) {
		again := i.State == flow.WorkflowReadyStop
		add(flow.OpStop, "stop", again, again)
		if again {
			out[0].Label = i18n.T(ctx, "instance.op.kill")
		}
		add(flow.OpPause, "pause", false, false)
		add(flow.OpResume, "play", false, false)
		add(flow.OpRecoverFailed, "redo", false, false)
		add(flow.OpRerun, "rerun", false, false)
	}
	if p.Access.CanProject(ctx, i.ProjectCode, Delete) {
		add(flow.OpDelete, "trash", true, true)
	}
	for k := range out {
		op := flow.Operation(out[k].Op)
		out[k].Primary = op == flow.OpRecoverFailed && i.State == flow.WorkflowFailure || op == flow.OpResume && i.State != flow.WorkflowFailure
	}
	return out
}

// instance is the instance of the address.
func (p pages) instance(r *http.Request) (project.Project, *Instance, error) {
	owner, err := p.within(r)
	if err != nil {
		return owner, nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return owner, nil, err
	}
	i, err := p.GetIn(r.Context(), owner.Code, id)
	return owner, i, err
}

// operation reads what is to be done; only what this product does is known.
func operation(text string) (flow.Operation, error) {
	op := flow.Operation(text)
	if !slices.Contains([]flow.Operation{flow.OpStop, flow.OpPause, flow.OpResume, flow.OpRecoverFailed, flow.OpRerun, flow.OpDelete}, op) {
		return "", ErrStartRequest.With("field", "op", "reason", text)
	}
	return op, nil
}

// confirm asks before an operation.
func (p pages) confirm(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, i, err := p.instance(r)
	if err != nil {
		return nil, err
	}
	op, err := operation(r.URL.Query().Get("op"))
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "instance.confirm."+string(op), "name", i.Name)
	back := web.Next(r, address(owner.Code, i.ID))
	v := view.ConfirmPage{
		Shell: p.frame.InProject(r, ref(owner), title, crumb(ctx, owner.Code)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "instance.confirm_text."+string(op)), Action: address(owner.Code, i.ID) + "/operate",
			Submit: i18n.T(ctx, "instance.op."+string(op)), CancelURL: back, Fields: map[string]string{"op": string(op), "next": back},
			Safe: op != flow.OpDelete && op != flow.OpStop, Test: "instance.confirm",
		},
	}
	if ok, reason := flow.Allowed(op, i.State); !ok {
		v.Confirm.Error = i18n.T(ctx, reason)
	}
	return web.Page(view.Confirm(v)), nil
}

func crumb(ctx context.Context, projectCode int64) components.Crumb {
	return components.Crumb{Label: i18n.T(ctx, "instance.title"), URL: listAddress(projectCode)}
}

// operate does what a button asks for and shows the page it was on, where the wish is to be seen already.
func (p pages) operate(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, i, err := p.instance(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	op, err := operation(f.Text("op"))
	if err != nil {
		return nil, err
	}
	back := web.Next(r, address(owner.Code, i.ID))
	if op == flow.OpDelete {
		err = p.Delete(ctx, i.ID)
		if here := address(owner.Code, i.ID); back == here || strings.HasPrefix(back, here+"?") {
			back = listAddress(owner.Code)
		}
	} else {
		err = p.Operate(ctx, i.ID, op)
	}
	if err != nil {
		return nil, err
	}
	answer := web.Redirect(back).Toast("instance.done."+string(op), "name", i.Name)
	if web.Target(r) == components.ListTarget {
		answer = answer.Into(components.ListTarget)
	}
	return answer, nil
}

// batch does one operation on the selected instances and tells what became of each.
func (p pages) batch(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	op, err := operation(f.Text("op"))
	if err != nil {
		return nil, err
	}
	ids := selected(f.List("ids"))
	if len(ids) == 0 || len(ids) > MaxBatch {
		return nil, ErrSelection.With("max", MaxBatch)
	}
	if op == flow.OpDelete && f.Text("confirm") != strconv.Itoa(len(ids)) {
		return p.confirmDelete(r, owner, ids, f.Has("confirm"))
	}
	outcomes := p.inProject(ctx, owner.Code, ids, op)
	results := make([]view.Result, 0, len(outcomes))
	for _, o := range outcomes {
		res := view.Result{Name: o.Name, OK: o.Err == nil, URL: address(owner.Code, o.ID), Text: i18n.T(ctx, "instance.did."+string(op))}
		if o.Name == "" {
			res.Name = "#" + strconv.FormatInt(o.ID, 10)
		}
		if o.Err != nil {
			res.Text = web.Message(ctx, o.Err)
		} else if op == flow.OpDelete {
			res.URL = ""
		}
		results = append(results, res)
	}
	page, err := p.listPage(r, owner, results)
	if err != nil {
		return nil, err
	}
	return web.Page(view.List(page)), nil
}

// inProject operates on instances of one project only, whatever ids were sent.
func (p pages) inProject(ctx context.Context, projectCode int64, ids []int64, op flow.Operation) []Outcome {
	return p.each(ctx, ids, func(id int64) error {
		if _, err := p.GetIn(ctx, projectCode, id); err != nil {
			return err
		}
		if op == flow.OpDelete {
			return p.Delete(ctx, id)
		}
		return p.Operate(ctx, id, op)
	})
}

func (p pages) confirmDelete(r *http.Request, owner project.Project, ids []int64, wrong bool) (web.Response, error) {
	ctx := r.Context()
	texts := make([]string, len(ids))
	for k, id := range ids {
		texts[k] = strconv.FormatInt(id, 10)
	}
	title := i18n.T(ctx, "instance.confirm_many", "count", len(ids))
	v := view.ConfirmPage{
		Shell: p.frame.InProject(r, ref(owner), title, crumb(ctx, owner.Code)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "instance.confirm_text.DELETE"), Action: listAddress(owner.Code) + "/batch",
			Submit: i18n.T(ctx, "instance.op.DELETE"), CancelURL: listAddress(owner.Code), Test: "instances.confirm",
			Fields: map[string]string{"op": string(flow.OpDelete), "ids": strings.Join(texts, ",")},
		},
		TypeCount: strconv.Itoa(len(ids)),
	}
	if wrong {
		v.Confirm.Error = i18n.T(ctx, "instance.confirm_count", "count", len(ids))
	}
	return web.Page(view.Confirm(v)), nil
}

// selected reads the ids of rows, sent one by one or joined by commas. What is no id is left out.
func selected(texts []string) []int64 {
	var ids []int64
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			if id, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64); err == nil && id > 0 && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// missing reports whether err says that something is not there (any more).
func missing(err error) bool { return errors.Is(err, ErrNotFound) || errors.Is(err, ErrTaskNotFound) }
