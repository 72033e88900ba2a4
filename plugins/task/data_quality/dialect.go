package dataquality

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dorado/plugins/datasource"
)

// dialect is how one family of databases says things.
type dialect struct {
	open, end string // around a name
	escape    bool   // \ means something in a literal
	text      string // turns a value into text; %s is the value
	length    string // counts the characters of a text
	misses    string // a text does not match a pattern: %[1]s and %[2]s; "" when the database cannot say
	instant   string // reads a time from text: %[1]s with the format %[2]s; %[3]s is a regular expression of the format
	moment    string // a literal time; %s is 2006-01-02 15:04:05.000 as a literal
	member    bool   // a list of texts has to be compared with a text
	format    func(layout) string
	top       string // limits a query: %[1]s to %[2]d rows
	none      string // what nothing counts as in comparisons; "" is ''
	joined    string // stands after a statement with an outer join
	snapshot  bool   // there are read-only transactions that see one state
}

const (
	limit  = "%[1]s LIMIT %[2]d"
	fetch  = "%[1]s FETCH FIRST %[2]d ROWS ONLY"
	within = "SELECT TOP (%[2]d) * FROM (%[1]s) limited"
)

func posix(l layout) string   { return l.posix }
func percent(l layout) string { return l.percent }

// dialects are the families, each with the types of data sources that speak it.
func dialects() map[string]dialect {
	mysql := dialect{
		open: "`", end: "`", escape: true, text: "CAST(%s AS CHAR)", length: "CHAR_LENGTH(%s)", misses: "%[1]s NOT REGEXP %[2]s",
		instant: "STR_TO_DATE(%[1]s, %[2]s)", moment: "TIMESTAMP(%s)", format: percent, top: limit, snapshot: true,
	}
	starrocks := mysql
	starrocks.snapshot = false
	starrocks.moment = "CAST(%s AS DATETIME)"
	postgres := dialect{
		open: `"`, end: `"`, text: "CAST(%s AS text)", length: "LENGTH(%s)", misses: "CAST(%[1]s AS text) !~ %[2]s",
		// to_timestamp fails for what is no time at all, where the others say NULL.
		instant: "CASE WHEN %[1]s ~ %[3]s THEN CAST(to_timestamp(%[1]s, %[2]s) AS timestamp) END", moment: "CAST(%s AS timestamp)",
		format: posix, top: limit, snapshot: true,
	}
	redshift := postgres
	redshift.snapshot = false
	redshift.text = "CAST(%s AS varchar)"
	redshift.misses = "CAST(%[1]s AS varchar) !~ %[2]s"
	clickhouse := dialect{
		open: "`", end: "`", escape: true, text: "toString(%s)", length: "lengthUTF8(%s)", misses: "NOT match(toString(%[1]s), %[2]s)",
		instant: "parseDateTimeOrNull(%[1]s, %[2]s)", moment: "toDateTime64(%s, 3)", member: true, format: percent, top: limit,
		joined: " SETTINGS join_use_nulls = 1", // else a missing partner has zeros
	}
	trino := dialect{
		open: `"`, end: `"`, text: "CAST(%s AS varchar)", length: "length(%s)", misses: "NOT regexp_like(CAST(%[1]s AS varchar), %[2]s)",
		instant: "try(date_parse(%[1]s, %[2]s))", moment: "CAST(%s AS timestamp)", member: true, format: percent, top: limit,
	}
	oracle := dialect{
		open: `"`, end: `"`, text: "TO_CHAR(%s)", length: "LENGTH(%s)", misses: "NOT REGEXP_LIKE(%[1]s, %[2]s)",
		instant: "TO_TIMESTAMP(%[1]s DEFAULT NULL ON CONVERSION ERROR, %[2]s)", moment: "TO_TIMESTAMP(%s, 'YYYY-MM-DD HH24:MI:SS.FF3')",
		format: func(l layout) string { return strings.ReplaceAll(l.posix, "MS", "FF3") }, top: fetch,
		none: "CHR(0)", // '' is NULL there, and equals nothing
	}
	sqlServer := dialect{
		open: "[", end: "]", text: "CAST(%s AS nvarchar(max))", length: "(DATALENGTH(%s) / 2)",
		instant: "TRY_CONVERT(datetime2, %[1]s)", moment: "CAST(%s AS datetime2)", format: posix, top: within,
	}
	return map[string]dialect{
		"MYSQL": mysql, "DORIS": starrocks, "STARROCKS": starrocks, "OCEANBASE": mysql, "POSTGRESQL": postgres, "REDSHIFT": redshift,
		"CLICKHOUSE": clickhouse, "TRINO": trino, "ORACLE": oracle, "SQLSERVER": sqlServer, "AZURESQL": sqlServer,
	}
}

