package layout

import (
	"context"
	"time"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/views/components"
)

// NavItem is one entry of the side bar.
type NavItem struct {
	Label   string
	URL     string
	Icon    string
	Count   string // already formatted; empty shows none
	Hot     bool   // the count asks for attention
	Current bool
	Test    string
}

// NavGroup is a titled part of the side bar. Leave out what the viewer may not
// open; a group without items is not drawn.
type NavGroup struct {
	Label string // empty for the first group
	Items []NavItem
}

// Project is the project one is in.
type Project struct {
	Name string
	Note string // under the name
	URL  string // where one chooses another project
}

// Person is who is signed in.
type Person struct {
	Name string
	Role string // under the name, such as "Administrator"
}

// Search is the box in the head that leads to the search page.
type Search struct {
	URL   string // GET, with the parameter q; empty shows no box
	Value string
}

// ShellProps describes a page's surroundings.
type ShellProps struct {
	Title     string // of the document; " · Dorado" is added
	Theme     string // "light", "dark" or "" for the system's
	Path      string // path and query of the page, to come back to after a setting changed
	Person    Person
	Project   *Project
	Nav       []NavGroup
	Crumbs    []components.Crumb
	Search    Search
	Attention string // page of what one should look at, with its number at "/count"; empty shows no bell
	Toasts    []components.ToastProps
	Actions   templ.Component // buttons in the head; the editor has its own
	Scripts   []string        // module scripts of the page below static/, such as "js/dag/editor.js"
	Events    string          // address of the page's event stream; empty opens none
	Settings  Settings
}

// Settings are the addresses behind the account menu. An empty one is not shown.
type Settings struct {
	Theme    string // POST theme=light|dark|"", next
	Language string // POST locale=en|zh, next
	Links    []components.MenuItem
	Logout   string // POST
}

// BareProps describes a page without navigation.
type BareProps struct {
	Title    string
	Theme    string
	Path     string
	Settings Settings
	Toasts   []components.ToastProps
	Scripts  []string
}

// HomeURL is where the product's mark leads.
const HomeURL = "/home"

// themeAttr pins the style sheet to a theme; the system's needs nothing.
func themeAttr(theme string) templ.Attributes {
	if theme == "light" || theme == "dark" {
		return templ.Attributes{"data-theme": theme}
	}
	return nil
}

// zoneLabel names the viewer's zone with its offset now: "Asia/Shanghai +08:00".
func zoneLabel(ctx context.Context, now time.Time) string {
	zone := i18n.Zone(ctx)
	return zone.String() + " " + now.In(zone).Format("-07:00")
}

type themeChoice struct{ value, icon, label string }

func themes(ctx context.Context) []themeChoice {
	return []themeChoice{
		{"", "monitor", i18n.T(ctx, "shell.theme.system")},
		{"light", "sun", i18n.T(ctx, "shell.theme.light")},
		{"dark", "moon", i18n.T(ctx, "shell.theme.dark")},
	}
}

// htmxConfig turns off what our style sheet does itself and gives up on a request
// sooner than the library's minute.
const htmxConfig = `{"includeIndicatorCSS":false,"defaultTimeout":30000}`
