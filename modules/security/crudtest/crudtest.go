package crudtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
)

// Case describes a module to the suite.
type Case struct {
	Path string // of the list
	// Open makes the module on a fresh database and returns what mounts its pages.
	Open func(t *testing.T, d *db.DB) (*App, func(chi.Router))
	// Valid are the form fields of the n-th object, n from 1; names sort like n up to 99.
	Valid func(n int) []string
	// Name is what the list calls the n-th object.
	Name func(n int) string
	// NameField is the field that holds the name; Sort is the key that sorts by it.
	NameField, Sort string
	// Edited are the fields of an edit of the n-th object, Shows what the list shows then.
	Edited func(n int) []string
	Shows  string
	// Unique says that two objects cannot have the same name.
	Unique bool
	// Required is a field that must not be empty.
	Required string
	// Number is a field that must be a number, empty when there is none.
	Number string
	// Hostile are the fields of an object with as much of text in it as the rules allow.
	Hostile func(text string) []string
	// Use makes something refer to the first object and returns its name; nil when
	// nothing can.
	Use func(t *testing.T, a *App) string
	// Own says that everybody may keep objects of his own.
	Own bool
	// Rows is how many objects there are from the start.
	Rows int
	// New is the query of an empty form where something is chosen before it, such as "?plugin=Slack".
	New string
	// Shown says that creating answers with a page that shows something once, in
	// place of the list.
	Shown bool
}

// Run checks the module on both databases.
func Run(t *testing.T, c Case) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *fixture){
		"list, search, sort and page":                          listing,
		"create, edit and delete without scripts":              plain,
		"dialogs hold the form alone":                          dialogs,
		"bad input comes back with messages":                   badInput,
		"a name can be taken once":                             duplicate,
		"an edit made meanwhile is noticed":                    stale,
		"what is in use stays and says why":                    inUse,
		"only those who may get in":                            forbidden,
		"forms of other sites are refused":                     crossOrigin,
		"messages are in the reader's language":                translated,
		"hostile text is shown as text":                        hostile,
		"garbage in addresses is a page that does not exist":   garbage,
		"garbage in the query of a list shows the list anyway": garbageQuery,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				a, mount := c.Open(t, d)
				b := a.Browser(t, mount)
				test(t, &fixture{Case: c, app: a, nobody: b, admin: b.As(As(a.Admin)), general: b.As(As(a.General))})
			})
		})
	}
}

type fixture struct {
	Case
	app                    *App
	nobody, admin, general *webtest.Browser
}

func (f *fixture) create(t *testing.T, n int) {
	t.Helper()
	answer := f.admin.Post(f.Path, f.Valid(n)...)
	if !f.Shown {
		answer.Require(http.StatusSeeOther)
	} else {
		answer.Require(http.StatusOK)
	}
}

const nameCells = "tbody td:first-child .name"

// names are the names in the list.
func (f *fixture) names(t *testing.T) []string {
	t.Helper()
	return f.admin.Get(f.Path + "?size=100").Require(http.StatusOK).Texts(nameCells)
}

// edit is the address of the form of the object with this name.
func (f *fixture) edit(t *testing.T, name string) string {
	t.Helper()
	page := f.admin.Get(f.Path + "?size=100")
	for i := range page.Count("tbody tr") {
		row := fmt.Sprintf("tbody tr:nth-child(%d) ", i+1)
		if strings.HasPrefix(page.Text(row+".name"), name) {
			return page.Attr(row+"[data-test='row.edit']", "href")
		}
	}
	require.FailNow(t, "not in the list", name)
	return ""
}

func (f *fixture) object(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSuffix(f.edit(t, name), "/edit")
}

