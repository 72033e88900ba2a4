package schedule

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/schedule"
)

// shownBefore is how many fires are named before a schedule goes online.
const shownBefore = 3

// MaxBatch bounds how many schedules are operated on at once.
const MaxBatch = 1000

// ErrSelection is returned for a batch of nothing, or of too much.
var ErrSelection = fault.New(fault.Invalid, "timing.selection")

// askOnline shows when a schedule would fire.
func (p pages) askOnline(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, s, err := p.found(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.Projects.Require(ctx, l.owner.Code, Release); err != nil {
		return nil, err
	}
	next, err := p.Upcoming(ctx, []Schedule{s}, shownBefore)
	if err != nil {
		return nil, err
	}
	c := components.ConfirmProps{
		Title: i18n.T(ctx, "timing.confirm_online", "name", s.Label()), Text: i18n.T(ctx, "timing.confirm_online_text", "workflow", s.WorkflowName),
		Action: l.list() + "/" + strconv.FormatInt(s.ID, 10) + "/release", Submit: i18n.T(ctx, "timing.online"), CancelURL: l.list(), Safe: true,
		Fields: map[string]string{"state": string(flow.Online)}, Test: "timing.confirm_online",
	}
	for _, f := range next[s.ID] {
		c.Details = append(c.Details, moment(ctx, &s, f.Due))
	}
	if len(c.Details) == 0 {
		c.Text = i18n.T(ctx, "timing.confirm_online_never", "workflow", s.WorkflowName)
	}
	return web.Page(view.Confirm(view.ConfirmPage{Shell: p.frame.InProject(r, project.Ref(l.owner), c.Title, p.crumbs(ctx, l)...), Confirm: c})), nil
}

// moment is a time in the schedule's zone, and in the viewer's when that is another.
func moment(ctx context.Context, s *Schedule, at time.Time) string {
	layout := shownTime
	if at.Second() != 0 {
		layout = time.DateTime
	}
	text := at.In(s.Zone()).Format(layout) + " " + s.TimeZone
	if mine := i18n.Zone(ctx); mine.String() != s.TimeZone {
		text += " = " + at.In(mine).Format(layout) + " " + mine.String()
	}
	return text
}

func (p pages) releaseOne(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, s, err := p.found(r)
	if err != nil {
		return nil, err
	}
	state, err := flow.ParseReleaseState(web.ReadForm(r).Text("state"))
	if err != nil {
		return nil, fault.New(fault.Invalid, "schedule.choice").With("value", "state")
	}
	if state == flow.Online {
		_, err = p.Online(ctx, l.owner.Code, s.ID)
	} else {
		_, err = p.Offline(ctx, l.owner.Code, s.ID)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(back(r, l)).Toast("timing.now_"+strings.ToLower(string(state)), "name", s.Label(), "workflow", s.WorkflowName), nil
}

// back is the list that a request came from: of the project or of the workflow.
func back(r *http.Request, l place) string {
	all := project.Address(l.owner.Code, "/schedules")
	for _, header := range []string{"HX-Current-URL", "Referer"} {
		if at := r.Header.Get(header); strings.Contains(at, all) {
			return all
		}
	}
	return l.list()
}

func (p pages) askDelete(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, s, err := p.found(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.Projects.Require(ctx, l.owner.Code, Delete); err != nil {
		return nil, err
	}
	return p.deleteForm(r, l, &s, nil)
}

func (p pages) deleteForm(r *http.Request, l place, s *Schedule, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	c := components.ConfirmProps{
		Title: i18n.T(ctx, "timing.confirm_delete", "name", s.Label()), Text: i18n.T(ctx, "timing.confirm_delete_text", "workflow", s.WorkflowName),
		Action: l.list() + "/" + strconv.FormatInt(s.ID, 10) + "/delete", Submit: i18n.T(ctx, "timing.delete"), CancelURL: l.list(),
		Error: f.Notice(), Test: "timing.confirm_delete",
	}
	shell := p.frame.InProject(r, project.Ref(l.owner), c.Title, p.crumbs(ctx, l)...)
	return f.Again(view.Confirm(view.ConfirmPage{Shell: shell, Confirm: c})), nil
}

func (p pages) deleteOne(r *http.Request) (web.Response, error) {
	l, s, err := p.found(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	err = p.Delete(r.Context(), l.owner.Code, s.ID)
	if f.Rejects(err) {
		return p.deleteForm(r, l, &s, f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(back(r, l)).Toast("timing.deleted", "name", s.Label()), nil
}

// batch puts schedules online, takes them offline or deletes them, each for itself, and says what became of each.
func (p pages) batch(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, err := p.place(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	do := f.Text("do")
	deed, needs := p.deed(do)
	if deed == nil {
		return nil, fault.New(fault.Invalid, "schedule.choice").With("value", do)
	}
	if _, err := p.Projects.Require(ctx, l.owner.Code, needs); err != nil {
		return nil, err
	}
	ids := chosen(f.List("ids"))
	if len(ids) == 0 || len(ids) > MaxBatch {
		return nil, ErrSelection.With("max", MaxBatch)
	}
	if do == "delete" && f.Text("confirm") != strconv.Itoa(len(ids)) {
		return p.confirmMany(r, l, ids, f.Has("confirm"))
	}
	results := make([]view.Result, 0, len(ids))
	for _, id := range ids {
		res := view.Result{Name: "#" + strconv.FormatInt(id, 10)}
		s, err := p.Get(ctx, l.owner.Code, id)
		if err == nil {
			res.Name = s.WorkflowName + " · " + s.Label()
			err = deed(ctx, l.owner.Code, id)
		}
		res.OK, res.Text = err == nil, i18n.T(ctx, "timing.did."+do)
		if err != nil {
			res.Text = web.Message(ctx, err)
		}
		results = append(results, res)
	}
	return p.listed(r, l, results)
}

func (p pages) deed(name string) (func(ctx context.Context, project, id int64) error, access.Permission) {
	switch name {
	case "online":
		return func(ctx context.Context, project, id int64) error {
			_, err := p.Online(ctx, project, id)
			return err
		}, Release
	case "offline":
		return func(ctx context.Context, project, id int64) error {
			_, err := p.Offline(ctx, project, id)
			return err
		}, Release
	case "delete":
		return p.Delete, Delete
	default:
		return nil, ""
	}
}

func (p pages) confirmMany(r *http.Request, l place, ids []int64, wrong bool) (web.Response, error) {
	ctx := r.Context()
	v := view.ConfirmPage{Count: len(ids), Confirm: components.ConfirmProps{
		Title: i18n.T(ctx, "timing.confirm_many", "count", len(ids)), Text: i18n.T(ctx, "timing.confirm_many_text"), Action: l.list() + "/batch",
		Submit: i18n.T(ctx, "timing.delete"), CancelURL: l.list(), Test: "timings.confirm",
	}}
	texts := make([]string, len(ids))
	for k, id := range ids {
		texts[k] = strconv.FormatInt(id, 10)
		if s, err := p.Get(ctx, l.owner.Code, id); err == nil && len(v.Confirm.Details) < 50 {
			line := s.WorkflowName + " · " + s.Label()
			if s.Online() {
				line += " (" + i18n.T(ctx, "timing.delete_online") + ")"
			}
			v.Confirm.Details = append(v.Confirm.Details, line)
		}
	}
	v.Confirm.Fields = map[string]string{"do": "delete", "ids": strings.Join(texts, ",")}
	if wrong {
		v.Confirm.Error = i18n.T(ctx, "timing.confirm_count", "count", len(ids))
	}
	v.Shell = p.frame.InProject(r, project.Ref(l.owner), v.Confirm.Title, p.crumbs(ctx, l)...)
	return web.Page(view.Confirm(v)), nil
}

// chosen reads ids, one a value or several separated by commas, each once.
func chosen(values []string) []int64 {
	var ids []int64
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if id, err := strconv.ParseInt(part, 10, 64); err == nil && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
