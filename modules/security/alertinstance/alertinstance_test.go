package alertinstance_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/crudtest"
	"dorado/plugins/alert"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
)

func open(t *testing.T, d *db.DB) (*crudtest.App, *alertinstance.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, alertinstance.Rules())
	sealer, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	plugins, err := catalog.BuiltinAlerts(t.TempDir())
	require.NoError(t, err)
	m := alertinstance.New(alertinstance.Deps{
		DB: a.DB, Access: a.Access, Audit: a.Audit, Sealer: sealer, Plugins: plugins, Site: a.Site, API: a.API, Frame: a.Frame, Version: "1.2.3",
	})
	m.AddReferrer(held{d})
	return a, m
}

// held says that an instance is used when its name says so.
type held struct{ db *db.DB }

func (h held) AlertInstanceUses(ctx context.Context, id int64, _ int) ([]alertinstance.Use, error) {
	n, err := db.Get[int](ctx, h.db, "SELECT count(*) FROM alert_plugin_instance WHERE id = ? AND instance_type = 'USED'", id)
	if err != nil || n == 0 {
		return nil, err
	}
	return []alertinstance.Use{{Kind: "alertgroup.one", Name: "night", URL: "/security/alarm-groups/2/edit"}}, nil
}

func name(n int) string { return fmt.Sprintf("chat-%02d", n) }

func TestAlertInstancesBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: alertinstance.Path, New: "?plugin=Slack",
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid: func(n int) []string {
			return []string{"name", name(n), "plugin", "Slack", "warning", "ALL", "p.webHook", "https://hooks.example.org/x", "p.username", "dorado"}
		},
		Name:      name,
		NameField: "name", Sort: "name",
		Edited: func(n int) []string {
			return []string{"name", name(n), "plugin", "Slack", "warning", "FAILURE", "p.webHook", form.Mask, "p.username", "dorado"}
		},
		Shows:    "On failure",
		Unique:   true,
		Required: "name",
		Hostile: func(text string) []string {
			return []string{"name", text, "plugin", "Slack", "p.webHook", "https://hooks.example.org/x", "p.username", text}
		},
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE alert_plugin_instance SET instance_type = 'USED' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "night"
		},
	})
}

func params(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return url.QueryEscape(string(raw))
}

type dict = map[string]any

func TestSecretsRestSealedAndNeverComeBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		form := []dict{
			{"field": "WarningType", "value": "failure"},
			{"field": "receivers", "value": "a@example.org"},
			{"field": "serverHost", "value": "mail.example.org"},
			{"field": "serverPort", "value": 587},
			{"field": "sender", "value": "d@example.org"},
			{"field": "enableSmtpAuth", "value": "true"},
			{"field": "User", "value": "ann"},
			{"field": "Password", "value": "hunter2hunter2"},
			{"field": "starttlsEnable", "value": true},
			{"field": "sslEnable", "value": "false"},
			{"field": "smtpSslTrust", "value": nil},
			{"field": "showType", "value": "table attachment"},
		}
		made := call("POST", "/alert-plugin-instances", "pluginDefineId=1&instanceName=mail&pluginInstanceParams="+params(form))
		require.InDelta(t, 201, made["status"], 0, made)
		data := made["data"].(dict)
		require.Len(t, data, 6)
		var flat map[string]string
		require.NoError(t, json.Unmarshal([]byte(data["pluginInstanceParams"].(string)), &flat))
		require.Equal(t, map[string]string{
			"receivers": "a@example.org", "serverHost": "mail.example.org", "serverPort": "587", "sender": "d@example.org", "enableSmtpAuth": "true",
			"User": "ann", "Password": "******", "starttlsEnable": "true", "sslEnable": "false", "showType": "table attachment",
		}, flat)
		row, err := db.Get[struct {
			Params  string `db:"params"`
			Secrets string `db:"secrets"`
			Warning string `db:"warning_type"`
		}](t.Context(), d, "SELECT params, secrets, warning_type FROM alert_plugin_instance")
		require.NoError(t, err)
		require.NotContains(t, row.Params+row.Secrets, "hunter2")
		require.NotEmpty(t, row.Secrets)
		require.Equal(t, "FAILURE", row.Warning)

		id := fmt.Sprintf("/alert-plugin-instances/%.0f", data["id"])
		flat["receivers"] = "b@example.org"
		changed := call("PUT", id, "instanceName=mail&pluginInstanceParams="+params(flat))["data"].(dict)
		require.InDelta(t, 0, changed["pluginDefineId"], 0)
		after, err := db.Get[string](t.Context(), d, "SELECT secrets FROM alert_plugin_instance")
		require.NoError(t, err)
		require.NotEmpty(t, after, "the mask keeps what there is")

		listed := call("GET", "/alert-plugin-instances/list", "")["data"].([]any)[0].(dict)
		require.Len(t, listed, 9)
		require.Equal(t, "Email", listed["alertPluginName"])
		var fields []dict
		require.NoError(t, json.Unmarshal([]byte(listed["pluginInstanceParams"].(string)), &fields))
		require.Equal(t, "WarningType", fields[0]["field"])
		require.Equal(t, "b@example.org", fields[1]["value"])

		audited, err := db.Select[string](t.Context(), d, "SELECT detail || before_state || after_state FROM audit_log")
		require.NoError(t, err)
		b := a.Browser(t, m.Routes).As(crudtest.As(a.Admin))
		page := b.Get(alertinstance.Path + strings.TrimPrefix(id, "/alert-plugin-instances") + "/edit").Require(http.StatusOK)
		html, err := page.Doc.Html()
		require.NoError(t, err)
		everything := html + strings.Join(audited, " ") + fmt.Sprint(listed, changed, made, call("GET", id, ""), call("GET", "/alert-plugin-instances?pageNo=1&pageSize=10", ""))
		require.NotContains(t, everything, "hunter2")
		require.NotContains(t, strings.Join(audited, " "), row.Secrets)
	})
}

