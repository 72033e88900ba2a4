package taskgroup_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/ids"
	"dorado/modules/access"
	"dorado/modules/project"
	"dorado/modules/security/crudtest"
	"dorado/modules/taskgroup"
)

// fixture is two projects of the administrator, 7 and 8, and the module.
type fixture struct {
	*crudtest.App
	*taskgroup.Module
	projects *project.Service
	told     *wishes
}

func open(t *testing.T, d *db.DB) fixture {
	t.Helper()
	a := crudtest.NewApp(t, d, project.Rules(), taskgroup.Rules())
	projects := project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: ids.NewGenerator(1, time.Now), Now: time.Now})
	for code, name := range map[int64]string{7: "etl", 8: "reports"} {
		_, err := d.Exec(t.Context(), "INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)", code, name, a.Admin.UserID, time.Now(), time.Now())
		require.NoError(t, err)
	}
	m := taskgroup.New(taskgroup.Deps{DB: d, Access: a.Access, Audit: a.Audit, Projects: projects, Site: a.Site, API: a.API, Frame: a.Frame})
	m.AddReferrer(described{d})
	told := &wishes{}
	m.SetController(told)
	return fixture{a, m, projects, told}
}

// wishes remembers what was asked of attempts.
type wishes []string

func (w *wishes) ForceStart(_ context.Context, id int64) error {
	*w = append(*w, fmt.Sprintf("start %d", id))
	return nil
}

func (w *wishes) SetGroupPriority(_ context.Context, id int64, priority int) error {
	*w = append(*w, fmt.Sprintf("%d to %d", id, priority))
	return nil
}

// described says that a group is used when its description says so.
type described struct{ db *db.DB }

func (u described) TaskGroupUses(ctx context.Context, id int64, _ int) ([]taskgroup.Use, error) {
	n, err := db.Get[int](ctx, u.db, "SELECT count(*) FROM task_group WHERE id = ? AND description = 'used'", id)
	if err != nil || n == 0 {
		return nil, err
	}
	return []taskgroup.Use{{Kind: "workergroup.use.task", Name: "nightly · load", URL: "/projects/7/workflows/2"}}, nil
}

func name(n int) string { return fmt.Sprintf("pool-%02d", n) }

func TestTaskGroupsBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: taskgroup.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			f := open(t, d)
			return f.App, f.Routes
		},
		Valid: func(n int) []string {
			return []string{"name", name(n), "project", "7", "size", "2", "description", "small"}
		},
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return []string{"name", name(n), "size", "5", "description", "larger"} },
		Shows:    "larger",
		Unique:   true,
		Required: "name",
		Number:   "size",
		Hostile: func(text string) []string {
			return []string{"name", text, "project", "7", "size", "1", "description", text}
		},
		Own: true,
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE task_group SET description = 'used' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "nightly"
		},
	})
}

func (f fixture) group(t *testing.T, name string, size int, of int64) taskgroup.Group {
	t.Helper()
	g, err := f.Create(f.as(t, f.Admin), taskgroup.Draft{Name: name, Size: size, ProjectCode: of})
	require.NoError(t, err)
	return g
}

func (f fixture) as(t *testing.T, p access.Principal) context.Context {
	t.Helper()
	return access.WithPrincipal(t.Context(), p)
}

// attempt puts an attempt of a group into the database.
func (f fixture) attempt(t *testing.T, id, group, of int64, state string, priority int, forced bool) {
	t.Helper()
	var ended *time.Time
	if state == "SUCCESS" {
		now := time.Now()
		ended = &now
	}
	at := time.Date(2026, 10, 1, 8, 0, int(id), 0, time.UTC)
	_, err := f.DB.Exec(t.Context(), `INSERT INTO task_instance (id, workflow_instance_id, project_code, task_code, task_version, name, task_type, state,
		first_submit_time, submit_time, end_time, task_group_id, task_group_priority, force_start) VALUES (?, ?, ?, 1, 1, ?, 'SHELL', ?, ?, ?, ?, ?, ?, ?)`,
		id, of, of, fmt.Sprintf("task-%d", id), state, at, at, ended, group, priority, forced)
	require.NoError(t, err)
	_, err = f.DB.Exec(t.Context(), `INSERT INTO workflow_instance (id, name, workflow_code, workflow_version, workflow_name, project_code, state, command_type,
		executor_id, executor_name, start_time, created_at, updated_at) VALUES (?, ?, 1, 1, 'daily', ?, 'RUNNING_EXECUTION', 'START_PROCESS', 1, 'admin', ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`, of, fmt.Sprintf("daily-of-%d", of), of, at, at, at)
	require.NoError(t, err)
}

