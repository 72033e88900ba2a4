package home

import (
	"bytes"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"
)

func page(t *testing.T, p Props) *goquery.Document {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Page(p).Render(t.Context(), &b))
	doc, err := goquery.NewDocumentFromReader(&b)
	require.NoError(t, err)
	return doc
}

func TestCountsLeadToTheListWithThatFilter(t *testing.T) {
	t.Parallel()
	doc := page(t, Props{Workflows: []Count{{"SUCCESS", 1240, "/instances?state=SUCCESS"}, {"FAILURE", 3, "/instances?state=FAILURE"}}})
	link := doc.Find(`.counts a[href="/instances?state=SUCCESS"]`)
	require.Contains(t, link.Text(), "Success")
	require.Contains(t, link.Text(), "1,240")
	require.Contains(t, doc.Text(), "1,243 in all")
}

func TestAnEmptyDashboardSaysSoAndOffersTheNextStep(t *testing.T) {
	t.Parallel()
	doc := page(t, Props{NewProject: "/projects/new"})
	require.Contains(t, doc.Text(), "No workflow ran in this period.")
	require.Contains(t, doc.Text(), "Nothing is running.")
	require.Equal(t, "/projects/new", doc.Find(".empty a.primary").AttrOr("href", ""))

	doc = page(t, Props{})
	require.Equal(t, 0, doc.Find(".empty a.primary").Length(), "who may not create a project is not asked to")
}

func TestAFailedRunLinksToItsLog(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	doc := page(t, Props{Now: now, Failed: []Run{{Name: "etl-1", URL: "/i/1", State: "FAILURE", StartedAt: now.Add(-time.Hour), Took: 401 * time.Second, LogURL: "/i/1/log"}}})
	require.Contains(t, doc.Find(`a[href="/i/1/log"]`).Text(), "Failed")
	require.Contains(t, doc.Text(), "6m 41s")
}

func TestTheDashboardIsAlsoAFragment(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, templ.RenderFragments(t.Context(), &b, Page(Props{}), "dashboard"))
	require.Contains(t, b.String(), `id="dashboard"`)
	require.NotContains(t, b.String(), "<html")
}

func TestSlicesFillTheBarAndKeepSmallOnesVisible(t *testing.T) {
	t.Parallel()
	got := slices([]Count{{"SUCCESS", 999999, ""}, {"PAUSE", 0, ""}, {"FAILURE", 1, ""}})
	require.Equal(t, []slice{{"SUCCESS", "0", "993"}, {"FAILURE", "993", "7"}}, got)
	require.Empty(t, slices(nil))
}
