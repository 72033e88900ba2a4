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
// A logic attempt (SUB_WORKFLOW, DEPENDENT, DYNAMIC, FOR_EACH, APPROVAL) is carried out by the shell: it goes from
// SUBMITTED to RUNNING by itself, appears in Effects.Logic, and ends by Finished like any other; PAUSE is one of its ends.
// What it must remember is its Context. A recovery continues the runs that it started: in the same row, and after a retry
// in the next one. CONDITIONS and SWITCH are over in the Advance in which they begin; what they chose is their Context.
//
// A run keeps, per node, the number of predecessors that are not yet settled; whatever settles a node tells its
// successors, alive or dead, so a step costs the node's out-degree and the ready set is never recomputed:
//
//	the node                                  its edges
//	succeeded, or forbidden and passed        alive
//	chose among its successors                alive to the chosen, dead to the others
//	skipped: all its edges are dead           dead
//	failed for good                           alive to CONDITIONS, else never settled: what lies behind gets no row
//	killed, paused, at work, not begun        not settled
//
// A node whose edges are all settled begins when one of them is alive. A failure before CONDITIONS only does not count,
// neither for the end of the run nor for the END strategy. Finally nodes wait for all others to come to rest, then run
// like any graph; neither a stop before them nor END keeps them from it, a pause does.
//
// Everything a run decides can be decided again from its rows: New and Attach build the run from a definition and the
// stored attempts, and Begin, Execute or Adopt go on with it, which is how a recovery, a partial run, a restart and a
// take-over begin. One thing is in no row: that a stop was meant for finally nodes; who asks again is heard again. The caller owns a Run: one goroutine at a time. It saves what Effects
// lists, in order, and performs the rest (dispatch, kill, wake) only after that is durable.
//
// The model test plays random workflows against a reference that recomputes everything from the rows after every event.
package core
