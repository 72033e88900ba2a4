// Package db is the way to the database: SQLite in the data folder, or
// PostgreSQL. Stores write the same SQL for both, with ? for parameters; the
// few differences are methods of Dialect.
//
// # Transactions
//
// InTx opens a transaction and carries it in the context; whoever is called
// with that context joins it, InTx included. An error of an inner InTx dooms
// the whole, even when a caller drops the error. What must leave the process
// (events, wake-ups) is given to AfterCommit. A context whose transaction has
// ended is refused; work that outlives the operation takes Detach(ctx).
//
// # SQLite
//
// SQLite has one writer. Its own way of waiting is to sleep and try again,
// unfair and slow, so writers of this process queue here, first come first
// served, and never meet it: each transaction, each Exec outside one, and each
// query that writes takes the queue. Readers do not: in WAL mode they never
// wait. Consequence: a write that waits for the queue with a context that lost
// its transaction (Detach inside InTx) waits for itself; write after the
// commit instead.
//
// # Time
//
// Instants are bound parameters, converted here to UTC and cut to milliseconds,
// which both databases keep exactly and which sort as text in SQLite. The
// database's own clock is never asked.
//
// # Failure
//
// A lost connection or a full disk comes back as a fault of kind Unavailable
// with the driver's error as its cause. Constraint violations stay as they are
// for Conflict and ForeignKey to recognise.
package db
