// Package prestodb is a driver of database/sql for Presto's statement protocol: POST /v1/statement, then what nextUri says
// until there is none, and DELETE for what is not wanted any more. Trino speaks the same with other names of headers and has
// a client of its own.
//
// Every request goes to the server of the settings: of a nextUri only the path is believed.
package prestodb
