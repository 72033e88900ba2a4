// Package sql is the SQL task: statements for a data source, of which the first may be a query whose rows are logged, sent
// as an alert and handed on.
package sql