func TestClientsKeepAlertInstances(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, m := open(t, d)
		call := crudtest.REST(t, a, a.Admin, m.API)
		slack := "pluginDefineId=5&pluginInstanceParams=" + params(dict{"webHook": "https://hooks.example.org/x", "username": "d"})
		id := fmt.Sprintf("/alert-plugin-instances/%.0f", call("POST", "/alert-plugin-instances", slack+"&instanceName=chat&instanceType=GLOBAL&warningType=SUCCESS")["data"].(dict)["id"])
		for body, code := range map[string]float64{
			slack + "&instanceName=chat": 110010, slack: 110008, slack + "&instanceName=": 10001,
			"pluginDefineId=99&instanceName=x&pluginInstanceParams={}": 110004, "pluginDefineId=5&instanceName=x&pluginInstanceParams={}": 10001,
			"pluginDefineId=5&instanceName=x&pluginInstanceParams=nonsense": 10001,
		} {
			require.InDelta(t, code, call("POST", "/alert-plugin-instances", body)["code"], 0, body)
		}
		require.InDelta(t, 1, call("GET", "/alert-plugin-instances?pageNo=1&pageSize=10&searchVal=cha", "")["data"].(dict)["total"], 0)
		require.InDelta(t, 110010, call("GET", "/alert-plugin-instances/verify-name?alertInstanceName=chat", "")["code"], 0)
		require.InDelta(t, 0, call("GET", "/alert-plugin-instances/verify-name?alertInstanceName=new", "")["code"], 0)
		require.Nil(t, call("GET", "/alert-plugin-instances/4711", "")["data"])
		require.InDelta(t, 0, call("GET", "/alert-plugin-instances/4711", "")["code"], 0)

		plugins := call("GET", "/ui-plugins/query-by-type?pluginType=alert", "")
		require.InDelta(t, 201, plugins["status"], 0)
		require.Len(t, plugins["data"], 12)
		require.Equal(t, "Email", call("GET", "/ui-plugins/1", "")["data"].(dict)["pluginName"])
		require.InDelta(t, 110004, call("GET", "/ui-plugins/99", "")["code"], 0)
		require.InDelta(t, 110001, call("GET", "/ui-plugins/query-by-type?pluginType=REGISTER", "")["code"], 0)
		require.InDelta(t, 110002, call("GET", "/ui-plugins/query-by-type?pluginType=TASK", "")["code"], 0)
		require.InDelta(t, 110003, call("GET", "/ui-plugins/query-by-type?pluginType=x", "")["code"], 0)
		require.Equal(t, dict{"version": "1.2.3"}, call("GET", "/ui-plugins/query-product-info", "")["data"])

		general := crudtest.REST(t, a, a.General, m.API)
		require.InDelta(t, 30001, general("POST", "/alert-plugin-instances", slack+"&instanceName=y")["code"], 0)
		require.InDelta(t, 30001, general("POST", "/alert-plugin-instances/test-send", slack)["code"], 0)
		require.InDelta(t, 30001, general("PUT", id, slack+"&instanceName=y")["code"], 0)
		require.InDelta(t, 30001, general("DELETE", id, "")["code"], 0)
		require.Len(t, general("GET", "/alert-plugin-instances/list", "")["data"], 1)
		_, err := d.Exec(t.Context(), "UPDATE alert_plugin_instance SET instance_type = 'USED'")
		require.NoError(t, err)
		require.InDelta(t, 110012, call("DELETE", id, "")["code"], 0)
		_, err = d.Exec(t.Context(), "UPDATE alert_plugin_instance SET instance_type = 'NORMAL'")
		require.NoError(t, err)
		require.Equal(t, true, call("DELETE", id, "")["data"])
	})
}

