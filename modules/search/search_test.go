package search_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/access"
	"dorado/modules/search"
)

func signedIn(t *testing.T) context.Context {
	t.Helper()
	return access.WithPrincipal(t.Context(), access.Principal{UserID: 7, Name: "ann"})
}

// names finds every name that has the text.
func names(kind search.Kind, list ...string) search.Source {
	return search.Source{Kind: kind, Find: func(_ context.Context, text string, limit int) ([]search.Hit, error) {
		var hits []search.Hit
		for _, name := range list {
			if strings.Contains(strings.ToLower(name), strings.ToLower(text)) && len(hits) < limit {
				hits = append(hits, search.Hit{Name: name})
			}
		}
		return hits, nil
	}}
}

func TestWhatFitsBestComesFirst(t *testing.T) {
	t.Parallel()
	s := search.NewService(
		names(search.User, "sales"),
		names(search.Workflow, "wholesales", "daily_sales", "Sales", "sales_mart", "日销sales"),
		names(search.Project, "presales"),
		names(search.File),
	)
	groups, err := s.Find(signedIn(t), "  SALES ", 3)
	require.NoError(t, err)
	require.Len(t, groups, 3, "what found nothing is left out")
	require.Equal(t, search.Workflow, groups[0].Kind, "of kinds that fit alike the one looked for most")
	require.Equal(t, []search.Hit{{Name: "Sales"}, {Name: "sales_mart"}, {Name: "daily_sales"}}, groups[0].Hits)
	require.True(t, groups[0].More)
	require.Equal(t, search.User, groups[1].Kind, "a whole name stands before a part of one")
	require.Equal(t, search.Project, groups[2].Kind)
	require.False(t, groups[2].More)
}

func TestOddTextsAreCleaned(t *testing.T) {
	t.Parallel()
	for given, asked := range map[string]string{
		"":                         "",
		" \t\n":                    "",
		"a\x00b\nc":                "a b c",
		"\xff\xfeab":               "ab",
		strings.Repeat("语", 500):   strings.Repeat("语", 100),
		"%_\\' OR 1=1 --":          "%_\\' OR 1=1 --",
		"<script>alert()</script>": "<script>alert()</script>",
	} {
		var got string
		s := search.NewService(search.Source{Kind: search.Task, Find: func(_ context.Context, text string, _ int) ([]search.Hit, error) {
			got = text
			return nil, nil
		}})
		_, err := s.Find(signedIn(t), given, 5)
		require.NoError(t, err)
		require.Equal(t, asked, got)
	}
}

func TestWhatOneMayNotSeeAtAllIsLeftOutAndFailuresAreTold(t *testing.T) {
	t.Parallel()
	denied := search.Source{Kind: search.User, Find: func(context.Context, string, int) ([]search.Hit, error) {
		return nil, access.ErrDenied.With("permission", "user.read")
	}}
	groups, err := search.NewService(denied, names(search.Task, "a")).Find(signedIn(t), "a", 5)
	require.NoError(t, err)
	require.Len(t, groups, 1)

	broken := search.Source{Kind: search.File, Find: func(context.Context, string, int) ([]search.Hit, error) { return nil, errors.New("disk on fire") }}
	_, err = search.NewService(broken).Find(signedIn(t), "a", 5)
	require.ErrorContains(t, err, "disk on fire")

	_, err = search.NewService(names(search.Task, "a")).Find(t.Context(), "a", 5)
	require.ErrorIs(t, err, access.ErrUnauthenticated)
}
