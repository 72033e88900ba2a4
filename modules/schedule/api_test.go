package schedule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/flow"
)

type envelope struct {
	Code    int             `json:"code"`
	Msg     string          `json:"msg"`
	Data    json.RawMessage `json:"data"`
	Success bool            `json:"success"`
	status  int
}

func (e envelope) into(t testing.TB, v any) {
	t.Helper()
	require.Zero(t, e.Code, e.Msg)
	require.NoError(t, json.Unmarshal(e.Data, v), string(e.Data))
}

// call sends a body as it stands to an address below the project.
func (w *world) call(t testing.TB, p access.Principal, method, path, body string) envelope {
	t.Helper()
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if p.UserID == 0 {
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), p)))
		})
	}, w.Module.API)
	path = fmt.Sprintf("/projects/%d/schedules%s", w.project, path)
	if method == http.MethodGet {
		path, body = path+"?"+body, ""
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	e := envelope{status: rec.Code}
	if rec.Code == http.StatusOK || rec.Code == http.StatusCreated {
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	}
	return e
}

// rest calls as gwen; fields are alternating names and values.
func (w *world) rest(t testing.TB, method, path string, fields ...string) envelope {
	t.Helper()
	form := url.Values{}
	for k := 0; k < len(fields); k += 2 {
		form.Add(fields[k], fields[k+1])
	}
	return w.call(t, w.General, method, path, form.Encode())
}

// What the official API tests send.
const phoenix = `{"startTime":"2019-08-08 00:00:00","endTime":"2100-08-08 00:00:00","timezoneId":"America/Phoenix","crontab":"0 0 3/6 * * ? *"}`

// The example of DolphinScheduler's documentation, with the older names and what is ours behind it.
const example = `{"id":1,"workflowDefinitionCode":15240126433857,"processDefinitionCode":15240126433857,"workflowDefinitionName":"daily","processDefinitionName":"daily","projectName":"etl","definitionDescription":null,"startTime":"2019-08-08 00:00:00","endTime":"2100-08-08 00:00:00","timezoneId":"America/Phoenix","crontab":"0 0 3/6 * * ? *","failureStrategy":"CONTINUE","warningType":"NONE","createTime":"2026-01-02 12:00:00","updateTime":"2026-01-02 12:00:00","userId":2,"userName":"gwen","releaseState":"OFFLINE","warningGroupId":1,"workflowInstancePriority":"MEDIUM","processInstancePriority":"MEDIUM","workerGroup":"default","tenantCode":"default","environmentCode":-1,"environmentName":null,` +
	`"scheduleName":"","misfirePolicy":"FIRE_ALL_MISSED","calendarId":null,"calendarPolicy":"SKIP","doneBy":"","startParams":[]}`

func (w *world) like(id int64) string {
	return strings.NewReplacer(`"id":1,`, fmt.Sprintf(`"id":%d,`, id), "15240126433857", strconv.FormatInt(w.flow.Workflow.Code, 10),
		`"userId":2`, fmt.Sprintf(`"userId":%d`, w.General.UserID)).Replace(example)
}

