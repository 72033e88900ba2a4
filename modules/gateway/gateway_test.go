package gateway_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/gateway"
	"dorado/modules/gateway/py4j"
	"dorado/modules/identity"
	"dorado/modules/project"
	"dorado/modules/security/environment"
	"dorado/modules/workflow"
)

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, text)
	return n
}

func TestTheRecordedTutorialGoesByteByByte(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		known := map[string]string{}
		w.dial(t).play("testdata/tutorial.txt", known)
		saved, err := w.workflows.Get(w.admin, number(t, known["<workflow>"]))
		require.NoError(t, err)
		require.Equal(t, "tutorial", saved.Name)
		require.Equal(t, "userPythonGateway", saved.OwnerName)
		require.True(t, saved.Online())
		def, err := w.workflows.Definition(w.admin, saved.Code, 0)
		require.NoError(t, err)
		require.Equal(t, known["<parent>"], strconv.FormatInt(def.Tasks[0].Code, 10), "the codes are those that were given out")
		require.Contains(t, string(def.Tasks[0].Params), `"rawScript":"echo 'line1'\necho \"a\\b\""`)
		list, err := w.schedules.OfWorkflow(w.admin, saved.ProjectCode, saved.Code)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.True(t, list[0].Online())
		require.Equal(t, "tenant_pydolphin", list[0].TenantCode)
		require.Equal(t, flow.FailureContinue, list[0].FailureStrategy)
		runs, err := db.Select[string](t.Context(), d, "SELECT tenant_code FROM workflow_instance WHERE executor_name = 'userPythonGateway'")
		require.NoError(t, err)
		require.Equal(t, []string{"tenant_pydolphin"}, runs)
		require.NotContains(t, w.log.String(), "dolphinscheduler.com", "arguments are not logged")
		require.Contains(t, w.log.String(), "method=createOrUpdateWorkflow")
		require.Contains(t, w.log.String(), "user=userPythonGateway")
	})
}

func TestTheTutorialAgainKeepsCodesVersionAndSchedule(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	known := map[string]string{}
	w.dial(t).play("testdata/tutorial.txt", known)
	code := number(t, known["<workflow>"])
	again := w.client(t)
	for _, task := range []string{"parent", "child"} {
		found := again.object("getCodeAndVersion", "sproject-pydolphin", "stutorial", "s"+task)
		require.Equal(t, "!yL"+known["<"+task+">"], again.of(found, "get", "scode"))
		require.Equal(t, "!yL1", again.of(found, "get", "sversion"))
	}
	same := submission{tasks: []string{"echo 1"}, codes: []string{known["<parent>"]}, schedule: timing, online: true}
	require.Equal(t, "!yL"+known["<workflow>"], again.submit("userPythonGateway", "project-pydolphin", "tutorial", same))
	changed, err := w.workflows.Get(w.admin, code)
	require.NoError(t, err)
	require.Equal(t, 2, changed.Version)
	require.Equal(t, "!yL"+known["<workflow>"], again.submit("userPythonGateway", "project-pydolphin", "tutorial", same))
	unchanged, err := w.workflows.Get(w.admin, code)
	require.NoError(t, err)
	require.Equal(t, 2, unchanged.Version, "the same is no new version")
	list, err := w.schedules.OfWorkflow(w.admin, changed.ProjectCode, code)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.True(t, list[0].Online())
}

func TestTheRecordedObjectsAndExceptions(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t), func(d *gateway.Deps) {
		d.Datasources = sources{{ID: 3, Name: "warehouse", Type: "MYSQL", Params: "{}"}}
	})
	w.dial(t).play("testdata/objects.txt", map[string]string{})
	other := open(t, dbtest.SQLite(t))
	other.dial(t).play("testdata/exception.txt", map[string]string{})
}

const timing = `{"startTime": "2021-01-01 00:00:00", "endTime": "9999-12-31 23:59:59", "crontab": "0 0 0 * * ? *", "timezoneId": "Asia/Shanghai"}`

