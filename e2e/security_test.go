//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// victims are the objects of a user who has something to lose.
type belongings struct {
	Project, Workflow, Instance, Task int64
	Tenant, Queue, User, Schedule     int64
	Source                            int64
	File                              string
}

// fill makes one object of each kind, owned by admin.
func fill(t *testing.T, s *server, name string) belongings {
	t.Helper()
	ctx := within(t, time.Minute)
	var b belongings
	queue, err := s.Admin.CreateQueue(ctx, name+" queue", "root."+name)
	require.NoError(t, err)
	tenant, err := s.Admin.CreateTenant(ctx, "nobody", queue.ID)
	require.NoError(t, err)
	user, err := s.Admin.CreateUser(ctx, name+"-user", "victim-Passw0rd", tenant.ID)
	require.NoError(t, err)
	b.Queue, b.Tenant, b.User = queue.ID, tenant.ID, user.ID
	b.Project = project(t, s.Admin, name)
	d, err := s.Admin.Publish(ctx, b.Project, harness.Workflow{Name: name, Tasks: []harness.Task{{Name: "secret", Script: "echo the treasure is here"}}})
	require.NoError(t, err)
	b.Workflow = d.Code
	b.Instance, err = s.Admin.StartWorkflow(ctx, b.Project, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = s.Admin.WaitInstance(ctx, b.Project, b.Instance, 10*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	tasks, err := s.Admin.Tasks(ctx, b.Project, b.Instance)
	require.NoError(t, err)
	b.Task = tasks[0].ID
	var schedule struct{ ID int64 }
	require.NoError(t, s.Admin.Call(ctx, http.MethodPost, "/projects/"+itoa(b.Project)+"/schedules", url.Values{
		"workflowDefinitionCode": {itoa(b.Workflow)}, "warningType": {"NONE"}, "failureStrategy": {"CONTINUE"},
		"schedule": {`{"startTime":"2026-01-01 00:00:00","endTime":"2126-01-01 00:00:00","timezoneId":"Europe/London","crontab":"0 0 3 ? * MON-FRI *"}`},
	}, &schedule))
	b.Schedule = schedule.ID
	b.File = name + ".sql"
	require.NoError(t, s.Admin.Call(ctx, http.MethodPost, "/resources/online-create", url.Values{
		"type": {"FILE"}, "fileName": {name}, "suffix": {"sql"}, "content": {"SELECT 'the treasure is here'"}, "currentDir": {"/"},
	}, nil))
	var source struct{ ID int64 }
	require.NoError(t, s.Admin.CallJSON(ctx, http.MethodPost, "/datasources", map[string]any{
		"type": "POSTGRESQL", "name": name, "note": "", "host": "127.0.0.1", "port": 1, "userName": "u", "password": "treasure", "database": "d", "other": map[string]string{},
	}, &source))
	b.Source = source.ID
	return b
}

// route is one call of the interface; admin marks what only administrators may do, open what every user may.
type route struct {
	method, path string
	form         url.Values
	who          string // admin, owner or anyone
}

func (b belongings) routes() []route {
	p := "/projects/" + itoa(b.Project)
	w := p + "/workflow-definition/" + itoa(b.Workflow)
	i := p + "/workflow-instances/" + itoa(b.Instance)
	list := url.Values{"pageNo": {"1"}, "pageSize": {"10"}}
	start := url.Values{
		"workflowDefinitionCode": {itoa(b.Workflow)}, "scheduleTime": {""}, "failureStrategy": {"CONTINUE"}, "warningType": {"NONE"},
	}
	definition := url.Values{
		"name": {"evil"}, "taskDefinitionJson": {`[{"code":1,"name":"x","taskType":"SHELL","taskParams":{"rawScript":"id"}}]`},
		"taskRelationJson": {`[{"preTaskCode":0,"postTaskCode":1}]`},
	}
	execute := func(what string) url.Values {
		return url.Values{"workflowInstanceId": {itoa(b.Instance)}, "executeType": {what}}
	}
	log := url.Values{"taskInstanceId": {itoa(b.Task)}, "skipLineNum": {"0"}, "limit": {"10"}}
	return []route{
		{"GET", "/users/get-user-info", nil, "anyone"},
		{"GET", "/projects", list, "anyone"},
		{"GET", "/projects/list", nil, "anyone"},
		{"POST", "/projects", url.Values{"projectName": {"own"}}, "anyone"},
		{"GET", "/tenants", list, "anyone"},
		{"GET", "/tenants/list", nil, "anyone"},
		{"GET", "/queues/list", nil, "anyone"},
		{"GET", "/queues", list, "anyone"},

		{"POST", "/tenants", url.Values{"tenantCode": {"games"}, "queueId": {"1"}}, "admin"},
		{"PUT", "/tenants/" + itoa(b.Tenant), url.Values{"tenantCode": {"nobody"}, "queueId": {"1"}}, "admin"},
		{"DELETE", "/tenants/" + itoa(b.Tenant), nil, "admin"},
		{"GET", "/worker-groups/all", nil, "anyone"},
		{"GET", "/environment/query-environment-list", nil, "anyone"},
		{"GET", "/alert-groups/list", nil, "anyone"},
		{"GET", "/task-group/list-paging", list, "anyone"},
		{"POST", "/worker-groups", url.Values{"name": {"evil"}, "addrList": {""}}, "admin"},
		{"POST", "/environment/create", url.Values{"name": {"evil"}, "config": {"id"}}, "admin"},
		{"POST", "/alert-groups", url.Values{"groupName": {"evil"}, "alertInstanceIds": {""}}, "admin"},
		{"DELETE", "/alert-groups/1", nil, "admin"},
		{"POST", "/task-group/create", url.Values{"name": {"evil"}, "description": {""}, "groupSize": {"1"}}, "admin"},
		{"POST", p + "/worker-group", url.Values{"workerGroups": {"default"}}, "admin"},
		{"POST", "/queues", url.Values{"queue": {"evil"}, "queueName": {"evil"}}, "admin"},
		{"PUT", "/queues/" + itoa(b.Queue), url.Values{"queue": {"evil"}, "queueName": {"evil"}}, "admin"},
		{"DELETE", "/queues/" + itoa(b.Queue), nil, "admin"},
		{"GET", "/users/list-paging", list, "admin"},
		{"POST", "/users/create", url.Values{"userName": {"evil"}, "userPassword": {"evil-Passw0rd"}, "tenantId": {"-1"}, "email": {"e@example.com"}, "state": {"1"}}, "admin"},
		{"POST", "/users/update", url.Values{"id": {itoa(b.User)}, "userName": {"stolen"}, "userPassword": {"evil-Passw0rd"}, "email": {"e@example.com"}, "tenantId": {"-1"}, "state": {"1"}}, "admin"},
		{"POST", "/users/delete", url.Values{"id": {itoa(b.User)}}, "admin"},
		{"POST", "/access-tokens", url.Values{"userId": {itoa(b.User)}, "expireTime": {"2099-01-01 00:00:00"}}, "admin"},

		{"GET", p, nil, "owner"},
		{"PUT", p, url.Values{"projectName": {"stolen"}}, "owner"},
		{"DELETE", p, nil, "owner"},
		{"GET", p + "/project-parameter", list, "owner"},
		{"POST", p + "/project-parameter", url.Values{"projectParameterName": {"evil"}, "projectParameterValue": {"1"}}, "owner"},
		{"GET", p + "/project-preference", nil, "owner"},
		{"PUT", p + "/project-preference", url.Values{"projectPreferences": {"{}"}}, "owner"},
		{"GET", p + "/task-definition/gen-task-codes", url.Values{"genNum": {"1"}}, "owner"},
		{"POST", p + "/workflow-definition", definition, "owner"},
		{"GET", p + "/workflow-definition", list, "owner"},
		{"GET", p + "/workflow-definition/list", nil, "owner"},
		{"GET", w, nil, "owner"},
		{"PUT", w, definition, "owner"},
		{"POST", w + "/release", url.Values{"releaseState": {"OFFLINE"}}, "owner"},
		{"DELETE", w, nil, "owner"},
		{"POST", p + "/executors/start-workflow-instance", start, "owner"},
		{"POST", p + "/executors/execute", execute("REPEAT_RUNNING"), "owner"},
		{"GET", p + "/workflow-instances", list, "owner"},
		{"GET", i, nil, "owner"},
		{"GET", i + "/tasks", nil, "owner"},
		{"DELETE", i, nil, "owner"},
		{"GET", p + "/task-instances", list, "owner"},
		{"GET", "/log/detail", log, "owner"},
		{"GET", "/log/download-log", log, "owner"},
	}
}

// A stranger without an account, and a user without any grant, call everything there is.
func TestRESTRefusesStrangersAndUsersWithoutTheRight(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	b := fill(t, s, "treasure")
	stranger := harness.NewClient(s.URL)
	t.Cleanup(stranger.Close)
	forged := harness.NewClient(s.URL)
	forged.Token = strings.Repeat("0", 32)
	t.Cleanup(forged.Close)
	_, err := s.Admin.CreateUser(t.Context(), "mallory", "mallory-Passw0rd", b.Tenant)
	require.NoError(t, err)
	mallory := signIn(t, s.URL, "mallory", "mallory-Passw0rd")

	for _, r := range b.routes() {
		name := r.method + " " + r.path
		for who, c := range map[string]*harness.Client{"a stranger": stranger, "a forged token": forged} {
			res, err := c.Do(t.Context(), r.method, r.path, r.form)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusUnauthorized, res.StatusCode, "%s: %s", name, who)
			require.Empty(t, body, "%s: %s", name, who)
		}
		if strings.HasSuffix(r.path, "download-log") {
			_, err := mallory.DownloadLog(t.Context(), b.Task)
			require.Error(t, err, name)
			require.NotContains(t, err.Error(), "the treasure is here")
			continue
		}
		err := mallory.Call(t.Context(), r.method, r.path, r.form, nil)
		switch r.who {
		case "anyone":
			require.NoError(t, err, name)
		case "admin":
			require.Contains(t, []int{30001, 1400001}, harness.Code(err), "%s: %v", name, err)
		default:
			require.Contains(t, []int{30001, 30002, 30003, 10018, 10190, 50003, 50001, 10103, 10008, 1400001}, harness.Code(err), "%s: %v", name, err)
			require.NotContains(t, err.Error(), "the treasure is here")
		}
	}

	// Nothing of it had an effect.
	dag, err := s.Admin.Workflow(t.Context(), b.Project, b.Workflow)
	require.NoError(t, err)
	require.Equal(t, "ONLINE", dag.WorkflowDefinition.ReleaseState)
	require.Equal(t, 1, dag.WorkflowDefinition.Version)
	runs, err := s.Admin.Instances(t.Context(), b.Project, 1, 10, nil)
	require.NoError(t, err)
	require.Equal(t, 1, runs.Total)
	require.Equal(t, 1, runs.TotalList[0].RunTimes)
	victim := harness.NewClient(s.URL)
	t.Cleanup(victim.Close)
	require.NoError(t, victim.Login(t.Context(), "treasure-user", "victim-Passw0rd"), "the account was not taken over")
}

// The numbers of one project do not open the objects of another through a project the caller owns.
func TestAnotherProjectsObjectsAreNotReachedThroughOnesOwn(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	b := fill(t, s, "treasure")
	_, err := s.Admin.CreateUser(t.Context(), "mallory", "mallory-Passw0rd", b.Tenant)
	require.NoError(t, err)
	mallory := signIn(t, s.URL, "mallory", "mallory-Passw0rd")
	own := project(t, mallory, "own")
	ctx := t.Context()
	require.Error(t, second(mallory.Workflow(ctx, own, b.Workflow)))
	require.Error(t, second(mallory.Instance(ctx, own, b.Instance)))
	require.Error(t, second(mallory.Tasks(ctx, own, b.Instance)))
	require.Error(t, second(mallory.StartWorkflow(ctx, own, b.Workflow, harness.StartOptions{})))
	require.Error(t, mallory.Execute(ctx, own, b.Instance, "REPEAT_RUNNING"))
	require.Error(t, mallory.Release(ctx, own, b.Workflow, "OFFLINE"))
	require.Error(t, mallory.DeleteWorkflow(ctx, own, b.Workflow))
	require.Error(t, mallory.DeleteInstance(ctx, own, b.Instance))
	err = mallory.Call(ctx, http.MethodGet, fmt.Sprintf("/log/%d/detail", own), url.Values{
		"taskInstanceId": {itoa(b.Task)}, "skipLineNum": {"0"}, "limit": {"10"},
	}, nil)
	require.Error(t, err)
	page, err := mallory.TaskInstances(ctx, own, url.Values{"workflowInstanceId": {itoa(b.Instance)}})
	require.True(t, err != nil || page.Total == 0, "task instances of another project: %+v", page)
}

// person is an http client with cookies, as a browser without scripts is.
type person struct {
	t    *testing.T
	url  string
	http *http.Client
}

func visitor(t *testing.T, base string) person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	t.Cleanup(c.CloseIdleConnections)
	return person{t, base, c}
}

