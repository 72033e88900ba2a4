package dataquality

import (
	"cmp"
	"fmt"
	"strings"

	"dorado/plugins/datasource"
)

// question is what is asked of one data source.
type question struct {
	count string // one row with one number; or the user's statement
	name  string // of the column with the number; "" for the only one
	rows  string // the rows that break the rule; "" when there are none to show
	tail  string // stands after rows, also when they are limited
}

// ask writes the statements of a rule on one data source, of accuracy on one with both tables.
func (d dialect) ask(plugin datasource.Plugin, p params, isText bool) (question, error) {
	table := d.table(plugin, p.source)
	switch p.rule {
	case ruleCustom, ruleTwoValues:
		return question{count: d.fill(plugin, p, p.actualSQL), name: p.actualName}, nil
	case ruleCount:
		return question{count: count(table, where(p.source.filter))}, nil
	case ruleUnique:
		c := d.column(p.column)
		// The filter counts here, too: DolphinScheduler leaves it out by mistake.
		groups := "SELECT " + c + ", COUNT(*) AS " + d.column("times") + " FROM " + table + where(p.source.filter) + " GROUP BY " + c + " HAVING COUNT(*) > 1"
		return question{count: "SELECT COUNT(*) FROM (" + groups + ") duplicates", rows: groups}, nil
	case ruleAccuracy:
		from, condition := d.partnerless(plugin, p)
		return question{count: "SELECT COUNT(*)" + from + condition + d.joined, rows: "SELECT s.*" + from + condition, tail: d.joined}, nil
	}
	condition, err := d.broken(p, isText)
	if err != nil {
		return question{}, err
	}
	condition = where(condition, p.source.filter)
	return question{count: count(table, condition), rows: "SELECT * FROM " + table + condition}, nil
}

func count(table, condition string) string { return "SELECT COUNT(*) FROM " + table + condition }

// partnerless is the join that leaves rows of the source without a partner in the target.
func (d dialect) partnerless(plugin datasource.Plugin, p params) (from, condition string) {
	var on, source, target []string
	for _, m := range p.mapping {
		s, t := "s."+d.column(m.Source), "t."+d.column(m.Target)
		on = append(on, d.same(s)+" "+m.Operator+" "+d.same(t))
		source, target = append(source, s+" IS NULL"), append(target, t+" IS NULL")
	}
	// Filters are applied before the join: within it their columns would be ambiguous.
	from = " FROM (SELECT * FROM " + d.table(plugin, p.source) + where(p.source.filter) + ") s LEFT JOIN (SELECT * FROM " +
		d.table(plugin, p.target) + where(p.target.filter) + ") t ON " + strings.Join(on, " AND ")
	return from, " WHERE NOT (" + strings.Join(source, " AND ") + ") AND " + strings.Join(target, " AND ")
}

// same makes a value comparable with any other: as text, where nothing counts as empty.
func (d dialect) same(expr string) string {
	return "COALESCE(" + d.asText(expr) + ", " + cmp.Or(d.none, "''") + ")"
}

// keys is the columns of the mapping of one side, as text, of rows that have any of them. Whoever reads them takes NULL for ”.
func (d dialect) keys(plugin datasource.Plugin, at place, columns []string) string {
	var texts, none []string
	for _, c := range columns {
		c = d.column(c)
		texts, none = append(texts, d.asText(c)), append(none, c+" IS NULL")
	}
	return "SELECT " + strings.Join(texts, ", ") + " FROM " + d.table(plugin, at) + where(at.filter, "NOT ("+strings.Join(none, " AND ")+")")
}

// fill puts the inputs of the rule into a statement of the user: ${src_table} and the like.
func (d dialect) fill(plugin datasource.Plugin, p params, statement string) string {
	or := func(filter string) string {
		if filter == "" {
			return "1 = 1"
		}
		return inside(filter)
	}
	statement = strings.NewReplacer(
		"${src_table}", d.table(plugin, p.source), "${src_filter}", or(p.source.filter), "${src_database}", d.name(p.source.database),
		"${target_table}", d.table(plugin, p.target), "${target_filter}", or(p.target.filter), "${target_database}", d.name(p.target.database),
		"${statistics_name}", d.column(p.actualName), "${comparison_name}", d.column(p.expectName),
	).Replace(statement)
	return strings.TrimRight(statement, "; \t\r\n")
}

// first limits a query.
func (d dialect) first(query string, n int) string { return fmt.Sprintf(d.top, query, n) }
