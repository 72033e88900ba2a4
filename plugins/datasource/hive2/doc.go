// Package hive2 is a driver of database/sql for servers that speak HiveServer2's Thrift protocol: Hive, Spark, Kyuubi, Impala.
//
// Only the generated messages come from a library; connecting, signing in and reading are here, because every byte that the
// other side sends must end in a row or an error, a cancelled context must cancel the statement on the server, and
// connections must go where the caller's dialer lets them.
//
// A connection is one session. Statements run asynchronously and are asked about until they end; rows are fetched in bounded
// portions. What the server writes about a statement meanwhile goes to whoever listens (datasource.WithTold). The protocol has
// no arguments, so they are written into the statement as literals (package literals). Sign-in: none, SASL PLAIN (Hive's NONE,
// LDAP and CUSTOM), or HTTP with a password. Kerberos is refused: there is no GSSAPI here.
package hive2
