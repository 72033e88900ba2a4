// Package statementtest starts real databases for the tests of tasks that talk to them.
package statementtest
