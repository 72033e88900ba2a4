package schedule

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/flow/cron"
	"dorado/modules/frame"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/workflow"
	"dorado/views/components"
	view "dorado/views/schedule"
)

// PageDeps are what the pages need besides the service.
type PageDeps struct {
	Runs  *instance.Service // what ran
	Zones []string          // names of time zones that are offered while typing
	// What the timing dialog offers; a nil function leaves its choice at the default.
	WorkerGroups, Environments, WarningGroups, CalendarList func(ctx context.Context) ([]Choice, error)
}

// Choice is something that a schedule may refer to.
type Choice struct{ Value, Label string }

type pages struct {
	*Service
	PageDeps
	frame *frame.Frame
	site  *web.Site
}

func (p pages) routes(r chi.Router) {
	get := func(path string, h web.Handler) { r.Get("/projects/{project}"+path, p.site.Handle(h)) }
	post := func(path string, h web.Handler) { r.Post("/projects/{project}"+path, p.site.Handle(h)) }
	const one = "/workflows/{workflow}/schedules"
	get("/schedules", p.index)
	post("/schedules/batch", p.batch)
	get("/calendar", p.calendar)
	get(one, p.index)
	post(one, p.create)
	get(one+"/new", p.newForm)
	get(one+"/preview", p.preview)
	post(one+"/batch", p.batch)
	get(one+"/{schedule}/edit", p.edit)
	post(one+"/{schedule}", p.update)
	get(one+"/{schedule}/online", p.askOnline)
	post(one+"/{schedule}/release", p.releaseOne)
	get(one+"/{schedule}/delete", p.askDelete)
	post(one+"/{schedule}/delete", p.deleteOne)
}

// place is where a request stands: in a project, and perhaps in one of its workflows.
type place struct {
	owner    project.Project
	workflow *workflow.Workflow
}

func (l place) list() string {
	if l.workflow == nil {
		return project.Address(l.owner.Code, "/schedules")
	}
	return project.Address(l.owner.Code, "/workflows/"+strconv.FormatInt(l.workflow.Code, 10)+"/schedules")
}

func (p pages) place(r *http.Request) (place, error) {
	var l place
	code, err := web.Number(r, "project")
	if err != nil {
		return l, err
	}
	if l.owner, err = p.Projects.Require(r.Context(), code, Read); err != nil {
		return l, err
	}
	if chi.URLParam(r, "workflow") == "" {
		return l, nil
	}
	if code, err = web.Number(r, "workflow"); err != nil {
		return l, err
	}
	w, err := p.Workflows.In(r.Context(), l.owner.Code, code)
	l.workflow = &w
	return l, err
}

// found is the place and the schedule of an address.
func (p pages) found(r *http.Request) (place, Schedule, error) {
	l, err := p.place(r)
	if err != nil {
		return l, Schedule{}, err
	}
	id, err := web.Number(r, "schedule")
	if err != nil {
		return l, Schedule{}, err
	}
	s, err := p.Get(r.Context(), l.owner.Code, id)
	if err == nil && s.WorkflowCode != l.workflow.Code {
		err = ErrNotFound.With("id", id)
	}
	return l, s, err
}

func (p pages) crumbs(ctx context.Context, l place) []components.Crumb {
	if l.workflow == nil {
		return nil
	}
	here := project.Address(l.owner.Code, "/workflows")
	return []components.Crumb{
		{Label: i18n.T(ctx, "workflow.title"), URL: here},
		{Label: l.workflow.Name, URL: here + "/" + strconv.FormatInt(l.workflow.Code, 10)},
	}
}

// index lists the schedules of a project, or of one workflow of it.
func (p pages) index(r *http.Request) (web.Response, error) {
	l, err := p.place(r)
	if err != nil {
		return nil, err
	}
	return p.listed(r, l, nil)
}

func (p pages) listed(r *http.Request, l place, results []view.Result) (web.Response, error) {
	ctx := r.Context()
	q := frame.Query(r, Spec())
	asked := q
	title := i18n.T(ctx, "timing.title")
	v := view.ListPage{Title: title, CalendarURL: project.Address(l.owner.Code, "/calendar"), Results: results}
	if l.workflow != nil {
		asked.Filters = maps.Clone(q.Filters)
		asked.Filters["workflow"] = []string{strconv.FormatInt(l.workflow.Code, 10)}
		v.Workflow, v.Title = l.workflow.Name, i18n.T(ctx, "timing.title_of", "name", l.workflow.Name)
	}
	page, err := p.List(ctx, l.owner.Code, asked)
	if err != nil {
		return nil, err
	}
	v.Shell = p.frame.InProject(r, project.Ref(l.owner), title, p.crumbs(ctx, l)...)
	v.List = frame.Listed(l.list(), q, page)
	if p.Can(ctx, l.owner.Code, Release) {
		v.BatchURL, v.MayDelete = l.list()+"/batch", p.Can(ctx, l.owner.Code, Delete)
	}
	if l.workflow != nil && p.Can(ctx, l.owner.Code, Edit) {
		v.NewURL = l.list() + "/new"
		if !l.workflow.Online() {
			v.NewDisabled = i18n.T(ctx, ErrWorkflowOffline.Key, "name", l.workflow.Name)
		}
	}
	if err := p.narrowing(ctx, l, &v); err != nil {
		return nil, err
	}
	v.Rows, err = p.rows(ctx, page)
	if err != nil {
		return nil, err
	}
	return web.Page(view.List(v)), nil
}

