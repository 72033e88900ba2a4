package instance

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/instance"
)

const (
	// maxBulk bounds how many instances one request operates on.
	maxBulk = 1000
	// bulkPace is the rest between two of them, so that the masters are not flooded.
	bulkPace = 2 * time.Millisecond
)

// gate lets each user do one thing to many at a time.
type gate struct {
	mu   sync.Mutex
	busy map[int64]bool
}

func (g *gate) enter(user int64) (leave func(), free bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[user] {
		return nil, false
	}
	g.busy[user] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.busy, user)
	}, true
}

// startTypes are the run types by which lists are narrowed.
func startTypes() []flow.CommandType {
	return []flow.CommandType{
		flow.CommandStart, flow.CommandSchedule, flow.CommandBackfill, flow.CommandRepeat, flow.CommandRecoverFailed, flow.CommandResume, flow.CommandExecuteTask,
	}
}

// bulkOps are the operations on all that match.
func bulkOps() []flow.Operation {
	return []flow.Operation{flow.OpRerun, flow.OpRecoverFailed, flow.OpResume, flow.OpPause, flow.OpStop, flow.OpDelete}
}

// bulkQuery is what narrows a list, without its page.
func bulkQuery(l components.Listing) url.Values {
	q := url.Values{}
	if l.Search != "" {
		q.Set("q", l.Search)
	}
	for name, value := range l.Filters {
		q.Set(name, value)
	}
	return q
}

// bulkHead is one instance that matches, with no more than the preview needs.
type bulkHead struct {
	ID    int64              `db:"id"`
	Name  string             `db:"name"`
	State flow.WorkflowState `db:"state"`
}

// matching lists up to limit instances that a list would show on all of its pages, newest first, and how many there are.
func (s *Service) matching(ctx context.Context, project int64, q listing.Query, f Filter, limit int) ([]bulkHead, int, error) {
	where, args := f.instances(&s.store, project)
	narrow, more := q.Where(s.DB.Dialect().Like, db.Contains)
	where, args = where+" AND "+narrow, append(args, more...)
	total, err := db.Get[int](ctx, s.DB, `SELECT count(*) FROM workflow_instance w WHERE `+where, args...)
	if err != nil {
		return nil, 0, err
	}
	rows, err := db.Select[bulkHead](ctx, s.DB, `SELECT w.id, w.name, w.state FROM workflow_instance w WHERE `+where+` ORDER BY w.id DESC LIMIT ?`, append(args, limit)...)
	return rows, total, err
}

// bulkOperation reads the operation; without one it is the one that is wanted most of what failed.
func (p pages) bulkOperation(ctx context.Context, owner project.Project, text string) (flow.Operation, error) {
	if text == "" {
		text = string(flow.OpRerun)
	}
	op, err := operation(text)
	if err != nil {
		return "", err
	}
	perm := Operate
	if op == flow.OpDelete {
		perm = Delete
	}
	_, err = p.Projects.Require(ctx, owner.Code, perm)
	return op, err
}

// bulkPreview shows what an operation on all that match would do: how many it takes, and why it leaves out the others.
func (p pages) bulkPreview(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	op, err := p.bulkOperation(ctx, owner, r.URL.Query().Get("op"))
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, Spec())
	narrow, said := listFilter(r)
	found, total, err := p.matching(ctx, owner.Code, q, narrow, maxBulk)
	if err != nil {
		return nil, err
	}
	list := listed(listAddress(owner.Code), q, listing.NewPage(q.Clamp(total), found, total), said)
	asked := bulkQuery(list)
	v := p.bulkView(r, owner, op)
	v.Matching, v.More, v.BackURL = total, total-len(found), withQuery(listAddress(owner.Code), asked)
	names, err := p.filterNames(ctx, owner.Code)
	if err != nil {
		return nil, err
	}
	v.Filters = list.Chips(p.filterLabels(ctx), names).Chips
	for k := range v.Filters {
		v.Filters[k].RemoveURL = strings.Replace(v.Filters[k].RemoveURL, listAddress(owner.Code), listAddress(owner.Code)+"/bulk", 1)
	}
	for _, o := range bulkOps() {
		if o == flow.OpDelete && !p.Access.CanProject(ctx, owner.Code, Delete) {
			continue
		}
		asked.Set("op", string(o))
		v.Ops = append(v.Ops, components.Tab{
			Label: i18n.T(ctx, "instance.op."+string(o)), URL: withQuery(listAddress(owner.Code)+"/bulk", asked), Current: o == op, Test: "bulk." + string(o),
		})
	}
	var ids []string
	for _, h := range found {
		row := view.BulkRow{Name: h.Name, URL: address(owner.Code, h.ID), State: string(h.State)}
		ok, reason := flow.Allowed(op, h.State)
		if ok {
			ids, v.Eligible = append(ids, strconv.FormatInt(h.ID, 10)), append(v.Eligible, row)
			continue
		}
		text := i18n.T(ctx, reason)
		at := slices.IndexFunc(v.Skipped, func(s view.BulkReason) bool { return s.Text == text })
		if at < 0 {
			at, v.Skipped = len(v.Skipped), append(v.Skipped, view.BulkReason{Text: text})
		}
		v.Skipped[at].Rows = append(v.Skipped[at].Rows, row)
	}
	v.IDs = strings.Join(ids, ",")
	return web.Page(view.Bulk(v)), nil
}

