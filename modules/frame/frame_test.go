package frame_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/views/components"
	"dorado/views/layout"
)

func navigation() *frame.Frame {
	f := frame.New(
		frame.Entry{Group: frame.Security, Order: 20, Label: "user.title", Path: "/security/users", Visible: func(ctx context.Context) bool {
			v, _ := web.ViewerFrom(ctx)
			return v.Admin
		}},
		frame.Entry{Group: frame.Security, Order: 10, Label: "token.title", Path: "/security/tokens"},
	)
	f.Add(
		frame.Entry{Group: frame.Project, Order: 20, Label: "tenant.title", Path: "/projects/{project}/workflows"},
		frame.Entry{Group: frame.Project, Order: 10, Label: "queue.title", Path: "/projects/{project}"},
		frame.Entry{Group: frame.Account, Label: "account.about.title", Path: "/about"},
	)
	return f
}

func request(t *testing.T, method, path string, v web.Viewer) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(web.WithViewer(t.Context(), v), method, path, nil)
}

func items(s layout.ShellProps) (urls []string, current string) {
	for _, g := range s.Nav {
		for _, it := range g.Items {
			urls = append(urls, it.URL)
			if it.Current {
				current = it.URL
			}
		}
	}
	return urls, current
}

func TestTheNavigationShowsWhatTheViewerMayOpenInOrder(t *testing.T) {
	t.Parallel()
	f := navigation()
	urls, current := items(f.Page(request(t, http.MethodGet, "/security/tokens/7/edit", web.Viewer{Admin: true}), "x"))
	require.Equal(t, []string{"/security/tokens", "/security/users"}, urls)
	require.Equal(t, "/security/tokens", current, "a page below a list belongs to it")
	urls, _ = items(f.Page(request(t, http.MethodGet, "/home", web.Viewer{}), "x"))
	require.Equal(t, []string{"/security/tokens"}, urls)
}

func TestInsideAProjectItsPagesComeFirst(t *testing.T) {
	t.Parallel()
	s := navigation().InProject(request(t, http.MethodGet, "/projects/4711/workflows/9", web.Viewer{}), frame.ProjectRef{Code: 4711, Name: "etl"},
		"daily", components.Crumb{Label: "Workflows", URL: "/projects/4711/workflows"})
	urls, current := items(s)
	require.Equal(t, []string{"/projects/4711", "/projects/4711/workflows", "/security/tokens"}, urls)
	require.Equal(t, "/projects/4711/workflows", current, "the longest address wins")
	require.Equal(t, []components.Crumb{
		{Label: "etl", URL: "/projects/4711"}, {Label: "Workflows", URL: "/projects/4711/workflows"}, {Label: "daily"},
	}, s.Crumbs)
	require.Equal(t, "etl", s.Project.Name)
}

func TestASettingChangedOnAnAnsweredFormComesBackToAPage(t *testing.T) {
	t.Parallel()
	f := navigation()
	require.Equal(t, "/security/users?q=a", f.Page(request(t, http.MethodGet, "/security/users?q=a", web.Viewer{}), "x").Path)
	require.Equal(t, frame.HomePath, f.Page(request(t, http.MethodPost, "/security/users", web.Viewer{}), "x").Path)
}

func TestTheFrameSpeaksTheViewersLanguage(t *testing.T) {
	t.Parallel()
	s := navigation().Page(request(t, http.MethodGet, "/home", web.Viewer{Name: "liu", Locale: "zh", Admin: true}), "x")
	require.Equal(t, "管理员", s.Person.Role)
	require.Equal(t, i18n.T(i18n.WithLocale(t.Context(), i18n.Chinese), "account.about.title"), s.Settings.Links[0].Label)
}

func TestListsHaveTheViewersPageSizeUnlessTheAddressNamesOne(t *testing.T) {
	t.Parallel()
	spec := listing.Spec{Columns: map[string]string{"name": "name"}, Default: "name", ID: "id", Filters: map[string]string{"state": "state"}}
	v := web.Viewer{PageSize: 30}
	require.Equal(t, 30, frame.Query(request(t, http.MethodGet, "/x", v), spec).Size)
	q := frame.Query(request(t, http.MethodGet, "/x?size=50&page=9&state=1&q=a", v), spec)
	require.Equal(t, 50, q.Size)

	l := frame.Listed("/x", q, listing.NewPage(q, []int{1}, 51))
	require.Equal(t, 2, l.Page, "a page beyond the end is the last one")
	require.Equal(t, "ascending", l.Column("name", "Name").Sorted)
	require.Equal(t, "/x?q=a&size=50&sort=-name&state=1", l.Column("name", "Name").SortURL)
	chips := l.Chips(map[string]string{"state": "State"}, map[string]string{"1": "Enabled"})
	require.Equal(t, []components.Chip{{Label: "State", Value: "Enabled", RemoveURL: "/x?q=a&size=50"}}, chips.Chips)
}