// submission is what a test submits: SHELL tasks, each after the one before it.
type submission struct {
	tasks    []string // scripts
	codes    []string
	schedule string
	offline  bool // the schedule
	online   bool // the workflow
}

func (s submission) texts() (relations, tasks string) {
	var rel, def []string
	before := "0"
	for i, script := range s.tasks {
		rel = append(rel, fmt.Sprintf(`{"name": "", "preTaskCode": %s, "preTaskVersion": 0, "postTaskCode": %s, "postTaskVersion": 0, "conditionType": 0, "conditionParams": {}}`, before, s.codes[i]))
		def = append(def, fmt.Sprintf(`{"version": 0, "code": %s, "name": "t%d", "taskType": "SHELL", "taskParams": {"localParams": [], "resourceList": [], "rawScript": %q}, "flag": "YES", "workerGroup": "default"}`, s.codes[i], i, script))
		before = s.codes[i]
	}
	return "[" + strings.Join(rel, ", ") + "]", "[" + strings.Join(def, ", ") + "]"
}

func text(s string) string {
	if s == "" {
		return "n"
	}
	return "s" + py4j.Escape(s)
}

func truth(b bool) string {
	if b {
		return "i1"
	}
	return "i0"
}

// submit submits a workflow in the newest form; its tasks get codes when they have none.
func (c *client) submit(user, in, name string, s submission) string {
	c.t.Helper()
	for i := len(s.codes); i < len(s.tasks); i++ {
		found := c.object("getCodeAndVersion", text(in), text(name), "st"+strconv.Itoa(i))
		s.codes = append(s.codes, strings.TrimPrefix(c.of(found, "get", "scode"), "!yL"))
	}
	relations, tasks := s.texts()
	scheduleOnline := "bTrue"
	if s.offline {
		scheduleOnline = "bFalse"
	}
	return c.call("createOrUpdateWorkflow", text(user), text(in), text(name), "n", "s[]", text(s.schedule), scheduleOnline, "sNONE", "i0", "i0", "sdefault",
		truth(s.online), text(relations), text(tasks), "n", "sPARALLEL")
}

// member makes a user with a project.
func (c *client) member(user, in string) {
	c.t.Helper()
	c.object("createTenant", "sdefault", "n", "sq")
	c.object("createUser", "s"+user, "sAnna-Passw0rd", "s"+user+"@example.org", "s13800000000", "sdefault", "s", "i1")
	require.Equal(c.t, "!yv", c.call("createOrGrantProject", "s"+user, "s"+in, "n"))
}

func TestASubmissionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		c := w.client(t)
		c.member("anna", "etl")
		broken := strings.Replace(timing, "0 0 0 * * ? *", "0 0 99 * * ? *", 1)
		answer := c.submit("anna", "etl", "nightly", submission{tasks: []string{"true"}, schedule: broken, online: true})
		require.Contains(t, c.reason(answer), "99")
		in, err := w.projects.Named(w.admin, "etl")
		require.NoError(t, err)
		_, err = w.workflows.ByName(w.admin, in.Code, "nightly")
		require.ErrorIs(t, err, workflow.ErrNotFound, "not even the workflow was kept")

		good := submission{tasks: []string{"true"}, schedule: timing, online: true}
		require.Regexp(t, `^!yL\d+$`, c.submit("anna", "etl", "nightly", good))
		require.Contains(t, c.reason(c.submit("anna", "etl", "nightly", submission{tasks: []string{"false"}, schedule: broken})), "99")
		was, err := w.workflows.ByName(w.admin, in.Code, "nightly")
		require.NoError(t, err)
		require.Equal(t, 1, was.Version)
		require.True(t, was.Online(), "nor was it taken offline")
		require.Regexp(t, "cycle|itself", c.reason(c.call("createOrUpdateWorkflow", "sanna", "setl", "sround", "n", "s[]", "n", "bTrue", "sNONE", "i0", "i0", "sdefault", "i1",
			`s[{"preTaskCode": 7, "postTaskCode": 7}]`, `s[{"code": 7, "name": "a", "taskType": "SHELL", "taskParams": {"rawScript": "true"}}]`, "n", "sPARALLEL")))
	})
}

