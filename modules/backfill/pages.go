package backfill

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/instance"
	"dorado/modules/project"
	view "dorado/views/backfill"
	"dorado/views/components"
)

type pages struct {
	*Service
	frame *frame.Frame
	site  *web.Site
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

func listAddress(project int64) string {
	return "/projects/" + strconv.FormatInt(project, 10) + "/backfills"
}

func (p pages) list(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, Spec())
	found, err := p.List(ctx, owner.Code, q)
	if err != nil {
		return nil, err
	}
	rows, err := p.rows(ctx, found.Items)
	if err != nil {
		return nil, err
	}
	v := view.ListPage{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "backfill.title")), List: frame.Listed(listAddress(owner.Code), q, found), Rows: rows,
		StartURL: "/projects/" + strconv.FormatInt(owner.Code, 10) + "/workflows", Names: map[string]string{},
		Labels: map[string]string{"state": i18n.T(ctx, "backfill.field.state"), "workflow": i18n.T(ctx, "backfill.field.workflow")},
		States: []components.Option{{Label: i18n.T(ctx, "backfill.any_state")}},
	}
	v.State = v.List.Filters["state"]
	for _, s := range []State{Running, Paused, Success, Failure, Cancelled} {
		name := view.StateLabel(ctx, string(s))
		v.Names[string(s)] = name
		v.States = append(v.States, components.Option{Value: string(s), Label: name})
	}
	for _, b := range found.Items {
		v.Names[strconv.FormatInt(b.WorkflowCode, 10)] = b.WorkflowName
	}
	return web.Page(view.List(v)), nil
}

