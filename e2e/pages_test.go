//go:build e2e

package e2e

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness/browser"
)

//go:embed testdata/axe.min.js
var axe string

// page is an address and who may see it: stranger, anyone who is signed in, owner of the project, or admin.
type page struct{ path, who string }

// pages lists every page of the product. A new page is added here; the tests for access and for accessibility read it.
func pages(b belongings) []page {
	p := "/projects/" + itoa(b.Project)
	w := p + "/workflows/" + itoa(b.Workflow)
	return []page{
		{"/login", "stranger"},
		{"/home", "anyone"},
		{"/attention", "anyone"},
		{"/search", "anyone"},
		{"/search?q=a", "anyone"},
		{"/profile", "anyone"},
		{"/profile/edit", "anyone"},
		{"/password", "anyone"},
		{"/settings", "anyone"},
		{"/about", "anyone"},
		{"/projects", "anyone"},
		{"/projects/new", "anyone"},
		{"/resources/task-groups", "anyone"},
		{"/resources/task-groups/new", "anyone"},
		{"/resources/task-groups/queue", "anyone"},
		{"/resources/files", "anyone"},
		{"/resources/files/folder", "anyone"},
		{"/resources/files/new", "anyone"},
		{"/resources/files/search?q=a", "anyone"},
		{"/data-quality/rules", "anyone"},
		{"/data-quality/results", "anyone"},
		{"/datasources", "anyone"},
		{"/datasources/new?type=MYSQL", "anyone"},
		{"/help/api", "anyone"},
		{"/security/tokens", "anyone"},
		{"/security/tokens/new", "anyone"},

		{p, "owner"},
		{p + "/edit", "owner"},
		{p + "/delete", "owner"},
		{p + "/members", "owner"},
		{p + "/parameters", "owner"},
		{p + "/parameters/new", "owner"},
		{p + "/preferences", "owner"},
		{p + "/workflows", "owner"},
		{p + "/workflows/new", "owner"},
		{w, "owner"},
		{w + "/run", "owner"},
		{w + "/delete", "owner"},
		{w + "/schedules", "owner"},
		{w + "/schedules/new", "owner"},
		{w + "/schedules/" + itoa(b.Schedule) + "/edit", "owner"},
		{w + "/schedules/" + itoa(b.Schedule) + "/online", "owner"},
		{w + "/schedules/" + itoa(b.Schedule) + "/delete", "owner"},
		{p + "/workflows/import-file", "owner"},
		{p + "/workflows/export?codes=" + itoa(b.Workflow), "owner"},
		{p + "/schedules", "owner"},
		{p + "/calendar", "owner"},
		{w + "/versions", "owner"},
		{w + "/versions/1", "owner"},
		{p + "/instances", "owner"},
		{p + "/instances/" + itoa(b.Instance), "owner"},
		{p + "/instances/" + itoa(b.Instance) + "?tab=tasks", "owner"},
		{p + "/instances/" + itoa(b.Instance) + "?tab=timeline", "owner"},
		{p + "/instances/" + itoa(b.Instance) + "?tab=parameters", "owner"},
		{p + "/instances/" + itoa(b.Instance) + "?tab=events", "owner"},
		{p + "/instances/" + itoa(b.Instance) + "/logs", "owner"},
		{p + "/instances/" + itoa(b.Instance) + "/compare", "owner"},
		{p + "/instances/bulk?op=REPEAT_RUNNING", "owner"},
		{w + "/grid", "owner"},
		{w + "/trends", "owner"},
		{p + "/lineage", "owner"},
		{p + "/task-instances", "owner"},
		{p + "/task-instances/stream", "owner"},
		{p + "/task-instances/" + itoa(b.Task) + "/act?op=RERUN", "owner"},
		{p + "/backfills", "owner"},
		{p + "/task-instances/" + itoa(b.Task), "owner"},
		{p + "/task-instances/" + itoa(b.Task) + "/log", "owner"},

		{"/security/tenants", "admin"},
		{"/security/tenants/new", "admin"},
		{"/security/tenants/" + itoa(b.Tenant) + "/edit", "admin"},
		{"/security/tenants/" + itoa(b.Tenant) + "/delete", "admin"},
		{"/security/yarn-queues", "admin"},
		{"/security/yarn-queues/new", "admin"},
		{"/security/yarn-queues/" + itoa(b.Queue) + "/edit", "admin"},
		{"/security/users", "admin"},
		{"/security/users/new", "admin"},
		{"/security/users/" + itoa(b.User) + "/edit", "admin"},
		{"/security/users/" + itoa(b.User) + "/delete", "admin"},
		{"/security/users/" + itoa(b.User), "admin"},
		{"/security/users/" + itoa(b.User) + "/grants", "admin"},
		{"/security/policies", "admin"},
		{"/security/policies/new", "admin"},
		{"/security/policies/try", "admin"},
		{"/security/clusters", "admin"},
		{"/security/clusters/new", "admin"},
		{"/security/k8s-namespaces", "admin"},
		{"/security/alarm-instances", "admin"},
		{"/security/alarm-instances/new?plugin=Email", "admin"},
		{"/monitor/audit/1", "admin"},
		{"/resources/files/show?tree=default&path=" + b.File, "admin"},
		{"/datasources/" + itoa(b.Source) + "/edit", "admin"},
		{"/datasources/" + itoa(b.Source) + "/sql", "admin"},
		{"/security/worker-groups", "admin"},
		{"/security/worker-groups/new", "admin"},
		{"/security/environments", "admin"},
		{"/security/environments/new", "admin"},
		{"/security/alarm-groups", "admin"},
		{"/security/alarm-groups/1/edit", "admin"},
		{"/security/calendars", "admin"},
		{"/security/calendars/new", "admin"},
		{p + "/worker-groups", "admin"},
		{"/monitor/audit", "admin"},
		{"/monitor/masters", "anyone"},
		{"/monitor/workers", "anyone"},
		{"/monitor/alert-servers", "anyone"},
		{"/monitor/db", "anyone"},
		{"/monitor/registry", "admin"},
		{"/monitor/statistics", "anyone"},
		{"/monitor/running", "anyone"},
		{"/monitor/events", "anyone"},
		{"/monitor/retention", "admin"},
	}
}