// crowd fills a group of size 2: two hold, one was forced, three wait in the order 15, 13, 14, one is over.
func (f fixture) crowd(t *testing.T) taskgroup.Group {
	t.Helper()
	g := f.group(t, "database", 2, taskgroup.AllProjects)
	f.attempt(t, 10, g.ID, 7, "RUNNING_EXECUTION", 0, false)
	f.attempt(t, 11, g.ID, 8, "DISPATCH", 0, false)
	f.attempt(t, 12, g.ID, 7, "RUNNING_EXECUTION", 0, true)
	f.attempt(t, 13, g.ID, 7, "SUBMITTED_SUCCESS", 1, false)
	f.attempt(t, 14, g.ID, 8, "SUBMITTED_SUCCESS", 1, false)
	f.attempt(t, 15, g.ID, 7, "SUBMITTED_SUCCESS", 9, false)
	f.attempt(t, 16, g.ID, 7, "SUCCESS", 9, false)
	other := f.group(t, "other", 1, 7)
	f.attempt(t, 17, other.ID, 7, "SUBMITTED_SUCCESS", 100, false)
	return g
}

func TestUseFollowsFromTheAttemptsAndForcedOnesAreNotCounted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		g := f.crowd(t)
		ctx := f.as(t, f.Admin)
		g, err := f.Get(ctx, g.ID)
		require.NoError(t, err)
		require.Equal(t, [2]int{2, 3}, [2]int{g.Used, g.Waiting})

		g, err = f.Update(ctx, g.ID, taskgroup.Draft{Name: "database", Size: 1}, g.UpdatedAt)
		require.NoError(t, err, "a group may be made smaller than its use")
		require.Equal(t, [2]int{1, 2}, [2]int{g.Size, g.Used})
		page := f.Browser(t, f.Routes).As(crudtest.As(f.Admin)).Get(taskgroup.Path + "?q=database").Require(http.StatusOK)
		require.Contains(t, page.Text("tbody"), "beyond its size")
	})
}

func TestTheQueueShowsHoldersAndPositions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		g := f.crowd(t)
		admin := f.Browser(t, f.Routes).As(crudtest.As(f.Admin))
		of := func(query string) []string {
			return admin.Get(fmt.Sprintf("%s?group=%d%s", taskgroup.QueuePath, g.ID, query)).Require(http.StatusOK).Texts("tbody .name")
		}
		require.Equal(t, []string{"task-10", "task-11", "task-12", "task-15", "task-13", "task-14"}, of(""), "holders, then those who wait in their order")
		require.Equal(t, []string{"task-15", "task-13", "task-14"}, of("&state=waiting"))
		require.Equal(t, []string{"task-10", "task-11", "task-12"}, of("&state=acquired"))
		require.Equal(t, []string{"task-14"}, of("&q=task-14"))
		page := admin.Get(taskgroup.QueuePath + "?q=task-14").Require(http.StatusOK)
		require.Contains(t, page.Text("[data-test='queue.task-14']"), "number 3", "the position counts all that wait, not those shown")
		require.Len(t, admin.Get(taskgroup.QueuePath+"?size=100").Texts("tbody .name"), 7)
		for _, query := range []string{"?group=x", "?sort=drop", "?state=none", "?page=99"} {
			admin.Get(taskgroup.QueuePath + query).Require(http.StatusOK)
		}
	})
}

