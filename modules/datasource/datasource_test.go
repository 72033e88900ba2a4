package datasource_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/datasource"
	"dorado/modules/security/crudtest"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
)

func open(t *testing.T, d *db.DB) (*crudtest.App, *datasource.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, datasource.Rules())
	sealer, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	types, err := catalog.BuiltinDataSources()
	require.NoError(t, err)
	m := datasource.New(datasource.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Sealer: sealer, Types: types, Site: a.Site, API: a.API, Frame: a.Frame,
	})
	m.AddReferrer(used{d})
	return a, m
}

// used says that a data source is used when its note says so.
type used struct{ db *db.DB }

func (u used) DataSourceUses(ctx context.Context, id int64, _ int) ([]datasource.Use, error) {
	n, err := db.Get[int](ctx, u.db, "SELECT count(*) FROM datasource WHERE id = ? AND note = 'used'", id)
	if err != nil || n == 0 {
		return nil, err
	}
	return []datasource.Use{{Kind: "workflow.one", Name: "nightly", URL: "/projects/1/workflows/2"}}, nil
}

func name(n int) string { return fmt.Sprintf("dw-%02d", n) }

func TestDataSourcesBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	fields := func(n int, note, password string) []string {
		return []string{
			"name", name(n), "type", "POSTGRESQL", "p.host", "db.example.org", "p.port", "5432", "p.database", "dw", "p.userName", "ann",
			"p.password", password, "p.other", "", "description", note,
		}
	}
	crudtest.Run(t, crudtest.Case{
		Path: datasource.Path, New: "?type=POSTGRESQL", Own: true,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid:     func(n int) []string { return fields(n, "sales", "hunter2") },
		Name:      name,
		NameField: "name", Sort: "name",
		Edited:   func(n int) []string { return fields(n, "orders", form.Mask) },
		Shows:    "orders",
		Unique:   true,
		Required: "name",
		Hostile: func(text string) []string {
			f := fields(1, text, "x")
			f[1] = string([]rune(text)[:min(60, len([]rune(text)))])
			return f
		},
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE datasource SET note = 'used' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "nightly"
		},
	})
}

type dict = map[string]any

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func warehouse(name string) dict {
	return dict{
		"type": "postgresql", "name": name, "note": "", "host": "127.0.0.1", "port": 5432, "userName": "root", "password": "hunter2hunter2", "database": "dw",
		"other": dict{"sslmode": "disable"},
	}
}

