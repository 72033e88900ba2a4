package transfer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/security/crudtest"
	"dorado/modules/transfer/neutral"
)

type envelope struct {
	Code   int
	Msg    string
	Data   json.RawMessage
	Status int
	Body   []byte
	Header http.Header
}

// send sends a call as p; body nil is a form of fields.
func (w *world) send(t testing.TB, p access.Principal, path, kind string, body io.Reader) envelope {
	t.Helper()
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), p)))
		})
	}, func(r chi.Router) { w.Module.API(r) })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, body)
	r.Header.Set("Content-Type", kind)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	e := envelope{Status: rec.Code, Body: rec.Body.Bytes(), Header: rec.Header()}
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") && bytes.HasPrefix(rec.Body.Bytes(), []byte("{")) {
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e))
	}
	return e
}

func (w *world) base(word string) string {
	return fmt.Sprintf("/projects/%d/%s-definition", w.project, word)
}

// upload posts a file as clients do.
func (w *world) upload(t testing.TB, p access.Principal, path, name, kind string, data []byte, fields ...string) envelope {
	t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, m.WriteField(fields[i], fields[i+1]))
	}
	part, err := m.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, name)}, "Content-Type": {kind},
	})
	require.NoError(t, err)
	_, err = part.Write(data)
	require.NoError(t, err)
	require.NoError(t, m.Close())
	return w.send(t, p, path, m.FormDataContentType(), &body)
}

func (w *world) exportREST(t testing.TB, word string, codes ...int64) envelope {
	t.Helper()
	var all []string
	for _, c := range codes {
		all = append(all, number(c))
	}
	return w.send(t, w.General, w.base(word)+"/batch-export", "application/x-www-form-urlencoded", strings.NewReader(url.Values{"codes": {strings.Join(all, ",")}}.Encode()))
}

func TestClientsImportAndExportInBothFamiliesOfWords(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for _, word := range []string{"workflow", "process"} {
			e := w.upload(t, w.General, w.base(word)+"/import", "workflow_1.json", "application/json", []byte(family()))
			require.Zero(t, e.Code, e.Msg)
			require.Equal(t, http.StatusOK, e.Status)
			var made struct {
				Code         int64
				Name         string
				Version      int
				ReleaseState string
				UserID       int64
			}
			require.NoError(t, json.Unmarshal(e.Data, &made))
			require.Regexp(t, `^child(\(\d\))?_import_\d{17}$`, made.Name, "the last one of the file")
			require.Equal(t, []any{1, "OFFLINE", w.General.UserID}, []any{made.Version, made.ReleaseState, made.UserID})

			out := w.exportREST(t, word, made.Code)
			require.Equal(t, "application/json;charset=UTF-8", out.Header.Get("Content-Type"))
			require.Contains(t, out.Header.Get("Content-Disposition"), `attachment; filename="workflow_`)
			require.True(t, bytes.HasPrefix(out.Body, []byte("[ {\n  \""+word+"Definition\" : {\n    \"id\" : ")), "%.80s", out.Body)
			require.Contains(t, string(out.Body), `"`+word+`TaskRelationList" : [ {`)
		}
	})
}

func TestRefusedFilesHaveTheNumbersClientsKnow(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	at := w.base("workflow") + "/import"
	for name, text := range map[string]string{"no JSON": "{", "no list": "7", "empty": "[]", "nothing": "", "no workflow": `[{"a":1}]`} {
		e := w.upload(t, w.General, at, "f.json", "application/json", []byte(text))
		require.Equal(t, 50018, e.Code, name)
		require.Equal(t, http.StatusOK, e.Status)
	}
	require.Equal(t, 50029, w.send(t, w.General, at, "application/x-www-form-urlencoded", strings.NewReader("")).Code, "no file")
	lonely := "[" + dag(parentCode, "parent", "null", [][2]int64{{0, t2}}, task(t2, "start", "SUB_PROCESS", `{"processDefinitionCode":4652338640257}`, "")) + "]"
	e := w.upload(t, w.General, at, "f.json", "application/json", []byte(lonely))
	require.Equal(t, 50029, e.Code)
	require.Contains(t, e.Msg, "4652338640257", "it says what is missing")
	sql := "-- datasource: nowhere\nselect 1"
	require.Equal(t, 10172, w.upload(t, w.General, at, "f.sql", "text/plain", []byte(sql)).Code)
	require.Zero(t, w.upload(t, w.General, at, "f.sql", "text/plain", []byte(strings.Replace(sql, "nowhere", "warehouse", 1))).Code)

	require.Equal(t, 50003, w.exportREST(t, "workflow", 4711).Code)
	require.NotZero(t, w.exportREST(t, "workflow").Code)
	gone := w.upload(t, w.General, strings.Replace(at, number(w.project), "4711", 1), "f.json", "application/json", []byte(family()))
	require.NotZero(t, gone.Code)
}

