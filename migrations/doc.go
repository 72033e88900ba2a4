// Package migrations holds the schema of the database, once for each dialect.
//
// Files are SQL for goose, numbered alike in both folders. The PostgreSQL files
// are the reference; the SQLite ones make the same tables, columns, constraint
// and index names, which the parity test compares. A released file is never
// edited: a change is a new file in both folders.
//
// Several processes may call Up at once: PostgreSQL serialises them with an
// advisory lock, SQLite by its own write lock.
package migrations
