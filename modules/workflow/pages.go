package workflow

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/views/components"
	"dorado/views/layout"
	"dorado/views/security"
	view "dorado/views/workflow"
)

type pages struct {
	svc     *Service
	frame   *frame.Frame
	run     access.Permission
	groups  func(ctx context.Context) ([]string, error)
	lists   FormLists
	history RunHistory
	timings *Timings
}

// inProject reads the project of the address for somebody who may do perm in it.
func (p *pages) inProject(r *http.Request, perm access.Permission) (project.Project, error) {
	code, err := web.Number(r, "project")
	if err != nil {
		return project.Project{}, err
	}
	return p.svc.Projects.Require(r.Context(), code, perm)
}

// found reads the project and the workflow of the address.
func (p *pages) found(r *http.Request, perm access.Permission) (project.Project, Workflow, error) {
	in, err := p.inProject(r, perm)
	if err != nil {
		return in, Workflow{}, err
	}
	code, err := web.Number(r, "workflow")
	if err != nil {
		return in, Workflow{}, err
	}
	w, err := p.svc.in(r.Context(), in.Code, code, perm)
	return in, w, err
}

func (p *pages) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.inProject(r, Read)
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, Spec())
	page, err := p.svc.List(ctx, in.Code, q)
	if err != nil {
		return nil, err
	}
	drafts, err := p.svc.Drafts(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	bars, err := p.bars(ctx, page.Items)
	if err != nil {
		return nil, err
	}
	timings, err := p.timings.of(ctx, page.Items...)
	if err != nil {
		return nil, err
	}
	list := listAddress(in.Code)
	v := view.ListPage{
		Shell: p.frame.InProject(r, project.Ref(in), i18n.T(ctx, "workflow.title")), List: frame.Listed(list, q, page),
		History: p.history != nil, Timed: p.timings != nil, ExportURL: list + "/export",
	}
	if p.svc.Can(ctx, in.Code, Edit) {
		v.NewURL, v.ExampleURL, v.ImportURL = list+"/new", list+"/example", list+"/import-file"
	}
	mine := make(map[int64]Draft, len(drafts))
	for _, d := range drafts {
		mine[d.WorkflowCode] = d
	}
	for _, w := range page.Items {
		row := p.row(ctx, w, bars[w.Code], mine[w.Code].Revision > 0)
		p.timed(ctx, w, timings[w.Code], &row)
		v.Rows = append(v.Rows, row)
	}
	for _, d := range drafts {
		if d.BaseVersion == 0 {
			v.Drafts = append(v.Drafts, view.DraftRow{
				Name: d.Name, URL: newAddress(in.Code, d.WorkflowCode), At: d.UpdatedAt, DiscardURL: address(in.Code, d.WorkflowCode) + "/discard",
			})
		}
	}
	return web.Page(view.List(v)), nil
}

func (p *pages) bars(ctx context.Context, rows []Workflow) (map[int64][]Bar, error) {
	if p.history == nil || len(rows) == 0 {
		return map[int64][]Bar{}, nil
	}
	codes := make([]int64, len(rows))
	for i, w := range rows {
		codes[i] = w.Code
	}
	return p.history(ctx, codes)
}

func (p *pages) row(ctx context.Context, w Workflow, bars []Bar, draft bool) view.Row {
	at := address(w.ProjectCode, w.Code)
	row := view.Row{
		ID: "w" + strconv.FormatInt(w.Code, 10), Code: strconv.FormatInt(w.Code, 10), Name: w.Name, URL: at, Description: w.Description, State: string(w.ReleaseState),
		Online: w.Online(), Version: w.Version, VersionsURL: at + "/versions", ExportURL: at + "/yaml", Tasks: w.TaskCount, Owner: w.OwnerName,
		Modifier: w.ModifierName, UpdatedAt: w.UpdatedAt, Draft: draft,
	}
	if p.svc.Can(ctx, w.ProjectCode, Edit) {
		row.EditURL, row.CopyURL = at, at+"/copy"
	}
	if p.svc.Can(ctx, w.ProjectCode, Release) {
		row.ReleaseURL = at + "/release"
	}
	if p.svc.Can(ctx, w.ProjectCode, Delete) {
		row.DeleteURL = at + "/delete"
	}
	if p.run != "" && p.svc.Can(ctx, w.ProjectCode, p.run) {
		row.RunURL = at + "/run"
	}
	if p.history != nil {
		row.GridURL = at + "/grid"
	}
	row.Bars = runBars(ctx, bars)
	if n := len(bars); n > 0 {
		last := bars[n-1]
		row.LastState, row.LastURL, row.LastAt = last.State, last.URL, last.At
	}
	return row
}

