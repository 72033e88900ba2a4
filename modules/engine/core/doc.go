// Package core is the whole engine without its plumbing: what a workflow instance does next, as a pure function of what
// it is and what happened. No clock, no I/O, no goroutine: the same run, event and instant give the same effects.
//
//	effects := run.Advance(event, now)
//
// The life of one attempt (a row of task_instance):
//
//	             Place                Started             Finished
//	SUBMITTED ----------> DISPATCH ----------> RUNNING ------------> SUCCESS | FAILURE | KILL
//	  ^   ^  \               |  \                 |                        |
//	  |   |   \--Pause/Stop--+   \-- Lost --------+--> NEED_FAULT_TOLERANCE |
//	  |   |                  |                            (new attempt)     | retries left
//	  |   +----- Refused ----+                                              v
//	  +------------------------- due (delay, retry interval) -------- new attempt
//
// A run keeps, per node, the number of predecessors that are not yet settled well; an ended attempt decrements its
// successors' counters, so a step costs the node's out-degree and the ready set is never recomputed. A predecessor that
// failed for good simply never decrements: what lies behind it never becomes ready, and gets no row.
//
// Everything a run decides can be decided again from its rows: Restore builds the run from a definition and the stored
// attempts, which is how a restart, a take-over and a recovery begin. The caller owns a Run: one goroutine at a time.
// It saves what Effects lists, in order, and performs the rest (dispatch, kill, wake) only after that is durable.
package core