func (p pages) rows(ctx context.Context, list []Backfill) ([]view.Row, error) {
	ids := make([]int64, 0, len(list))
	for _, b := range list {
		ids = append(ids, b.ID)
	}
	counts, err := p.Counts(ctx, ids...)
	if err != nil {
		return nil, err
	}
	rows := make([]view.Row, 0, len(list))
	for k := range list {
		b := &list[k]
		c := counts[b.ID]
		row := view.Row{
			ID: strconv.FormatInt(b.ID, 10), URL: b.URL(), Workflow: b.WorkflowName, State: string(b.State), Shares: shares(c), Total: c.Total(),
			Done: c.Total() - c.Left(), Width: b.Width, User: b.UserName, Created: b.CreatedAt,
		}
		if b.EndedAt != nil {
			row.Ended = *b.EndedAt
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// shares are the counts in the order in which a bar shows them.
func shares(c Counts) []view.Share {
	order := []DateState{DateSuccess, DateFailure, DateStop, DatePause, DateRunning, DateWaiting, DateNotRun, DateCancelled, DateSkipped}
	out := make([]view.Share, 0, len(order))
	for _, s := range order {
		out = append(out, view.Share{State: string(s), Count: c[s]})
	}
	return out
}

// dateSpec is what the dates of a backfill are narrowed by.
func dateSpec() listing.Spec {
	return listing.Spec{Columns: map[string]string{"position": "bd.position"}, Default: "position", ID: "bd.position", Filters: map[string]string{"state": "bd.state"}}
}

// target is the backfill of the address.
func (p pages) target(r *http.Request) (project.Project, *Backfill, error) {
	owner, err := p.within(r)
	if err != nil {
		return owner, nil, err
	}
	id, err := web.Number(r, "id")
	if err != nil {
		return owner, nil, err
	}
	b, err := p.Get(r.Context(), owner.Code, id)
	return owner, b, err
}

func (p pages) show(r *http.Request) (web.Response, error) {
	owner, b, err := p.target(r)
	if err != nil {
		return nil, err
	}
	v, err := p.page(r.Context(), owner, b, frame.Query(r, dateSpec()))
	if err != nil {
		return nil, err
	}
	v.Shell = p.frame.InProject(r, ref(owner), v.Title, components.Crumb{Label: i18n.T(r.Context(), "backfill.title"), URL: listAddress(owner.Code)})
	return web.Page(view.Show(v)), nil
}

// page is everything about a backfill but its frame.
func (p pages) page(ctx context.Context, owner project.Project, b *Backfill, q listing.Query) (view.Page, error) {
	all, err := p.Counts(ctx, b.ID)
	if err != nil {
		return view.Page{}, err
	}
	c := all[b.ID]
	state := DateState("")
	if len(q.Filters["state"]) > 0 {
		state = DateState(q.Filters["state"][0])
	}
	total := c.Total()
	if state != "" {
		total = c[state]
	}
	q = q.Clamp(total)
	dates, err := p.Dates(ctx, b, state, q.Size, q.Offset())
	if err != nil {
		return view.Page{}, err
	}
	zone := b.zone()
	now := p.now()
	v := view.Page{
		Title: i18n.T(ctx, "backfill.one", "id", b.ID, "name", b.WorkflowName), State: string(b.State), Shares: shares(c), Total: c.Total(),
		Done: c.Total() - c.Left(), Zone: zone.String(), Now: now,
		Summary: i18n.T(ctx, "backfill.summary", "user", b.UserName, "version", b.WorkflowVersion, "width", b.Width, "order",
			i18n.T(ctx, "backfill.order."+b.Order), "policy", i18n.T(ctx, "backfill.policy."+string(b.Policy))),
	}
	if !b.Over() {
		v.EventsURL = b.URL() + "/events?" + narrowed(state, q).Encode()
		v.Rest = p.rest(ctx, b, c)
	}
	if b.State == Paused {
		v.Note = i18n.T(ctx, "backfill.note_paused")
	}
	if p.Projects.CanWorkflow(ctx, owner.Code, b.WorkflowCode, instance.Operate) {
		v.Actions = actions(ctx, b, c)
	}
	v.Tabs = tabs(ctx, b, c, state)
	for _, d := range dates {
		v.Dates = append(v.Dates, dateView(b, d, zone, now))
	}
	v.Pager = components.PagerProps{Path: b.URL(), Query: narrowed(state, q), Page: q.Page, Size: q.Size, Total: total, Target: view.Live}
	along, err := p.Along(ctx, b)
	if err != nil {
		return v, err
	}
	v.Along, err = p.rows(ctx, along)
	return v, err
}

func narrowed(state DateState, q listing.Query) url.Values {
	v := url.Values{"page": {strconv.Itoa(q.Page)}, "size": {strconv.Itoa(q.Size)}}
	if state != "" {
		v.Set("state", string(state))
	}
	return v
}

func dateView(b *Backfill, d Date, zone *time.Location, now time.Time) view.Date {
	at := d.ScheduleTime.In(zone)
	one := view.Date{
		N: d.Position + 1, Zoned: at.Format(time.DateTime) + " " + at.Format("-07:00"), Chain: d.Chain, State: string(d.State), RunName: d.RunName, Took: d.Took(now),
	}
	if d.InstanceID != 0 && d.RunState != "" {
		one.RunURL = instance.Address(b.ProjectCode, d.InstanceID)
		if d.State == DateRunning && d.RunState != "RUNNING_EXECUTION" {
			one.Live = string(d.RunState)
		}
	}
	if d.Restart != nil {
		one.Start = *d.Restart
	} else if d.Start != nil {
		one.Start = *d.Start
	}
	if d.End != nil {
		one.End = *d.End
	}
	return one
}

// rest says how long a backfill may still take, from how long its dates took.
func (p pages) rest(ctx context.Context, b *Backfill, c Counts) string {
	if b.State != Running || c[DateSuccess] == 0 {
		return ""
	}
	took, err := p.store.took(ctx, b.ID)
	if err != nil || took <= 0 {
		return ""
	}
	rounds := (c.Left() + b.Width - 1) / b.Width
	return i18n.T(ctx, "backfill.rest", "time", i18n.Duration(ctx, took*time.Duration(rounds)))
}

func tabs(ctx context.Context, b *Backfill, c Counts, current DateState) []components.Tab {
	out := []components.Tab{{Label: i18n.T(ctx, "backfill.all"), URL: b.URL(), Count: i18n.Number(ctx, int64(c.Total())), Current: current == ""}}
	for _, s := range DateStates() {
		if c[s] == 0 && s != current {
			continue
		}
		out = append(out, components.Tab{
			Label: view.StateLabel(ctx, string(s)), URL: b.URL() + "?state=" + string(s), Count: i18n.Number(ctx, int64(c[s])), Current: current == s,
			Test: "backfill.tab." + string(s),
		})
	}
	return out
}

// actions are what can be done with a backfill now, or why not.
func actions(ctx context.Context, b *Backfill, c Counts) []view.Action {
	one := func(op, icon string, refused error) view.Action {
		a := view.Action{Op: op, Label: i18n.T(ctx, "backfill.op."+op), Icon: icon, URL: b.URL() + "/" + op}
		if refused != nil {
			a.Disabled = web.Message(ctx, refused)
		}
		return a
	}
	var over error
	if b.Over() {
		over = ErrOver
	}
	list := []view.Action{one("pause", "pause", over)}
	if b.State == Paused {
		list = []view.Action{one("resume", "play", over)}
	}
	width := one("width", "columns", over)
	width.Dialog = over == nil
	var noFailed error
	if c.Failed() == 0 {
		noFailed = ErrNoFailed
	}
	cancelled := over
	if over == nil && c[DateWaiting] == 0 {
		cancelled = ErrNothingWaits
	}
	cancel := one("cancel", "ban", cancelled)
	cancel.Dialog = cancelled == nil
	return append(list, width, one("rerun", "rerun", noFailed), cancel)
}

// lookEvery is how often an open page looks whether anything has changed.
const lookEvery = time.Second

// events is the stream of one backfill: the page's own part, whenever it would look different.
func (p pages) events(r *http.Request) (web.Response, error) {
	owner, b, err := p.target(r)
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, dateSpec())
	return web.Events(func(ctx context.Context, out *web.Stream) error {
		var seen string
		for tick := time.NewTicker(lookEvery); ; {
			now, err := p.Get(ctx, owner.Code, b.ID)
			if errors.Is(err, ErrNotFound) {
				return out.Send("", "end", []byte("{}"))
			}
			if err != nil {
				return err
			}
			key, err := p.store.signature(ctx, b.ID)
			if err != nil {
				return err
			}
			if key != seen {
				v, err := p.page(ctx, owner, now, q)
				if err != nil {
					return err
				}
				var html bytes.Buffer
				if err := view.LivePartial(v).Render(ctx, &html); err != nil {
					return err
				}
				if err := out.Send("", "", html.Bytes()); err != nil {
					return err
				}
				seen = key
			}
			if now.Over() {
				tick.Stop()
				return out.Send("", "end", []byte("{}"))
			}
			select {
			case <-ctx.Done():
				tick.Stop()
				return nil
			case <-tick.C:
			}
		}
	}), nil
}

// do is an action that asks nothing.
func (p pages) do(done string, act func(ctx context.Context, project, id int64) error) web.Handler {
	return func(r *http.Request) (web.Response, error) {
		owner, b, err := p.target(r)
		if err != nil {
			return nil, err
		}
		if err := act(r.Context(), owner.Code, b.ID); err != nil {
			return nil, err
		}
		return web.Redirect(b.URL()).Into(view.Live).Toast(done), nil
	}
}

func (p pages) cancelForm(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, b, err := p.operable(r)
	if err != nil {
		return nil, err
	}
	counts, err := p.Counts(ctx, b.ID)
	if err != nil {
		return nil, err
	}
	c := counts[b.ID]
	title := i18n.T(ctx, "backfill.cancel_title", "name", b.WorkflowName)
	return web.Page(view.Cancel(view.CancelPage{
		Shell: p.frame.InProject(r, ref(owner), title), Running: c[DateRunning],
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "backfill.cancel_text", "count", c[DateWaiting]), Action: b.URL() + "/cancel",
			Submit: i18n.T(ctx, "backfill.op.cancel"), CancelURL: b.URL(), Test: "backfill.cancel_form",
		},
	})), nil
}