func TestOperatorsActOnWhatWaitsAndOnNothingElse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		f.crowd(t)
		require.NoError(t, f.Access.Grant(t.Context(), f.General.UserID, access.Project(7), access.Operate))
		b := f.Browser(t, f.Routes)
		gwen := b.As(crudtest.As(f.General))
		page := gwen.Get(taskgroup.QueuePath + "?size=100").Require(http.StatusOK)
		require.Equal(t, []string{"task-10", "task-12", "task-15", "task-17", "task-13"}, page.Texts("tbody .name"), "attempts of project 8 are not hers to see")
		require.Contains(t, page.Text("[data-test='queue.task-13']"), "number 2")
		require.Equal(t, 3, page.Count("[data-test='row.start']"))

		gwen.Get(taskgroup.QueuePath + "/13/start").Require(http.StatusOK)
		gwen.Post(taskgroup.QueuePath + "/13/start").Require(http.StatusSeeOther)
		require.Equal(t, "1", gwen.Get(taskgroup.QueuePath+"/13/priority").Require(http.StatusOK).Value("priority"))
		gwen.Post(taskgroup.QueuePath+"/13/priority", "priority", "20").Require(http.StatusSeeOther)
		require.Equal(t, wishes{"start 13", "13 to 20"}, *f.told)
		for _, bad := range []string{"", "-1", "many", "99999999999"} {
			require.NotEmpty(t, gwen.Post(taskgroup.QueuePath+"/13/priority", "priority", bad).Require(http.StatusUnprocessableEntity).Text(".err"), bad)
		}
		for path, status := range map[string]int{"/14/start": http.StatusNotFound, "/10/start": http.StatusConflict, "/16/start": http.StatusConflict, "/4711/start": http.StatusNotFound} {
			gwen.Post(taskgroup.QueuePath + path).Require(status)
		}
		require.Len(t, *f.told, 2)

		require.NoError(t, f.Access.Grant(t.Context(), f.General.UserID, access.Project(7), access.Read))
		require.False(t, gwen.Get(taskgroup.QueuePath).Has("[data-test='row.start']"))
		for _, path := range []string{"/13/start", "/13/priority"} {
			gwen.Get(taskgroup.QueuePath + path).Require(http.StatusForbidden)
			gwen.Post(taskgroup.QueuePath+path, "priority", "1").Require(http.StatusForbidden)
			require.Contains(t, b.Get(taskgroup.QueuePath+path).Require(http.StatusSeeOther).Header.Get("Location"), "/login")
		}
	})
}

