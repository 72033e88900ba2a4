package engine_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/app/kit/vault"
	"dorado/app/kit/vault/vaulttest"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// withSecrets is a fixture whose master opens secrets, and asks a vault when there is one.
func withSecrets(t *testing.T, d *db.DB, s *vaulttest.Server) *fixture {
	t.Helper()
	f := newFixture(t, d)
	f.stop()
	var err error
	f.sealer, err = secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	if s != nil {
		cfg := vault.DefaultConfig()
		cfg.Address, cfg.Token = s.URL, "s.good"
		f.vault, err = vault.New(cfg, time.Now)
		require.NoError(t, err)
		t.Cleanup(f.vault.Close)
	}
	f.start()
	return f
}

func (f *fixture) parameter(name, value string, sealed bool) {
	f.t.Helper()
	now := time.Now()
	exec(f.t, f.db, `INSERT INTO project_parameter (code, project_code, name, value, data_type, creator_id, modifier_id, is_secret, created_at, updated_at)
		VALUES (?, 7, ?, ?, 'VARCHAR', 1, 1, ?, ?, ?)`, newCode(), name, value, sealed, now, now)
}

func (f *fixture) secretParameter(name, value string) {
	f.t.Helper()
	f.parameter(name, f.sealer.Seal(value, flow.SealedParameter), true)
}

func script(name, text string, locals ...flow.Property) flow.Task {
	return task(name, "SHELL", map[string]any{"rawScript": text, "localParams": locals})
}

func in(name, value string) flow.Property {
	return flow.Property{Prop: name, Direct: flow.In, Type: flow.Varchar, Value: value}
}

// everything is all text that the database holds of runs.
func (f *fixture) everything() string {
	f.t.Helper()
	var all strings.Builder
	for _, table := range []string{"workflow_instance", "task_instance", "command", "workflow_version", "alert", "error_command"} {
		rows, err := f.db.SQLX().QueryxContext(f.t.Context(), "SELECT * FROM "+table)
		require.NoError(f.t, err)
		for rows.Next() {
			values, err := rows.SliceScan()
			require.NoError(f.t, err)
			for _, v := range values {
				switch v := v.(type) {
				case string:
					all.WriteString(v + "\n")
				case []byte:
					all.WriteString(string(v) + "\n")
				}
			}
		}
		require.NoError(f.t, rows.Close())
	}
	return all.String()
}

func TestSecretParametersGoToTasksThatUseThemAndNowhereElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := withSecrets(t, d, nil)
		f.parameter("host", "db1", false)
		f.parameter("prefix", "p", false)
		f.secretParameter("pw", "hunter2-plain")
		f.secretParameter("p_key", "nested-plain")
		f.secretParameter("unused", "unused-plain")
		f.stop() // the next master reads what there is
		f.start()
		w := f.worker("w1", 10)
		w.hold = true
		def := f.define(flow.Parallel, []flow.Task{
			script("uses", `psql ${url} ${pw}`),
			script("nests", `echo ${${prefix}_key}`),
			script("overrides", `echo ${pw}`, in("pw", "mine")),
			script("wraps", `echo ${pw}`, in("pw", "[${pw}]")),
			script("ignores", `echo ${host}`),
			script("outputs", `echo ${url}`),
		}, "uses>outputs")
		id := f.run(def, run{globals: []flow.Property{in("url", "postgres://u:${pw}@${host}/x")}})
		got := map[string]*doradov1.Task{}
		for _, task := range w.waitHeld(t, 5) {
			got[task.GetName()] = task
		}
		require.Equal(t, "hunter2-plain", param(got["uses"], "pw"))
		require.Equal(t, "postgres://u:hunter2-plain@db1/x", param(got["uses"], "url"))
		require.Equal(t, []string{"hunter2-plain"}, got["uses"].GetSecrets())
		require.Equal(t, "nested-plain", param(got["nests"], "p_key"))
		require.Equal(t, []string{"nested-plain"}, got["nests"].GetSecrets())
		require.Equal(t, "postgres://u:${pw}@db1/x", param(got["nests"], "url"), "a parameter that it does not use stays as it is")
		require.Equal(t, "mine", param(got["overrides"], "pw"), "what is nearer to the task goes before, as with every parameter")
		require.Empty(t, got["overrides"].GetSecrets())
		require.Equal(t, "[hunter2-plain]", param(got["wraps"], "pw"))
		require.Empty(t, got["ignores"].GetSecrets())
		for _, task := range got {
			require.NotContains(t, task.String(), "unused-plain")
		}
		require.NotContains(t, got["ignores"].String(), "plain")
		for _, task := range got {
			w.finish(task, doradov1.Outcome_SUCCEEDED)
		}
		last := w.wait(t, 6)
		require.Equal(t, "postgres://u:hunter2-plain@db1/x", param(last, "url"))
		w.finish(last, doradov1.Outcome_SUCCEEDED)
		f.waitState(id, flow.WorkflowSuccess)
		require.NotContains(t, f.everything(), "plain")
	})
}

