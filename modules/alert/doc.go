// Package alert sends what the engine wrote into the table alert: the outbox of everything that people are to be told.
//
// An alert goes to every instance of its group that asked for its kind, and each of these deliveries has a row of its own:
//
//	alert WAIT_EXECUTION, no rows       plan: a row for each instance, or at once to the log when the group has none
//	row WAIT_EXECUTION, next_at ≤ now   claim: attempts + 1, next_at = now + lease; who changed the row sends
//	sent                                EXECUTION_SUCCESS
//	failed                              next_at = now + 1, 5, 15 minutes; after the fourth attempt EXECUTION_FAILURE
//	no row waits any more               the alert is EXECUTION_SUCCESS, EXECUTION_FAILURE or EXECUTION_PARTIAL_SUCCESS
//
// Every step is one conditional change, so any number of senders may work side by side, and a sender that dies is replaced by
// whoever finds its lease over. An alert is therefore sent at least once by each way, and twice only when a sender dies
// between sending and noting it. One instance that is slow or gone keeps no other from being used.
package alert