// endless is a body that fails the test when it is read to its end.
type endless struct {
	t    *testing.T
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	require.Less(e.t, e.read, neutral.MaxFile+16<<20, "far more than a file may have was read")
	return len(p), nil
}

func TestHugeUploadsAreRefusedBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), w.General)))
		})
	}, func(r chi.Router) { w.Module.API(r) })
	for name, length := range map[string]int64{"says so": 100 << 20, "does not say": -1} {
		body := &endless{t: t}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, w.base("workflow")+"/import", body)
		r.ContentLength = length
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		var e envelope
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), name)
		require.NotZero(t, e.Code, name)
		if length > 0 {
			require.Equal(t, 50018, e.Code)
			require.Zero(t, body.read, "not a byte")
		}
	}
}

func TestClientsOfOursSeeAndChoose(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	at := w.base("workflow") + "/transfer"
	e := w.upload(t, w.General, at+"/preview", "f.json", "application/json", []byte(family()))
	require.Zero(t, e.Code, e.Msg)
	var seen struct {
		Format    string
		Workflows []struct {
			Name, Action string
			ForeignTypes []string
			Code         int64
		}
		References []struct{ Key, Chosen string }
	}
	require.NoError(t, json.Unmarshal(e.Data, &seen))
	require.Equal(t, "ds-2", seen.Format)
	require.Len(t, seen.Workflows, 3)
	require.Equal(t, []string{"ZEPPELIN"}, seen.Workflows[1].ForeignTypes)
	require.Len(t, seen.References, 8)
	e = w.upload(t, w.General, at+"/import", "f.json", "application/json", []byte(family()), "keepCodes", "true", "mapping", `{"datasource:3":"5"}`, "actions", `{"0":"skip"}`)
	require.Zero(t, e.Code, e.Msg)
	require.NoError(t, json.Unmarshal(e.Data, &seen))
	require.Zero(t, seen.Workflows[0].Code)
	require.Equal(t, int64(parentCode), seen.Workflows[1].Code, "codes are kept")
	for _, bad := range [][]string{{"mapping", "{"}, {"actions", `{"x":"skip"}`}, {"conflict", "perhaps"}, {"actions", `{"0":"perhaps"}`}} {
		require.NotZero(t, w.upload(t, w.General, at+"/preview", "f.json", "application/json", []byte(family()), bad...).Code, bad)
	}
}

func TestOnlyThoseWhoMayReachTheEndpoints(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	eve, rita := w.stranger(t, "eve", ""), w.stranger(t, "rita", access.Read)
	for _, path := range []string{"/import", "/transfer/preview", "/transfer/import"} {
		for _, p := range []access.Principal{eve, rita} {
			e := w.upload(t, p, w.base("workflow")+path, "f.json", "application/json", []byte(family()))
			require.NotZero(t, e.Code, path)
			require.Contains(t, []string{"", "null"}, string(e.Data))
		}
	}
	require.Zero(t, w.upload(t, w.General, w.base("workflow")+"/import", "f.json", "application/json", []byte(family())).Code)
	head, err := w.workflows.All(w.gwen, w.project)
	require.NoError(t, err)
	form := "codes=" + number(head[0].Code)
	require.NotZero(t, w.send(t, eve, w.base("workflow")+"/batch-export", "application/x-www-form-urlencoded", strings.NewReader(form)).Code)
	require.True(t, bytes.HasPrefix(w.send(t, rita, w.base("workflow")+"/batch-export", "application/x-www-form-urlencoded", strings.NewReader(form)).Body, []byte("[ {")))
	other := strings.Replace(w.base("workflow"), number(w.project), number(w.other), 1)
	require.Equal(t, 50003, w.send(t, w.General, other+"/batch-export", "application/x-www-form-urlencoded", strings.NewReader(form)).Code, "of another project")
}

func (w *world) browser(t testing.TB, p access.Principal) *webtest.Browser {
	t.Helper()
	return w.Browser(t, w.Routes).As(func(ctx context.Context) context.Context { return crudtest.As(p)(ctx) })
}

func (w *world) at(rest string) string { return "/projects/" + number(w.project) + rest }