func listing(t *testing.T, f *fixture) {
	if f.Rows == 0 {
		require.True(t, f.admin.Get(f.Path).Has(".empty"), "an empty list says so")
	}
	for n := 12; n >= 1; n-- {
		f.create(t, n)
	}
	page := f.admin.Get(f.Path + "?sort=-" + f.Sort).Require(http.StatusOK)
	names := page.Texts(nameCells)
	require.Len(t, names, 10)
	require.True(t, descending(names), "%v", names)
	require.Equal(t, "descending", page.Attr("th[aria-sort=descending]", "aria-sort"))
	require.Contains(t, page.Text(".pager"), fmt.Sprintf("%d items", 12+f.Rows))

	second := f.admin.Get(f.Path + "?page=2&sort=" + f.Sort).Texts(nameCells)
	require.Len(t, second, 2+f.Rows)
	beyond := f.admin.Get(f.Path + "?page=99&sort=" + f.Sort).Texts(nameCells)
	require.Equal(t, second, beyond, "a page that is gone shows the last one")

	found := f.admin.Get(f.Path + "?q=" + strings.ToUpper(f.Name(7)))
	require.Equal(t, []string{f.Name(7)}, found.Texts(nameCells))
	require.Equal(t, strings.ToUpper(f.Name(7)), found.Value("q"), "the search stays in its box")
	none := f.admin.Get(f.Path + "?q=%25")
	require.Empty(t, none.Texts(nameCells), "%% is searched as it stands")
	require.True(t, none.Has(`.empty a[href]`), "no match offers to clear the filters")

	part := f.admin.Part(f.Path+"?q="+f.Name(7), "list").Require(http.StatusOK)
	require.True(t, strings.HasPrefix(strings.TrimSpace(part.Body), `<div id="list">`), part.Body)
}

func descending(names []string) bool {
	for i := 1; i < len(names); i++ {
		if names[i] > names[i-1] {
			return false
		}
	}
	return true
}

func plain(t *testing.T, f *fixture) {
	form := f.admin.Get(f.Path + "/new" + f.New).Require(http.StatusOK)
	require.Equal(t, f.Path, form.Attr("main form[method=post]", "action"))
	require.True(t, form.Has("nav"), "the form is a page of its own")

	answer := f.admin.Post(f.Path, f.Valid(1)...)
	if !f.Shown {
		list := f.admin.Follow(answer.Require(http.StatusSeeOther))
		require.Contains(t, list.Text(".toast"), f.Name(1))
	}
	require.Contains(t, f.names(t), f.Name(1))

	edit := f.edit(t, f.Name(1))
	form = f.admin.Get(edit).Require(http.StatusOK)
	require.Equal(t, f.Name(1), form.Value(f.NameField))
	fields := append(f.Edited(1), "updated_at", form.Value("updated_at"))
	list := f.admin.Follow(f.admin.Post(strings.TrimSuffix(edit, "/edit"), fields...).Require(http.StatusSeeOther))
	require.Contains(t, list.Text("tbody"), f.Shows)
	require.NotEmpty(t, list.Text(".toast"))

	object := strings.TrimSuffix(edit, "/edit")
	question := f.admin.Get(object + "/delete").Require(http.StatusOK)
	require.Equal(t, object+"/delete", question.Attr("main form[method=post]", "action"))
	list = f.admin.Follow(f.admin.Post(object + "/delete").Require(http.StatusSeeOther))
	require.NotEmpty(t, list.Text(".toast"))
	require.NotContains(t, list.Text("tbody"), f.Shows)
	f.admin.Get(edit).Require(http.StatusNotFound)
	f.admin.Post(object + "/delete").Require(http.StatusNotFound)

	var verbs []string
	for _, action := range f.app.Audited(t) {
		_, verb, _ := strings.Cut(action, ".")
		verbs = append(verbs, verb)
	}
	require.Subset(t, verbs, []string{"create", "update", "delete"}, "each deed is in the audit log")
}

func dialogs(t *testing.T, f *fixture) {
	form := f.admin.Part(f.Path+"/new"+f.New, "dialog").Require(http.StatusOK)
	require.False(t, form.Has("nav"))
	require.True(t, form.Has("form[method=post]"))
	bad := f.admin.PostPart(f.Path, "dialog", replaced(f.Valid(1), f.Required, "")...).Require(http.StatusUnprocessableEntity)
	require.False(t, bad.Has("nav"))
	require.True(t, bad.Has("[aria-invalid=true]"))
	if f.Shown {
		f.admin.PostPart(f.Path, "dialog", f.Valid(1)...).Require(http.StatusOK)
		return
	}
	good := f.admin.PostPart(f.Path, "dialog", f.Valid(1)...).Require(http.StatusOK)
	require.Equal(t, f.Path, good.Header.Get("HX-Redirect"))
	require.Contains(t, f.admin.Follow(good).Text(".toast"), f.Name(1))
}