func TestATestMessageIsSentFromTheFormAndByClients(t *testing.T) {
	t.Parallel()
	a, m := open(t, dbtest.SQLite(t))
	var got []string
	status := http.StatusOK
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.URL.Path+" "+string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(receiver.Close)
	ctx := access.WithPrincipal(t.Context(), a.Admin)
	kept, err := m.Create(ctx, alertinstance.Draft{Name: "chat", Plugin: "Slack", Settings: form.Flat{"webHook": receiver.URL + "/secret", "username": "d"}})
	require.NoError(t, err)

	b := a.Browser(t, m.Routes).As(crudtest.As(a.Admin))
	require.True(t, b.Get(alertinstance.Path+"/new").Require(http.StatusOK).Has("[data-test='pick.Email']"))
	require.True(t, b.Get(alertinstance.Path+"/new?plugin=Slack").Require(http.StatusOK).Has("input[name='p.webHook'][type=password]"))
	b.Get(alertinstance.Path + "/new?plugin=Pigeon").Require(http.StatusUnprocessableEntity)
	edit := fmt.Sprint(alertinstance.Path, "/", kept.ID)
	page := b.Post(edit, "do", "test", "plugin", "Slack", "name", "chat", "p.webHook", form.Mask, "p.username", "other").Require(http.StatusOK)
	require.True(t, page.Has("[data-test='alertinstance.test.result'] [data-kind=success]"))
	require.Equal(t, "other", page.Value("p.username"), "the form keeps what was typed")
	require.Len(t, got, 1)
	require.Contains(t, got[0], "/secret ", "with the secret that is kept")
	require.Contains(t, got[0], "Dorado test alert")
	again, err := m.Get(ctx, kept.ID)
	require.NoError(t, err)
	require.Contains(t, again.Params, `"username":"d"`, "nothing was saved")

	status = http.StatusForbidden
	page = b.Post(alertinstance.Path, "do", "test", "plugin", "Slack", "name", "", "p.webHook", receiver.URL, "p.username", "d").Require(http.StatusOK)
	require.Contains(t, page.Text("[data-test='alertinstance.test.result']"), "HTTP 403")
	b.Post(alertinstance.Path, "do", "test", "plugin", "Slack", "p.webHook", "").Require(http.StatusUnprocessableEntity)
	a.Browser(t, m.Routes).As(crudtest.As(a.General)).Post(edit, "do", "test", "plugin", "Slack").Require(http.StatusForbidden)
	require.Len(t, got, 2)

	call := crudtest.REST(t, a, a.Admin, m.API)
	body := "pluginDefineId=5&pluginInstanceParams=" + params(dict{"webHook": receiver.URL, "username": "d"})
	require.InDelta(t, 110014, call("POST", "/alert-plugin-instances/test-send", body)["code"], 0)
	status = http.StatusOK
	require.Equal(t, true, call("POST", "/alert-plugin-instances/test-send", body)["data"])
	require.Contains(t, a.Audited(t), "alertinstance.test")

	answer, err := m.Deliver(t.Context(), kept.ID, alert.Message{Title: "x", Content: "[]"})
	require.NoError(t, err)
	require.Equal(t, "ok", answer)
	_, err = m.Deliver(t.Context(), 4711, alert.Message{})
	require.ErrorIs(t, err, alertinstance.ErrNotFound)
}