func TestAWorkflowAndItsScheduleGoWhereTheScriptSays(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	c.member("anna", "etl")
	for i, s := range []submission{
		{online: true, schedule: timing},
		{online: true, schedule: timing, offline: true},
		{online: false, schedule: timing},
		{online: true},
		{online: false, schedule: timing, offline: true},
		{online: true, schedule: timing},
	} {
		s.tasks = []string{"echo " + strconv.Itoa(i)}
		answer := c.submit("anna", "etl", "nightly", s)
		require.Regexp(t, `^!yL\d+$`, answer, "%d: %s", i, c.reason(answer))
		now, err := w.workflows.Get(w.admin, number(t, answer[3:]))
		require.NoError(t, err)
		require.Equal(t, s.online, now.Online(), i)
		require.Equal(t, i+1, now.Version)
		list, err := w.schedules.OfWorkflow(w.admin, now.ProjectCode, now.Code)
		require.NoError(t, err)
		require.Len(t, list, 1)
		if s.schedule != "" {
			require.Equal(t, s.online && !s.offline, list[0].Online(), i)
		}
	}
}

func TestTheOlderNamesAndFormsDoTheSame(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	c.member("anna", "etl")
	relations, tasks := submission{tasks: []string{"true"}, codes: []string{"4711000000000"}}.texts()
	first := c.call("createOrUpdateProcessDefinition", "sanna", "setl", "sof31", "s", "s[]", text(timing), "sNONE", "i0", "i0", "sdefault", "sdefault", "i1",
		text(relations), text(tasks), "n", "sPARALLEL")
	require.Regexp(t, `^!yL\d+$`, first, c.reason(first))
	relations, tasks = submission{tasks: []string{"true"}, codes: []string{"4711000000001"}}.texts()
	second := c.call("createOrUpdateProcessDefinition", "sanna", "setl", "sof30", "s", "s[]", "n", "sNONE", "i0", "s", "i0", "sdefault", "sdefault", "i1",
		text(relations), text(tasks), "n")
	require.Regexp(t, `^!yL\d+$`, second, c.reason(second))
	require.Equal(t, "!yv", c.call("execProcessInstance", "sanna", "setl", "sof31", "s", "sdefault", "sNONE", "i0", "i60"))
	require.Equal(t, "!yv", c.call("execWorkflowInstance", "sanna", "setl", "sof30", "sdefault", "sNONE", "i0"))
	info := c.object("getProcessDefinitionInfo", "sanna", "setl", "sof30")
	require.Equal(t, second, c.of(info, "get", "scode"))
	runs, err := db.Get[int](t.Context(), w.DB, "SELECT count(*) FROM workflow_instance")
	require.NoError(t, err)
	require.Equal(t, 2, runs)
}

func TestAskingForAWorkflowPutsItOnline(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	c.member("anna", "etl")
	code := c.submit("anna", "etl", "child", submission{tasks: []string{"true"}})
	require.Regexp(t, `^!yL\d+$`, code, c.reason(code))
	info := c.object("getWorkflowInfo", "sanna", "setl", "schild")
	require.Equal(t, code, c.of(info, "get", "scode"))
	require.Regexp(t, `^!yi\d+$`, c.of(info, "get", "sid"))
	require.Equal(t, "!yschild", c.of(info, "get", "sname"))
	now, err := w.workflows.Get(w.admin, number(t, code[3:]))
	require.NoError(t, err)
	require.True(t, now.Online())
	require.Contains(t, c.reason(c.call("getWorkflowInfo", "sanna", "setl", "snone")), "Can not find valid workflow by name none")

	dependent := c.object("getDependentInfo", "setl", "schild", "st0")
	for _, key := range []string{"workflowDefinitionCode", "processDefinitionCode"} {
		require.Equal(t, code, c.of(dependent, "get", "s"+key))
	}
	require.Equal(t, "!ybtrue", c.of(dependent, "containsKey", "staskDefinitionCode"))
	require.Equal(t, "!ybfalse", c.of(c.object("getDependentInfo", "setl", "schild", "n"), "containsKey", "staskDefinitionCode"))
	for _, args := range [][]string{{"snowhere", "schild", "n"}, {"setl", "snowhere", "n"}, {"setl", "schild", "snowhere"}} {
		require.Contains(t, c.reason(c.call("getDependentInfo", args...)), "nowhere")
	}
}

