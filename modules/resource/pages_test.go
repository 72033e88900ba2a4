package resource_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/resource"
	"dorado/modules/security/crudtest"
)

func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}

// upload sends a body as the script of the page does.
func (c *center) upload(t *testing.T, as access.Principal, query string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	return c.request(t, as, http.MethodPut, "/content"+query, body)
}

func (c *center) request(t *testing.T, as access.Principal, method, page string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := chi.NewRouter()
	c.Routes(r)
	req := httptest.NewRequest(method, resource.Path+page, body)
	req.Header.Set("Content-Type", "application/octet-stream")
	ctx := context.Context(req.Context())
	if as.UserID != 0 {
		ctx = crudtest.As(as)(ctx)
	}
	rec := httptest.NewRecorder()
	c.app.Site.Pages(r).ServeHTTP(rec, req.WithContext(ctx))
	return rec
}

func TestFilesAreKeptByForms(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), nil)
	b := c.app.Browser(t, c.Routes).As(crudtest.As(c.app.General))
	require.True(t, b.Get(resource.Path).Require(http.StatusOK).Has(".empty"))
	b.Post(resource.Path+"/folder", "tree", "etl", "path", "", "name", "jobs").Require(http.StatusSeeOther)
	b.Post(resource.Path+"/folder", "tree", "etl", "path", "", "name", "jobs").Require(http.StatusConflict)
	b.Post(resource.Path+"/new", "tree", "etl", "path", "jobs", "name", "load.sh", "content", "echo 1\r\necho 2").Require(http.StatusSeeOther)
	require.Equal(t, "echo 1\necho 2", c.read(t, "jobs/load.sh", 0), "lines end as the shell wants them")

	show := resource.Path + "/show" + query("tree", "etl", "path", "jobs/load.sh")
	page := b.Get(show).Require(http.StatusOK)
	require.Equal(t, "file:/dolphinscheduler/etl/resources/jobs/load.sh", page.Text("[data-test='file.full_name']"))
	b.Post(show, "content", "echo 3", "seen", "1", "message", "better").Require(http.StatusSeeOther)
	late := b.Post(show, "content", "echo mine", "seen", "1").Require(http.StatusUnprocessableEntity)
	require.Contains(t, late.Body, "echo mine", "what was typed is not lost")
	require.Equal(t, "echo 3", c.read(t, "jobs/load.sh", 0))
	b.Post(resource.Path + "/restore" + query("tree", "etl", "path", "jobs/load.sh", "revision", "1")).Require(http.StatusSeeOther)
	require.Equal(t, "echo 1\necho 2", c.read(t, "jobs/load.sh", 0))

	b.Post(resource.Path+"/rename", "tree", "etl", "path", "jobs/load.sh", "name", "run.sh").Require(http.StatusSeeOther)
	b.Post(resource.Path+"/rename", "tree", "etl", "path", "jobs/run.sh", "name", "../run.sh").Require(http.StatusUnprocessableEntity)
	b.Post(resource.Path+"/move", "tree", "etl", "path", "jobs", "move", "jobs/run.sh", "name", "new/place").Require(http.StatusSeeOther)
	require.Equal(t, []string{"new/place/run.sh"}, c.names(t, "new/place", ""))
	c.used.name = "etl/new/place/run.sh"
	refused := b.Post(resource.Path+"/delete", "tree", "etl", "path", "", "name", "jobs", "name", "new").Require(http.StatusOK)
	require.Contains(t, refused.Body, "is used by task load of workflow daily")
	require.ElementsMatch(t, []string{"jobs", "new"}, c.names(t, "", ""), "all of them or none")
	c.used.name = ""
	b.Post(resource.Path+"/delete", "tree", "etl", "path", "", "name", "jobs", "name", "new").Require(http.StatusSeeOther)
	require.Empty(t, c.names(t, "", ""))
}

func TestUploadsAreStreamedAndAskBeforeTheyReplace(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), func(cfg *resource.Config) { cfg.MaxFile = 8 << 20 })
	big := bytes.Repeat([]byte("0123456789abcdef"), 6<<16) // more than any form may hold
	rec := c.upload(t, c.app.General, query("tree", "etl", "path", "data/big.bin", "when", "create"), bytes.NewReader(big))
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	require.Equal(t, string(big), c.read(t, "data/big.bin", 0))
	rec = c.upload(t, c.app.General, query("tree", "etl", "path", "data/big.bin", "when", "create"), strings.NewReader("x"))
	require.Equal(t, http.StatusConflict, rec.Code)
	rec = c.upload(t, c.app.General, query("tree", "etl", "path", "data/big.bin", "when", "both"), strings.NewReader("x"))
	require.Contains(t, rec.Body.String(), `big (2).bin`)
	rec = c.upload(t, c.app.General, query("tree", "etl", "path", "data/big.bin", "when", "replace"), strings.NewReader("new"))
	require.Equal(t, http.StatusOK, rec.Code)
	rec = c.upload(t, c.app.General, query("tree", "etl", "path", "huge", "when", "create"), bytes.NewReader(make([]byte, 8<<20+1)))
	require.Equal(t, http.StatusUnprocessableEntity, rec.Code)
	require.Contains(t, rec.Body.String(), "larger than")

	b := c.app.Browser(t, c.Routes).As(crudtest.As(c.app.General))
	packed := b.Get(resource.Path + "/zip" + query("tree", "etl", "path", "", "name", "data")).Require(http.StatusOK).Body
	files, err := zip.NewReader(strings.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	var names []string
	for _, f := range files.File {
		names = append(names, f.Name)
	}
	require.ElementsMatch(t, []string{"data/big.bin", "data/big (2).bin"}, names)
	require.Equal(t, "new", b.Get(resource.Path+"/download"+query("tree", "etl", "path", "data/big.bin")).Require(http.StatusOK).Body)
}