// sourceTypes are the types of data sources that rules run on.
func sourceTypes() []string {
	return []string{"MYSQL", "POSTGRESQL", "CLICKHOUSE", "ORACLE", "SQLSERVER", "AZURESQL", "REDSHIFT", "TRINO", "STARROCKS", "DORIS", "OCEANBASE"}
}

// name quotes the parts of a name, which are separated by points.
func (d dialect) name(text string) string {
	parts := strings.Split(text, ".")
	for i, p := range parts {
		parts[i] = d.column(p)
	}
	return strings.Join(parts, ".")
}

// column quotes one name.
func (d dialect) column(text string) string {
	return d.open + strings.ReplaceAll(strings.TrimSpace(text), d.end, d.end+d.end) + d.end
}

// literal writes a text.
func (d dialect) literal(text string) string {
	if d.escape {
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

func (d dialect) asText(expr string) string { return fmt.Sprintf(d.text, expr) }

// table is a table's full name. Where a connection is to one database, the database is no part of it.
func (d dialect) table(p datasource.Plugin, at place) string {
	name := d.name(at.table)
	if at.database == "" || connects(p) {
		return name
	}
	return d.name(strings.ReplaceAll(at.database, "/", ".")) + "." + name
}

// connects says that another database means another connection. Oracle connects to one database, whatever schema is meant.
func connects(p datasource.Plugin) bool { return p.Lists.Connect && p.Type != "ORACLE" }

// where joins conditions; empty ones do not count.
func where(conditions ...string) string {
	var all []string
	for _, c := range conditions {
		if c != "" {
			all = append(all, inside(c))
		}
	}
	if all == nil {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// inside puts a condition into brackets, which a comment in it must not swallow.
func inside(condition string) string {
	if strings.Contains(condition, "--") || strings.Contains(condition, "#") {
		condition += "\n"
	}
	return "(" + condition + ")"
}

var errPattern = errors.New("this type of data source knows no regular expressions")

// broken is the condition that rows fulfil which break a rule on one column.
func (d dialect) broken(p params, isText bool) (string, error) {
	c := d.column(p.column)
	switch p.rule {
	case ruleNull:
		// By its length, because '' equals 0 in some databases and is no number in others.
		return c + " IS NULL OR " + fmt.Sprintf(d.length, d.asText(c)) + " = 0", nil
	case ruleLength:
		return fmt.Sprintf(d.length, d.asText(c)) + " " + p.compare + " " + strconv.FormatInt(p.length, 10), nil
	case rulePattern:
		if d.misses == "" {
			return "", errPattern
		}
		return fmt.Sprintf(d.misses, c, d.literal(p.pattern)), nil
	case ruleEnum:
		all := make([]string, len(p.allowed))
		for i, a := range p.allowed {
			all[i] = d.literal(a)
		}
		if len(all) == 0 {
			return "", errors.New("the list of allowed values is empty")
		}
		value := c
		if d.member {
			value = d.asText(c)
		}
		return value + " NOT IN (" + strings.Join(all, ", ") + ") OR " + c + " IS NULL", nil
	case ruleTimely:
		return d.timely(p, c, isText)
	}
	return "", fmt.Errorf("there is no rule %d on one column", p.rule)
}

func (d dialect) timely(p params, c string, isText bool) (string, error) {
	l, err := timeFormat(p.format)
	if err != nil {
		return "", err
	}
	var bounds [2]string
	for i, text := range []string{p.begin, p.deadline} {
		at, err := l.when(text)
		if err != nil {
			return "", err
		}
		bounds[i] = fmt.Sprintf(d.moment, d.literal(at))
	}
	if isText {
		c = sprintf(d.instant, c, d.literal(d.format(l)), d.literal("^"+l.digits+"$"))
	}
	return c + " >= " + bounds[0] + " AND " + c + " <= " + bounds[1], nil
}

// sprintf is fmt.Sprintf for formats that do not use all that is given.
func sprintf(format string, args ...string) string {
	for i, a := range args {
		format = strings.ReplaceAll(format, "%["+strconv.Itoa(i+1)+"]s", a)
	}
	return format
}