func TestASecretThatCannotBeHadFailsTheTaskAndIsNeverEmpty(t *testing.T) {
	d := dbtest.SQLite(t)
	f := withSecrets(t, d, nil)
	f.parameter("lost", "s1:00000000:AAAA", true)
	f.parameter("gone", "", true)
	f.secretParameter("odd", "a$[yyyy]b")
	f.stop()
	f.start()
	f.worker("w1", 10)
	def := f.define(flow.Parallel, []flow.Task{
		script("lost", `echo ${lost}`), script("gone", `echo ${gone}`), script("odd", `echo ${odd}`), script("vault", `echo ${secret:vault/a#b}`),
		script("other", `echo ${secret:aws/a#b}`),
	})
	id := f.run(def, run{})
	f.waitState(id, flow.WorkflowFailure)
	for name, want := range map[string]string{
		"lost": "cannot be opened", "gone": "has no value", "odd": "time expression", "vault": "no vault is configured", "other": "no vault is configured",
	} {
		require.Contains(t, f.attempt(id, name).Message, want)
	}
	require.NotContains(t, f.everything(), "a$[yyyy]b")
}

func TestTasksWaitForAVaultThatIsAwayAndFailWhenItRefuses(t *testing.T) {
	d := dbtest.SQLite(t)
	s := vaulttest.New(t)
	f := withSecrets(t, d, s)
	s.Put("secret", "dorado/7/db", map[string]any{"password": "vaulted-plain"})
	f.parameter("alias", "${secret:vault/db#password}", false)
	s.Fail(http.StatusServiceUnavailable)
	f.stop()
	f.start()
	w := f.worker("w1", 1)
	w.hold = true
	def := f.define(flow.Parallel, []flow.Task{script("direct", `echo ${secret:vault/db#password} ${alias}`)})
	id := f.run(def, run{})
	plain := f.define(flow.Parallel, []flow.Task{shell("plain")})
	other := f.run(plain, run{})
	first := w.wait(t, 1)
	require.Equal(t, "plain", first.GetName(), "who waits for the vault keeps no slot")
	w.finish(first, doradov1.Outcome_SUCCEEDED)
	f.waitState(other, flow.WorkflowSuccess)
	require.Equal(t, "SUBMITTED_SUCCESS", f.attempt(id, "direct").State)
	s.Fail(0)
	task := w.wait(t, 2)
	require.Equal(t, "vaulted-plain", param(task, "secret:vault/db#password"))
	require.Equal(t, "vaulted-plain", param(task, "alias"))
	require.Equal(t, []string{"vaulted-plain"}, task.GetSecrets())
	w.finish(task, doradov1.Outcome_SUCCEEDED)
	f.waitState(id, flow.WorkflowSuccess)

	bad := f.define(flow.Parallel, []flow.Task{
		script("missing", `echo ${secret:vault/nothing#x}`), script("field", `echo ${secret:vault/db#user}`), script("path", `echo ${secret:vault/../8/db#x}`),
	})
	id = f.run(bad, run{})
	f.waitState(id, flow.WorkflowFailure)
	require.Contains(t, f.attempt(id, "missing").Message, "the vault has no such secret: secret/dorado/7/nothing")
	require.Contains(t, f.attempt(id, "field").Message, `has no field "user"`)
	require.Contains(t, f.attempt(id, "path").Message, "no reference")
	require.NotContains(t, f.everything(), "vaulted-plain")
}

func TestARunThatWaitsForTheVaultCanBeStopped(t *testing.T) {
	d := dbtest.SQLite(t)
	s := vaulttest.New(t)
	f := withSecrets(t, d, s)
	s.Fail(http.StatusServiceUnavailable)
	w := f.worker("w1", 1)
	w.hold = true
	id := f.run(f.define(flow.Parallel, []flow.Task{script("direct", `echo ${secret:vault/db#password}`)}), run{})
	f.waitTask(id, "direct", flow.TaskSubmitted)
	f.operate(id, flow.CommandStop)
	f.waitState(id, flow.WorkflowStop)
	s.Put("secret", "dorado/7/db", map[string]any{"password": "vaulted-plain"})
	s.Fail(0)
	next := f.run(f.define(flow.Parallel, []flow.Task{shell("plain")}), run{})
	w.finish(w.wait(t, 1), doradov1.Outcome_SUCCEEDED)
	f.waitState(next, flow.WorkflowSuccess)
}