func badInput(t *testing.T, f *fixture) {
	empty := f.admin.Post(f.Path, replaced(f.Valid(1), f.Required, "  ")...).Require(http.StatusUnprocessableEntity)
	require.NotEmpty(t, empty.Text("#f-"+f.Required+"-error"))
	require.Equal(t, "true", empty.Attr(`[name="`+f.Required+`"]`, "aria-invalid"))

	nothing := f.admin.Post(f.Path).Require(http.StatusUnprocessableEntity)
	require.True(t, nothing.Has(".err"))

	long := f.admin.Post(f.Path, replaced(f.Valid(1), f.NameField, strings.Repeat("x", 5000))...).Require(http.StatusUnprocessableEntity)
	require.NotEmpty(t, long.Text("#f-"+f.NameField+"-error"))
	require.Equal(t, strings.Repeat("x", 5000), long.Value(f.NameField), "what was typed is kept")

	odd := f.admin.Post(f.Path, replaced(f.Valid(1), f.NameField, "\x00\xff\xfe\x00")...)
	require.Less(t, odd.Status, 500)
	if f.Number != "" {
		for _, text := range []string{"twelve", "1e9", "99999999999999999999999", "-1", "9223372036854775807"} {
			got := f.admin.Post(f.Path, replaced(f.Valid(1), f.Number, text)...).Require(http.StatusUnprocessableEntity)
			require.NotEmpty(t, got.Text("#f-"+f.Number+"-error"), text)
		}
	}
	require.NotContains(t, f.admin.Get(f.Path+"?size=100").Texts(nameCells), f.Name(1), "nothing was created")
}

func duplicate(t *testing.T, f *fixture) {
	if !f.Unique {
		t.Skip("names may repeat")
	}
	f.create(t, 1)
	again := f.admin.Post(f.Path, f.Valid(1)...).Require(http.StatusConflict)
	require.NotEmpty(t, again.Text(".err"), "the message is beside a field")
	require.Equal(t, f.Name(1), again.Value(f.NameField))
	require.Equal(t, 1, count(f.names(t), f.Name(1)))
}

func stale(t *testing.T, f *fixture) {
	f.create(t, 1)
	edit := f.edit(t, f.Name(1))
	object := strings.TrimSuffix(edit, "/edit")
	first := f.admin.Get(edit).Value("updated_at")
	require.NotEmpty(t, first)
	f.admin.Post(object, append(f.Edited(1), "updated_at", first)...).Require(http.StatusSeeOther)

	late := f.admin.Post(object, append(replaced(f.Valid(1), f.NameField, f.Name(1)), "updated_at", first)...).Require(http.StatusConflict)
	require.True(t, late.Has(`[role=alert]`), "a banner says that somebody was faster")
	f.admin.Post(object, f.Valid(1)...).Require(http.StatusConflict)
	require.Contains(t, f.admin.Get(f.Path).Text("tbody"), f.Shows, "the first edit stands")
}

func inUse(t *testing.T, f *fixture) {
	if f.Use == nil {
		t.Skip("nothing refers to it")
	}
	f.create(t, 1)
	user := f.Use(t, f.app)
	object := f.object(t, f.Name(1))
	for _, page := range []*webtest.Page{
		f.admin.Get(object + "/delete").Require(http.StatusOK),
		f.admin.Post(object + "/delete").Require(http.StatusConflict),
		f.admin.PostPart(object+"/delete", "dialog").Require(http.StatusConflict),
	} {
		require.Contains(t, page.Text("[data-test=refused]"), user)
		require.NotEmpty(t, page.Attr("[data-test=refused] li a", "href"), "it links to what uses it")
		require.False(t, page.Has("[data-test=refused] [type=submit]"))
	}
	require.Contains(t, f.names(t), f.Name(1))
	require.NotContains(t, strings.Join(f.app.Audited(t), " "), ".delete")
}

