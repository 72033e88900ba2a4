package flow_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

func TestOperationsAreAllowedInExactlyTheirStates(t *testing.T) {
	t.Parallel()
	// S submitted, w serial wait, W wait to run, R running, p ready pause, P pause, k ready stop, K stop, F failure,
	// O success, V failover
	letters := map[flow.WorkflowState]rune{
		flow.WorkflowSubmitted: 'S', flow.WorkflowSerialWait: 'w', flow.WorkflowWaitToRun: 'W', flow.WorkflowRunning: 'R',
		flow.WorkflowReadyPause: 'p', flow.WorkflowPause: 'P', flow.WorkflowReadyStop: 'k', flow.WorkflowStop: 'K',
		flow.WorkflowFailure: 'F', flow.WorkflowSuccess: 'O', flow.WorkflowFailover: 'V',
	}
	require.Len(t, letters, len(flow.WorkflowStates()))
	want := map[flow.Operation]string{
		flow.OpPause:         "SwWRp",
		flow.OpStop:          "SwWRpk",
		flow.OpResume:        "PK",
		flow.OpRecoverFailed: "KF",
		flow.OpRerun:         "PKFO",
		flow.OpExecuteTask:   "PKFO",
		flow.OpDelete:        "PKFO",
		flow.OpEdit:          "PKFO",
		flow.OpForceSuccess:  "PKFO",
	}
	require.Len(t, want, len(flow.Operations()))
	for _, op := range flow.Operations() {
		got := ""
		for _, state := range flow.WorkflowStates() {
			ok, reason := flow.Allowed(op, state)
			require.Equal(t, ok, reason == "", "%s in %s", op, state)
			if ok {
				got += string(letters[state])
			}
		}
		require.Equal(t, want[op], got, op)
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		op    flow.Operation
		state flow.WorkflowState
		want  string
	}{
		{flow.OpPause, flow.WorkflowSuccess, "flow.refused.ended"},
		{flow.OpPause, flow.WorkflowPause, "flow.refused.paused"},
		{flow.OpPause, flow.WorkflowReadyStop, "flow.refused.stopping"},
		{flow.OpStop, flow.WorkflowFailover, "flow.refused.failover"},
		{flow.OpResume, flow.WorkflowFailure, "flow.refused.not_suspended"},
		{flow.OpResume, flow.WorkflowRunning, "flow.refused.active"},
		{flow.OpRecoverFailed, flow.WorkflowSuccess, "flow.refused.not_failed"},
		{flow.OpRerun, flow.WorkflowReadyStop, "flow.refused.stopping"},
		{flow.OpDelete, flow.WorkflowSerialWait, "flow.refused.active"},
		{"DANCE", flow.WorkflowSuccess, "flow.refused.unknown"},
		{flow.OpDelete, "ASLEEP", "flow.refused.unknown"},
	} {
		ok, reason := flow.Allowed(tc.op, tc.state)
		require.False(t, ok)
		require.Equal(t, tc.want, reason, "%s in %s", tc.op, tc.state)
	}
}

func TestForcingSuccessNeedsAFailedTaskOfAFinishedRun(t *testing.T) {
	t.Parallel()
	for _, task := range flow.TaskStates() {
		ok, _ := flow.AllowedOnTask(flow.OpForceSuccess, task, flow.WorkflowFailure)
		require.Equal(t, task == flow.TaskFailure || task == flow.TaskKill || task == flow.TaskLost, ok, task)
		ok, reason := flow.AllowedOnTask(flow.OpForceSuccess, task, flow.WorkflowRunning)
		require.False(t, ok)
		require.Equal(t, "flow.refused.active", reason)
	}
	ok, _ := flow.AllowedOnTask(flow.OpExecuteTask, flow.TaskSuccess, flow.WorkflowSuccess)
	require.True(t, ok)
}

