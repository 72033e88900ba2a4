// Package native carries out job files of DataX without DataX: rows of databases go into tables of databases.
//
// A job is read and checked whole (Parse). Run then works in steps that follow each other:
//
//	open both sides -> check the queries -> statements before -> describe the targets -> copy -> statements after
//
// A job is cut into pieces: a statement, a table, or a range of a table's key. Each channel takes piece after piece. It has a
// connection for reading and one for writing, and between them stands at most one batch that waits, so that memory depends on
// the size of a batch and not on that of a table.
//
// Values are read into few Go types (convert.go) and written as the column of the target wants them, most of them as text,
// because that is what every server converts without loss. What cannot be converted is a dirty row.
//
// A batch is written in one transaction. When the server refuses it, it is halved until the rows that are to blame stand
// alone: these are dirty, all others are written. What is no fault of a row (a lost connection, a missing right, a full disk)
// ends the job.
package native