// payload is a file as the pages hand it from step to step.
func payload(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

func TestThePageShowsWhatItWouldDoAndDoesItWhenAsked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		b := w.browser(t, w.General)
		require.True(t, b.Get(w.at("/workflows/import-file")).Has("[data-test='transfer.file']"))
		file := payload(t, family())
		page := b.Post(w.at("/workflows/import-file"), "name", "workflow_1.json", "payload", file)
		require.Equal(t, http.StatusOK, page.Status)
		require.Contains(t, page.Text("[data-test='transfer.workflows']"), "Kept, but not runnable here yet: ZEPPELIN")
		require.Equal(t, 8, page.Count("[data-test='transfer.references'] tbody tr"))
		require.Equal(t, "gpu", page.Attr("[data-test='transfer.ref.worker_group:gpu'] option[selected]", "value"))
		all, err := w.workflows.All(w.gwen, w.project)
		require.NoError(t, err)
		require.Empty(t, all, "nothing is written yet")

		page = b.Post(w.at("/workflows/import-file"), "name", "workflow_1.json", "payload", file, "step", "import", "action.0", "skip", "map.datasource:3", "5", "map.worker_group:old", "gpu")
		require.Equal(t, http.StatusOK, page.Status)
		require.Equal(t, 2, page.Count("[data-test='transfer.made'] a"))
		require.Equal(t, "gpu", byName(w.definition(t, "parent"))["alarm"].WorkerGroup)

		page = b.Post(w.at("/workflows/import-file"), "name", "workflow_1.json", "payload", file)
		require.Contains(t, page.Text("[data-test='transfer.row.child']"), "same")
		for name, bad := range map[string]string{"no base64": "!", "no gzip": "AAAA", "no JSON": payload(t, "{"), "no workflow": payload(t, "[]"), "nothing": payload(t, "")} {
			page = b.Post(w.at("/workflows/import-file"), "name", "f.json", "payload", bad)
			require.Equal(t, http.StatusUnprocessableEntity, page.Status, name)
			require.True(t, page.Has("[role='alert']"), name)
		}
		require.Equal(t, http.StatusUnprocessableEntity, b.Post(w.at("/workflows/import-file")).Status)
		require.Contains(t, b.In("zh").Post(w.at("/workflows/import-file"), "name", "f.json", "payload", file).Body, "Worker 分组")
	})
}

func TestAMissingWorkflowIsChosenOnThePage(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	b := w.browser(t, w.General)
	lonely := payload(t, "["+dag(parentCode, "parent", "null", [][2]int64{{0, t2}}, task(t2, "start", "SUB_PROCESS", `{"processDefinitionCode":4652338640257}`, ""))+"]")
	page := b.Post(w.at("/workflows/import-file"), "name", "f.json", "payload", lonely)
	require.Contains(t, page.Text("[data-test='transfer.preview']"), "One reference must be chosen")
	page = b.Post(w.at("/workflows/import-file"), "name", "f.json", "payload", lonely, "step", "import")
	require.Equal(t, http.StatusUnprocessableEntity, page.Status)
	require.True(t, page.Has("[data-test='transfer.preview']"), "what was chosen so far is still there")
}

func TestThePageOfTheExportAnswersAFile(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	require.Zero(t, w.upload(t, w.General, w.base("workflow")+"/transfer/import", "f.json", "application/json", []byte(family())).Code)
	b := w.browser(t, w.General)
	code := number(w.definition(t, "child").Code)
	page := b.Get(w.at("/workflows/export?codes=" + code))
	require.Equal(t, 3, page.Count("input[name='codes']"))
	require.Equal(t, 1, page.Count("input[name='codes'][checked]"))
	require.Contains(t, b.Post(w.at("/workflows/export"), "codes", code, "format", "ds33").Body, `"workflowDefinition" : {`)
	require.Contains(t, b.Post(w.at("/workflows/export"), "codes", code, "format", "ds32", "stable", "true").Body, `"processDefinition" : {`)
	require.True(t, neutral.IsZip([]byte(b.Post(w.at("/workflows/export"), "codes", code, "format", "yaml").Body)))
	for _, fields := range [][]string{{"codes", "x"}, {"format", "ds33"}, {"codes", code, "format", "xls"}} {
		require.Equal(t, http.StatusUnprocessableEntity, b.Post(w.at("/workflows/export"), fields...).Status, fields)
	}
	require.Equal(t, http.StatusNotFound, b.Post("/projects/"+number(w.other)+"/workflows/export", "codes", code).Status, "of another project")
}

func TestOnlyThoseWhoMaySeeThePages(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	eve, rita := w.stranger(t, "eve", ""), w.stranger(t, "rita", access.Read)
	file := payload(t, family())
	for _, p := range []access.Principal{eve, rita} {
		require.Equal(t, http.StatusForbidden, w.browser(t, p).Get(w.at("/workflows/import-file")).Status)
		require.Equal(t, http.StatusForbidden, w.browser(t, p).Post(w.at("/workflows/import-file"), "name", "f.json", "payload", file, "step", "import").Status)
	}
	require.Equal(t, http.StatusForbidden, w.browser(t, eve).Get(w.at("/workflows/export")).Status)
	require.Equal(t, http.StatusForbidden, w.browser(t, eve).Post(w.at("/workflows/export"), "codes", "1").Status)
	require.Equal(t, http.StatusOK, w.browser(t, rita).Get(w.at("/workflows/export")).Status)
	require.Equal(t, http.StatusNotFound, w.browser(t, w.General).Get("/projects/4711/workflows/import-file").Status)
	all, err := w.workflows.All(w.gwen, w.project)
	require.NoError(t, err)
	require.Empty(t, all)
}
