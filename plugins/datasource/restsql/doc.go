// Package restsql is a driver of database/sql for servers that take a statement by HTTP, are asked how far it is, and give its
// result in pages. A Server says how one product does that; this package knows rows, pauses, and that a statement which
// nobody waits for any more is cancelled.
//
// Every request goes to the server of the settings. What the server names as the next address is believed in its path alone.
package restsql