// send returns status, headers and body of one request; headers come in pairs.
func (p person) send(method, path string, form url.Values, headers ...string) (int, http.Header, string) {
	p.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, body)
	require.NoError(p.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := p.http.Do(req)
	require.NoError(p.t, err, "%s %s", method, path)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	require.NoError(p.t, err)
	return res.StatusCode, res.Header, string(raw)
}

// signIn signs in through the page's form.
func (p person) signIn(name, pass string) {
	p.t.Helper()
	status, header, body := p.send(http.MethodPost, "/login", url.Values{"username": {name}, "password": {pass}})
	require.Equal(p.t, http.StatusSeeOther, status, body)
	require.NotContains(p.t, header.Get("Location"), "/login")
}

func TestPagesSendStrangersToSignInAndRefuseUsersWithoutTheRight(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	b := fill(t, s, "treasure")
	_, err := s.Admin.CreateUser(t.Context(), "mallory", "mallory-Passw0rd", b.Tenant)
	require.NoError(t, err)
	stranger, mallory, admin := visitor(t, s.URL), visitor(t, s.URL), visitor(t, s.URL)
	mallory.signIn("mallory", "mallory-Passw0rd")
	admin.signIn("admin", password)

	for _, page := range pages(b) {
		status, header, body := stranger.send(http.MethodGet, page.path, nil)
		if page.who == "stranger" {
			require.Equal(t, http.StatusOK, status, page.path)
			continue
		}
		require.Equal(t, http.StatusSeeOther, status, "%s: %s", page.path, cut(body))
		to, err := url.Parse(header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, "/login", to.Path, page.path)
		require.Equal(t, page.path, to.Query().Get("next"), "one comes back to where one wanted to go")

		status, header, body = admin.send(http.MethodGet, page.path, nil)
		if status == http.StatusSeeOther { // an empty canvas has an address of its own
			status, _, body = admin.send(http.MethodGet, header.Get("Location"), nil)
		}
		require.Equal(t, http.StatusOK, status, "%s: %s", page.path, cut(body))

		status, _, body = mallory.send(http.MethodGet, page.path, nil)
		if page.who == "anyone" {
			require.Equal(t, http.StatusOK, status, page.path)
			continue
		}
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status, "%s: %s", page.path, cut(body))
		require.NotContains(t, body, "the treasure is here", page.path)
	}
}

