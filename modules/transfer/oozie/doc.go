// Package oozie makes workflows of Oozie applications: workflow.xml and coordinator.xml.
//
// Control nodes dissolve into edges: start, fork, join and end; a decision becomes a SWITCH task. An action whose error
// leads on to another action is followed by a CONDITIONS task that takes one way or the other; an error that leads to kill
// is what happens anyhow when a task fails. What an application says in EL is understood in its simple forms; the rest
// stands in the report.
//
// Documents with a DOCTYPE or entities of their own are refused.
package oozie
