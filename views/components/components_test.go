package components_test

import (
	"bytes"
	"context"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/static"
	"dorado/views/components"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func render(t *testing.T, ctx context.Context, c templ.Component, children ...templ.Component) string {
	t.Helper()
	if len(children) > 0 {
		ctx = templ.WithChildren(ctx, templ.Join(children...))
	}
	var b bytes.Buffer
	require.NoError(t, c.Render(ctx, &b))
	// One element a line makes a golden file readable and its differences small.
	html := strings.ReplaceAll(b.String(), static.Hash(), "HASH")
	return regexp.MustCompile(`>\s*<`).ReplaceAllString(html, ">\n<") + "\n"
}

func golden(t *testing.T, name string, c templ.Component, children ...templ.Component) {
	t.Helper()
	file := filepath.Join("testdata", name+".html")
	got := render(t, t.Context(), c, children...)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func text(s string) templ.Component { return templ.Raw(templ.EscapeString(s)) }

func TestComponentsLookAsReviewed(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 2, 30, 0, 0, time.UTC)
	query := url.Values{"q": {"a b"}, "sort": {"-name"}, "page": {"9"}}
	tests := map[string]struct {
		component templ.Component
		children  []templ.Component
	}{
		"button":          {component: components.Button(components.ButtonProps{Text: "Run", Icon: "play", Kind: components.KindPrimary, Type: "submit", Name: "go", Value: "1", Test: "run"})},
		"button-disabled": {component: components.Button(components.ButtonProps{Text: "Edit", Icon: "edit", URL: "/edit", Disabled: "Take the workflow offline to edit it"})},
		"button-dialog":   {component: components.Button(components.ButtonProps{Text: "New", URL: "/tenants/new", Dialog: true})},
		"button-icon":     {component: components.IconButton(components.ButtonProps{Label: "Run etl", Icon: "play", Small: true})},
		"post":            {component: components.PostButton(components.PostProps{URL: "/online", Fields: map[string]string{"b": "2", "a": "1"}, Target: "list", Button: components.ButtonProps{Text: "Online"}})},
		"menu": {component: components.Menu(components.MenuProps{ID: "m", Label: "More", Items: []components.MenuItem{
			{Label: "Edit", Icon: "edit", URL: "/edit", Dialog: true},
			{Label: "Copy", URL: "/copy", Disabled: "not now"},
			{Separator: true},
			{Label: "Delete", URL: "/delete", Post: true, Danger: true},
		}})},
		"input":    {component: components.TextInput(components.FieldProps{Name: "code", Label: "Code", Value: `a"b<c`, Hint: "Letters", Required: true, MaxLength: 64})},
		"invalid":  {component: components.TextInput(components.FieldProps{Name: "code", Label: "Code", Hint: "Letters", Error: "Already taken"})},
		"select":   {component: components.Select(components.FieldProps{Name: "queue", Label: "Queue", Value: "2", Options: []components.Option{{Value: "1", Label: "default"}, {Value: "2", Label: "etl"}}})},
		"textarea": {component: components.Textarea(components.FieldProps{Name: "d", Label: "Description", Value: "a\n<b>", Mono: true})},
		"checkbox": {component: components.Checkbox(components.FieldProps{Name: "n", Label: "Notify", Checked: true})},
		"toggle":   {component: components.Toggle(components.FieldProps{Name: "n", Label: "Run", Hint: "Off skips it"})},
		"radio":    {component: components.Radio(components.FieldProps{Name: "s", Label: "Strategy", Value: "END", Required: true, Options: []components.Option{{Value: "END", Label: "End", Hint: "stops"}, {Value: "CONTINUE", Label: "Continue"}}})},
		"table": {
			component: components.Table(components.TableProps{Caption: "Tenants", Target: "list", Columns: []components.Column{
				{All: "batch"}, {Label: "Name", SortURL: "/t?sort=-name", Sorted: "ascending"}, {Label: "Runs", Right: true, Drop: 2}, {Label: "Actions", Hidden: true},
			}}),
			children: []templ.Component{components.RowCheck("batch", "id", "7", "etl")},
		},
		"pager":   {component: components.Pager(components.PagerProps{Path: "/t", Query: query, Page: 5, Size: 30, Total: 1284, Target: "list"})},
		"filters": {component: components.FilterForm(components.FilterProps{Action: "/t", Query: query, Keep: []string{"sort"}, Value: "a b", Placeholder: "Filter", Target: "list"})},
		"chips":   {component: components.Chips(components.ChipsProps{Chips: []components.Chip{{Label: "State", Value: "Failed", RemoveURL: "/t"}}, ClearURL: "/t"})},
		"tabs":    {component: components.Tabs(components.TabsProps{Label: "State", Tabs: []components.Tab{{Label: "All", URL: "/", Count: "48", Current: true}, {Label: "Online", URL: "/?online"}}})},
		"form":    {component: components.FormPage(components.FormProps{Title: "New tenant", Action: "/t", CancelURL: "/t", Error: "Not saved"}), children: []templ.Component{text("fields")}},
		"confirm": {component: components.ConfirmPage(components.ConfirmProps{Title: "Delete tenant etl?", Text: "3 users lose it.", Action: "/t/7/delete", Submit: "Delete", CancelURL: "/t", Fields: map[string]string{"version": "3"}, Details: []string{"a", "b"}})},
		"state":   {component: components.StatusText("RUNNING_EXECUTION")},
		"badge":   {component: components.StatusBadge("FAILURE")},
		"runs":    {component: components.RunBars(components.BarsProps{Label: "Last runs", Bars: []components.Bar{{State: "SUCCESS", Height: 0, Title: "1s"}, {State: "FAILURE", Height: 100, URL: "/i/2"}}})},
		"toast":   {component: components.Toast(components.ToastProps{Text: "Saved"})},
		"banner":  {component: components.Banner(components.BannerProps{Kind: components.ToastError, Title: "Not loaded", Text: "The server did not answer.", RequestID: "abc", RetryURL: "/t"})},
		"empty":   {component: components.EmptyState(components.EmptyProps{Icon: "flow", Title: "No workflow yet", Text: "Create one."})},
		"data":    {component: components.DataList([]components.Datum{{Label: "Code", Value: "42", Mono: true, Copy: true}, {Label: "Note"}})},
		"time":    {component: components.Time(components.TimeProps{At: at, Relative: true, Now: at.Add(12 * time.Minute)})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, test.component, test.children...)
		})
	}
}

