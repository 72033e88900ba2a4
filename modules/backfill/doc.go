// Package backfill runs a workflow again for a set of past dates, as a plan that is visible before, while and after it is
// carried out.
//
// A backfill is a row and one row for each of its dates. The dates are dealt out, in the order in which they are to run, to
// as many chains as may run at once (its width); in a chain one date runs at a time:
//
//	date    WAITING ──► RUNNING ──► SUCCESS | FAILURE | STOP | PAUSE   as its instance ended
//	           │           ▲ │
//	           │           └─┘  the instance was revived by an operator
//	           ├──► NOT_RUN     a date before it in its chain was no success (policy STOP_CHAIN)
//	           └──► CANCELLED   somebody cancelled the rest
//	        SKIPPED              left out from the beginning, because of an earlier run
//
//	backfill  RUNNING ⇄ PAUSED   ──► SUCCESS | FAILURE | CANCELLED   when no date waits or runs
//
// The runner starts what is next whenever a run of a backfill ends, and looks every few seconds, so nothing depends on
// hearing of it. A date goes from WAITING to RUNNING in the transaction that inserts its instance, under a lock on the
// backfill's row: whatever dies in between, and however many masters look at once, no date starts twice.
//
// # Limits
//
// A list names at most 100 dates, a range at most 10,000: a longer one is refused with a message, not cut. Dates of a range
// are those that the expressions of the workflow's online schedules name, in the schedules' zones; what their business
// calendars leave out or shift is not considered, because whoever backfills names the days. At most 200 dependent workflows
// are taken along.
package backfill