func TestGroupsBelongToProjectsAndThoseOfAllToAdministrators(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		global, mine, hidden := f.group(t, "global", 1, 0), f.group(t, "mine", 1, 7), f.group(t, "hidden", 1, 8)
		require.NoError(t, f.Access.Grant(t.Context(), f.General.UserID, access.Project(7), access.All))
		gwen := f.as(t, f.General)
		names := func(list []taskgroup.Group, err error) []string {
			require.NoError(t, err)
			var out []string
			for _, g := range list {
				out = append(out, g.Name)
			}
			return out
		}
		require.Equal(t, []string{"global", "mine"}, names(f.Visible(gwen)))
		require.Equal(t, []string{"global", "mine"}, names(f.OfProject(gwen, 7)))
		_, err := f.OfProject(gwen, 8)
		require.ErrorIs(t, err, project.ErrNoAccess)

		_, err = f.Create(gwen, taskgroup.Draft{Name: "x", Size: 1})
		require.ErrorIs(t, err, access.ErrDenied)
		_, err = f.Create(gwen, taskgroup.Draft{Name: "x", Size: 1, ProjectCode: 8})
		require.ErrorIs(t, err, project.ErrNoAccess)
		_, err = f.Create(gwen, taskgroup.Draft{Name: "x", Size: 1, ProjectCode: 4711})
		require.ErrorIs(t, err, project.ErrNotFound)
		_, err = f.Create(gwen, taskgroup.Draft{Name: "x", Size: 1, ProjectCode: 7})
		require.NoError(t, err)

		moved, err := f.Update(gwen, mine.ID, taskgroup.Draft{Name: "mine", Size: 3, ProjectCode: 8}, time.Time{})
		require.NoError(t, err)
		require.Equal(t, int64(7), moved.ProjectCode, "a group stays in its project")
		require.ErrorIs(t, f.Delete(gwen, global.ID), access.ErrDenied)
		require.ErrorIs(t, f.Delete(gwen, hidden.ID), taskgroup.ErrNotFound)
		require.ErrorIs(t, f.Switch(gwen, hidden.ID, false), taskgroup.ErrNotFound)
		require.ErrorIs(t, f.Switch(gwen, global.ID, false), access.ErrDenied)

		require.NoError(t, f.Switch(gwen, mine.ID, false))
		require.ErrorIs(t, f.Switch(gwen, mine.ID, false), taskgroup.ErrClosed)
		require.NoError(t, f.Switch(gwen, mine.ID, true))
		require.ErrorIs(t, f.Switch(gwen, mine.ID, true), taskgroup.ErrOpen)
		require.Subset(t, f.Audited(t), []string{"taskgroup.close", "taskgroup.start"})

		b := f.Browser(t, f.Routes).As(crudtest.As(f.General))
		b.Post(fmt.Sprintf("%s/%d/close", taskgroup.Path, mine.ID)).Require(http.StatusSeeOther)
		require.Contains(t, b.Get(taskgroup.Path+"?status=0").Text("tbody"), "mine")
		b.Post(fmt.Sprintf("%s/%d/start", taskgroup.Path, mine.ID)).Require(http.StatusSeeOther)
		b.Post(fmt.Sprintf("%s/%d/close", taskgroup.Path, global.ID)).Require(http.StatusForbidden)
		b.Post(fmt.Sprintf("%s/%d/close", taskgroup.Path, hidden.ID)).Require(http.StatusNotFound)
	})
}

func TestTheGroupsOfAProjectGoWithIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		f.group(t, "global", 1, 0)
		f.group(t, "etl", 1, 7)
		f.group(t, "reports", 1, 8)
		require.NoError(t, f.projects.Delete(f.as(t, f.Admin), 7))
		left, err := f.Visible(f.as(t, f.Admin))
		require.NoError(t, err)
		require.Len(t, left, 2)
	})
}

func TestClientsKeepTaskGroups(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		call := crudtest.REST(t, f.App, f.Admin, f.Module.API)
		made := call("POST", "/task-group/create", "name=pool&projectCode=7&description=&groupSize=2")
		require.InDelta(t, 201, made["status"], 0)
		data := made["data"].(map[string]any)
		require.Equal(t, []any{"pool", 7.0, 2.0, 0.0, "YES"}, []any{data["name"], data["projectCode"], data["groupSize"], data["useSize"], data["status"]})
		require.Len(t, data, 10)
		id := fmt.Sprintf("%.0f", data["id"])
		for body, want := range map[string]float64{
			"name=pool&description=&groupSize=2": 130001, "name=x&description=&groupSize=0": 130002, "name=&description=&groupSize=1": 10134,
			"name=x&groupSize=1": 130008, "name=x&projectCode=9&description=&groupSize=1": 10018,
			"name=x&groupSize=1&description=" + strings.Repeat("x", 256): 1400004,
		} {
			require.InDelta(t, want, call("POST", "/task-group/create", body)["code"], 0, body)
		}
		require.InDelta(t, 5, call("POST", "/task-group/update", "id="+id+"&name=pool&description=&groupSize=5")["data"].(map[string]any)["groupSize"], 0)
		require.InDelta(t, 130019, call("POST", "/task-group/start-task-group", "id="+id)["code"], 0)
		require.InDelta(t, 201, call("POST", "/task-group/close-task-group", "id="+id)["status"], 0)
		require.InDelta(t, 130018, call("POST", "/task-group/close-task-group", "id="+id)["code"], 0)
		require.InDelta(t, 130003, call("POST", "/task-group/update", "id="+id+"&name=pool&description=&groupSize=5")["code"], 0)
		for target, total := range map[string]float64{
			"list-paging?": 1, "list-paging?name=POO&": 1, "list-paging?name=zzz&": 0, "list-paging?status=1&": 0, "query-list-by-status?status=0&": 1,
			"query-list-by-projectCode?projectCode=7&": 1, "query-list-by-projectCode?projectCode=8&": 0,
		} {
			require.InDelta(t, total, call("GET", "/task-group/"+target+"pageNo=1&pageSize=10", "")["data"].(map[string]any)["total"], 0, target)
		}
		require.InDelta(t, 10018, call("GET", "/task-group/query-list-by-projectCode?projectCode=9&pageNo=1&pageSize=10", "")["code"], 0)

		general := crudtest.REST(t, f.App, f.General, f.Module.API)
		require.InDelta(t, 30002, general("POST", "/task-group/create", "name=y&projectCode=7&description=&groupSize=1")["code"], 0)
		require.InDelta(t, 30001, general("POST", "/task-group/create", "name=y&description=&groupSize=1")["code"], 0)
		require.InDelta(t, 130009, general("POST", "/task-group/update", "id="+id+"&name=y&description=&groupSize=1")["code"], 0)
		require.NoError(t, f.Access.Grant(t.Context(), f.General.UserID, access.Project(7), access.Read))
		require.InDelta(t, 1400001, general("POST", "/task-group/start-task-group", "id="+id)["code"], 0)
		require.InDelta(t, 30003, general("POST", "/task-group/create", "name=y&projectCode=7&description=&groupSize=1")["code"], 0)
	})
}