func TestAskingForACodeMakesNothing(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	seen := map[string]bool{}
	for range 10 {
		found := c.object("getCodeAndVersion", "snone", "snone", "snone")
		seen[c.of(found, "get", "scode")] = true
		require.Equal(t, "!yL0", c.of(found, "get", "sversion"))
	}
	require.Len(t, seen, 10, "each is a new one")
	projects, err := w.projects.All(w.admin)
	require.NoError(t, err)
	require.Empty(t, projects)
}

func TestTheNamedUserNeedsTheRightsThatRESTWouldAskFor(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	c.member("anna", "etl")
	require.Regexp(t, `^!yL`, c.submit("anna", "etl", "nightly", submission{tasks: []string{"true"}, online: true}))
	c.object("createUser", "sbert", "sBert-Passw0rd", "sbert@example.org", "s", "sdefault", "s", "i1")
	for name, answer := range map[string]string{
		"submit":  c.submit("bert", "etl", "nightly", submission{tasks: []string{"false"}}),
		"exec":    c.call("execWorkflowInstance", "sbert", "setl", "snightly", "sdefault", "sNONE", "i0"),
		"info":    c.call("getWorkflowInfo", "sbert", "setl", "snightly"),
		"tenant":  c.call("updateTenant", "sbert", "i1", "sdefault", "i1", "n"),
		"delete":  c.call("deleteTenantById", "sbert", "i1"),
		"remove":  c.call("deleteUser", "sbert", "i1"),
		"unknown": c.call("execWorkflowInstance", "scarl", "setl", "snightly", "sdefault", "sNONE", "i0"),
	} {
		require.Regexp(t, `^!xro`, answer, name)
		require.NotContains(t, c.reason(answer), "Internal error", name)
	}
	require.Equal(t, "!yn", c.call("queryProjectByName", "sbert", "setl"), "he cannot even see it")
	in, err := w.projects.Named(w.admin, "etl")
	require.NoError(t, err)
	require.NoError(t, w.projects.SetMember(w.admin, in.Code, "bert", "operate"))
	require.Equal(t, "!yv", c.call("execWorkflowInstance", "sbert", "setl", "snightly", "sdefault", "sNONE", "i0"), "to run it the role is enough")
	require.Regexp(t, `^!xro`, c.submit("bert", "etl", "nightly", submission{tasks: []string{"false"}}))
	require.Equal(t, "!yv", c.call("createOrGrantProject", "sbert", "setl", "n"))
	require.Regexp(t, `^!xro`, c.submit("bert", "etl", "nightly", submission{tasks: []string{"false"}}), "a role that was given stays")

	bert, err := w.identity.Find(w.admin, "bert")
	require.NoError(t, err)
	require.NoError(t, w.identity.SetEnabled(w.admin, bert.ID, false))
	require.Contains(t, c.reason(c.call("execWorkflowInstance", "sbert", "setl", "snightly", "sdefault", "sNONE", "i0")), "disabled")
	c.object("createUser", "sbert", "sBert-Passw0rd", "sbert@example.org", "s", "sdefault", "s", "i1")
	bert, err = w.identity.Find(w.admin, "bert")
	require.NoError(t, err)
	require.False(t, bert.Enabled, "a script does not enable whom an administrator disabled")
	entries := w.Audited(t)
	require.Contains(t, entries, "workflow.start")
}

