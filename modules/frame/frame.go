package frame

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/views/components"
	"dorado/views/errors"
	"dorado/views/layout"
)

// Group is a titled part of the navigation.
type Group string

// The groups, in the order they are shown. Entries of Project are shown inside a
// project only; those of Account are in the account menu.
const (
	Main     Group = "main"
	Project  Group = "project"
	Library  Group = "library"
	Monitor  Group = "monitor"
	Security Group = "security"
	Account  Group = "account"
)

// Addresses every page links to. The account module serves them.
const (
	HomePath     = layout.HomeURL
	ProjectsPath = "/projects"
	LoginPath    = "/login"
	LogoutPath   = "/logout"
	ThemePath    = "/settings/theme"
	LanguagePath = "/settings/language"
)

// Entry is a place in the navigation.
type Entry struct {
	Group Group
	Order int    // within the group, ascending
	Label string // message key
	Path  string // "{project}" stands for the code of the project one is in
	Icon  string
	// Visible says whether the viewer may open it; nil means everybody may.
	Visible func(ctx context.Context) bool
}

// Frame knows the navigation.
type Frame struct {
	entries   []Entry
	search    string
	attention string
}

// New makes a Frame with the given entries.
func New(entries ...Entry) *Frame {
	f := &Frame{}
	f.Add(entries...)
	return f
}

// Add puts entries into the navigation. It must not be called once requests are served.
func (f *Frame) Add(entries ...Entry) {
	f.entries = append(f.entries, entries...)
	slices.SortStableFunc(f.entries, func(a, b Entry) int { return cmp.Compare(a.Order, b.Order) })
}

// SetSearch puts the search box, which asks this address, into the head of every page. It must not be called once requests
// are served.
func (f *Frame) SetSearch(path string) { f.search = path }

// SetAttention puts a bell that leads to this address into the head of every page; below it, at "/count", is the number beside
// the bell. It must not be called once requests are served.
func (f *Frame) SetAttention(path string) { f.attention = path }

// Place is a page that the navigation leads to.
type Place struct{ Label, Group, URL, Icon string }

// Places are the pages outside projects that the viewer of ctx may open, in the order of the navigation, those of the account
// last.
func (f *Frame) Places(ctx context.Context) []Place {
	var out []Place
	for _, g := range []Group{Main, Library, Monitor, Security, Account} {
		group := ""
		if g != Main && g != Account {
			group = i18n.T(ctx, "menu.group."+string(g))
		}
		for _, e := range f.entries {
			if e.Group == g && (e.Visible == nil || e.Visible(ctx)) {
				out = append(out, Place{i18n.T(ctx, e.Label), group, e.Path, e.Icon})
			}
		}
	}
	return out
}

// ProjectRef is the project a page belongs to.
type ProjectRef struct {
	Code int64
	Name string
	Note string // under the name, such as its owner
}

// Page is the shell of a page with this title. Crumbs are the steps above the
// page, if any; the page's own step is added.
func (f *Frame) Page(r *http.Request, title string, above ...components.Crumb) layout.ShellProps {
	return f.shell(r, nil, title, above)
}

// InProject is Page for a page inside a project: its navigation and its name
// before the other steps.
func (f *Frame) InProject(r *http.Request, p ProjectRef, title string, above ...components.Crumb) layout.ShellProps {
	home := components.Crumb{Label: p.Name, URL: "/projects/" + strconv.FormatInt(p.Code, 10)}
	return f.shell(r, &p, title, append([]components.Crumb{home}, above...))
}

func (f *Frame) shell(r *http.Request, p *ProjectRef, title string, above []components.Crumb) layout.ShellProps {
	ctx := r.Context()
	viewer, _ := web.ViewerFrom(ctx)
	s := layout.ShellProps{
		Title: title, Theme: web.Theme(r), Path: here(r), Toasts: toasts(ctx), Nav: f.nav(r, p),
		Person:   layout.Person{Name: viewer.Name, Role: role(ctx, viewer)},
		Crumbs:   append(slices.Clone(above), components.Crumb{Label: title}),
		Settings: f.settings(ctx), Search: layout.Search{URL: f.search}, Attention: f.attention,
	}
	if r.URL.Path == f.search {
		s.Search.Value = r.URL.Query().Get("q")
	}
	if p != nil {
		s.Project = &layout.Project{Name: p.Name, Note: p.Note, URL: ProjectsPath}
	}
	return s
}