func (p pages) bulkView(r *http.Request, owner project.Project, op flow.Operation) view.BulkPage {
	ctx := r.Context()
	return view.BulkPage{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "operate.bulk.title"), crumb(ctx, owner.Code)), Action: listAddress(owner.Code) + "/bulk",
		Op: string(op), OpLabel: i18n.T(ctx, "instance.op."+string(op)), Danger: op == flow.OpDelete || op == flow.OpStop, TypeIt: op == flow.OpDelete,
	}
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (p pages) filterLabels(ctx context.Context) map[string]string {
	out := labels(ctx, "state", "workflow", "executor", "from", "to", "scheduled")
	out["type"], out["backfill"] = i18n.T(ctx, "instance.field.trigger"), i18n.T(ctx, "operate.backfill")
	return out
}

func (p pages) filterNames(ctx context.Context, projectCode int64) (map[string]string, error) {
	workflows, err := p.Workflows.All(ctx, projectCode)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, w := range workflows {
		out[strconv.FormatInt(w.Code, 10)] = w.Name
	}
	for _, s := range flow.WorkflowStates() {
		out[string(s)] = components.StateLabel(ctx, string(s))
	}
	for _, kind := range startTypes() {
		out[string(kind)] = i18n.T(ctx, "instance.trigger."+string(kind))
	}
	return out, nil
}

// bulk does what the preview showed and tells what became of each. One that has changed since is left out with its reason.
func (p pages) bulk(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	op, err := p.bulkOperation(ctx, owner, f.Text("op"))
	if err != nil {
		return nil, err
	}
	ids := selected(f.List("ids"))
	if len(ids) == 0 || len(ids) > maxBulk {
		return nil, ErrSelection.With("max", maxBulk)
	}
	if op == flow.OpDelete && f.Text("confirm") != strconv.Itoa(len(ids)) {
		return nil, ErrStartRequest.With("field", "confirm", "reason", i18n.T(ctx, "instance.confirm_count", "count", len(ids)))
	}
	who, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	leave, free := p.gate.enter(who.UserID)
	if !free {
		return nil, ErrBulkBusy
	}
	defer leave()
	v := p.bulkView(r, owner, op)
	v.Matching, v.BackURL = len(ids), web.Next(r, listAddress(owner.Code))
	for _, id := range ids {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		time.Sleep(bulkPace)
		o := p.inProject(ctx, owner.Code, []int64{id}, op)[0]
		res := view.Result{Name: o.Name, OK: o.Err == nil, URL: address(owner.Code, id), Text: i18n.T(ctx, "instance.did."+string(op))}
		if o.Name == "" {
			res.Name = "#" + strconv.FormatInt(id, 10)
		}
		switch {
		case o.Err != nil:
			res.Text = web.Message(ctx, o.Err)
		case op == flow.OpDelete:
			res.URL, v.Done = "", v.Done+1
		default:
			v.Done++
		}
		v.Results = append(v.Results, res)
	}
	slices.SortStableFunc(v.Results, func(a, b view.Result) int { return same(a.OK) - same(b.OK) })
	return web.Page(view.Bulk(v)), nil
}