func TestSomebodyElsesProjectIsSharedWithWhoeverAsks(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	c.member("anna", "etl")
	c.member("bert", "etl")
	in, err := w.projects.Named(w.admin, "etl")
	require.NoError(t, err)
	require.Equal(t, "anna", in.OwnerName)
	members, err := w.projects.Members(w.admin, in.Code)
	require.NoError(t, err)
	require.Len(t, members, 2)
	require.Equal(t, access.All, members[1].Role)

	p := c.object("queryProjectByName", "sbert", "setl")
	require.Equal(t, "!yL"+strconv.FormatInt(in.Code, 10), c.of(p, "getCode"))
	require.Equal(t, "!ysetl", c.of(p, "getName"))
	require.Equal(t, "!yn", c.of(p, "getDescription"))
	code := "L" + strconv.FormatInt(in.Code, 10)
	require.Equal(t, "!yv", c.call("updateProject", "sanna", code, "selt", "snightly"))
	require.Equal(t, "!yv", c.call("deleteProject", "sanna", code))
	_, err = w.projects.Named(w.admin, "elt")
	require.ErrorIs(t, err, project.ErrNotFound)
}

func TestTenantsComeWithTheirQueues(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	for range 2 { // the second time it is there
		made := c.object("createTenant", "sanalysts", "sa note", "sreports")
		require.Equal(t, "!ysanalysts", c.of(made, "getTenantCode"))
		require.Equal(t, "!ysa note", c.of(made, "getDescription"))
		require.Equal(t, "!ysreports", c.of(made, "getQueueName"))
	}
	found := c.object("queryTenantByCode", "sanalysts")
	id, queueID := strings.TrimPrefix(c.of(found, "getId"), "!y"), strings.TrimPrefix(c.of(found, "getQueueId"), "!y")
	require.Equal(t, "!yn", c.call("queryTenantByCode", "snone"))
	require.Equal(t, "!ysdefault", c.of(c.object("createTenant", "sdefault", "n", "sreports"), "getTenantCode"))
	require.Contains(t, c.reason(c.call("createTenant", "sno such thing!", "n", "sreports")), "code")

	require.Equal(t, "!yv", c.call("updateTenant", "sadmin", id, "sanalysts", queueID, "sanother note"))
	require.Equal(t, "!ysanother note", c.of(c.object("queryTenantByCode", "sanalysts"), "getDescription"))
	c.object("createUser", "sanna", "sAnna-Passw0rd", "sanna@example.org", "s", "sdefault", "s", "i1")
	require.Equal(t, "!ysanalysts", c.of(c.object("grantTenantToUser", "sanna", "sanalysts"), "getTenantCode"))
	anna, err := w.identity.Find(w.admin, "anna")
	require.NoError(t, err)
	require.Equal(t, number(t, id[1:]), anna.TenantID)
	require.Regexp(t, `^!xro`, c.call("grantTenantToUser", "sanna", "snone"))
	c.object("grantTenantToUser", "sanna", "sdefault")
	require.Equal(t, "!yv", c.call("deleteTenantById", "sadmin", id))
	require.Equal(t, "!yn", c.call("queryTenantByCode", "sanalysts"))
}