// Another site makes a signed-in browser send requests.
func TestRequestsFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	admin := visitor(t, s.URL)
	admin.signIn("admin", password)
	for name, headers := range map[string][]string{
		"fetch metadata": {"Sec-Fetch-Site", "cross-site"},
		"sibling":        {"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example"},
		"origin":         {"Origin", "https://evil.example"},
		"null origin":    {"Origin", "null"},
	} {
		for _, path := range []string{"/security/tenants", "/projects", "/logout", "/login", "/password"} {
			status, _, _ := admin.send(http.MethodPost, path, url.Values{"code": {"evil"}, "name": {"evil"}, "username": {"admin"}, "password": {password}}, headers...)
			require.Equal(t, http.StatusForbidden, status, "%s to %s", name, path)
		}
		status, _, body := admin.send(http.MethodPost, "/dolphinscheduler/projects", url.Values{"projectName": {"evil"}}, headers...)
		require.NotEqual(t, http.StatusCreated, status, "%s: the cookie alone must not open REST to other sites: %s", name, cut(body))
	}
	status, _, _ := admin.send(http.MethodGet, "/home", nil)
	require.Equal(t, http.StatusOK, status, "still signed in")
	found, err := s.Admin.Projects(t.Context(), "evil")
	require.NoError(t, err)
	require.Zero(t, found.Total)
}