func TestTheOfficialTestsOfSchedulesPass(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		// Bodies of that suite are not encoded, begin with ?&, and carry the user.
		send := func(method, path string, pairs ...string) envelope {
			return w.call(t, w.General, method, path, "?&loginUser=User(id=1, userName=admin, x=y)&"+strings.Join(pairs, "&"))
		}
		e := send("POST", "", "workflowDefinitionCode="+strconv.FormatInt(w.flow.Workflow.Code, 10), "schedule="+phoenix)
		require.Equal(t, http.StatusCreated, e.status)
		var s struct {
			ID           int64
			ReleaseState string
			StartTime    string
		}
		e.into(t, &s)
		require.JSONEq(t, w.like(s.ID), string(e.Data))
		require.Equal(t, members(t, example), members(t, string(e.Data)), "in the order of the example")

		id := "/" + strconv.FormatInt(s.ID, 10)
		var list []json.RawMessage
		send("POST", "/list").into(t, &list)
		require.JSONEq(t, w.like(s.ID), string(list[0]))
		for action, state := range map[string]string{"/online": "ONLINE", "/offline": "OFFLINE"} {
			for range 2 {
				require.JSONEq(t, `true`, string(send("POST", id+action).Data))
			}
			got, err := w.Get(w.gwen, w.project, s.ID)
			require.NoError(t, err)
			require.Equal(t, flow.ReleaseState(state), got.ReleaseState)
			_, err = w.Offline(w.gwen, w.project, s.ID)
			require.NoError(t, err)
		}
		send("PUT", id, "schedule="+strings.NewReplacer("2019", "1996", "2100", "2200").Replace(phoenix)).into(t, &s)
		require.Equal(t, "1996-08-08 00:00:00", s.StartTime)
		e = send("DELETE", id)
		require.Zero(t, e.Code)
		require.Equal(t, "null", string(e.Data))
		send("POST", "/list").into(t, &list)
		require.Empty(t, list)
	})
}

// members are the names in a JSON object in the order in which they are written.
func members(t testing.TB, text string) (out []string) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	_, err := dec.Token()
	require.NoError(t, err)
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		out = append(out, name.(string))
		var skip json.RawMessage
		require.NoError(t, dec.Decode(&skip))
	}
	return out
}

func TestBothGenerationsOfNamesAreUnderstood(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	code := strconv.FormatInt(w.flow.Workflow.Code, 10)
	var s struct {
		ID              int64
		Priority        string `json:"processInstancePriority"`
		Warning         string `json:"warningType"`
		FailureStrategy string
		EnvironmentCode int64
		Crontab         string
		StartTime       string
		DoneBy          string
	}
	w.rest(t, "POST", "", "processDefinitionCode", code, "schedule", phoenix, "processInstancePriority", "1", "failureStrategy", "0",
		"warningType", "ALL", "environmentCode", "77", "doneBy", "08:00").into(t, &s)
	require.Equal(t, "HIGH", s.Priority)
	require.Equal(t, "END", s.FailureStrategy)
	require.Equal(t, "ALL", s.Warning)
	require.Equal(t, int64(77), s.EnvironmentCode)

	var page struct {
		TotalList []json.RawMessage
		Total     int
	}
	w.rest(t, "GET", "", "processDefinitionCode", code, "pageNo", "1", "pageSize", "10", "searchVal", "ignored").into(t, &page)
	require.Equal(t, 1, page.Total)
	w.rest(t, "GET", "", "pageNo", "1", "pageSize", "10", "workflowDefinitionCode", "0").into(t, &page)
	require.Equal(t, 1, page.Total)

	w.rest(t, "PUT", "/update/"+code, "schedule", "", "warningGroupId", "1", "processInstancePriority", "LOWEST").into(t, &s)
	require.Equal(t, "LOWEST", s.Priority)
	require.Equal(t, "END", s.FailureStrategy, "the default of an update")
	require.Equal(t, "NONE", s.Warning)
	require.Equal(t, "0 0 3/6 * * ? *", s.Crontab, "an empty text keeps the times")
	require.Equal(t, "2019-08-08 00:00:00", s.StartTime)
	require.Equal(t, "08:00", s.DoneBy, "what a client does not know of stays")

	require.Equal(t, 10204, w.rest(t, "POST", "", "workflowDefinitionCode", code, "schedule", phoenix).Code, "clients know of one schedule")
	require.Zero(t, w.rest(t, "POST", "", "workflowDefinitionCode", code, "schedule", phoenix, "scheduleName", "second").Code)
}