// runBars scales the runs of a workflow to its longest one.
func runBars(ctx context.Context, bars []Bar) components.BarsProps {
	longest, good, bad := int64(1), 0, 0
	for _, b := range bars {
		longest = max(longest, b.Took.Milliseconds())
		switch flow.WorkflowState(b.State) {
		case flow.WorkflowSuccess:
			good++
		case flow.WorkflowFailure:
			bad++
		default:
		}
	}
	props := components.BarsProps{Label: i18n.T(ctx, "workflow.last_runs", "count", len(bars), "good", good, "bad", bad)}
	for _, b := range bars {
		props.Bars = append(props.Bars, components.Bar{
			State: b.State, Height: int(100 * b.Took.Milliseconds() / longest), // no link: the chart is one picture to readers of the page
			Title: components.StateLabel(ctx, b.State) + ", " + i18n.Duration(ctx, b.Took) + ", " + i18n.DateTime(ctx, b.At),
		})
	}
	return props
}

// release puts a workflow online or takes it offline from the list.
func (p *pages) release(r *http.Request) (web.Response, error) {
	in, w, err := p.found(r, Release)
	if err != nil {
		return nil, err
	}
	state, err := flow.ParseReleaseState(web.ReadForm(r).Text("state"))
	if err != nil {
		return nil, ErrMalformed.With("value", "state")
	}
	if state == flow.Offline && web.ReadForm(r).Text("sure") == "" {
		if question, err := p.askOffline(r, in, w); question != nil || err != nil {
			return question, err
		}
	}
	before, err := p.timings.of(r.Context(), w)
	if err != nil {
		return nil, err
	}
	w, err = p.svc.Release(r.Context(), w.Code, state)
	if err != nil {
		return nil, err
	}
	toast := "workflow.now_offline"
	if before[w.Code].Online > 0 {
		toast = "timing.with_workflow"
	}
	if w.Online() {
		toast = "workflow.now_online"
	}
	return web.Redirect(listAddress(in.Code)).Toast(toast, "name", w.Name, "version", w.Version), nil
}

// askOffline names what depends on a workflow before it goes offline: what is online and starts it keeps it from that,
// what waits for it does not. It answers nil when nothing depends on it.
func (p *pages) askOffline(r *http.Request, in project.Project, w Workflow) (web.Response, error) {
	ctx := r.Context()
	all, err := p.svc.Dependants(ctx, w.Code)
	if err != nil {
		return nil, err
	}
	var blocking []security.Link
	var waiting []string
	for _, d := range shownDependants(ctx, all) {
		if d.Blocks {
			blocking = append(blocking, security.Link{Label: d.Label, Note: d.Note, URL: d.URL})
		} else {
			waiting = append(waiting, d.Label+" ("+d.Note+")")
		}
	}
	list, title := listAddress(in.Code), i18n.T(ctx, "workflow.offline.ask", "name", w.Name)
	v := security.DeletePage{Shell: p.shell(r, in, w, title)}
	switch {
	case len(blocking) > 0:
		v.Refused = &security.RefusedProps{
			Title: i18n.T(ctx, "workflow.offline.refused", "name", w.Name), Text: i18n.T(ctx, "workflow.offline.refused.text"), Links: blocking, BackURL: list,
		}
		return web.Page(security.Delete(v)).Status(http.StatusConflict), nil
	case len(waiting) > 0:
		v.Confirm = components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "workflow.offline.ask.text"), Details: waiting, Action: address(in.Code, w.Code) + "/release",
			Fields: map[string]string{"state": string(flow.Offline), "sure": "1"}, Submit: i18n.T(ctx, "workflow.offline.submit"), CancelURL: list,
			Safe: true, Test: "workflow.offline",
		}
		return web.Page(security.Delete(v)).Status(http.StatusConflict), nil
	}
	return nil, nil
}

