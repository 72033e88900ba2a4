// Package builtin holds the types of data sources of this program: all that DolphinScheduler knows, and a driver for those
// that have a maintained one written in Go.
//
// Drivers are handed the connection that Settings.Dial makes. Of the further parameters each gets those that are listed
// beside it, translated from their names in JDBC; others count for JDBC only.
package builtin
