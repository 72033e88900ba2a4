package taskgroup

import (
	"context"
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/modules/security/crud"
	"dorado/views/components"
	view "dorado/views/crud"
	taskview "dorado/views/taskgroup"
)

// defaultSize is what the form of a new group begins with.
const defaultSize = 10

type pages struct {
	crud.Pages[Group, Draft]
	svc   *Service
	frame *frame.Frame
}

func newPages(s *Service, f *frame.Frame) *pages {
	p := &pages{svc: s, frame: f}
	p.Pages = crud.Pages[Group, Draft]{
		Path: Path, Keys: "taskgroup.", Test: "taskgroup", Icon: "layers", Wide: true, Spec: Spec(), Keeper: &s.Keeper, Shell: f.Page,
		MayList: func(ctx context.Context) error { return s.access.Require(ctx, View) },
		Columns: []crud.Column{{Key: "name"}, {Key: "project"}, {Key: "size", Right: true}, {Key: "used"}, {Key: "status", Drop: 1}},
		Cells: func(ctx context.Context, g Group) []view.Cell {
			return []view.Cell{
				{Text: g.Name, Note: g.Description},
				{Body: taskview.Project(g.ProjectName, project.Address(g.ProjectCode, ""))},
				{Text: i18n.Number(ctx, int64(g.Size))},
				{Body: taskview.Use(taskview.UseProps{Used: g.Used, Waiting: g.Waiting, Size: g.Size, Closed: g.Closed()})},
				{Body: taskview.Status(g.Closed())},
			}
		},
		Fixed: func(ctx context.Context, g Group) (edit, remove bool) {
			may := s.mayChange(ctx, &g) == nil
			return may, may
		},
		Decorate: p.decorate,
		Draft: func(g Group) Draft {
			return Draft{Name: g.Name, Description: g.Description, Size: g.Size, ProjectCode: g.ProjectCode}
		},
		Read: func(f *web.Form) Draft {
			return Draft{Name: f.Text("name"), Description: f.Text("description"), Size: f.Int("size"), ProjectCode: f.Int64("project")}
		},
		Form: p.groupForm,
	}
	return p
}

func (p *pages) decorate(r *http.Request, page listing.Page[Group], v *view.Page) error {
	ctx := r.Context()
	v.Filters = taskview.StatusFilter(v.List.Filters["status"])
	v.Chips = v.List.Chips(
		map[string]string{"status": i18n.T(ctx, "taskgroup.field.status"), "project": i18n.T(ctx, "taskgroup.field.project")},
		map[string]string{"1": i18n.T(ctx, "taskgroup.status.open"), "0": i18n.T(ctx, "taskgroup.status.closed")},
	)
	for i, g := range page.Items {
		v.Rows[i].Actions = []components.ButtonProps{{
			Icon: "hourglass", Label: i18n.T(ctx, "taskgroup.queue_of", "name", g.Name), URL: QueuePath + "?group=" + strconv.FormatInt(g.ID, 10), Small: true, Test: "row.queue",
		}}
		if v.Rows[i].EditURL == "" {
			continue
		}
		action, icon, label := "/close", "power-off", i18n.T(ctx, "taskgroup.close", "name", g.Name)
		if g.Closed() {
			action, icon, label = "/start", "power", i18n.T(ctx, "taskgroup.start", "name", g.Name)
		}
		v.Rows[i].More = components.PostButton(components.PostProps{
			URL: p.Address(g.ID, action), Button: components.ButtonProps{Icon: icon, Label: label, Kind: components.KindGhost, Small: true, Test: "row.switch"},
		})
	}
	return nil
}

func (p *pages) groupForm(ctx context.Context, form view.Form, d Draft, f *web.Form) (templ.Component, error) {
	if form.New && f == nil {
		d.Size = defaultSize
	}
	v := taskview.GroupForm{Form: form, Name: d.Name, Description: d.Description, Size: strconv.Itoa(d.Size), Project: strconv.FormatInt(d.ProjectCode, 10)}
	if f != nil {
		v.Size = f.Text("size")
	}
	if p.svc.access.Can(ctx, ManageAll) || !form.New && d.ProjectCode == AllProjects {
		v.Projects = append(v.Projects, components.Option{Value: "0", Label: i18n.T(ctx, "taskgroup.all_projects")})
	}
	rows, err := p.svc.projects.All(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Code == d.ProjectCode || p.svc.access.CanProject(ctx, row.Code, Manage) {
			v.Projects = append(v.Projects, components.Option{Value: strconv.FormatInt(row.Code, 10), Label: row.Name})
		}
	}
	return taskview.GroupEdit(v), nil
}

func (p *pages) closeGroup(r *http.Request) (web.Response, error) { return p.turn(r, false) }
func (p *pages) startGroup(r *http.Request) (web.Response, error) { return p.turn(r, true) }

func (p *pages) turn(r *http.Request, open bool) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := p.svc.Switch(r.Context(), id, open); err != nil {
		return nil, err
	}
	if open {
		return web.Redirect(Path).Toast("taskgroup.started"), nil
	}
	return web.Redirect(Path).Toast("taskgroup.closed"), nil
}