// operable is target for somebody who may change it.
func (p pages) operable(r *http.Request) (project.Project, *Backfill, error) {
	owner, b, err := p.target(r)
	if err == nil {
		_, err = p.Projects.RequireWorkflow(r.Context(), owner.Code, b.WorkflowCode, instance.Operate)
	}
	return owner, b, err
}

func (p pages) cancel(r *http.Request) (web.Response, error) {
	owner, b, err := p.target(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := p.Cancel(r.Context(), owner.Code, b.ID, f.Bool("stop")); err != nil {
		return nil, err
	}
	return web.Redirect(b.URL()).Toast("backfill.cancelled"), nil
}

func (p pages) widthForm(r *http.Request) (web.Response, error) {
	owner, b, err := p.operable(r)
	if err != nil {
		return nil, err
	}
	return p.widthView(r, owner, b, strconv.Itoa(b.Width), nil)
}

func (p pages) widthView(r *http.Request, owner project.Project, b *Backfill, width string, f *web.Form) (web.Response, error) {
	title := i18n.T(r.Context(), "backfill.op.width")
	return f.Again(view.Width(view.WidthPage{
		Shell: p.frame.InProject(r, ref(owner), title), Title: title, Action: b.URL() + "/width", Back: b.URL(), Width: width,
		Error: f.Notice(), Errors: f.Errors(),
	})), nil
}

func (p pages) width(r *http.Request) (web.Response, error) {
	owner, b, err := p.target(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	to := f.Int("width")
	if f.OK() {
		err = p.SetWidth(r.Context(), owner.Code, b.ID, to)
	}
	if f.Rejects(err) {
		return p.widthView(r, owner, b, f.Text("width"), f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(b.URL()).Toast("backfill.width_set", "width", to), nil
}
