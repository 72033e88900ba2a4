// Package keep keeps what must not be lost, and lets go of what nobody needs any more.
//
// # Backup
//
// Backup writes the whole installation into one file (package archive) while masters and workers go on. All rows come
// from one read transaction, a snapshot: REPEATABLE READ on PostgreSQL, a WAL snapshot on SQLite. Which tables there are
// is read from the database itself; Decisions says of each whether it is kept, and a test fails when a migration adds a
// table that it does not know. Files (task logs) are copied after the rows, so that a log is never older than the row
// that names it.
//
// Values keep their type: integers and booleans, texts as they are (those that are no UTF-8 as base64), instants in
// UTC with every digit that is stored, bytes as base64. What is stored sealed or hashed stays so.
//
// # Restore
//
// Restore reads a backup into an empty database of either kind. It reads the file twice: once to check all of it, once to
// write. All rows go in with one transaction, and a broken restore leaves a database without rows that can be
// restored into again. A backup of an older schema is restored into that schema and migrated afterwards.
//
// The world has gone on since the snapshot, and nothing of what it did afterwards is in it. So within the same
// transaction, unless Resume is asked for:
//
//   - Runs that were under way end: READY_STOP as STOP, everything else as FAILURE, with a message. Their attempts end as
//     KILL. Their commands, places in serial queues and slots of task groups go, approvals are CANCELLED. Backfills that
//     had not ended are PAUSED. An operator decides what runs again.
//   - With Resume they stay as they are, and the masters find them as after a crash of the whole cluster: attempts that no
//     worker holds are lost and repeated. What had an effect after the snapshot has it twice.
//
// In both cases:
//
//   - Identifiers go on beyond the highest of the snapshot and beyond those that were given out afterwards: a worker may
//     still hold an attempt, a log folder a file, another system a reference, under a number that the snapshot
//     does not know. Attempts, instances and epochs of masters skip a million, everything else ten thousand.
//   - Fires that were due between the snapshot and the first start of the clock are not made up for, unless CatchUp is
//     asked for. The first clock that starts settles that; see Started.
//   - Alerts that waited are not sent: the snapshot does not know whether they were.
//   - Nobody is signed in, the registry is empty, and the audit log says that and what was restored.
//
// # Retention
//
// Retention removes what is older than its policy says, in small batches, each a short transaction: runs with everything
// that belongs to them and their logs, and rows of the tables in Subjects. It is safe to run it twice at once or to kill it
// at any moment; what is left is removed next time. A run stays while something may still need it: while it is
// unfinished, while its parent is kept or a child of it runs, while a backfill counts on it, and while it is among the
// latest runs or the latest successful runs of its workflow.
package keep
