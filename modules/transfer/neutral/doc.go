// Package neutral is what every importer makes of its files: workflows in the language of package flow, the schedules that
// go with them, and a report of what was translated, changed or not possible. It knows no database; codes are those of the
// file, or small numbers where a file has names.
//
// It also holds what keeps hostile files out: limits of sizes and counts, a reader of zip archives that trusts nothing, and
// the cleaning of names.
package neutral
