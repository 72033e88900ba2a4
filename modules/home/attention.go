package home

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/instance"
	view "dorado/views/home"
)

// AttentionPath is the page of what somebody should look at; the bell in the head leads there.
const AttentionPath = "/attention"

const (
	// recent is how far back failures are told.
	recent = 24 * time.Hour
	// mostFailed bounds the failures that are listed.
	mostFailed = 200
)

// waiting lists the decisions that whoever acts may make.
func (m *Module) waiting(ctx context.Context) ([]instance.Approval, error) {
	all, err := m.Instances.Approvals(ctx, 0)
	return slices.DeleteFunc(all, func(a instance.Approval) bool { return !m.Instances.MayDecide(ctx, &a) }), err
}

// attention lists what waits for a decision and what failed within a day: of one's own, or all that one may see.
func (m *Module) attention(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if _, err := access.Must(ctx); err != nil {
		return nil, err
	}
	now, mine := m.Now(), r.URL.Query().Get("of") != "all"
	waiting, err := m.waiting(ctx)
	if err != nil {
		return nil, err
	}
	failed, err := m.Instances.FailedSince(ctx, now.Add(-recent), mine, mostFailed)
	if err != nil {
		return nil, err
	}
	var codes []int64
	for k := range waiting {
		codes = append(codes, waiting[k].ProjectCode)
	}
	for k := range failed {
		codes = append(codes, failed[k].ProjectCode)
	}
	names, err := m.Projects.Names(ctx, codes)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "attention.title")
	v := view.AttentionProps{Shell: m.Frame.Page(r, title), Title: title, Now: now, Cut: len(failed) == mostFailed}
	for _, of := range []string{"mine", "all"} {
		v.Of = append(v.Of, view.Range{Label: i18n.T(ctx, "attention."+of), URL: AttentionPath + "?of=" + of, Current: mine == (of == "mine")})
	}
	for k := range waiting {
		a := &waiting[k]
		v.Waiting = append(v.Waiting, view.Decision{
			Task: a.TaskName, Question: a.Question, Run: a.InstanceName, URL: a.URL(), Project: names[a.ProjectCode], Since: a.CreatedAt, Until: a.ExpiresAt,
		})
	}
	for k := range failed {
		f := &failed[k]
		row := view.Failure{
			Name: f.Title(), Stream: f.Stream, URL: f.URL(), Project: names[f.ProjectCode], Tasks: f.Tasks, By: f.ExecutorName, At: f.At(), LogURL: f.LogURL(),
		}
		if url := f.OperateURL(); url != "" && m.Access.CanWorkflow(ctx, f.ProjectCode, f.WorkflowCode, instance.Operate) {
			row.RecoverURL = url
			row.Fields = map[string]string{"op": string(flow.OpRecoverFailed), "next": r.URL.RequestURI()}
		}
		v.Failed = append(v.Failed, row)
	}
	return web.Page(view.Attention(v)), nil
}

// mostCounted is where the bell stops counting.
const mostCounted = 99

// count is the number beside the bell: decisions to make, and one's own runs and streaming tasks that failed within a day.
func (m *Module) count(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	waiting, err := m.waiting(ctx)
	if err != nil {
		return nil, err
	}
	failed, err := m.Instances.FailedSince(ctx, m.Now().Add(-recent), true, mostCounted+1)
	if err != nil {
		return nil, err
	}
	n := len(waiting) + len(failed)
	text := strconv.Itoa(n)
	if n > mostCounted {
		text = strconv.Itoa(mostCounted) + "+"
	}
	return web.Page(view.AttentionCount(n, text)), nil
}