func forbidden(t *testing.T, f *fixture) {
	f.create(t, 1)
	object := f.object(t, f.Name(1))
	gets := []string{f.Path, f.Path + "/new" + f.New, object + "/edit", object + "/delete"}
	posts := []string{f.Path, object, object + "/delete"}
	for _, path := range gets {
		require.True(t, strings.HasPrefix(f.nobody.Get(path).Require(http.StatusSeeOther).Header.Get("Location"), "/login?next="), path)
	}
	for _, path := range posts {
		require.Equal(t, "/login", f.nobody.Post(path, f.Valid(2)...).Require(http.StatusSeeOther).Header.Get("Location"), path)
	}
	if f.Own {
		gets, posts = gets[2:], posts[1:]
		require.NotContains(t, f.general.Get(f.Path).Require(http.StatusOK).Texts(nameCells), f.Name(1), "others' objects are not shown")
	}
	for _, path := range gets {
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, f.general.Get(path).Status, path)
	}
	for _, path := range posts {
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, f.general.Post(path, f.Valid(2)...).Status, path)
	}
	names := f.names(t)
	require.Contains(t, names, f.Name(1))
	require.NotContains(t, names, f.Name(2))
}

func crossOrigin(t *testing.T, f *fixture) {
	f.create(t, 1)
	object := f.object(t, f.Name(1))
	evil := f.admin.With("Sec-Fetch-Site", "cross-site").With("Origin", "https://evil.example")
	for _, path := range []string{f.Path, object, object + "/delete"} {
		evil.Post(path, f.Valid(2)...).Require(http.StatusForbidden)
	}
	names := f.names(t)
	require.Contains(t, names, f.Name(1))
	require.NotContains(t, names, f.Name(2))
}

func translated(t *testing.T, f *fixture) {
	zh := f.admin.In("zh-CN")
	for _, page := range []*webtest.Page{zh.Get(f.Path), zh.Get(f.Path + "/new" + f.New), zh.Post(f.Path).Require(http.StatusUnprocessableEntity)} {
		require.Equal(t, "zh-CN", page.Attr("html", "lang"))
		require.Regexp(t, `\p{Han}`, page.Text("h1"))
		for _, message := range page.Texts(".err, label, th, .btn") {
			require.NotRegexp(t, `^[a-z_]+(\.[a-z_]+)+$`, message, "a key without a text")
		}
	}
	require.Regexp(t, `\p{Han}`, zh.Post(f.Path).Text(".err"))
}

func hostile(t *testing.T, f *fixture) {
	const text = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`
	answer := f.admin.Post(f.Path, f.Hostile(text)...)
	require.Less(t, answer.Status, 500)
	for _, page := range []*webtest.Page{answer, f.admin.Get(f.Path), f.admin.Get(f.Path + "?q=" + escape(text))} {
		require.NotContains(t, page.Body, "<script>alert")
		require.NotContains(t, page.Body, "<img src=x")
	}
}

func garbage(t *testing.T, f *fixture) {
	for _, id := range []string{"abc", "0", "-1", "99999999999999999999", "999999", "1.5", "%00", "..%2f"} {
		for _, action := range []string{"/edit", "/delete"} {
			require.Equal(t, http.StatusNotFound, f.admin.Get(f.Path+"/"+id+action).Status, id+action)
		}
		require.Contains(t, []int{http.StatusNotFound, http.StatusUnprocessableEntity}, f.admin.Post(f.Path+"/"+id, f.Valid(1)...).Status, id)
		require.Equal(t, http.StatusNotFound, f.admin.Post(f.Path+"/"+id+"/delete").Status, id)
	}
}

func garbageQuery(t *testing.T, f *fixture) {
	f.create(t, 1)
	for _, query := range []string{"page=-1", "page=abc&size=0", "size=1000000", "sort=drop table", "sort=-", "q=%00%ff", "page=99999999999999999999", "q=" + strings.Repeat("x", 3000)} {
		f.admin.Get(f.Path + "?" + strings.ReplaceAll(query, " ", "+")).Require(http.StatusOK)
	}
}

// replaced is fields with another value for one of them.
func replaced(fields []string, name, value string) []string {
	out := append([]string(nil), fields...)
	for i := 0; i < len(out); i += 2 {
		if out[i] == name {
			out[i+1] = value
		}
	}
	return out
}

func count(names []string, name string) int {
	n := 0
	for _, s := range names {
		if s == name {
			n++
		}
	}
	return n
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}