func TestUsersAreMadeAndBroughtUpToDate(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	c.object("createTenant", "sanalysts", "n", "sreports")
	made := c.object("createUser", "sanna", "sAnna-Passw0rd", "sanna@example.org", "s13800000000", "sanalysts", "s", "i1")
	for getter, want := range map[string]string{
		"getUserName": "!ysanna", "getEmail": "!ysanna@example.org", "getPhone": "!ys+8613800000000", "getTenantCode": "!ysanalysts",
		"getQueueName": "!ysreports", "getState": "!yi1", "getUserPassword": "!yn",
	} {
		require.Equal(t, want, c.of(made, getter), getter)
	}
	id := strings.TrimPrefix(c.of(made, "getId"), "!y")
	signIn := func(password string) error {
		_, err := w.identity.SignIn(t.Context(), identity.Credentials{Name: "anna", Password: secret.String(password)})
		return err
	}
	require.NoError(t, signIn("Anna-Passw0rd"))

	c.object("createUser", "sanna", "sAnna-Passw1rd", "sanna@example.com", "s11111111111", "sdefault", "sq2", "i1")
	found := c.object("queryUser", id)
	require.Equal(t, "!ysanna@example.com", c.of(found, "getEmail"))
	require.Equal(t, "!ys+8613800000000", c.of(found, "getPhone"), "a number that nobody can have changes nothing")
	require.Equal(t, "!ysanalysts", c.of(found, "getTenantCode"), "the tenant stays")
	require.Equal(t, "!ysq2", c.of(found, "getQueue"))
	require.NoError(t, signIn("Anna-Passw1rd"))
	c.object("updateUser", "sanna", "sAnna-Passw1rd", "sanna@example.com", "s", "sdefault", "s", "i1")
	require.Equal(t, "!ysdefault", c.of(c.object("queryUser", id), "getTenantCode"))
	require.Contains(t, c.reason(c.call("updateUser", "snobody", "sAnna-Passw1rd", "sx@example.com", "s", "sdefault", "s", "i1")), "nobody")
	require.Contains(t, c.reason(c.call("createUser", "scarl", "sCarl-Passw1rd", "sx@example.com", "s", "snone", "s", "i1")), "none")
	require.Contains(t, c.reason(c.call("createUser", "scarl", "sCarl-Passw1rd", "snonsense", "s", "sdefault", "s", "i1")), "email")
	require.Equal(t, "User not found", c.reason(c.call("queryUser", "i99")))
	require.Equal(t, "!ysanna", c.of(c.object("deleteUser", "sadmin", id), "getUserName"))
	_, err := w.identity.Find(w.admin, "anna")
	require.ErrorIs(t, err, identity.ErrNotFound)
}

func TestNobodySignsInWithThePasswordOfAnUnconfiguredSDK(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	for range 2 {
		c.object("createUser", "suserPythonGateway", "suserPythonGateway", "su@example.org", "s11111111111", "sdefault", "s", "i1")
	}
	_, err := w.identity.SignIn(t.Context(), identity.Credentials{Name: "userPythonGateway", Password: "userPythonGateway"})
	require.ErrorIs(t, err, identity.ErrCredentials)
	require.NotContains(t, strings.Join(w.Audited(t), " "), "user.update", "the second time nothing changed")
}

