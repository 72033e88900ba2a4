package listing_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/listing"
)

func spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "u.name", "updated": "u.updated_at", "id": "u.id"},
		Search:  []string{"u.name", "u.email"},
		Filters: map[string]string{"state": "u.state", "kind": "u.kind"},
		Default: "-updated",
		ID:      "u.id",
	}
}

func parse(t *testing.T, query string) listing.Query {
	t.Helper()
	v, err := url.ParseQuery(query)
	require.NoError(t, err)
	return listing.Parse(v, spec())
}

func like(c string) string     { return c + " LIKE ?" }
func contains(s string) string { return "%" + s + "%" }

func TestOddRequestsFallBackToTheDefault(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"", "page=0&size=0&sort=nope", "page=-3&size=-1&sort=-", "page=x&size=1e3&sort=u.name", "sort=name;DROP TABLE users",
		"page=99999999999999999999&size=99999999999999999999", "state=&kind=%20",
	} {
		q := listing.Parse(mustValues(query), spec())
		require.Equal(t, 1, q.Page, query)
		require.Equal(t, 10, q.Size, query)
		require.Equal(t, "updated", q.Sort, query)
		require.True(t, q.Desc, query)
		require.False(t, q.Active(), query)
	}
}

func mustValues(query string) url.Values {
	v, _ := url.ParseQuery(query) // what of it can be parsed: browsers send worse
	return v
}

func TestSizesAreBounded(t *testing.T) {
	t.Parallel()
	require.Equal(t, 1000, parse(t, "size=5000").Size)
	require.Equal(t, 30, parse(t, "size=30").Size)
	require.Equal(t, 1_000_000, parse(t, "page=5000000").Page)
	require.Equal(t, 1000, listing.New(spec(), 2, 1<<40, "x").Size)
}

func TestSQLComesFromTheWhitelistOnly(t *testing.T) {
	t.Parallel()
	q := parse(t, "q=%20a%25b%20&state=1&state=0&state=1&kind=x&evil=1&sort=name&page=3&size=30")
	where, args := q.Where(like, contains)
	require.Equal(t, "(u.name LIKE ? OR u.email LIKE ?) AND u.kind IN (?) AND u.state IN (?, ?)", where)
	require.Equal(t, []any{"%a%b%", "%a%b%", "x", "1", "0"}, args)
	order, args := q.OrderLimit()
	require.Equal(t, "ORDER BY u.name ASC, u.id ASC LIMIT ? OFFSET ?", order)
	require.Equal(t, []any{30, 60}, args)

	where, args = parse(t, "").Where(like, contains)
	require.Equal(t, "1 = 1", where)
	require.Empty(t, args)
	order, _ = parse(t, "sort=-id").OrderLimit()
	require.Equal(t, "ORDER BY u.id DESC LIMIT ? OFFSET ?", order)
}

func TestSearchIsCleanedAndCut(t *testing.T) {
	t.Parallel()
	q := listing.Parse(url.Values{"q": {"\x00 日\xff本 \x00" + strings.Repeat("語", 500)}}, spec())
	require.Len(t, []rune(q.Search), 200)
	require.NotContains(t, q.Search, "\x00", "PostgreSQL refuses NUL in text")
	require.True(t, strings.HasPrefix(strings.TrimSpace(q.Search), "日本"))
}

func TestLinksKeepAllOtherParameters(t *testing.T) {
	t.Parallel()
	q := parse(t, "q=x&state=1&state=0&tab=grants&page=4&sort=name&empty=")
	require.Equal(t, "?page=5&q=x&sort=name&state=1&state=0&tab=grants", q.PageLink(5))
	require.Equal(t, "?q=x&sort=name&state=1&state=0&tab=grants", q.PageLink(1))
	require.Equal(t, "?q=x&size=50&sort=name&state=1&state=0&tab=grants", q.SizeLink(50))
	require.Equal(t, "?q=x&sort=-name&state=1&state=0&tab=grants", q.SortLink("name"))
	require.Equal(t, "?q=x&sort=updated&state=1&state=0&tab=grants", q.SortLink("updated"))
	require.Equal(t, "?q=x&sort=name&state=0&tab=grants", q.WithoutFilter("state", "1"))
	require.Equal(t, "?q=x&sort=name&tab=grants", q.WithoutFilter("state", ""))
	require.Equal(t, "?sort=name&tab=grants", q.ClearLink())
	require.Equal(t, "ascending", q.AriaSort("name"))
	require.Equal(t, "none", q.AriaSort("updated"))
	require.NotContains(t, q.Hidden("q"), "q")
	require.Equal(t, []string{"grants"}, q.Hidden("q")["tab"])
	require.Equal(t, "4", parse(t, "page=4").PageLink(4)[len("?page="):], "links must not change the query they came from")
}

func TestPagesAndClamp(t *testing.T) {
	t.Parallel()
	q := parse(t, "page=9&size=10")
	require.Equal(t, 3, q.Clamp(21).Page)
	require.Equal(t, 1, q.Clamp(0).Page)
	p := listing.NewPage(q.Clamp(21), []int{1}, 21)
	require.Equal(t, 3, p.Pages())
	require.Equal(t, []string{"x"}, listing.Map(p, func(int) string { return "x" }).Items)
	require.Equal(t, 1, listing.Page[int]{}.Pages())
}

func TestWithFilterOnlyKnowsFiltersOfTheSpec(t *testing.T) {
	t.Parallel()
	q := parse(t, "page=2").WithFilter("state", "1").WithFilter("evil", "1")
	where, args := q.Where(like, contains)
	require.Equal(t, "u.state IN (?)", where)
	require.Equal(t, []any{"1"}, args)
	require.Equal(t, 2, q.Page)
}

func TestAmongNarrowsToIDs(t *testing.T) {
	t.Parallel()
	q := parse(t, "state=1")
	where, args := q.Among([]int64{7, 9}).Where(like, contains)
	require.Equal(t, "u.state IN (?) AND u.id IN (?, ?)", where)
	require.Equal(t, []any{"1", int64(7), int64(9)}, args)
	where, _ = q.Among(nil).Where(like, contains)
	require.Equal(t, "u.state IN (?)", where)
}