func TestClientsKeepDataSources(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		made := call("POST", "/datasources", text(warehouse("dw")))
		require.InDelta(t, 201, made["status"], 0, made)
		data := made["data"].(dict)
		require.Len(t, data, 9, "strict clients refuse further keys")
		require.Equal(t, "POSTGRESQL", data["type"])
		var params dict
		require.NoError(t, json.Unmarshal([]byte(data["connectionParams"].(string)), &params))
		require.Equal(t, dict{
			"user": "root", "password": "******", "address": "jdbc:postgresql://127.0.0.1:5432", "database": "dw",
			"jdbcUrl": "jdbc:postgresql://127.0.0.1:5432/dw?sslmode=disable", "driverLocation": nil, "driverClassName": "org.postgresql.Driver",
			"validationQuery": "select version()", "other": dict{"sslmode": "disable"},
		}, params)
		id := fmt.Sprintf("/datasources/%.0f", data["id"])
		require.Equal(t, dict{
			"id": data["id"], "type": "POSTGRESQL", "name": "dw", "note": "", "host": "127.0.0.1", "port": 5432.0, "userName": "root", "password": "******",
			"database": "dw", "other": dict{"sslmode": "disable"},
		}, call("GET", id, "")["data"])
		change := func(key string, value any) string {
			w := warehouse("dw2")
			w[key] = value
			return text(w)
		}
		for body, code := range map[string]float64{
			text(warehouse("dw")): 10015, change("host", "a b"): 10033, change("database", "x/y"): 10033, change("type", "COBOL"): 10033,
			change("note", strings.Repeat("x", 256)): 1400004, change("other", dict{"allowLoadLocalInfile": "true"}): 10033, change("name", ""): 10001,
			"nonsense": 10033, change("port", 99999): 10033, `[]`: 10033,
		} {
			require.InDelta(t, code, call("POST", "/datasources", body)["code"], 0, body)
		}
		w := warehouse("dw")
		w["password"], w["note"], w["type"] = "", "changed", "MYSQL"
		changed := call("PUT", id, text(w))["data"].(dict)
		require.Equal(t, []any{"changed", "POSTGRESQL"}, []any{changed["note"], changed["type"]}, "the type stays")
		_, settings, err := m.Opened(access.WithPrincipal(t.Context(), a.Admin), int64(data["id"].(float64)))
		require.NoError(t, err)
		require.Equal(t, "hunter2hunter2", settings.Password.Reveal(), "nothing in place of a password keeps it")

		require.InDelta(t, 1, call("GET", "/datasources?pageNo=1&pageSize=10&searchVal=d", "")["data"].(dict)["total"], 0)
		require.Len(t, call("GET", "/datasources/list?type=POSTGRESQL", "")["data"], 1)
		require.Empty(t, call("GET", "/datasources/list?type=MYSQL", "")["data"])
		require.InDelta(t, 10035, call("GET", "/datasources/list?type=x", "")["code"], 0)
		require.InDelta(t, 10015, call("GET", "/datasources/verify-name?name=dw", "")["code"], 0)
		require.Equal(t, true, call("GET", "/datasources/verify-name?name=new", "")["data"])
		require.Equal(t, false, call("GET", "/datasources/kerberos-startup-state", "")["data"])
		require.Equal(t, []any{dict{"label": "dw", "value": fmt.Sprintf("%.0f", data["id"]), "disabled": false}}, call("GET", "/data-quality/getDatasourceOptionsById?datasourceId=1", "")["data"])
		require.InDelta(t, 1200017, call("GET", "/data-quality/getDatasourceOptionsById?datasourceId=99", "")["code"], 0)
		require.InDelta(t, 20004, call("GET", "/datasources/4711", "")["code"], 0)
		require.InDelta(t, 20004, call("GET", "/datasources/4711/connect-test", "")["code"], 0)

		row, err := db.Get[string](t.Context(), d, "SELECT params || secrets FROM datasource")
		require.NoError(t, err)
		audited, err := db.Select[string](t.Context(), d, "SELECT detail || before_state || after_state FROM audit_log")
		require.NoError(t, err)
		require.NotContains(t, row+strings.Join(audited, " ")+fmt.Sprint(call("GET", "/datasources/list?type=POSTGRESQL", ""), made, changed), "hunter2")
		require.Equal(t, true, call("DELETE", id, "")["data"])
		require.InDelta(t, 20004, call("DELETE", id, "")["code"], 0)
	})
}

func TestAFileOfSQLiteIsKeptByREST(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		file := dict{"type": "SQLITE", "name": "files", "note": "", "file": "/srv/shop.db", "readOnly": "true"}
		made := call("POST", "/datasources", text(file))["data"].(dict)
		require.Contains(t, made["connectionParams"], `"file":"/srv/shop.db","readOnly":"true"`)
		refused := call("POST", "/datasources/connect", text(file))
		require.NotEqual(t, true, refused["data"])
		require.Contains(t, refused["msg"], "datasource.sqlite.folders", "nothing is allowed here")
		for _, bad := range []string{"", "shop.db", "/srv/a?b", "file:///srv/a"} {
			file["name"], file["file"] = "other", bad
			require.NotEqual(t, true, call("POST", "/datasources", text(file))["success"], bad)
		}
		audited, err := db.Select[string](t.Context(), d, "SELECT detail FROM audit_log WHERE action = 'datasource.test'")
		require.NoError(t, err)
		require.Contains(t, audited[0], "/srv/shop.db")
	})
}