func TestAnAdministratorIsNotChanged(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	before, err := w.identity.Find(w.admin, "admin")
	require.NoError(t, err)
	made := c.object("createUser", "sadmin", "sAdmin-Passw0rd", "sevil@example.org", "s", "sdefault", "s", "i0")
	require.Equal(t, "!ysadmin@example.org", c.of(made, "getEmail"))
	require.Contains(t, c.reason(c.call("updateUser", "sadmin", "sAdmin-Passw0rd", "sevil@example.org", "s", "sdefault", "s", "i1")), "administrator")
	after, err := w.identity.Find(w.admin, "admin")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestThingsThatTasksNameAreFoundOrNamed(t *testing.T) {
	t.Parallel()
	kept := files{}
	w := open(t, dbtest.SQLite(t), func(d *gateway.Deps) {
		d.Resources = kept
		d.Datasources = sources{{ID: 3, Name: "warehouse", Type: "MYSQL", UserID: 1, Params: `{"user":"root"}`}, {ID: 4, Name: "both", Type: "MYSQL"}, {ID: 5, Name: "both", Type: "HIVE"}}
	})
	c := w.client(t)
	found := c.object("getDatasource", "swarehouse", "n")
	require.Equal(t, "!yi3", c.of(found, "getId"))
	require.Equal(t, `!ys{"user":"root"}`, c.of(found, "getConnectionParams"))
	require.Equal(t, "!yi5", c.of(c.object("getDatasource", "sboth", "shive"), "getId"))
	for _, args := range [][]string{{"sboth", "n"}, {"sboth", "spostgresql"}, {"swarehouse", "shive"}} {
		require.Contains(t, c.reason(c.call("getDatasource", args...)), args[0][1:])
	}
	require.Equal(t, "!ysMYSQL", c.of(c.object("getDatasourceInfo", "swarehouse"), "get", "stype"))

	e, err := w.envs.Create(w.admin, environment.Draft{Name: "python3", Config: "export A=1"})
	require.NoError(t, err)
	require.Equal(t, "!yL"+strconv.FormatInt(e.Code, 10), c.call("getEnvironmentInfo", "spython3"))
	require.Contains(t, c.reason(c.call("getEnvironmentInfo", "snone")), "none")

	require.Contains(t, c.reason(c.call("getResourcesFileInfo", "sPYTHON", "s/a.sh")), "/a.sh")
	require.Equal(t, "!ysfile:/a.sh", c.of(c.object("createOrUpdateResource", "sadmin", "s/a.sh", "secho"), "getFullName"))
	c.object("createOrUpdateResource", "sadmin", "s/b.sh", "sa note", "secho b")
	require.Equal(t, files{"/a.sh": "echo", "/b.sh": "echo b"}, kept)
	require.Equal(t, "!ysfile:/a.sh", c.of(c.object("getResourcesFileInfo", "sPYTHON", "sfile:/a.sh"), "get", "sname"))
	require.Equal(t, "!yi5", c.of(c.object("getResourcesFileInfo", "s/a.sh"), "get", "sid"))
	require.Equal(t, "!ysa.sh", c.of(c.object("queryResourcesFileInfo", "sadmin", "s/a.sh"), "getFileName"))
	c.object("createTenant", "sanalysts", "n", "n")
	c.object("createUser", "sanna", "sAnna-Passw0rd", "sanna@example.org", "s", "sanalysts", "s", "i1")
	c.object("createOrUpdateResource", "sanna", "smain.py", "sprint()")
	require.Equal(t, "!ysfile:/analysts/main.py", c.of(c.object("queryResourcesFileInfo", "sanna", "smain.py"), "getFullName"))
	require.Equal(t, "!ysfile:/analysts/main.py", c.of(c.object("getResourcesFileInfo", "n", "smain.py"), "get", "sname"))
	require.Contains(t, c.reason(c.call("queryResourcesFileInfo", "sadmin", "smain.py")), "main.py")

	require.Equal(t, "!yv", c.call("createOrGrantProject", "sanna", "setl", "n"))
	code := c.call("createOrUpdateWorkflow", "sanna", "setl", "sof40", "n", "s[]", "n", "bTrue", "sNONE", "i0", "i0", "sdefault", "i1",
		`s[{"preTaskCode": 0, "postTaskCode": 7}]`, `s[{"code": 7, "name": "a", "taskType": "SHELL", "taskParams": {"rawScript": "true", "resourceList": [{"id": 5}]}}]`, "n", "sPARALLEL")
	require.Regexp(t, `^!yL`, code, c.reason(code))
	def, err := w.workflows.Definition(w.admin, number(t, code[3:]), 0)
	require.NoError(t, err)
	require.Contains(t, string(def.Tasks[0].Params), `[{"resourceName":"file:/analysts/main.py"}]`, "ids that were told become names")

	without := open(t, dbtest.SQLite(t)).client(t)
	for name, args := range map[string][]string{
		"getDatasource": {"sx", "n"}, "getResourcesFileInfo": {"n", "sx"}, "createOrUpdateResource": {"sadmin", "sx", "sy"},
	} {
		require.Contains(t, without.reason(without.call(name, args...)), "x", name)
	}
}

func TestTwoScriptsAtOnceMakeEverythingOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		var group sync.WaitGroup
		for i := range 4 {
			c := w.client(t)
			group.Go(func() {
				c.object("createTenant", "sanalysts", "n", "sreports")
				c.object("createUser", "sanna", "sAnna-Passw0rd", "sanna@example.org", "s", "sanalysts", "sreports", "i1")
				c.call("createOrGrantProject", "sanna", "setl", "n")
				answer := c.submit("anna", "etl", "w"+strconv.Itoa(i), submission{tasks: []string{"true", "true"}, online: true, schedule: timing})
				if !strings.HasPrefix(answer, "!yL") {
					t.Errorf("submit: %s", c.reason(answer))
				}
			})
		}
		group.Wait()
		all, err := w.projects.All(w.admin)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, 4, all[0].Workflows)
	})
}

func TestScriptsOfAnyCharactersArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	c := w.client(t)
	c.member("anna", "数据 é")
	script := "echo 'ü 数据 😀'\r\necho \"a\\b\" \\\\ $(date)\n\ttabbed\n"
	large := strings.Repeat("echo "+strings.Repeat("0123456789", 9)+"abcd\n", 50_000)
	require.Len(t, large, 5_000_000)
	answer := c.submit("anna", "数据 é", "夜间\\工作", submission{tasks: []string{script, large}, online: true})
	require.Regexp(t, `^!yL`, answer, c.reason(answer))
	def, err := w.workflows.Definition(w.admin, number(t, answer[3:]), 0)
	require.NoError(t, err)
	require.Equal(t, `夜间\工作`, def.Name)
	for i, want := range []string{script, large} {
		got, err := flow.DecodeProperties(strings.TrimSpace(string(def.Tasks[i].Params)))
		require.NoError(t, err)
		at := -1
		for k, p := range got {
			if p.Prop == "rawScript" {
				at = k
			}
		}
		require.GreaterOrEqual(t, at, 0)
		require.Equal(t, want, got[at].Value, "script %d", i)
	}
}

func TestATokenOfOnesOwnKeepsOthersOut(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t), func(d *gateway.Deps) { d.Config.Token = "my own" })
	c := w.dial(t)
	require.Equal(t, "!xsAuthentication error: bad auth token received.", c.say("A⏎"+gateway.DefaultToken.Reveal()+"⏎"))
	c = w.dial(t)
	require.Equal(t, "!xsAuthentication error: unexpected command.", c.say("c⏎t⏎ping⏎e⏎"))
	require.Equal(t, "!yv", w.dial(t).say("A⏎my own⏎"))
	open := open(t, dbtest.SQLite(t), func(d *gateway.Deps) { d.Config.Token = "" })
	require.Equal(t, "!ysPONG", open.dial(t).say("c⏎t⏎ping⏎e⏎"), "as SDKs without tokens need it")
	require.Contains(t, open.log.String(), "no token")
}

func TestOtherMachinesNeedATokenThatNotEverybodyKnows(t *testing.T) {
	t.Parallel()
	c := gateway.DefaultConfig()
	require.NoError(t, c.Validate())
	c.Enabled = true
	for _, listen := range []string{"127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"} {
		for _, token := range []secret.String{gateway.DefaultToken, "", "x"} {
			c.Listen, c.Token = listen, token
			require.NoError(t, c.Validate(), listen)
		}
	}
	for _, listen := range []string{"0.0.0.0:1", ":1", "[::]:1", "10.0.0.1:1", "example.org:1"} {
		for _, token := range []secret.String{gateway.DefaultToken, ""} {
			c.Listen, c.Token = listen, token
			require.ErrorContains(t, c.Validate(), "python-gateway.token", listen)
		}
		c.Token = "x"
		require.NoError(t, c.Validate())
	}
	c.Listen, c.Version = "nonsense", ""
	require.ErrorContains(t, c.Validate(), "python-gateway.listen")
	require.ErrorContains(t, c.Validate(), "python-gateway.version")
}