func TestNoRedirectLeavesTheSite(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	for _, next := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example/`, `\\evil.example`, "/\t/evil.example", "javascript:alert(1)",
		"https:evil.example", "/%0d%0aLocation:%20https://evil.example", "///evil.example", "http:///evil.example", "/..//evil.example",
	} {
		p := visitor(t, s.URL)
		status, header, _ := p.send(http.MethodPost, "/login", url.Values{"username": {"admin"}, "password": {password}, "next": {next}})
		require.Equal(t, http.StatusSeeOther, status)
		local(t, s.URL, header.Get("Location"), next)
		status, header, _ = p.send(http.MethodGet, "/login?next="+url.QueryEscape(next), nil)
		if status == http.StatusSeeOther {
			local(t, s.URL, header.Get("Location"), next)
		}
		for _, path := range []string{"/settings/theme", "/settings/language"} {
			_, header, _ = p.send(http.MethodPost, path, url.Values{"theme": {"dark"}, "locale": {"zh"}, "next": {next}})
			if to := header.Get("Location"); to != "" {
				local(t, s.URL, to, next)
			}
		}
	}
}

// local fails unless a browser that follows the location stays on the site.
func local(t *testing.T, base, location, next string) {
	t.Helper()
	require.NotContains(t, location, `\`, "next=%q", next)
	from, err := url.Parse(base)
	require.NoError(t, err)
	to, err := from.Parse(location)
	require.NoError(t, err, "next=%q", next)
	require.Equal(t, from.Host, to.Host, "next=%q leads to %s", next, location)
	require.Equal(t, "http", to.Scheme)
	require.False(t, strings.HasPrefix(to.Path, "//"), "next=%q leads to %s", next, location)
}

// A path in a request never names a file.
func TestNoPathLeadsToAFile(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	b := fill(t, s, "treasure")
	admin := visitor(t, s.URL)
	admin.signIn("admin", password)
	up := strings.Repeat("../", 12)
	for _, path := range []string{
		"/static/" + up + "etc/passwd", "/static/x/" + up + "etc/passwd", "/static/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
		"/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/static/x/....//....//....//etc/passwd", `/static/..\..\..\etc\passwd`,
		"/dolphinscheduler/log/detail?taskInstanceId=" + up + "etc/passwd&skipLineNum=0&limit=10",
		"/dolphinscheduler/log/download-log?taskInstanceId=" + url.QueryEscape(up+"etc/passwd"),
		"/projects/" + itoa(b.Project) + "/task-instances/" + url.PathEscape(up+"etc/passwd") + "/log",
		"/projects/" + itoa(b.Project) + "/task-instances/..%2f..%2f..%2fetc%2fpasswd/log",
		"/..%2f..%2f..%2fetc/passwd", "//etc/passwd",
	} {
		// Opaque, so that our own client does not tidy the path up.
		_, _, body := admin.raw(path)
		require.NotContains(t, body, "root:x:", path)
		require.NotContains(t, body, "/bin/bash", path)
	}
}

// raw sends a GET whose path is not cleaned.
func (p person) raw(path string) (int, http.Header, string) {
	p.t.Helper()
	base, err := url.Parse(p.url)
	require.NoError(p.t, err)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url, http.NoBody)
	require.NoError(p.t, err)
	req.URL = &url.URL{Scheme: "http", Host: base.Host, Opaque: "//" + base.Host + path}
	for _, c := range p.http.Jar.Cookies(base) {
		req.AddCookie(c)
	}
	res, err := http.DefaultTransport.RoundTrip(req) // http.Client would clean the path
	require.NoError(p.t, err, path)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	require.NoError(p.t, err)
	return res.StatusCode, res.Header, string(raw)
}

// Signing in is slowed down, tells nothing about accounts, and cookies are what they should be.
func TestSigningInGivesNothingAway(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	p := visitor(t, s.URL)
	_, _, unknown := p.send(http.MethodPost, "/login", url.Values{"username": {"nobody-here"}, "password": {"wrong"}})
	_, _, wrong := p.send(http.MethodPost, "/login", url.Values{"username": {"admin"}, "password": {"wrong"}})
	require.Equal(t, banner(unknown), banner(wrong), "the same sentence for an unknown user and a wrong password")
	require.NotEmpty(t, banner(wrong))

	status, header, _ := p.send(http.MethodPost, "/login", url.Values{"username": {"admin"}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, status)
	cookies := header.Values("Set-Cookie")
	i := slices.IndexFunc(cookies, func(c string) bool { return strings.Contains(strings.ToLower(c), "session") })
	require.GreaterOrEqual(t, i, 0, cookies)
	require.Contains(t, cookies[i], "HttpOnly")
	require.Contains(t, cookies[i], "SameSite=Lax")

	// Guessing is stopped after a while, for that user.
	blocked := false
	for range 30 {
		err := harness.NewClient(s.URL).Login(t.Context(), "guessed", "wrong")
		require.Error(t, err)
		status, _, _ := p.send(http.MethodPost, "/login", url.Values{"username": {"guessed"}, "password": {"wrong"}})
		if status == http.StatusTooManyRequests {
			blocked = true
			break
		}
	}
	require.True(t, blocked, "thirty guesses were not slowed down")
}

func banner(page string) string {
	_, rest, ok := strings.Cut(page, `data-kind="error"`)
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, "</div>")
	return text
}

// The pages run under a policy that allows no inline script, and say so on every answer.
func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	p := visitor(t, s.URL)
	p.signIn("admin", password)
	for _, path := range []string{"/login", "/home", "/projects", "/no/such/page"} {
		_, header, body := p.send(http.MethodGet, path, nil)
		csp := header.Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'self'", path)
		require.NotContains(t, csp, "unsafe-eval", path)
		script := directive(csp, "script-src")
		require.NotContains(t, script, "unsafe-inline", path)
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
		require.True(t, strings.Contains(csp, "frame-ancestors") || header.Get("X-Frame-Options") != "", path)
		require.NotContains(t, body, " onclick=", path)
		require.NotContains(t, body, "javascript:", path)
	}
}

func directive(csp, name string) string {
	for part := range strings.SplitSeq(csp, ";") {
		if strings.HasPrefix(strings.TrimSpace(part), name) {
			return part
		}
	}
	return ""
}

func cut(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}
