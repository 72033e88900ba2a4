// Package schedule starts workflows by the clock.
//
// A schedule belongs to one workflow, which may have several. It says when (a cron expression of package cron, a range, a
// time zone, perhaps a business calendar) and how (the settings of the runs). It is ONLINE or OFFLINE; only what is
// OFFLINE is changed or deleted, and only when its workflow is online can it go online. A workflow that goes offline takes
// its schedules with it; they remember it (wish_online) and come back with the workflow.
//
// # When
//
// Start and end are wall-clock times in the schedule's own zone, and stored as the instants they name there. A fire lies
// strictly after the start, not after the end, and strictly after the moment at which the schedule went online: the past
// is never fired. Preview computes with the very code that fires (Timing).
//
// A calendar acts on days on which nobody works. SKIP leaves their fires out. NEXT_WORKDAY and PREVIOUS_WORKDAY move them
// to the same time of day of the working day after or before. A moved fire keeps its nominal time: that is the
// schedule_time of the run, and with the schedule's id the key that makes a second run of it impossible, however often
// the calendar is edited. So each nominal time runs once, even when several come to be due at one moment: a daily
// schedule runs for Saturday, for Sunday and for Monday on Monday.
//
// # The clock
//
// A Clock holds all online schedules in a heap ordered by what is due next (clock.go, queue.go), sleeps until then, and is
// woken when schedules change (channel dorado_schedule). Nothing is polled; every ten seconds it looks at the wall clock
// again, because timers do not notice when that is set. What is due is written in batches of bounded size, each in one
// transaction: the fires, their instances and commands (instance.TriggerMany), and the mark below. When a schedule
// changed since it was read, the transaction notices by the revision, and the fire is left to its next reading.
//
//	              due                     written
//	waiting ─────────────▶ in a batch ─────────────▶ waiting for the next fire
//	   │                       ▲
//	   │ due more than         │ some of each batch
//	   ▼ a minute ago          │
//	missed ── FIRE_ALL, FIRE_ONCE ──▶ catching up
//	   └───── SKIP ──▶ waiting for the next fire
//
// The row schedule_mark says until when everything due has been made or skipped; it moves in the same transactions. After
// a restart each schedule continues from the mark, or from when it went online if that is later. What turns out to have
// been made already is left out by the unique key. So it does not matter how many clocks run, when they stop, or that a
// commit's answer was lost: each fire happens once.
//
// What is written late does not hold up what is due now: catching up takes a part of each batch only.
//
// Calls: pages*.go and api.go decode and call Service; Service checks permissions and writes through store. boot runs the
// Clock in processes that schedule, and hands the Service to the modules below: workflow (Scheduler, Referrer), tenant.
package schedule
