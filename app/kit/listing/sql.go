package listing

import (
	"maps"
	"slices"
	"strings"
)

// Where returns the condition of search, filters and Among with its parameters, "1 = 1" when nothing narrows the list. like
// and contains are db.Dialect.Like and db.Contains: this package stands below the database.
func (q Query) Where(like func(column string) string, contains func(string) string) (string, []any) {
	var (
		all  []string
		args []any
	)
	if q.Search != "" && len(q.spec.Search) > 0 {
		var anyOf []string
		for _, column := range q.spec.Search {
			anyOf = append(anyOf, like(column))
			args = append(args, contains(q.Search))
		}
		all = append(all, "("+strings.Join(anyOf, " OR ")+")")
	}
	for _, name := range slices.Sorted(maps.Keys(q.Filters)) {
		values := q.Filters[name]
		all = append(all, q.spec.Filters[name]+" IN (?"+strings.Repeat(", ?", len(values)-1)+")")
		for _, v := range values {
			args = append(args, v)
		}
	}
	if len(q.among) > 0 {
		all = append(all, q.spec.ID+" IN (?"+strings.Repeat(", ?", len(q.among)-1)+")")
		for _, id := range q.among {
			args = append(args, id)
		}
	}
	if len(all) == 0 {
		return "1 = 1", nil
	}
	return strings.Join(all, " AND "), args
}

// OrderLimit returns "ORDER BY … LIMIT ? OFFSET ?" with its parameters. Ties are broken by Spec.ID, so that no row
// appears on two pages.
func (q Query) OrderLimit() (string, []any) {
	direction := " ASC"
	if q.Desc {
		direction = " DESC"
	}
	var order []string
	if column, ok := q.spec.Columns[q.Sort]; ok {
		order = append(order, column+direction)
		if column == q.spec.ID {
			direction = ""
		}
	}
	if direction != "" && q.spec.ID != "" {
		order = append(order, q.spec.ID+direction)
	}
	clause := "LIMIT ? OFFSET ?"
	if len(order) > 0 {
		clause = "ORDER BY " + strings.Join(order, ", ") + " " + clause
	}
	return clause, []any{q.Size, q.Offset()}
}

// Offset is the number of rows before the page.
func (q Query) Offset() int { return (q.Page - 1) * q.Size }
