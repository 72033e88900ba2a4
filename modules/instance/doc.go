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
// Logs are on the worker that wrote them; Logs says how they are reached.
package instance
