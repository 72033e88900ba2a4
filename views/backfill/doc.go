// Package backfill draws the pages of backfills: the list of a project, one backfill with its dates, and the questions
// before something changes.
package backfill