// queue shows who holds slots and who waits for them.
func (p *pages) queue(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	q := frame.Query(r, QueueSpec())
	page, err := p.svc.Queue(ctx, q)
	if err != nil {
		return nil, err
	}
	groups, err := p.svc.Visible(ctx)
	if err != nil {
		return nil, err
	}
	v := taskview.QueuePage{
		Shell: p.frame.Page(r, i18n.T(ctx, "taskgroup.queue.title"), components.Crumb{Label: i18n.T(ctx, "taskgroup.title"), URL: Path}),
		List:  frame.Listed(QueuePath, q, page), Groups: []components.Option{{Label: i18n.T(ctx, "taskgroup.filter.group")}}, GroupNames: map[string]string{},
		Now: p.svc.Now(),
	}
	for _, g := range groups {
		id := strconv.FormatInt(g.ID, 10)
		v.Groups, v.GroupNames[id] = append(v.Groups, components.Option{Value: id, Label: g.Name}), g.Name
	}
	for _, e := range page.Items {
		row := taskview.QueueRow{
			Task: e.Task, TaskURL: project.Address(e.ProjectCode, "/task-instances/"+strconv.FormatInt(e.ID, 10)), Instance: e.Instance,
			InstanceURL: project.Address(e.ProjectCode, "/instances/"+strconv.FormatInt(e.InstanceID, 10)), Project: e.ProjectName,
			Group: e.GroupName, GroupURL: QueuePath + "?group=" + strconv.FormatInt(e.GroupID, 10), Priority: e.Priority, Position: e.Position, Forced: e.Forced,
			State: e.State, At: e.SubmittedAt,
		}
		if e.Waits() && p.svc.access.CanProject(ctx, e.ProjectCode, Operate) {
			row.PriorityURL, row.StartURL = queueAddress(e.ID, "/priority"), queueAddress(e.ID, "/start")
		}
		v.Rows = append(v.Rows, row)
	}
	return web.Page(taskview.Queue(v)), nil
}

// waiting reads the attempt of the address for somebody who may act on it.
func (p *pages) waiting(r *http.Request) (Entry, error) {
	id, err := web.ID(r)
	if err != nil {
		return Entry{}, err
	}
	return p.svc.Entry(r.Context(), id)
}

func (p *pages) askPriority(r *http.Request) (web.Response, error) {
	e, err := p.waiting(r)
	if err != nil {
		return nil, err
	}
	return p.priorityForm(r, e, strconv.Itoa(e.Priority), nil)
}

func (p *pages) setPriority(r *http.Request) (web.Response, error) {
	e, err := p.waiting(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if f.Text("priority") == "" {
		f.Reject("priority", "security.required")
	}
	priority := f.Int("priority")
	_, err = web.Submit(f, func() (struct{}, error) {
		return struct{}{}, p.svc.SetPriority(r.Context(), e.ID, priority)
	})
	if f.Rejects(err) {
		return p.priorityForm(r, e, f.Text("priority"), f)
	}
	if err != nil {
		return nil, err
	}
	return p.back(e).Toast("taskgroup.priority_saved", "name", e.Task), nil
}

func (p *pages) priorityForm(r *http.Request, e Entry, value string, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	title := i18n.T(ctx, "taskgroup.priority_of", "name", e.Task)
	return f.Again(taskview.Priority(taskview.PriorityForm{
		Form: view.Form{
			Shell: p.frame.Page(r, title, p.crumb(ctx)), Title: title, Action: queueAddress(e.ID, "/priority"), CancelURL: QueuePath,
			Error: f.Notice(), Errors: f.Errors(), Test: "priority",
		},
		Value: value,
	})), nil
}

func (p *pages) askStart(r *http.Request) (web.Response, error) {
	e, err := p.waiting(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	title := i18n.T(ctx, "taskgroup.force.title", "name", e.Task)
	return web.Page(taskview.Ask(taskview.AskPage{
		Shell: p.frame.Page(r, title, p.crumb(ctx)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "taskgroup.force.text", "group", e.GroupName), Action: queueAddress(e.ID, "/start"),
			Submit: i18n.T(ctx, "taskgroup.force.submit"), CancelURL: QueuePath, Safe: true, Test: "force",
		},
	})), nil
}

func (p *pages) forceStart(r *http.Request) (web.Response, error) {
	e, err := p.waiting(r)
	if err != nil {
		return nil, err
	}
	if err := p.svc.ForceStart(r.Context(), e.ID); err != nil {
		return nil, err
	}
	return p.back(e).Toast("taskgroup.forced", "name", e.Task), nil
}

// back is the queue of the attempt's group.
func (p *pages) back(e Entry) *web.RedirectResponse {
	return web.Redirect(QueuePath + "?group=" + strconv.FormatInt(e.GroupID, 10))
}

func (p *pages) crumb(ctx context.Context) components.Crumb {
	return components.Crumb{Label: i18n.T(ctx, "taskgroup.queue.title"), URL: QueuePath}
}
