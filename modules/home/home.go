package home

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/instance"
	"dorado/modules/project"
	view "dorado/views/home"
)

// Deps are what the module needs.
type Deps struct {
	Access    *access.Service
	Projects  *project.Service
	Instances *instance.Service
	Site      *web.Site
	Frame     *frame.Frame
	Now       func() time.Time // time.Now when nil
}

// Module is the home page.
type Module struct{ Deps }

// New makes the module, and puts its bell into the head of all pages.
func New(d Deps) *Module {
	if d.Now == nil {
		d.Now = time.Now
	}
	d.Frame.SetAttention(AttentionPath)
	return &Module{d}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	r.Get(frame.HomePath, m.Site.Handle(m.page))
	r.Get(AttentionPath, m.Site.Handle(m.attention))
	r.Get(AttentionPath+"/count", m.Site.Handle(m.count))
}

// Menu is where the page stands in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{Group: frame.Main, Order: 10, Label: "home.title", Path: frame.HomePath, Icon: "home"}}
}

// period is a choice of how far back the page looks.
type period struct {
	name string
	from func(now time.Time) time.Time
}

func periods() []period {
	back := func(days int) func(time.Time) time.Time {
		return func(now time.Time) time.Time { return now.AddDate(0, 0, -days) }
	}
	return []period{
		{"today", func(now time.Time) time.Time {
			return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
		}},
		{"24h", back(1)},
		{"7d", back(7)},
		{"30d", back(30)},
	}
}

// projectsShown is how many projects the page lists; there is a page with all of them.
const projectsShown = 12

func (m *Module) page(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if _, err := access.Must(ctx); err != nil {
		return nil, err
	}
	now := m.Now()
	title := i18n.T(ctx, "home.title")
	v := view.Props{
		Shell: m.Frame.Page(r, title), Title: title, Text: i18n.T(ctx, "home.text"), Now: now, ProjectsURL: frame.ProjectsPath,
		RunningURL: frame.ProjectsPath, FailedURL: frame.ProjectsPath,
	}
	if m.Access.Can(ctx, project.Create) {
		v.NewProject = frame.ProjectsPath + "/new"
	}
	all := periods()
	chosen := max(0, slices.IndexFunc(all, func(p period) bool { return p.name == r.URL.Query().Get("range") }))
	for k, p := range all {
		v.Ranges = append(v.Ranges, view.Range{Label: i18n.T(ctx, "home.period."+p.name), URL: frame.HomePath + "?range=" + p.name, Current: k == chosen})
	}
	since := all[chosen].from(now.In(i18n.Zone(ctx)))
	stats, err := m.Instances.Stats(ctx, 0, instance.Range{From: since})
	if err != nil {
		return nil, err
	}
	projects, err := m.Projects.All(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[int64]string, len(projects))
	for _, p := range projects {
		names[p.Code] = p.Name
	}
	only := int64(0) // the one project there is: then lists can be linked to
	if len(projects) == 1 {
		only = projects[0].Code
		v.RunningURL = list(only, "instances", string(flow.WorkflowRunning), time.Time{})
		v.FailedURL = list(only, "instances", string(flow.WorkflowFailure), since)
	}
	for _, s := range flow.WorkflowStates() {
		v.Workflows = count(v.Workflows, stats.Workflows, string(s), only, "instances", since)
	}
	for _, s := range flow.TaskStates() {
		v.Tasks = count(v.Tasks, stats.Tasks, string(s), only, "task-instances", since)
	}
	v.Running, v.Failed = runs(stats.Running, names, now), runs(stats.Failed, names, now)
	m.projects(ctx, &v, projects, stats)
	return web.Page(view.Page(v)), nil
}

// count adds a state to the counts when there is anything in it.
func count(to []view.Count, counts []instance.StateCount, state string, only int64, kind string, since time.Time) []view.Count {
	k := slices.IndexFunc(counts, func(c instance.StateCount) bool { return c.State == state })
	if k < 0 {
		return to
	}
	c := view.Count{State: state, Count: counts[k].Count}
	if only != 0 {
		c.URL = list(only, kind, state, since)
	}
	return append(to, c)
}

// list is a list of a project with a filter.
func list(code int64, kind, state string, since time.Time) string {
	url := address(code) + "/" + kind + "?state=" + state
	if !since.IsZero() {
		url += "&from=" + since.Format(time.DateOnly)
	}
	return url
}

func address(code int64) string { return frame.ProjectsPath + "/" + strconv.FormatInt(code, 10) }

func runs(list []instance.Instance, names map[int64]string, now time.Time) []view.Run {
	out := make([]view.Run, 0, len(list))
	for k := range list {
		i := &list[k]
		url := address(i.ProjectCode) + "/instances/" + strconv.FormatInt(i.ID, 10)
		r := view.Run{Name: i.Name, URL: url, Project: names[i.ProjectCode], State: string(i.State), StartedAt: i.Began()}
		if i.EndTime != nil {
			r.Took = max(i.Duration(now), time.Millisecond)
		}
		if i.State == flow.WorkflowFailure {
			r.LogURL = url + "/logs"
		}
		out = append(out, r)
	}
	return out
}

// projects lists those with the most to look at first, and who owns how many workflows.
func (m *Module) projects(_ context.Context, v *view.Props, projects []project.Row, stats instance.Stats) {
	owners := map[string]int{}
	for _, p := range projects {
		c := stats.Projects[p.Code]
		v.Projects = append(v.Projects, view.ProjectRow{
			Name: p.Name, URL: address(p.Code), Owner: p.OwnerName, Workflows: p.Workflows, Running: c.Running, Failed: c.Failed,
		})
		if p.Workflows > 0 {
			owners[p.OwnerName] += p.Workflows
		}
	}
	slices.SortStableFunc(v.Projects, func(a, b view.ProjectRow) int { return (b.Running + b.Failed) - (a.Running + a.Failed) })
	v.Projects = v.Projects[:min(len(v.Projects), projectsShown)]
	if len(owners) < 2 {
		return // one bar is no chart
	}
	for name, n := range owners {
		v.Definitions = append(v.Definitions, view.Definitions{Owner: name, Count: n})
	}
	slices.SortFunc(v.Definitions, func(a, b view.Definitions) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Owner, b.Owner)
	})
}