func (p *pages) copy(r *http.Request) (web.Response, error) {
	in, w, err := p.found(r, Edit)
	if err != nil {
		return nil, err
	}
	copied, err := p.svc.Copy(r.Context(), w.Code, in.Code)
	if err != nil {
		return nil, err
	}
	return web.Redirect(listAddress(in.Code)).Toast("workflow.copied", "name", w.Name, "copy", copied.Workflow.Name), nil
}

func (p *pages) confirm(r *http.Request) (web.Response, error) {
	in, w, err := p.found(r, Delete)
	if err != nil {
		return nil, err
	}
	return p.ask(r, in, w, http.StatusOK)
}

func (p *pages) remove(r *http.Request) (web.Response, error) {
	in, w, err := p.found(r, Delete)
	if err != nil {
		return nil, err
	}
	err = p.svc.Delete(r.Context(), w.Code)
	if errors.Is(err, ErrInUse) || errors.Is(err, ErrDeleteOnline) {
		if w, err = p.svc.Get(r.Context(), w.Code); err != nil {
			return nil, err
		}
		return p.ask(r, in, w, http.StatusConflict)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(listAddress(in.Code)).Toast("workflow.deleted", "name", w.Name), nil
}

// ask shows the question before deleting, or what stands in the way.
func (p *pages) ask(r *http.Request, in project.Project, w Workflow, status int) (web.Response, error) {
	ctx := r.Context()
	uses, err := p.svc.Uses(ctx, w.Code)
	if err != nil {
		return nil, err
	}
	dependants, err := p.svc.Dependants(ctx, w.Code)
	if err != nil {
		return nil, err
	}
	list, title := listAddress(in.Code), i18n.T(ctx, "workflow.delete.title", "name", w.Name)
	v := security.DeletePage{
		Shell: p.shell(r, in, w, title),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "workflow.delete.text", "count", w.Version), Action: address(in.Code, w.Code) + "/delete",
			Submit: i18n.T(ctx, "workflow.delete"), CancelURL: list, Test: "workflow.delete",
		},
	}
	switch {
	case w.Online():
		v.Refused = &security.RefusedProps{
			Title: i18n.T(ctx, "workflow.delete.refused", "name", w.Name), Text: i18n.T(ctx, ErrDeleteOnline.Key, "name", w.Name), BackURL: list,
		}
	case len(uses)+len(dependants) > 0:
		v.Refused = &security.RefusedProps{
			Title: i18n.T(ctx, "workflow.delete.refused", "name", w.Name), Text: i18n.T(ctx, "workflow.in_use.text"), BackURL: list,
		}
		for _, use := range uses {
			v.Refused.Links = append(v.Refused.Links, security.Link{Label: use})
		}
		for _, d := range shownDependants(ctx, dependants) {
			v.Refused.Links = append(v.Refused.Links, security.Link{Label: d.Label, Note: d.Note, URL: d.URL})
		}
	}
	return web.Page(security.Delete(v)).Status(status), nil
}

func (p *pages) discard(r *http.Request) (web.Response, error) {
	in, err := p.inProject(r, Read)
	if err != nil {
		return nil, err
	}
	code, err := web.Number(r, "workflow")
	if err != nil {
		return nil, err
	}
	if err := p.svc.DiscardDraft(r.Context(), in.Code, code); err != nil {
		return nil, err
	}
	return web.Redirect(listAddress(in.Code)).Toast("workflow.draft_discarded"), nil
}

func (p *pages) example(r *http.Request) (web.Response, error) {
	in, err := p.inProject(r, Edit)
	if err != nil {
		return nil, err
	}
	saved, err := p.svc.CreateExample(r.Context(), in.Code, i18n.T(r.Context(), "workflow.example.name"))
	if err != nil {
		return nil, err
	}
	return web.Redirect(address(in.Code, saved.Workflow.Code)).Toast("workflow.example.made", "name", saved.Workflow.Name), nil
}

// shell is the frame of a page below the workflow's own.
func (p *pages) shell(r *http.Request, in project.Project, w Workflow, title string, above ...components.Crumb) layout.ShellProps {
	ctx := r.Context()
	crumbs := append([]components.Crumb{
		{Label: i18n.T(ctx, "workflow.title"), URL: listAddress(in.Code)}, {Label: w.Name, URL: address(in.Code, w.Code)},
	}, above...)
	return p.frame.InProject(r, project.Ref(in), title, crumbs...)
}
