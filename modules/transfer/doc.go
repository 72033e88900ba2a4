// Package transfer brings workflows in from files and takes them out to files.
//
// # In
//
//	file ─▶ Read: recognised, unpacked, parsed ─▶ neutral.Bundle ─▶ Preview ─▶ what would happen, what is missing
//	                                                     │                          │ choices
//	                                                     └────────▶ Import ◀────────┘
//	                                                                  │ one transaction
//	                                          workflow.Create/Update, schedule.Import, audit
//
// The packages dsfile, azkaban, oozie and crontab are pure: bytes in, a bundle and a report out. neutral is the form they
// share, and what keeps hostile files out. The service looks for what a bundle refers to, by number and by name, and replaces
// every code of the file by one of here, wherever it stands; all other bytes of a task's settings stay as they are.
//
// Workflows are saved so that what one names comes before it. Those that wait for each other are saved twice: the first time
// one of them waits for itself. Those that start each other are refused.
//
// # Out
//
// Export reads current versions with their schedules; dsfile writes them as DolphinScheduler 3.2 or 3.3 do, or WriteYAML as
// texts of ours.
package transfer