func TestOnlyTheOwnerAndWhomItIsGrantedUseADataSource(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		admin, gwen := crudtest.REST(t, a, a.Admin, m.API), crudtest.REST(t, a, a.General, m.API)
		made := admin("POST", "/datasources", text(warehouse("dw")))["data"].(dict)
		key := fmt.Sprintf("%.0f", made["id"])
		id := "/datasources/" + key
		user := strconv.FormatInt(a.General.UserID, 10)
		total := func() any { return gwen("GET", "/datasources?pageNo=1&pageSize=10", "")["data"].(dict)["total"] }

		require.InDelta(t, 0, total(), 0)
		for _, c := range [][3]string{
			{"GET", id, ""},
			{"PUT", id, text(warehouse("dw"))},
			{"DELETE", id, ""},
			{"GET", id + "/connect-test", ""},
			{"GET", "/datasources/databases?datasourceId=" + key, ""},
			{"GET", "/datasources/tables?database=dw&datasourceId=" + key, ""},
			{"GET", "/datasources/tableColumns?database=dw&tableName=t&datasourceId=" + key, ""},
			{"GET", fmt.Sprint("/datasources/authed-datasource?userId=", a.Admin.UserID), ""},
		} {
			require.InDelta(t, 30001, gwen(c[0], c[1], c[2])["code"], 0, c)
		}
		steal := warehouse("dw")
		steal["id"], steal["password"] = made["id"], "******"
		require.InDelta(t, 30001, gwen("POST", "/datasources/connect", text(steal))["code"], 0, "nor with settings of one's own")
		pages := a.Browser(t, m.Routes).As(crudtest.As(a.General))
		pages.Get(datasource.Path + "/" + key + "/edit").Require(http.StatusForbidden)
		pages.Post(datasource.Path+"/"+key, "do", "test", "type", "POSTGRESQL", "p.host", "evil.example.org", "p.password", form.Mask).Require(http.StatusForbidden)

		require.Len(t, admin("GET", "/datasources/unauth-datasource?userId="+user, "")["data"], 1)
		require.NoError(t, a.Access.GrantObjects(t.Context(), a.General.UserID, access.DataSource, []string{key}, access.PermRead))
		require.Len(t, admin("GET", "/datasources/authed-datasource?userId="+user, "")["data"], 1)
		require.Empty(t, admin("GET", "/datasources/unauth-datasource?userId="+user, "")["data"])
		require.InDelta(t, 1, total(), 0)
		require.InDelta(t, 0, gwen("GET", id, "")["code"], 0)
		require.Len(t, gwen("GET", "/datasources/list?type=POSTGRESQL", "")["data"], 1)
		require.InDelta(t, 30001, gwen("PUT", id, text(warehouse("dw")))["code"], 0, "may use it, not change it")
		require.InDelta(t, 30001, gwen("DELETE", id, "")["code"], 0)

		require.NoError(t, a.Access.GrantObjects(t.Context(), a.General.UserID, access.DataSource, []string{key}, access.PermAll))
		w := warehouse("dw")
		w["password"], w["note"] = "******", "by gwen"
		require.InDelta(t, 0, gwen("PUT", id, text(w))["code"], 0)
		w["host"] = "evil.example.org"
		for _, password := range []string{"******", ""} { // the password of somebody else goes nowhere new
			w["password"] = password
			require.InDelta(t, 10034, gwen("PUT", id, text(w))["code"], 0)
			w["id"] = made["id"]
			require.InDelta(t, 10036, gwen("POST", "/datasources/connect", text(w))["code"], 0)
		}
		own := gwen("POST", "/datasources", text(warehouse("gwen's")))["data"].(dict)
		require.Equal(t, "gwen", own["userName"])
		require.InDelta(t, 2, total(), 0)

		require.Equal(t, true, admin("DELETE", id, "")["data"])
		grants, err := a.Access.ObjectsGranted(t.Context(), a.General.UserID, access.DataSource)
		require.NoError(t, err)
		require.Empty(t, grants, "grants go with what was granted")
	})
}

func TestTheTestOfAConnectionSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(dbtest.PostgresURL(t))
	require.NoError(t, err)
	if u.Hostname() == "" {
		t.Skip("PostgreSQL is reached by a socket only")
	}
	password, _ := u.User.Password()
	database := strings.TrimPrefix(u.Path, "/")
	a, m := open(t, dbtest.SQLite(t))
	call := crudtest.REST(t, a, a.Admin, m.API)
	real := warehouse("real")
	real["host"], real["port"], real["database"], real["userName"], real["password"] = u.Hostname(), u.Port(), database, u.User.Username(), password
	require.Equal(t, true, call("POST", "/datasources/connect", text(real))["data"])
	made := call("POST", "/datasources", text(real))["data"].(dict)
	key := fmt.Sprintf("%.0f", made["id"])
	require.Equal(t, true, call("GET", "/datasources/"+key+"/connect-test", "")["data"])
	require.Contains(t, call("GET", "/datasources/databases?datasourceId="+key, "")["data"], dict{"label": database, "value": database, "disabled": false})
	require.Contains(t, call("GET", "/datasources/tables?datasourceId="+key+"&database="+database, "")["data"], dict{"label": "users", "value": "users", "disabled": false})
	columns := call("GET", "/datasources/tableColumns?datasourceId="+key+"&database="+database+"&tableName=queue", "")["data"].([]any)
	require.Equal(t, "id", columns[0].(dict)["value"])
	require.Nil(t, call("GET", "/datasources/tableColumns?datasourceId="+key+"&database="+database+"&tableName=none", "")["data"])

	wrong := warehouse("x")
	wrong["host"], wrong["port"], wrong["userName"] = u.Hostname(), u.Port(), "nobody_here"
	answer := call("POST", "/datasources/connect", text(wrong))
	require.InDelta(t, 10037, answer["code"], 0)
	require.Contains(t, answer["msg"], "User name or password is wrong")
	require.NotContains(t, fmt.Sprint(answer), "hunter2")
	cloud := warehouse("x")
	cloud["host"] = "169.254.169.254"
	require.Contains(t, call("POST", "/datasources/connect", text(cloud))["msg"], "not allowed")
	db2 := warehouse("old")
	db2["type"] = "DB2"
	require.Contains(t, call("POST", "/datasources/connect", text(db2))["msg"], "no driver")
	stored := call("POST", "/datasources", text(db2))["data"].(dict)
	require.InDelta(t, 10016, call("GET", fmt.Sprintf("/datasources/databases?datasourceId=%.0f", stored["id"]), "")["code"], 0)

	b := a.Browser(t, m.Routes).As(crudtest.As(a.Admin))
	require.True(t, b.Get(datasource.Path+"/new").Require(http.StatusOK).Has("[data-test='pick.POSTGRESQL']"))
	page := b.Post(datasource.Path+"/"+key, "do", "test", "type", "POSTGRESQL", "name", "real", "p.host", u.Hostname(), "p.port", u.Port(), "p.database", database,
		"p.userName", u.User.Username(), "p.password", form.Mask, "p.other", `{"sslmode":"disable"}`).Require(http.StatusOK)
	require.True(t, page.Has("[data-test='datasource.test.result'] [data-kind=success]"), page.Text("[data-test='datasource.test.result']"))
	page = b.Post(datasource.Path, "do", "test", "type", "POSTGRESQL", "p.host", u.Hostname(), "p.port", u.Port(), "p.database", "nothing_here",
		"p.userName", u.User.Username(), "p.password", password, "p.other", `{"sslmode":"disable"}`).Require(http.StatusOK)
	require.Contains(t, page.Text("[data-test='datasource.test.result']"), "There is no such database")
	b.Post(datasource.Path, "do", "test", "type", "POSTGRESQL", "p.host", "a b").Require(http.StatusUnprocessableEntity)
}

func TestNamesThatFitAreThoseOfDataSourcesOneMayUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		admin, gwen := crudtest.REST(t, a, a.Admin, m.API), crudtest.REST(t, a, a.General, m.API)
		admin("POST", "/datasources", text(warehouse("财务库")))
		gwen("POST", "/datasources", text(warehouse("订单库")))
		gwen("POST", "/datasources", text(warehouse("orders")))
		names := func(ctx context.Context) (found []string) {
			list, err := m.Fitting(ctx, func(name string) bool { require.NotEqual(t, "orders", name); return true }, 10)
			require.NoError(t, err)
			for _, s := range list {
				found = append(found, s.Name)
			}
			return found
		}
		require.Equal(t, []string{"订单库"}, names(crudtest.As(a.General)(t.Context())))
		require.ElementsMatch(t, []string{"订单库", "财务库"}, names(crudtest.As(a.Admin)(t.Context())))
		_, err := m.Fitting(t.Context(), func(string) bool { return true }, 10)
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}
