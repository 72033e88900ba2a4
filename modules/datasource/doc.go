// Package datasource keeps connections to databases and services: the data source center.
//
// A data source belongs to who made it. He and administrators change it; others use it when they are granted it (kind
// DATASOURCE of package access), and change it, too, when the grant is for all. What of it is secret is sealed in a column of
// its own and never leaves but to the driver and to tasks. A mask, or nothing, in place of a password keeps the one there is;
// yet whoever is not its owner must type it again when he changes where it is sent, so that a password cannot be led away.
//
// Settings are checked and addresses made by the plugin of the type (plugins/datasource), whose parameters no caller gets
// around. Tests and lists of tables connect from this process, for five seconds at most, and never to addresses on which
// clouds hand out credentials.
//
// Whoever may use a data source may ask it in the browser: any statement, with bounds on rows, text and time, and at most
// three at once for each user and server. Each is in the audit log before it runs. Answers are shown and not kept; a
// statement ends with the request that brought it. Drawing, which the module of workflows implements, makes a task of one.
//
// The type of a data source never changes. One that something refers to is not deleted.
package datasource
