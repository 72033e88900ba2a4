// Package workflow keeps workflow definitions: what runs, not how it ran.
//
// # A definition and its versions
//
// A workflow has a head row (name, state, current version) and one immutable JSON
// document per version (flow.Marshal). Saving writes a new document, moves the head,
// and brings the rows of task_definition, which mirror the current version for
// look-ups by task, up to date; all in one transaction with the audit entry. Saving
// what is there already makes no version. Nothing ever changes a version, so the
// engine may keep the ones it has read for as long as it likes, and an edit never
// disturbs what runs.
//
// A task keeps its version while its content stays the same, gets the next one when
// it changes, and starts at 1.
//
// # Online and offline
//
//	         Release(Online): valid, at least one task
//	OFFLINE ──────────────────────────────────────────▶ ONLINE
//	   ▲ │ Update, Delete                                 │ runs
//	   └─┴────────────────────────────────────────────────┘ Release(Offline)
//
// Only an online workflow can be triggered, and only an offline one changes or goes.
// Change.Online does offline, save and online in one step.
//
// # Workflows that name others
//
// A task may start another workflow of the project (SUB_WORKFLOW, DYNAMIC, FOR_EACH) or wait for one (DEPENDENT). Each
// such place is a row of lineage, rewritten in the transaction that saves the version. A save is refused when what it
// names is not there, or when workflows would start each other in a ring or more than flow.MaxDepth deep; saves that
// start others pass one lock, so that two of them cannot close a ring together. A workflow goes online only after all
// that it starts, and offline only before them. What others name cannot be deleted.
//
// # Two people, two tabs
//
// A save names the version that it was made from; if the workflow has moved on, it
// is refused with a StaleError and nothing is lost, because the edit lives on as its
// author's draft. Drafts are saved while one draws; each carries a revision, so that
// a second tab of the same person is noticed too.
//
// # Who calls whom
//
// Pages (pages*.go, editor.go) and the DolphinScheduler-compatible interface
// (api*.go) call Service. The instance module reads definitions through Get and
// Definition; it tells, as a Referrer, what keeps a workflow from being deleted. The
// list reads users for the names of owners, and the table of versions for their
// authors.
package workflow