// Bare is the surroundings of a page before signing in.
func (f *Frame) Bare(r *http.Request, title string) layout.BareProps {
	return layout.BareProps{
		Title: title, Theme: web.Theme(r), Path: here(r), Toasts: toasts(r.Context()),
		Settings: layout.Settings{Theme: ThemePath, Language: LanguagePath},
	}
}

// ErrorPage draws a failure as a page; it is for web.Options.
func (f *Frame) ErrorPage(r *http.Request, v web.ErrorView) templ.Component {
	return errors.Page(failure(r, v))
}

// ErrorNotice draws a failure as a part of a page; it is for web.Options.
func (f *Frame) ErrorNotice(r *http.Request, v web.ErrorView) templ.Component {
	return errors.Notice(failure(r, v))
}

func failure(r *http.Request, v web.ErrorView) errors.Props {
	p := errors.Props{Theme: web.Theme(r), Status: v.Status, Message: v.Message, RequestID: v.RequestID}
	if v.Retry && r.Method == http.MethodGet {
		p.RetryURL = here(r)
	}
	return p
}

func (f *Frame) nav(r *http.Request, p *ProjectRef) []layout.NavGroup {
	ctx := r.Context()
	current := f.current(r.URL.Path, p)
	var out []layout.NavGroup
	for _, g := range []Group{Project, Main, Library, Monitor, Security} {
		if g == Project && p == nil {
			continue
		}
		group := layout.NavGroup{}
		if g != Main && g != Project {
			group.Label = i18n.T(ctx, "menu.group."+string(g))
		}
		for i, e := range f.entries {
			if e.Group != g || e.Visible != nil && !e.Visible(ctx) {
				continue
			}
			group.Items = append(group.Items, layout.NavItem{
				Label: i18n.T(ctx, e.Label), URL: e.path(p), Icon: e.Icon, Current: i == current,
				Test: "nav." + strings.TrimSuffix(e.Label, ".title"),
			})
		}
		out = append(out, group)
	}
	return out
}

// current is the index of the entry with the longest path above this address.
func (f *Frame) current(address string, p *ProjectRef) int {
	best, length := -1, 0
	for i, e := range f.entries {
		path := e.path(p)
		if e.Group == Account || e.Group == Project && p == nil {
			continue
		}
		if (address == path || strings.HasPrefix(address, path+"/")) && len(path) > length {
			best, length = i, len(path)
		}
	}
	return best
}

func (e Entry) path(p *ProjectRef) string {
	if p == nil {
		return e.Path
	}
	return strings.ReplaceAll(e.Path, "{project}", strconv.FormatInt(p.Code, 10))
}

func (f *Frame) settings(ctx context.Context) layout.Settings {
	s := layout.Settings{Theme: ThemePath, Language: LanguagePath, Logout: LogoutPath}
	for _, e := range f.entries {
		if e.Group == Account && (e.Visible == nil || e.Visible(ctx)) {
			s.Links = append(s.Links, components.MenuItem{Label: i18n.T(ctx, e.Label), URL: e.Path, Icon: e.Icon})
		}
	}
	return s
}

func role(ctx context.Context, v web.Viewer) string {
	if v.Admin {
		return i18n.T(ctx, "menu.role.admin")
	}
	return i18n.T(ctx, "menu.role.general")
}

func toasts(ctx context.Context) []components.ToastProps {
	var out []components.ToastProps
	for _, t := range web.Toasts(ctx) {
		out = append(out, components.ToastProps{Text: t.Text(ctx)})
	}
	return out
}

// here is the address to come back to: of the page, not of the form that was
// answered with it.
func here(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.RequestURI()
	}
	return HomePath
}