func TestClientsSeeAndChangeTheQueue(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := open(t, d)
		g := f.crowd(t)
		call := crudtest.REST(t, f.App, f.Admin, f.Module.API)
		total := func(query string) float64 {
			return call("GET", "/task-group/query-list-by-group-id?pageNo=1&pageSize=10"+query, "")["data"].(map[string]any)["total"].(float64)
		}
		of := fmt.Sprintf("&groupId=%d", g.ID)
		for query, want := range map[string]float64{
			"": 7, of: 6, of + "&status=-1": 3, of + "&status=1": 3, of + "&status=2": 0, "&taskInstanceName=task-1": 7, "&taskInstanceName=14": 1,
			"&workflowInstanceName=of-8": 2, "&processInstanceName=of-8": 2, "&taskInstanceName=%25": 0,
		} {
			require.InDelta(t, want, total(query), 0, query)
		}
		rows := call("GET", "/task-group/query-list-by-group-id?pageNo=1&pageSize=10&taskInstanceName=task-15", "")["data"].(map[string]any)["totalList"].([]any)
		row := rows[0].(map[string]any)
		require.Len(t, row, 16, "the columns, two of them under both names")
		require.Equal(t, []any{"7", "WAIT_QUEUE", 9.0, 1.0, 0.0}, []any{row["projectCode"], row["status"], row["priority"], row["inQueue"], row["forceStart"]})

		require.InDelta(t, 201, call("POST", "/task-group/forceStart", "queueId=13")["status"], 0)
		require.InDelta(t, 201, call("POST", "/task-group/modifyPriority", "queueId=14&priority=3")["status"], 0)
		require.Equal(t, wishes{"start 13", "14 to 3"}, *f.told)
		for body, want := range map[string]float64{"queueId=10": 130017, "queueId=4711": 50001, "": 130012} {
			require.InDelta(t, want, call("POST", "/task-group/forceStart", body)["code"], 0, body)
		}
		require.InDelta(t, 10001, call("POST", "/task-group/modifyPriority", "queueId=14&priority=-3")["code"], 0)
		general := crudtest.REST(t, f.App, f.General, f.Module.API)
		require.InDelta(t, 50001, general("POST", "/task-group/forceStart", "queueId=13")["code"], 0)
		require.InDelta(t, 50001, general("POST", "/task-group/modifyPriority", "queueId=13&priority=1")["code"], 0)
		require.Len(t, *f.told, 2)
	})
}