// Every page, in each language and theme: axe finds nothing, the console stays silent, nothing overflows sideways.
func TestEveryPageIsAccessibleInEveryLook(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	b := fill(t, s, "treasure")
	for _, look := range browser.Looks() {
		t.Run(look.String(), func(t *testing.T) {
			t.Parallel()
			tab := chromium(t).Tab(t, s.URL, look)
			found := findings{}
			tab.Goto("/login")
			found.inspect(t, tab, page{"/login", "stranger"})
			tab.SignIn("admin", password)
			for _, p := range pages(b) {
				if p.who == "stranger" {
					continue
				}
				tab.Goto(p.path)
				found.inspect(t, tab, p)
			}
			tab.Goto("/no/such/page")
			found.inspect(t, tab, page{"/no/such/page", "anyone"})
			found.report(t)
			silent(t, tab, "404") // the page that is not there is reported by the browser itself
		})
	}
}

// On a narrow screen the same pages still have no sideways scrolling, and axe still finds nothing.
func TestEveryPageFitsANarrowScreen(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	b := fill(t, s, "treasure")
	tab := chromium(t).Tab(t, s.URL, browser.Look{Language: "zh", Width: 400, Height: 800})
	tab.SignIn("admin", password)
	found := findings{}
	for _, p := range pages(b) {
		if p.who != "stranger" {
			tab.Goto(p.path)
			found.inspect(t, tab, p)
		}
	}
	found.report(t)
}

// findings collects what is wrong, and on which pages, so that one fault of the frame is told once.
type findings map[string][]string

func (f findings) add(what, path string) { f[what] = append(f[what], path) }

func (f findings) report(t *testing.T) {
	t.Helper()
	for what, paths := range f {
		t.Errorf("%s\n  on %s", what, strings.Join(paths, " "))
	}
}

func (f findings) inspect(t *testing.T, tab *browser.Tab, p page) {
	t.Helper()
	tab.Wait("the page to settle", "document.readyState === 'complete'")
	if browser.Eval[string](tab, "document.title") == "" {
		f.add("no title", p.path)
	}
	if !strings.HasPrefix(browser.Eval[string](tab, "document.documentElement.lang"), tab.Look.Language) {
		f.add("wrong lang", p.path)
	}
	if wide := browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		f.add("it scrolls sideways", fmt.Sprintf("%s (%d px)", p.path, wide))
	}
	// The fonts and the first frame change colours and sizes.
	browser.Eval[bool](tab, "document.fonts.ready.then(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(true)))))")
	for _, v := range tab.Axe(axe) {
		f.add(v.String(), p.path)
	}
}

func TestTheVendoredAxeIsTheRecordedOne(t *testing.T) {
	t.Parallel()
	record, err := os.ReadFile("testdata/README.md")
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(axe))
	require.Contains(t, string(record), hex.EncodeToString(sum[:]))
}