// narrowing offers the workflows and the zones that have schedules.
func (p pages) narrowing(ctx context.Context, l place, v *view.ListPage) error {
	all, err := p.All(ctx, l.owner.Code)
	if err != nil {
		return err
	}
	workflows, zones := map[string]string{}, map[string]bool{}
	for k := range all {
		workflows[strconv.FormatInt(all[k].WorkflowCode, 10)] = all[k].WorkflowName
		zones[all[k].TimeZone] = true
	}
	for code, name := range workflows {
		v.Workflows = append(v.Workflows, components.Option{Value: code, Label: name})
	}
	slices.SortFunc(v.Workflows, func(a, b components.Option) int {
		if a.Label != b.Label {
			return compare(a.Label, b.Label)
		}
		return compare(a.Value, b.Value)
	})
	for _, z := range slices.Sorted(maps.Keys(zones)) {
		v.Zones = append(v.Zones, components.Option{Value: z, Label: z})
	}
	return nil
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

func (p pages) rows(ctx context.Context, page listing.Page[Schedule]) ([]view.Row, error) {
	next, err := p.Upcoming(ctx, page.Items, 1)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(page.Items))
	for k := range page.Items {
		ids[k] = page.Items[k].ID
	}
	last, err := p.store.lastRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]view.Row, 0, len(page.Items))
	for k := range page.Items {
		s := &page.Items[k]
		row := p.row(ctx, s)
		if fires := next[s.ID]; len(fires) > 0 {
			row.Next = fires[0].Due
			if s.TimeZone != i18n.Zone(ctx).String() {
				row.NextThere = fires[0].Due.In(s.Zone()).Format("15:04:05")
			}
		}
		if run, ok := last[s.ID]; ok {
			row.LastState, row.LastAt = string(run.State), run.Start
			row.LastURL = project.Address(s.ProjectCode, "/instances/"+strconv.FormatInt(run.ID, 10))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

const shownTime = "2006-01-02 15:04"

func (p pages) row(ctx context.Context, s *Schedule) view.Row {
	list := address(s)
	here := list + "/" + strconv.FormatInt(s.ID, 10)
	zone := s.Zone()
	row := view.Row{
		ID: strconv.FormatInt(s.ID, 10), Name: s.Name, Workflow: s.WorkflowName, Crontab: s.Crontab, Words: words(ctx, s.Crontab), Zone: s.TimeZone,
		WorkflowURL: project.Address(s.ProjectCode, "/workflows/"+strconv.FormatInt(s.WorkflowCode, 10)), State: string(s.ReleaseState),
		Start: s.Start.In(zone).Format(shownTime + " -07:00"), End: s.End.In(zone).Format(shownTime), Waits: s.WishOnline && !s.Online(),
		Failure: i18n.T(ctx, "timing.failure."+string(s.FailureStrategy)), Group: s.WorkerGroup, Tenant: s.TenantCode, Env: s.EnvironmentName,
		UpdatedAt: s.UpdatedAt, CreatedAt: s.CreatedAt, Owner: s.UserName,
	}
	if p.Can(ctx, s.ProjectCode, Edit) || s.Online() {
		row.EditURL = here + "/edit"
		if s.Online() {
			row.EditDisabled = i18n.T(ctx, "timing.edit_online")
		}
	}
	if p.Can(ctx, s.ProjectCode, Release) {
		switch {
		case s.Online():
			row.OfflineURL = here + "/release"
		case s.WorkflowState != flow.Online:
			row.OnlineDisabled = i18n.T(ctx, "timing.online_needs_workflow")
		default:
			row.OnlineURL = here + "/online"
		}
	}
	if p.Can(ctx, s.ProjectCode, Delete) {
		row.DeleteURL = here + "/delete"
		if s.Online() {
			row.DeleteDisabled = i18n.T(ctx, "timing.delete_online")
		}
	}
	return row
}

// words are an expression in the viewer's language; the expression itself when it cannot be read any more.
func words(ctx context.Context, crontab string) string {
	e, err := cron.Parse(crontab)
	if err != nil {
		return crontab
	}
	return e.Words(string(i18n.FromContext(ctx)))
}

// Summary is what a list of workflows says about the schedules of one.
type Summary struct {
	Online, Offline int
	Next            time.Time // the first fire of all that are online
	Words           string    // of a single schedule
}

// Summaries describes the schedules of workflows, in the viewer's language. Whoever asks must have been allowed to see the
// workflows.
func (s *Service) Summaries(ctx context.Context, workflows []int64) (map[int64]Summary, error) {
	list, err := s.store.ofWorkflows(ctx, workflows)
	if err != nil {
		return nil, err
	}
	next, err := s.Upcoming(ctx, list, 1)
	if err != nil {
		return nil, err
	}
	out := map[int64]Summary{}
	for k := range list {
		r := &list[k]
		sum := out[r.WorkflowCode]
		if sum.Online+sum.Offline == 0 {
			sum.Words = words(ctx, r.Crontab)
		} else {
			sum.Words = ""
		}
		if !r.Online() {
			sum.Offline++
		} else {
			sum.Online++
			if fires := next[r.ID]; len(fires) > 0 && (sum.Next.IsZero() || fires[0].Due.Before(sum.Next)) {
				sum.Next = fires[0].Due
			}
		}
		out[r.WorkflowCode] = sum
	}
	return out, nil
}
