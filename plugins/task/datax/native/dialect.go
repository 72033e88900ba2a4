package native

import (
	"fmt"
	"slices"
	"strings"

	"dorado/plugins/task/statement"
)

// Ways to write.
const (
	modeInsert  = "insert"
	modeReplace = "replace"
	modeUpdate  = "update"
)

// mode reads writeMode: insert, replace, update, or update (a, b) with the columns that tell rows apart.
func mode(text string) (name string, keys []string, err error) {
	text = strings.TrimSpace(text)
	name, list, ok := strings.Cut(text, "(")
	name = strings.ToLower(strings.TrimSpace(name))
	if ok {
		list, ok = strings.CutSuffix(strings.TrimSpace(list), ")")
		if !ok {
			return "", nil, fmt.Errorf("writeMode: %q lacks a bracket", text)
		}
		for key := range strings.SplitSeq(list, ",") {
			keys = append(keys, strings.TrimSpace(key))
		}
	}
	switch name {
	case "":
		return modeInsert, nil, nil
	case modeInsert, modeReplace, modeUpdate:
		return name, keys, nil
	}
	return "", nil, fmt.Errorf("writeMode: %q is none of insert, replace, update", text)
}

// quote makes a name of text.
func quote(family statement.Family, name string) string {
	switch family { //nolint:exhaustive // the others are as the standard has it
	case statement.MySQL, statement.ClickHouse:
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	case statement.SQLServer:
		return "[" + strings.ReplaceAll(name, "]", "]]") + "]"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// bare is a name without its quotes.
func bare(name string) string {
	name = strings.TrimSpace(name)
	if n := len(name); n > 1 && (name[0] == name[n-1] && (name[0] == '"' || name[0] == '`') || name[0] == '[' && name[n-1] == ']') {
		return name[1 : n-1]
	}
	return name
}

// most is how many rows one statement may insert.
func most(family statement.Family, columns, batch int) int {
	binds := 65_535
	switch family { //nolint:exhaustive // the others take as many as these
	case statement.SQLServer:
		binds, batch = 2000, min(batch, 1000)
	case statement.Oracle:
		binds = 999
	}
	return max(min(batch, binds/max(columns, 1)), 1)
}

// insert is a statement that inserts rows with binds. names are the columns as the user or the server wrote them.
func insert(family statement.Family, table string, names []string, how string, keys []string, rows int) string {
	var b strings.Builder
	n := 0
	values := func() {
		b.WriteByte('(')
		for i := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			n++
			switch family {
			case statement.Postgres:
				fmt.Fprintf(&b, "$%d", n)
			case statement.Oracle:
				fmt.Fprintf(&b, ":%d", n)
			case statement.SQLServer:
				fmt.Fprintf(&b, "@p%d", n)
			default:
				b.WriteByte('?')
			}
		}
		b.WriteByte(')')
	}
	list := "(" + strings.Join(names, ",") + ")"
	if family == statement.Oracle && rows > 1 {
		b.WriteString("INSERT ALL")
		for range rows {
			b.WriteString(" INTO " + table + " " + list + " VALUES ")
			values()
		}
		return b.String() + " SELECT 1 FROM dual"
	}
	verb := "INSERT INTO "
	if family == statement.MySQL && how == modeReplace {
		verb = "REPLACE INTO "
	}
	b.WriteString(verb + table + " " + list + " VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		values()
	}
	return b.String() + conflict(family, names, how, keys)
}

// conflict is what follows when a row may be there already.
func conflict(family statement.Family, names []string, how string, keys []string) string {
	if how == modeInsert || family == statement.MySQL && how == modeReplace {
		return ""
	}
	var sets []string
	for _, name := range names {
		if family == statement.MySQL {
			sets = append(sets, name+"=VALUES("+name+")")
		} else if !slices.ContainsFunc(keys, func(k string) bool { return bare(k) == bare(name) }) {
			sets = append(sets, name+"=EXCLUDED."+name)
		}
	}
	if family == statement.MySQL {
		return " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ",")
	}
	if len(sets) == 0 {
		return " ON CONFLICT (" + strings.Join(keys, ",") + ") DO NOTHING"
	}
	return " ON CONFLICT (" + strings.Join(keys, ",") + ") DO UPDATE SET " + strings.Join(sets, ",")
}

// literals is a statement for ClickHouse, which takes values in its text: there they are read as the columns want them.
func literals(table string, names []string, rows [][]any) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(names, ",") + ") VALUES ")
	for i, row := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for n, v := range row {
			if n > 0 {
				b.WriteByte(',')
			}
			literal(&b, v)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func literal(b *strings.Builder, v any) {
	switch x := v.(type) {
	case nil:
		b.WriteString("NULL")
	case []byte:
		if x == nil {
			b.WriteString("NULL")
			return
		}
		b.WriteByte('\'')
		for _, c := range x {
			fmt.Fprintf(b, `\x%02x`, c)
		}
		b.WriteByte('\'')
	case string:
		b.WriteByte('\'')
		for i := range len(x) {
			switch c := x[i]; c {
			case '\'', '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case '\n':
				b.WriteString(`\n`)
			case 0:
				b.WriteString(`\0`)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('\'')
	default:
		fmt.Fprint(b, x)
	}
}