func TestPreviewsAreInTheZoneOfTheSchedule(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	e := w.rest(t, "POST", "/preview", "schedule", phoenix)
	require.Equal(t, http.StatusCreated, e.status)
	var times []string
	e.into(t, &times)
	require.Equal(t, []string{"2026-01-02 09:00:00", "2026-01-02 15:00:00", "2026-01-02 21:00:00", "2026-01-03 03:00:00", "2026-01-03 09:00:00"}, times)
	w.rest(t, "POST", "/preview", "schedule", strings.Replace(phoenix, "2100-08-08", "2026-01-02", 1)).into(t, &times)
	require.Empty(t, times, "the range ends before")
	w.rest(t, "POST", "/preview", "schedule", strings.Replace(phoenix, "2019-08-08", "2030-08-08", 1)).into(t, &times)
	require.Equal(t, "2030-08-08 03:00:00", times[0])
}

func TestRefusalsHaveTheNumbersClientsKnow(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	code := strconv.FormatInt(w.flow.Workflow.Code, 10)
	other := w.online(t, "other")
	_, err := w.workflows.Release(w.gwen, other.Workflow.Code, flow.Offline)
	require.NoError(t, err)
	s := w.on(t, draft("0 0 1 * * ?"))
	off := w.schedule(t, draft("0 0 2 * * ?"))
	on, offline := "/"+strconv.FormatInt(s.ID, 10), "/"+strconv.FormatInt(off.ID, 10)
	with := func(from, to string) string { return strings.Replace(phoenix, from, to, 1) }
	create := func(text string, more ...string) []string {
		return append([]string{"workflowDefinitionCode", code, "schedule", text, "scheduleName", "x"}, more...)
	}
	for name, c := range map[string]struct {
		method, path string
		fields       []string
		code         int
	}{
		"create without code":      {"POST", "", []string{"schedule", phoenix}, 10076},
		"create without schedule":  {"POST", "", []string{"workflowDefinitionCode", code}, 10076},
		"create with odd enum":     {"POST", "", create(phoenix, "failureStrategy", "HOPE"), 10076},
		"create, no workflow":      {"POST", "", []string{"workflowDefinitionCode", "4711", "schedule", phoenix}, 50003},
		"create, workflow offline": {"POST", "", []string{"workflowDefinitionCode", strconv.FormatInt(other.Workflow.Code, 10), "schedule", phoenix}, 50004},
		"create, unknown tenant":   {"POST", "", create(phoenix, "tenantCode", "nobody"), 10017},
		"create, start is end":     {"POST", "", create(with("2019", "2100")), 10141},
		"create, start after end":  {"POST", "", create(with("2019", "2101")), 80003},
		"create, bad cron":         {"POST", "", create(with("0 0 3/6", "x")), 10001},
		"create, never":            {"POST", "", create(with("3/6 * *", "1 30 2")), 10001},
		"create, bad zone":         {"POST", "", create(with("America/Phoenix", "America/Nowhere")), 10001},
		"create, no JSON":          {"POST", "", create("{"), 10001},
		"create, no crontab":       {"POST", "", create(`{"startTime":"2019-08-08 00:00:00","endTime":null}`), 10001},
		"update, unknown":          {"PUT", "/4711", []string{"schedule", phoenix}, 10203},
		"update online":            {"PUT", on, []string{"schedule", phoenix}, 10023},
		"update, no schedule":      {"PUT", offline, nil, 10077},
		"update, bad cron":         {"PUT", offline, []string{"schedule", with("0 0 3/6", "x")}, 10024},
		"update, no JSON":          {"PUT", offline, []string{"schedule", "x"}, 10140},
		"update, start is end":     {"PUT", offline, []string{"schedule", with("2019", "2100")}, 10141},
		"update, start after end":  {"PUT", offline, []string{"schedule", with("2019", "2101")}, 80003},
		"update, unknown tenant":   {"PUT", offline, []string{"schedule", phoenix, "tenantCode", "nobody"}, 10017},
		"update by code, bare":     {"PUT", "/update/" + code, []string{"schedule", phoenix}, 10023},
		"update by code, none":     {"PUT", "/update/" + strconv.FormatInt(other.Workflow.Code, 10), []string{"schedule", phoenix, "warningGroupId", "1"}, 10022},
		"update by code, online":   {"PUT", "/update/" + code, []string{"schedule", phoenix, "warningGroupId", "1"}, 10023},
		"update by code, unknown":  {"PUT", "/update/4711", []string{"schedule", phoenix, "warningGroupId", "1"}, 50003},
		"online, unknown":          {"POST", "/4711/online", nil, 10203},
		"offline, unknown":         {"POST", "/4711/offline", nil, 0},
		"online, no number":        {"POST", "/x/online", nil, 10078},
		"page without size":        {"GET", "", []string{"pageNo", "1"}, 10080},
		"page zero":                {"GET", "", []string{"pageNo", "0", "pageSize", "1"}, 10001},
		"page of unknown workflow": {"GET", "", []string{"pageNo", "1", "pageSize", "1", "workflowDefinitionCode", "4711"}, 50003},
		"delete, unknown":          {"DELETE", "/4711", nil, 10203},
		"delete online":            {"DELETE", on, nil, 50023},
		"preview, no schedule":     {"POST", "/preview", nil, 10139},
		"preview, bad cron":        {"POST", "/preview", []string{"schedule", with("0 0 3/6", "x")}, 10140},
		"preview, no JSON":         {"POST", "/preview", []string{"schedule", "[]"}, 10140},
	} {
		e := w.rest(t, c.method, c.path, c.fields...)
		require.Equal(t, c.code, e.Code, "%s: %s", name, e.Msg)
	}
	_, err = w.workflows.Release(w.gwen, w.flow.Workflow.Code, flow.Offline)
	require.NoError(t, err)
	require.Equal(t, 50004, w.rest(t, "POST", offline+"/online").Code)
}

