package boot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	endpoints "dorado/app/kit/web/dsapi/describe"
)

// override says how the matrix calls a route, where the names of its parameters do not tell.
type override struct {
	With map[string]string // parameters; ${name} is an id of the place
	Code int               // what an administrator gets: 0 unless the world cannot hold what the call needs
	// Absent: the world cannot hold the object, so that everybody is told that there is none.
	Absent bool
	// Rule is who gets through with these very parameters, when that is another than the table says.
	Rule endpoints.Who
	// Quiet: with ids of another project it answers like with ids that do not exist, and that is no failure.
	Quiet bool
	// Outside: it is not called within a transaction, because it writes beside the one of its request.
	Outside bool
	// Why says why code, quiet or outside.
	Why string
}

// cell is one call of the matrix.
type cell struct{ route, who, where string }

// TestWhoMayCallWhat calls every route as everybody, in a project where they have their roles, in somebody else's, and with
// ids of somebody else's under the own one, and compares who is let through with the rule in the table. A route without a
// rule fails in TestEveryRouteIsDescribed and TestEveryPageSaysWhoMayOpenIt.
//
// Every call is made within a transaction that is rolled back, so that all of them meet the same world.
func TestWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	overrides := map[string]override{}
	text, err := os.ReadFile("testdata/matrix.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &overrides))
	table := w.table
	there := served(w.m.rest())

	var wrong []string
	cells, routes, weak := 0, 0, 0
	report := func(c cell, want, got string) {
		wrong = append(wrong, fmt.Sprintf("%-90s %-9s %-8s want %-8s got %s", c.route, c.who, c.where, want, got))
	}
	for _, e := range table.Endpoints() {
		route := e.Method + " " + e.Path
		o := overrides[route]
		delete(overrides, route)
		if !there[e.Key()] {
			continue
		}
		routes++
		if o.Code != 0 {
			weak++
		}
		for _, who := range principals() {
			for _, where := range []string{"own", "other"} {
				cells++
				c := cell{route, who, where}
				a := w.try(t, who, o, w.rest(t, e, o, w.places[where], w.places[where]))
				switch may := w.may(cmp.Or(o.Rule, e.Who), who, where); {
				case a.Status >= http.StatusInternalServerError:
					report(c, "no 5xx", a.String())
				case o.Absent && refused(a):
				case may && (refused(a) || clumsy(a)):
					report(c, "allowed", a.String())
				case !may && !refused(a):
					report(c, "refused", a.String())
				case may && who == "admin" && where == "own" && a.Code != o.Code:
					report(c, "code "+strconv.Itoa(o.Code), a.String())
				case a.Code == 0 && a.Status == http.StatusOK || a.Status == http.StatusCreated:
					if err := w.described(e, a); err != nil {
						report(c, "as described", err.Error())
					}
				}
			}
		}
		if len(foreign(e)) > 0 {
			cells++
			a := w.try(t, "owner", o, w.rest(t, e, o, w.places["own"], w.places["other"]))
			if a.Code == 0 && a.Status < http.StatusBadRequest && !(o.Quiet && nothing(a)) {
				report(cell{route, "owner", "foreign"}, "refused", a.String()+" "+a.body[:min(len(a.body), 90)])
			}
		}
	}
	pages := w.pagesMatrix(t, table, overrides, report)
	for route := range overrides {
		wrong = append(wrong, route+": testdata/matrix.yaml names a route that is not called")
	}
	t.Logf("%d routes of REST (%d of them with a failure that the world cannot avoid) and %d pages, %d cells", routes, weak, pages.routes, cells+pages.cells)
	if len(wrong) > 0 { // the table itself is the message
		require.Fail(t, "not as app/kit/web/dsapi/describe says", "%d cells:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
}

// described compares a success with what the table says about it.
func (w *world) described(e endpoints.Endpoint, a reply) error {
	if a.Status != e.Status {
		return fmt.Errorf("HTTP %d", a.Status)
	}
	switch e.Form {
	case endpoints.Enveloped:
		return conforms(w.table, e.Data, a.Data, "data")
	case endpoints.Bare:
		return conforms(w.table, e.Data, json.RawMessage(a.body), "answer")
	case endpoints.File, endpoints.Empty, endpoints.Redirect:
	}
	return nil
}

// may is the rule.
func (w *world) may(rule endpoints.Who, who, where string) bool {
	if rule == endpoints.Public {
		return true
	}
	if who == "nobody" || who == "disabled" {
		return false
	}
	if who == "admin" || rule == endpoints.User {
		return true
	}
	if where != "own" {
		return false
	}
	rank := slices.Index([]string{"stranger", "reader", "operator", "writer", "owner"}, who)
	least := map[endpoints.Who]int{
		endpoints.Reader: 1, endpoints.Worker: 2, endpoints.Writer: 3, endpoints.Owner: 4, endpoints.Creator: 4, endpoints.Self: 4, endpoints.Admin: 5,
	}
	return rank >= least[rule]
}

// refused reports whether an answer says that one may not, or that there is nothing for one to see.
func refused(a reply) bool {
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return slices.Contains([]int{30001, 30002, 30003, 1400001, 10018, 10190}, a.Code) ||
		a.Code != 0 && slices.ContainsFunc([]string{"There is no ", " does not exist", "does not allow this", "You may not do this"}, func(text string) bool { return strings.Contains(a.Msg, text) })
}

// nothing reports whether an answer tells nothing about any object.
func nothing(a reply) bool {
	data := strings.TrimSpace(string(a.Data))
	return slices.Contains([]string{"", "null", "[]", "{}", "true", "false"}, data) || strings.Contains(data, `"totalList":[]`)
}

// clumsy reports whether the call was refused for its parameters: then it proves nothing.
func clumsy(a reply) bool { return a.Code != 0 && strings.Contains(a.Msg, "parameter") }

func (a reply) String() string {
	return fmt.Sprintf("HTTP %d code %d %s", a.Status, a.Code, cmp.Or(a.Msg, a.body[:min(len(a.body), 80)]))
}

// errUndo rolls a call back.
var errUndo = errors.New("undo")

// try sends a request and undoes what it did.
func (w *world) try(t *testing.T, who string, o override, r *http.Request) reply {
	t.Helper()
	if o.Outside {
		return w.call(r, who)
	}
	var a reply
	err := w.c.db.InTx(t.Context(), func(ctx context.Context) error {
		a = w.call(r.WithContext(ctx), who)
		return errUndo
	})
	require.ErrorIs(t, err, errUndo, "%s %s as %s", r.Method, r.URL.Path, who)
	return a
}

// foreign are the parameters that name something in a project, other than the project in the address.
func foreign(e endpoints.Endpoint) []string {
	if !strings.HasPrefix(e.Path, "/projects/{projectCode}/") && !strings.HasPrefix(e.Path, "/log/{projectCode}/") && !strings.HasPrefix(e.Path, "/v2/projects/{projectCode}/") {
		return nil
	}
	var out []string
	for _, p := range e.Params {
		if p.Name != "projectCode" && p.Required && idOf(e.Path, p.Name) != "" {
			out = append(out, p.Name)
		}
	}
	return out
}

// idOf is which id of a place a parameter of that name means; empty for those that are no id.
func idOf(path, name string) string {
	in := func(part string) bool { return strings.Contains(path, part) }
	switch name {
	case "projectCode", "projectIds", "project":
		return "project"
	case "workflowDefinitionCode", "workflowDefinitionCodes", "workflowCode", "workFlowCode", "codes", "workflow":
		return "workflow"
	case "workflowInstanceId", "workflowInstanceIds", "subId":
		return "instance"
	case "taskInstanceId", "taskId":
		return "taskinstance"
	case "taskCode", "startNodeList", "upstreamTasksCodes", "upstreamCodes":
		return "task"
	case "preTaskCode", "preTaskCodes":
		return "task"
	case "postTaskCode", "postTaskCodes":
		return "task2"
	case "queueId":
		if in("task-group") {
			return "slot"
		}
		return ""
	case "groupId":
		return "taskgroup"
	case "userId":
		return "user"
	case "version":
		return ""
	case "triggerCode":
		return "instance"
	case "preset", "schedule":
		if in("{" + name + "}") {
			return name
		}
		return ""
	case "clusterCode":
		return "cluster"
	case "environmentCode":
		return "environment"
	case "datasourceId", "datasourceIds":
		return "datasource"
	case "namespaceIds":
		return "namespace"
	case "udfIds":
		return "udf"
	case "alertgroupId":
		return "alertgroup"
	case "code", "id":
		for _, rule := range []struct{ part, id string }{
			{"project-parameter", "parameter"},
			{"/parameters", "parameterid"},
			{"schedules/update", "workflow"},
			{"schedules", "schedule"},
			{"task-instances", "taskinstance"},
			{"workflow-instances", "instance"},
			{"/instances", "instance"},
			{"backfills", "backfill"},
			{"task-definition", "idletask"},
			{"task-instance/", "task"},
			{"workflow-definition", "idle"},
			{"v2/workflows", "idle"},
			{"v2/tasks", "idletask"},
			{"v2/relations", "idletask2"},
			{"task-groups/queue", "slot"},
			{"task-group", "taskgroup"},
			{"access-tokens", "token"},
			{"tokens", "token"},
			{"/members", "user"},
			{"alert-groups", "alertgroup"},
			{"alarm-groups", "alertgroup"},
			{"queues", "queue"},
			{"tenants", "tenant"},
			{"worker-groups", "workergroup"},
			{"/security/environments", "environmentid"},
			{"environment", "environment"},
			{"/cluster/", "cluster"},
			{"k8s-namespace", "namespace"},
			{"datasources", "datasource"},
			{"udf-func", "udf"},
			{"calendars", "calendar"},
			{"statistics/commands", "error"},
			{"query-executing-workflow", "running"},
			{"/users", "user"},
			{"/projects/{code}", "project"},
		} {
			if in(rule.part) {
				return rule.id
			}
		}
	}
	return ""
}

// fill is a value for a parameter.
func (w *world) fill(table map[string][]string, path string, m endpoints.Member, o override, project, rest *spot) string {
	if text, given := o.With[m.Name]; given {
		return expand(text, project, rest)
	}
	if id := idOf(path, m.Name); id != "" {
		from := rest
		if m.Name == "projectCode" || m.Name == "project" || path == "/projects/{code}" {
			from = project
		}
		if n, known := from.ids[id]; known {
			return strconv.FormatInt(n, 10)
		}
	}
	if values, enum := table[m.Type.Name]; enum {
		return values[0]
	}
	switch m.Type.Name {
	case "int", "long", "ids":
		if m.Name == "pageSize" {
			return "10"
		}
		return "1"
	case "bool":
		return "true"
	case "time":
		return "2030-01-01 00:00:00"
	case "json":
		return "{}"
	default:
		return "text"
	}
}

// expand puts ids of a place into a text.
func expand(text string, project, rest *spot) string {
	return os.Expand(text, func(name string) string {
		switch name {
		case "tasks":
			return dagTasks(rest.ids["idletask"], rest.ids["idletask2"])
		case "relations":
			return dagRelations(rest.ids["idletask"], rest.ids["idletask2"])
		case "flowtasks":
			return dagTasks(rest.ids["task"], rest.ids["task2"])
		case "flowrelations":
			return dagRelations(rest.ids["task"], rest.ids["task2"])
		case "password":
			return worldPassword
		case "kubeconfig":
			return worldKubeconfig
		case "datasource-text":
			return strings.ReplaceAll(worldDatasource, "NAME", "another")
		case "name":
			return map[bool]string{true: "own", false: "other"}[rest.owner == "owner"]
		case "session":
			return "1"
		case "schedule-text":
			return worldSchedule
		case "owner-name":
			return rest.owner
		case "project":
			return strconv.FormatInt(project.ids["project"], 10)
		}
		return strconv.FormatInt(rest.ids[name], 10)
	})
}

// rest is a call of an endpoint with what it needs. The project in the address is project; everything else is of rest.
func (w *world) rest(t *testing.T, e endpoints.Endpoint, o override, project, rest *spot) *http.Request {
	t.Helper()
	path := e.Path
	query, form, members := url.Values{}, url.Values{}, map[string]any{}
	var parts bytes.Buffer
	multi := multipart.NewWriter(&parts)
	extra := map[string]bool{}
	for name := range o.With {
		extra[name] = true
	}
	for _, p := range e.Params {
		if !p.Required && !extra[p.Name] {
			continue
		}
		v := w.fill(w.table.Enums, e.Path, p.Member, o, project, rest)
		switch p.In {
		case endpoints.InPath:
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(v), 1)
		case endpoints.InQuery:
			query.Set(p.Name, v)
		case endpoints.InForm:
			form.Set(p.Name, v)
		case endpoints.InJSON:
			if e.Method == http.MethodGet {
				query.Set(p.Name, v)
			} else {
				members[p.Name] = v
				if n, err := strconv.ParseInt(v, 10, 64); err == nil && (p.Type.Name == "int" || p.Type.Name == "long") {
					members[p.Name] = n
				}
			}
		case endpoints.InMultipart:
			if p.Type.Name == "file" {
				part, err := multi.CreateFormFile(p.Name, "file.json")
				require.NoError(t, err)
				_, _ = part.Write([]byte(v))
			} else {
				require.NoError(t, multi.WriteField(p.Name, v))
			}
		}
	}
	require.NoError(t, multi.Close())
	body, kind := form.Encode(), "application/x-www-form-urlencoded"
	switch {
	case e.Body != nil:
		body, kind = expand(o.With["body"], project, rest), "application/json"
	case len(members) > 0:
		text, err := json.Marshal(members)
		require.NoError(t, err)
		body, kind = string(text), "application/json"
	case strings.Contains(parts.String(), "Content-Disposition"):
		body, kind = parts.String(), multi.FormDataContentType()
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r := httptest.NewRequestWithContext(t.Context(), e.Method, "http://dorado.test"+apiPath+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}
