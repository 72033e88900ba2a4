package components

import (
	"context"

	"dorado/app/kit/i18n"
)

// States with a symbol and colours of their own: those of workflow and task
// instances, definitions (ONLINE, OFFLINE), servers (NORMAL, BUSY, LOST), and
// NONE and SKIPPED for tasks that have not run or will not.
func knownStates() map[string]bool {
	return map[string]bool{
		"SUBMITTED_SUCCESS": true, "WAIT_TO_RUN": true, "SERIAL_WAIT": true, "DELAY_EXECUTION": true, "DISPATCH": true,
		"RUNNING_EXECUTION": true, "READY_PAUSE": true, "PAUSE": true, "READY_STOP": true, "STOP": true, "KILL": true,
		"FAILURE": true, "NEED_FAULT_TOLERANCE": true, "SUCCESS": true, "FORCED_SUCCESS": true, "FAILOVER": true,
		"ONLINE": true, "OFFLINE": true, "NORMAL": true, "BUSY": true, "LOST": true, "NONE": true, "SKIPPED": true,
	}
}

// StateLabel is the word for a stored state name in the reader's language. An
// unknown name stands for itself.
func StateLabel(ctx context.Context, state string) string {
	if !knownStates()[state] {
		return state
	}
	return i18n.T(ctx, "state."+state)
}

// StateIcon is the symbol of a state in the sprite.
func StateIcon(state string) string {
	if !knownStates()[state] {
		return "s-none"
	}
	return "state-" + state
}
