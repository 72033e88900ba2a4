// Package verticadb is a driver of database/sql for Vertica: its protocol of simple statements, which is PostgreSQL's with other
// words at the start and other descriptions of columns.
//
// The driver of its maker is not used: it connects by itself, and reads and writes files of this machine when a statement
// (COPY FROM LOCAL) or the server asks for it. Here whatever asks for files ends the connection.
package verticadb