func TestExecuteTypesAreReadByNameAndNumber(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]flow.Operation{
		"REPEAT_RUNNING": flow.OpRerun, "1": flow.OpRerun, "2": flow.OpResume, "3": flow.OpRecoverFailed, "4": flow.OpStop,
		"5": flow.OpPause, "6": flow.OpExecuteTask, "PAUSE": flow.OpPause,
	} {
		got, err := flow.ParseOperation(s)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, s := range []string{"", "0", "7", "NONE", "DELETE", "-1"} {
		_, err := flow.ParseOperation(s)
		require.Error(t, err, s)
	}
}

func TestW17_FinalStateFollowsTheTable(t *testing.T) {
	t.Parallel()
	// o success, f forced, F failure, h handled failure, L lost, K kill, P pause, . never started, r ready
	nodes := map[rune]flow.TaskEnd{
		'o': {State: flow.TaskSuccess}, 'f': {State: flow.TaskForcedSuccess}, 'F': {State: flow.TaskFailure},
		'h': {State: flow.TaskFailure, Handled: true}, 'L': {State: flow.TaskLost}, 'K': {State: flow.TaskKill},
		'P': {State: flow.TaskPause}, '.': {}, 'r': {Ready: true},
	}
	for _, tc := range []struct {
		current flow.WorkflowState
		tasks   string
		want    flow.WorkflowState
	}{
		{flow.WorkflowRunning, "", flow.WorkflowSuccess},
		{flow.WorkflowRunning, "oof", flow.WorkflowSuccess},
		{flow.WorkflowRunning, "oF.", flow.WorkflowFailure},
		{flow.WorkflowRunning, "oL", flow.WorkflowFailure},
		{flow.WorkflowRunning, "KF", flow.WorkflowFailure},
		{flow.WorkflowRunning, "oK.", flow.WorkflowStop},
		{flow.WorkflowRunning, "oP.", flow.WorkflowPause},
		{flow.WorkflowRunning, "PK", flow.WorkflowStop},
		{flow.WorkflowRunning, "oho", flow.WorkflowSuccess},
		{flow.WorkflowSubmitted, "F", flow.WorkflowFailure},
		{flow.WorkflowFailover, "o", flow.WorkflowSuccess},
		{flow.WorkflowReadyPause, "oo", flow.WorkflowSuccess},
		{flow.WorkflowReadyPause, "oP.", flow.WorkflowPause},
		{flow.WorkflowReadyPause, "or", flow.WorkflowPause},
		{flow.WorkflowReadyPause, "PF", flow.WorkflowFailure},
		{flow.WorkflowReadyPause, "Ph", flow.WorkflowPause},
		{flow.WorkflowReadyStop, "oo", flow.WorkflowSuccess},
		{flow.WorkflowReadyStop, "oKF", flow.WorkflowStop},
		{flow.WorkflowReadyStop, "oF.", flow.WorkflowFailure},
		{flow.WorkflowReadyStop, "o.", flow.WorkflowStop},
		{flow.WorkflowReadyStop, "oP", flow.WorkflowStop},
		{flow.WorkflowStop, "o", flow.WorkflowStop},
		{flow.WorkflowSerialWait, "", flow.WorkflowSerialWait},
	} {
		var tasks []flow.TaskEnd
		for _, n := range tc.tasks {
			tasks = append(tasks, nodes[n])
		}
		require.Equal(t, tc.want, flow.FinalState(tc.current, tasks), "%s with %s", tc.current, tc.tasks)
	}
}

func TestEveryFinalStateIsALegalMove(t *testing.T) {
	t.Parallel()
	for _, current := range []flow.WorkflowState{flow.WorkflowSubmitted, flow.WorkflowRunning, flow.WorkflowReadyPause, flow.WorkflowReadyStop} {
		for _, a := range append(flow.TaskStates(), "") {
			for _, b := range append(flow.TaskStates(), "") {
				final := flow.FinalState(current, []flow.TaskEnd{{State: a}, {State: b}})
				require.True(t, final.Finished())
				_, err := current.To(final)
				require.NoError(t, err)
			}
		}
	}
}