func TestFilesOfOtherTenantsAreOutOfReachOnEveryPage(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), nil)
	_, err := c.Write(c.admin, resource.Ref{Tenant: "ops", Path: "secret.txt"}, resource.Content{Reader: strings.NewReader("classified"), Size: 10})
	require.NoError(t, err)
	theirs := query("tree", "ops", "path", "secret.txt")
	for name, as := range map[string]access.Principal{"another tenant's": c.app.General, "nobody": {}} {
		b := c.app.Browser(t, c.Routes)
		if as.UserID != 0 {
			b = b.As(crudtest.As(as))
		}
		for _, page := range []string{"", "/show", "/download", "/image", "/rename", "/folder", "/new"} {
			got := b.Get(resource.Path + page + theirs)
			require.GreaterOrEqual(t, got.Status, 300, "%s GET %s", name, page)
			require.NotContains(t, got.Body, "classified")
		}
		for _, page := range []string{"/zip", "/move", "/delete"} {
			require.GreaterOrEqual(t, b.Get(resource.Path+page+query("tree", "ops", "path", "", "name", "secret.txt")).Status, 300, "%s GET %s", name, page)
		}
		for page, fields := range map[string][]string{
			"/folder": {"tree", "ops", "path", "", "name", "x"}, "/new": {"tree", "ops", "path", "", "name", "x.sh"},
			"/rename": {"tree", "ops", "path", "secret.txt", "name", "x"}, "/move": {"tree", "ops", "path", "", "move", "secret.txt", "name", "x"},
			"/delete": {"tree", "ops", "path", "", "name", "secret.txt"},
		} {
			if got := b.Post(resource.Path+page, fields...); as.UserID != 0 { // nobody is sent to sign in
				require.NotEqual(t, http.StatusSeeOther, got.Status, "%s POST %s", name, page)
			}
		}
		b.Post(resource.Path+"/show"+theirs, "content", "x", "seen", "1")
		b.Post(resource.Path + "/restore" + theirs + "&revision=1")
		require.NotEqual(t, http.StatusOK, c.upload(t, as, theirs+"&when=replace", strings.NewReader("x")).Code)
	}
	f, err := c.Get(c.admin, resource.Ref{Tenant: "ops", Path: "secret.txt"})
	require.NoError(t, err)
	require.Equal(t, 1, f.Revision)
}

func TestScriptsOfDolphinSchedulerKeepFilesByREST(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), nil)
	call := crudtest.REST(t, c.app, c.app.General, c.API)
	code := func(answer map[string]any) int { return int(answer["code"].(float64)) }
	require.Equal(t, "file:/dolphinscheduler/etl/resources", call("GET", "/resources/base-dir?type=FILE", "")["data"])
	require.Zero(t, code(call("POST", "/resources/directory", "type=FILE&name=lib&currentDir=/&pid=-1")))
	require.Equal(t, 20005, code(call("POST", "/resources/directory", "type=FILE&name=lib&currentDir=/")))
	require.Zero(t, code(call("POST", "/resources/online-create", "type=FILE&fileName=a&suffix=sh&content=echo 1&currentDir=file:/dolphinscheduler/etl/resources/lib")))
	require.Equal(t, 20006, code(call("POST", "/resources/online-create", "type=FILE&fileName=a&suffix=exe&content=x&currentDir=/")))
	require.Zero(t, code(call("PUT", "/resources/update-content", "fullName=file:/dolphinscheduler/etl/resources/lib/a.sh&content=echo 2")))
	list := call("GET", "/resources?fullName=file:/dolphinscheduler/etl/resources/lib/&type=FILE&searchVal=&pageNo=1&pageSize=10", "")["data"].(map[string]any)
	require.EqualValues(t, 1, list["total"])
	require.Equal(t, "file:/dolphinscheduler/etl/resources/lib/a.sh", list["totalList"].([]any)[0].(map[string]any)["fullName"])
	view := call("GET", "/resources/view?fullName=/lib/a.sh&skipLineNum=0&limit=10", "")["data"].(map[string]any)
	require.Equal(t, "echo 2\n", strings.TrimRight(view["content"].(string), "\n")+"\n")
	tree := call("GET", "/resources/list?type=FILE", "")["data"].([]any)
	require.Len(t, tree, 1)
	require.Len(t, tree[0].(map[string]any)["children"], 1)
	require.Equal(t, 20020, code(call("GET", "/resources/view?fullName=file:/dolphinscheduler/ops/resources/x.sh&skipLineNum=0&limit=1", "")))
	require.Equal(t, 20020, code(call("DELETE", "/resources", "fullName=file:/dolphinscheduler/etl/resources/../../ops/resources/x")))
	require.Zero(t, code(call("PUT", "/resources", "fullName=/lib/a.sh&name=b.sh")))
	require.Equal(t, 20004, code(call("DELETE", "/resources", "fullName=/lib/a.sh")))
	require.Zero(t, code(call("DELETE", "/resources", "fullName=/lib")))
	require.Equal(t, 10001, code(call("GET", "/resources?fullName=&type=FILE&pageNo=0&pageSize=10", "")))
}