// TestOnlyThoseWhoMayReachEachRoute tries every route as nobody, as somebody of another project, as a reader, and in a
// project that does not exist.
func TestOnlyThoseWhoMayReachEachRoute(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		s := w.schedule(t, draft("0 0 1 * * ?"))
		id, code := "/"+strconv.FormatInt(s.ID, 10), strconv.FormatInt(w.flow.Workflow.Code, 10)
		eve, rita, alma := w.stranger(t, "eve"), w.stranger(t, "rita"), w.stranger(t, "alma")
		require.NoError(t, w.Access.Grant(t.Context(), rita.UserID, access.Project(w.project), access.Read))
		require.NoError(t, w.Access.Grant(t.Context(), alma.UserID, access.Project(w.project), access.All))
		timing := "schedule=" + url.QueryEscape(phoenix)
		for _, c := range []struct {
			method, path, body string
			reader, missing    int
		}{
			{"POST", "", "workflowDefinitionCode=" + code + "&" + timing, 30003, 10018},
			{"GET", "", "pageNo=1&pageSize=10", 0, 10018},
			{"POST", "/list", "", 0, 10018},
			{"POST", "/preview", timing, 0, 10018},
			{"PUT", "/update/" + code, timing + "&warningGroupId=1", 30003, 10190},
			{"PUT", id, timing, 30003, 10018},
			{"POST", id + "/online", "", 30003, 10190},
			{"POST", id + "/offline", "", 30003, 10190},
			{"DELETE", id, "", 30003, 10190},
		} {
			require.Equal(t, http.StatusUnauthorized, w.call(t, access.Principal{}, c.method, c.path, c.body).status, c.path)
			require.Equal(t, 30002, w.call(t, eve, c.method, c.path, c.body).Code, "%s %s", c.method, c.path)
			require.Equal(t, c.reader, w.call(t, rita, c.method, c.path, c.body).Code, "%s %s", c.method, c.path)
			project := w.project
			w.project = 4711
			require.Equal(t, c.missing, w.call(t, w.Admin, c.method, c.path, c.body).Code, "%s %s", c.method, c.path)
			w.project = project
		}
		require.Equal(t, 30001, w.call(t, alma, "DELETE", id, "").Code)
		got, err := w.Get(w.gwen, w.project, s.ID)
		require.NoError(t, err)
		require.Equal(t, s.Revision, got.Revision, "none of it had an effect")
		require.True(t, got.UpdatedAt.Equal(noon()), time.Now())
	})
}