func TestNoComponentNeedsAnInlineStyleOrScript(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*/*.templ")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotRegexp(t, `\sstyle=|\son[a-z]+=|hx-on|js:|<style`, string(source), file)
	}
}

func TestTheFormAloneIsTheFragmentOfTheDialog(t *testing.T) {
	t.Parallel()
	form := components.FormPage(components.FormProps{Title: "New tenant", Action: "/t", CancelURL: "/t"})
	for _, name := range []string{"dialog", "form-body"} {
		var b bytes.Buffer
		require.NoError(t, templ.RenderFragments(t.Context(), &b, form, name))
		require.True(t, strings.HasPrefix(strings.TrimSpace(b.String()), "<form"), b.String())
	}
}

func TestEveryStateHasAWordInBothLanguagesAndASymbol(t *testing.T) {
	t.Parallel()
	sprite, err := os.ReadFile("../../static/vendor/icons.svg")
	require.NoError(t, err)
	styles, err := os.ReadFile("../../static/css/components/state.css")
	require.NoError(t, err)
	for _, state := range []string{
		"SUBMITTED_SUCCESS", "WAIT_TO_RUN", "SERIAL_WAIT", "DELAY_EXECUTION", "DISPATCH", "RUNNING_EXECUTION", "READY_PAUSE", "PAUSE",
		"READY_STOP", "STOP", "KILL", "FAILURE", "NEED_FAULT_TOLERANCE", "SUCCESS", "FORCED_SUCCESS", "FAILOVER",
		"ONLINE", "OFFLINE", "NORMAL", "BUSY", "LOST", "NONE", "SKIPPED",
	} {
		for _, l := range i18n.Locales() {
			word := components.StateLabel(i18n.WithLocale(t.Context(), l), state)
			require.NotContains(t, word, "state.", state)
			require.NotEqual(t, state, word)
		}
		require.Contains(t, string(sprite), `id="`+components.StateIcon(state)+`"`)
		require.Contains(t, string(styles), `[data-state='`+state+`']`)
	}
	require.Equal(t, "ODD", components.StateLabel(t.Context(), "ODD"))
	require.Equal(t, "s-none", components.StateIcon("ODD"))
}

func TestInitialsComeFromTheWordsOfAName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "MC", components.Initials("Mei Chen"))
	require.Equal(t, "DS", components.Initials("daily_sales_mart"))
	require.Equal(t, "AD", components.Initials("admin"))
	require.Equal(t, "小明", components.Initials("王小明"))
	require.Equal(t, "?", components.Initials(" "))
}

func TestTheLastPageOfAListKnowsItsEnd(t *testing.T) {
	t.Parallel()
	html := render(t, t.Context(), components.Pager(components.PagerProps{Path: "/t", Page: 3, Size: 10, Total: 21}))
	require.Contains(t, html, "21-21")
	require.Contains(t, html, `href="/t?page=2&amp;size=10"`)
	require.NotContains(t, html, "page=4")

	html = render(t, t.Context(), components.Pager(components.PagerProps{Path: "/t", Page: 1, Size: 10}))
	require.Contains(t, html, "0 items")
	require.NotContains(t, html, "<nav")
}
