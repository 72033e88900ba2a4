package dataquality

import (
	"slices"
	"strconv"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// Type is the name of the task type; definitions and results hold it.
const Type = "DATA_QUALITY"

// Rule is a rule as pages and clients know it.
type Rule struct {
	ID        int
	Name      string // as results name it
	Group     int    // single table, custom SQL, accuracy, two values
	Statistic string // what the actual value is called; "" when the user calls it something
	Inputs    []form.Field
	Count     string // the statement of the actual value, on PostgreSQL; inputs stand for themselves
	Rows      string // the statement of the rows that are shown; "" = there are none
}

// Input is the name of an input as definitions hold it: without the object that all inputs are members of.
func Input(f form.Field) string { return strings.TrimPrefix(f.Name, in) }

// Rules lists the rules in order of their numbers.
func Rules() []Rule {
	d, known := dialects()["POSTGRESQL"], kinds()
	var all []Rule
	for id := ruleNull; id <= ruleCount; id++ {
		k := known[id]
		r := Rule{ID: id, Name: k.name, Group: k.group, Statistic: k.statistic}
		for _, f := range schema() {
			if strings.HasPrefix(f.Name, in) && (f.VisibleWhen == nil || slices.Contains(f.VisibleWhen.In, strconv.Itoa(id))) {
				r.Inputs = append(r.Inputs, f)
			}
		}
		q, err := d.ask(datasource.Plugin{}, example(id), false)
		if err == nil { // examples are complete
			r.Count, r.Rows = q.count, q.rows
		}
		all = append(all, r)
	}
	return all
}

// example has the names of the inputs for inputs, and values where a name is none.
func example(rule int) params {
	return params{
		rule: rule, source: place{table: "src_table", filter: "src_filter"}, target: place{table: "target_table", filter: "target_filter"},
		column: "src_field", compare: ">", length: 10, pattern: "regexp_pattern", begin: "2026-01-01 00:00:00", deadline: "2026-01-02 00:00:00", format: standardFormat,
		allowed: []string{"a", "b"}, mapping: []pair{{"src_column", "=", "target_column"}}, actualSQL: "statistics_execute_sql",
	}
}

// Formula is a check type as people write it.
func Formula(checkType int) string { return formula(checkType) }

// Sign is an operator as people write it.
func Sign(operator int) string { return sign(operator) }
