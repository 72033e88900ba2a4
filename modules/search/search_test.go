package search_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/fault"
	"dorado/app/kit/pinyin"
	"dorado/modules/access"
	"dorado/modules/search"
)

func signedIn(t *testing.T) context.Context {
	t.Helper()
	return access.WithPrincipal(t.Context(), access.Principal{UserID: 7, Name: "ann"})
}

// service searches sources for somebody who opened nothing.
func service(t *testing.T, sources ...search.Source) *search.Service {
	t.Helper()
	return visitor(t, nil, sources...)
}

// visitor searches sources for somebody who opened these things, the latest first.
func visitor(t *testing.T, visits []search.Visit, sources ...search.Source) *search.Service {
	t.Helper()
	spelling, err := pinyin.New()
	require.NoError(t, err)
	return search.NewService(spelling, func(_ context.Context, userID int64) ([]search.Visit, error) {
		require.EqualValues(t, 7, userID)
		return visits, nil
	}, sources...)
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
	s := service(t,
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
		s := service(t, search.Source{Kind: search.Task, Find: func(_ context.Context, text string, _ int) ([]search.Hit, error) {
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
	groups, err := service(t, denied, names(search.Task, "a")).Find(signedIn(t), "a", 5)
	require.NoError(t, err)
	require.Len(t, groups, 1)

	broken := search.Source{Kind: search.File, Find: func(context.Context, string, int) ([]search.Hit, error) { return nil, errors.New("disk on fire") }}
	_, err = service(t, broken).Find(signedIn(t), "a", 5)
	require.ErrorContains(t, err, "disk on fire")

	_, err = service(t, names(search.Task, "a")).Find(t.Context(), "a", 5)
	require.ErrorIs(t, err, access.ErrUnauthenticated)
}

// spelled finds like names, and what a text spells.
func spelled(t *testing.T, kind search.Kind, list ...string) search.Source {
	t.Helper()
	spelling, err := pinyin.New()
	require.NoError(t, err)
	source := names(kind, list...)
	find := source.Find
	source.Find = func(ctx context.Context, text string, limit int) ([]search.Hit, error) {
		hits, err := find(ctx, text, limit)
		for k := range hits {
			hits[k].URL = "/" + hits[k].Name
		}
		return hits, err
	}
	source.Spell = func(_ context.Context, text string, limit int) ([]search.Hit, error) {
		var hits []search.Hit
		for _, name := range list {
			if spelling.Text(text).In(name) && len(hits) < limit {
				hits = append(hits, search.Hit{Name: name, URL: "/" + name})
			}
		}
		return hits, nil
	}
	source.Open = func(_ context.Context, object string) (search.Hit, error) {
		for _, name := range list {
			if name == object {
				return search.Hit{Name: name, URL: "/" + name}, nil
			}
		}
		return search.Hit{}, fault.New(fault.NotFound, "search.none")
	}
	return source
}

// shown are the names of a group.
func shown(g search.Group) []string {
	var out []string
	for _, h := range g.Hits {
		out = append(out, h.Name)
	}
	return out
}

func TestLettersFindTheCharactersTheySpell(t *testing.T) {
	t.Parallel()
	s := service(t, spelled(t, search.Workflow, "每日订单", "add", "订单同步", "dd订单", "重庆"), names(search.Task, "每日订单"))
	for text, want := range map[string][]string{
		"dd":       {"dd订单", "add", "订单同步", "每日订单"}, // the letters themselves, then names that begin so
		"dingd":    {"订单同步", "每日订单", "dd订单"},
		"MRDD":     {"每日订单"},
		"chongq":   {"重庆"},
		"zhongq":   {"重庆"},
		"订单":       {"订单同步", "每日订单", "dd订单"},
		"xyz":      nil,
		"ddingdan": {"dd订单"},
	} {
		groups, err := s.Find(signedIn(t), text, 10)
		require.NoError(t, err)
		if want == nil {
			require.Empty(t, groups, text)
			continue
		}
		require.Equal(t, want, shown(groups[0]), text)
	}
}

func TestWhatOneOpenedLatelyComesFirst(t *testing.T) {
	t.Parallel()
	visits := []search.Visit{
		{Kind: search.Workflow, Object: "wholesales"},
		{Kind: search.Project, Object: "销售"},
		{Kind: search.Workflow, Object: "gone"},
		{Kind: search.Task, Object: "no page"},
		{Kind: "unheard of", Object: "x"},
		{Kind: search.Workflow, Object: "orders"},
	}
	s := visitor(t, visits, spelled(t, search.Workflow, "orders", "sales", "wholesales"), spelled(t, search.Project, "销售"), names(search.Task, "no page"))

	groups, err := s.Find(signedIn(t), "", 5)
	require.NoError(t, err)
	require.Len(t, groups, 1, "an empty box lists nothing else")
	require.Equal(t, search.Recent, groups[0].Kind)
	require.Equal(t, []string{"wholesales", "销售", "orders"}, shown(groups[0]), "what is gone is left out")

	groups, err = s.Find(signedIn(t), "sales", 5)
	require.NoError(t, err)
	require.Equal(t, []string{"sales", "wholesales"}, shown(groups[0]), "one has this very name")
	require.Equal(t, search.Recent, groups[1].Kind)
	require.Equal(t, []string{"wholesales"}, shown(groups[1]))

	groups, err = s.Find(signedIn(t), "sale", 5)
	require.NoError(t, err)
	require.Equal(t, search.Recent, groups[0].Kind)
	require.Equal(t, []string{"wholesales"}, shown(groups[0]))

	groups, err = s.Find(signedIn(t), "orders", 5)
	require.NoError(t, err)
	require.Equal(t, search.Recent, groups[0].Kind, "it has this very name itself")

	groups, err = s.Find(signedIn(t), "xiaosh", 5)
	require.NoError(t, err)
	require.Equal(t, []string{"销售"}, shown(groups[0]))

	groups, err = s.Find(signedIn(t), "no page", 5)
	require.NoError(t, err)
	require.Equal(t, search.Task, groups[0].Kind)

	broken := names(search.File)
	broken.Open = func(context.Context, string) (search.Hit, error) { return search.Hit{}, errors.New("disk on fire") }
	_, err = visitor(t, []search.Visit{{Kind: search.File, Object: "a"}}, broken).Find(signedIn(t), "", 5)
	require.ErrorContains(t, err, "disk on fire")
}
