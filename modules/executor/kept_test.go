package executor

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/secret"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

func TestWhatAPluginFoundIsReportedAlsoWhenItFailsAndNeverWithSecrets(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWith(t, testConfig(t), inside(func(ctx context.Context, _ form.Values, env task.Env) (task.Outcome, error) {
		out := task.Outcome{
			Result: json.RawMessage(`{"state":2,"path":"/hunter2/rows"}`), Detail: json.RawMessage(`{"rows":[["hunter2",null]]}`), Measured: "7",
			Alert: &task.Alert{Title: "hunter2 is found"},
		}
		switch env.TaskName {
		case "fails":
			return out, errors.New("the rule is broken")
		case "killed":
			out.Killed = true
		case "slow":
			<-ctx.Done()
			return out, ctx.Err()
		}
		return out, nil
	}), m)
	for name, outcome := range map[string]doradov1.Outcome{
		"succeeds": doradov1.Outcome_SUCCEEDED, "fails": doradov1.Outcome_FAILED, "killed": doradov1.Outcome_KILLED, "slow": doradov1.Outcome_FAILED,
	} {
		job := newTask("INSIDE", nil)
		job.Name, job.Secrets = name, []string{"hunter2"}
		if name == "slow" {
			job.TimeoutMs = 50
		}
		m.dispatch(job)
		r := m.finished(job.GetId())
		require.Equal(t, outcome, r.GetOutcome(), r.GetMessage())
		if name == "killed" || name == "slow" {
			require.Empty(t, r.GetResult(), "who was ended from outside has found nothing")
			require.Empty(t, r.GetDetail())
			require.Empty(t, r.GetMeasured())
			require.Nil(t, r.GetAlert())
			continue
		}
		mask := secret.NewMasker("hunter2").Text("hunter2")
		require.JSONEq(t, `{"rows":[["`+mask+`",null]]}`, string(r.GetDetail()))
		require.Equal(t, "7", r.GetMeasured())
		require.Equal(t, mask+" is found", r.GetAlert().GetTitle(), "people are told of a failure, too")
		require.JSONEq(t, `{"state":2,"path":"/`+secret.NewMasker("hunter2").Text("hunter2")+`/rows"}`, string(r.GetResult()))
	}
}

func TestOnlyJSONThatADatabaseHoldsIsKept(t *testing.T) {
	t.Parallel()
	hide := secret.NewMasker("pass\"word", "12345")
	mask := hide.Text("12345")
	for raw, want := range map[string]string{
		"": "", "{": "", "{} {}": "", `[1,"a"]`: `[1,"a"]`, `{"code":1234567890123456789}`: `{"code":"` + mask + `67890` + mask + `6789"}`,
		`{"pass\"word":"pass\"word"}`: `{"` + mask + `":"` + mask + `"}`, `["a\u0000b",null,true]`: `["ab",null,true]`, `["\ud800"]`: "[\"\uFFFD\"]",
		`"` + strings.Repeat("x", maxKept) + `"`: "",
	} {
		require.Equal(t, want, string(keptOf(json.RawMessage(raw), maxKept, hide)), raw)
	}
	require.JSONEq(t, `{"code":1234567890123456789}`, string(keptOf(json.RawMessage(`{"code":1234567890123456789}`), maxKept, nil)))
}
