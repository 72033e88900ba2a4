package layout_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/views/components"
	"dorado/views/layout"
)

func page(t *testing.T, p layout.ShellProps, frame func(layout.ShellProps) templ.Component) *goquery.Document {
	t.Helper()
	ctx := templ.WithNonce(i18n.WithLocale(t.Context(), i18n.Chinese), "n0nce")
	var b bytes.Buffer
	require.NoError(t, frame(p).Render(templ.WithChildren(ctx, templ.Raw("<p>content</p>")), &b))
	doc, err := goquery.NewDocumentFromReader(&b)
	require.NoError(t, err)
	return doc
}

func props() layout.ShellProps {
	return layout.ShellProps{
		Title: "Tenants", Theme: "dark", Path: "/security/tenants?page=2", Person: layout.Person{Name: "Mei Chen", Role: "Administrator"},
		Nav: []layout.NavGroup{
			{Label: "Security", Items: []layout.NavItem{
				{Label: "Tenants", URL: "/security/tenants", Icon: "tenant", Current: true, Count: "4"},
				{Label: "Users", URL: "/security/users", Icon: "users"},
			}},
			{Label: "Nothing here"},
		},
		Crumbs:   []components.Crumb{{Label: "Security", URL: "/security"}, {Label: "Tenants"}},
		Settings: layout.Settings{Theme: "/settings/theme", Language: "/settings/language", Logout: "/logout"},
		Toasts:   []components.ToastProps{{Text: "Saved"}},
		Events:   "/events",
	}
}

func TestTheShellMarksWhereOneIs(t *testing.T) {
	t.Parallel()
	doc := page(t, props(), layout.Shell)
	require.Equal(t, "Tenants · Dorado", doc.Find("title").Text())
	require.Equal(t, "/security/tenants", doc.Find(".nav [aria-current=page]").AttrOr("href", ""))
	require.Equal(t, 1, doc.Find(".nav").Length(), "a group without entries is not drawn")
	require.Equal(t, "Tenants", doc.Find(".crumbs [aria-current=page]").Text())
	require.Equal(t, "content", doc.Find("main p").Text())
	require.Equal(t, "/events", doc.Find("main").AttrOr("hx-sse:connect", ""))
	require.Equal(t, "Saved", strings.TrimSpace(doc.Find("#toasts .toast .grow").Text()))
}

func TestEveryFrameHasWhatScriptsRelyOn(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]*goquery.Document{
		"shell":  page(t, props(), layout.Shell),
		"editor": page(t, props(), layout.Editor),
		"bare": page(t, props(), func(p layout.ShellProps) templ.Component {
			return layout.Bare(layout.BareProps{Title: p.Title, Theme: p.Theme, Settings: p.Settings})
		}),
	} {
		for _, id := range []string{"#main", "#notice", "#modal", "#dialog", "#dialog-notice", "#toasts", "#shortcuts"} {
			require.Equalf(t, 1, doc.Find(id).Length(), "%s has %s once", name, id)
		}
		var texts map[string]string
		require.NoError(t, json.Unmarshal([]byte(doc.Find("#js-messages").Text()), &texts), name)
		require.Equal(t, "已复制", texts["js.copied"])
		require.Equal(t, "dark", doc.Find("html").AttrOr("data-theme", ""), name)
		require.Equal(t, "zh-CN", doc.Find("html").AttrOr("lang", ""), name)
		doc.Find("script[src]").Each(func(_ int, s *goquery.Selection) {
			require.Equal(t, "n0nce", s.AttrOr("nonce", ""), name)
			require.True(t, strings.HasPrefix(s.AttrOr("src", ""), "/static/"), name)
		})
		require.Equal(t, 0, doc.Find("[style], [onclick]").Length(), name)
	}
}

func TestTheThemeOfTheSystemPinsNothing(t *testing.T) {
	t.Parallel()
	p := props()
	p.Theme = ""
	_, pinned := page(t, p, layout.Shell).Find("html").Attr("data-theme")
	require.False(t, pinned)
}

func TestSettingsComeBackToThePageTheyWereChangedOn(t *testing.T) {
	t.Parallel()
	doc := page(t, props(), layout.Shell)
	for _, form := range []string{"/settings/theme", "/settings/language"} {
		next := doc.Find(`form[action="` + form + `"] input[name=next]`)
		require.Equal(t, "/security/tenants?page=2", next.AttrOr("value", ""))
	}
	require.Equal(t, "dark", doc.Find("[name=theme][aria-pressed=true]").AttrOr("value", ""))
	require.Equal(t, "zh", doc.Find("[name=locale][aria-pressed=true]").AttrOr("value", ""))
}

func TestWhatHasNoAddressIsNotShown(t *testing.T) {
	t.Parallel()
	p := props()
	p.Settings = layout.Settings{}
	doc := page(t, p, layout.Shell)
	require.Equal(t, 0, doc.Find(".segments").Length())
	require.Equal(t, 0, doc.Find(`[data-test="shell.logout"]`).Length())
	require.Equal(t, 0, doc.Find(".jump").Length())
}
