// Package instance is what ran, what runs, and what people may do about it.
//
// A trigger inserts the workflow instance and its command in one transaction and returns the instance's real id; a master
// finds the command (it is notified with the commit). An operation on an instance is a conditional update of its state
// together with a command: the wish survives whatever dies next, and two people who press at once do not both win. What
// an operation needs is decided by one table, flow.Allowed, which pages, REST and this service all ask.
//
// Attempts (rows of task_instance) are written by the engine alone. This package reads them, together with the definition
// version they belong to, for lists, the instance page and the explanation of what a task waits for. It is the read model
// of execution and therefore the one place that joins workflow_instance with project and users.
//
// # Who calls whom
//
// Pages (pages*.go, live.go, gantt.go, canvas.go) and the DolphinScheduler-compatible interface (api*.go, dsobject.go)
// call Service. A page of a run is its rows laid over the graph of its version (Detail), with one sentence for each task
// that is not running (explain.go); its stream sends the same again when masters tell of a change (watch.go), only the
// differences to the canvas and only the parts that are shown to htmx, and looks for itself every two seconds in case a
// notification was lost.
//
// Logs are on the worker that wrote them; Logs says how they are reached.
package instance
