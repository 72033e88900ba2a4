// Package dataquality is the DATA_QUALITY task: it measures a table and judges what it found.
//
// A rule gives an actual value (how many rows break it, or what a statement of the user returns), an expected value, and a
// formula of the two that is compared with a threshold. The task fails, or only alerts, when that comparison is true:
//
//	rule ──► actual value ─┐
//	                       ├─► check type (a difference or a percentage) ──► operator ──► threshold
//	expected value ────────┘
//
// DolphinScheduler submits a Spark program for this. Here each rule is one or two statements that the data source itself
// runs (statements.go, in the words of its dialect); only the comparison of two tables in different places reads rows to
// this machine (accuracy.go). Numbers and names of rules, inputs, check types and operators are DolphinScheduler's, because
// definitions hold them.
package dataquality
