package statement

import (
	"fmt"
	"slices"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
)

// Dialect is how the databases of one family write statements.
type Dialect struct {
	Family Family

	backslash bool // \ escapes within strings
	doubled   bool // '' is a quote within a string; otherwise it ends one string and begins the next
	doubleStr bool // "…" is a string and not a name
	backtick  bool // `…` is a name
	brackets  bool // […] is a name
	hash      bool // # begins a comment
	nested    bool // comments lie within comments
	dollar    bool // $tag$…$tag$ is a string
	quoting   bool // q'[…]' is a string
	uncomment bool // comments are not understood by every server and are taken out

	most   int // of binds in one statement; 0: the driver takes none
	place  func(n int) string
	cast   func(place string, k Kind) string
	stamps bool // DATE '…' is a literal; otherwise a plain string does

	// whoAmI asks for the number of a connection, stop makes its statement end when it is asked on another one. "" where
	// drivers do so by themselves.
	whoAmI, stop string
}

// Family is a group of databases with one language.
type Family string

// The families.
const (
	Postgres   Family = "postgres"
	MySQL      Family = "mysql"
	Oracle     Family = "oracle"
	SQLServer  Family = "sqlserver"
	ClickHouse Family = "clickhouse"
	Hive       Family = "hive"
	Trino      Family = "trino"
	SQLite     Family = "sqlite"
	Plain      Family = "plain"
)

// Types are the types of data source that understand SQL, in the order in which they are offered.
func Types() []string {
	var out []string
	for _, p := range builtin.Types() {
		if p.URL != nil {
			out = append(out, p.Type)
		}
	}
	return out
}

// Of returns the dialect of a type of data source.
func Of(p datasource.Plugin) Dialect {
	question := func(int) string { return "?" }
	as := func(place string, _ Kind) string { return place }
	plain := Dialect{Family: Plain, doubled: true, most: 2000, place: question, cast: as, stamps: true}
	d := plain
	switch p.Type {
	case "POSTGRESQL", "REDSHIFT", "VERTICA":
		d.Family, d.nested, d.dollar, d.most = Postgres, true, true, 65_535
		d.backslash = p.Type == "REDSHIFT"
		d.place, d.cast = func(n int) string { return fmt.Sprintf("$%d", n) }, postgresCast
		d.whoAmI, d.stop = "SELECT pg_backend_pid()", "SELECT pg_cancel_backend(%d)"
		if p.Type == "VERTICA" { // its driver stops statements by itself, and takes no binds
			d.whoAmI, d.stop, d.most = "", "", 0
		}
	case "MYSQL", "OCEANBASE", "DORIS", "STARROCKS":
		d.Family, d.backslash, d.doubleStr, d.backtick, d.hash, d.stamps = MySQL, true, true, true, true, false
		d.whoAmI, d.stop = "SELECT CONNECTION_ID()", "KILL QUERY %d"
		if d.most = 65_535; p.Type != "MYSQL" {
			d.most = 0 // their drivers write values into the text themselves, and know less about literals than we do
		}
	case "ORACLE":
		d.Family, d.quoting, d.most = Oracle, true, 32_000
		d.place, d.cast = func(n int) string { return fmt.Sprintf(":%d", n) }, oracleCast
	case "SQLSERVER", "AZURESQL":
		d.Family, d.brackets, d.nested, d.most = SQLServer, true, true, 2000
		d.place, d.cast = func(n int) string { return fmt.Sprintf("@p%d", n) }, sqlServerCast
	case "CLICKHOUSE":
		d.Family, d.backslash, d.backtick, d.hash, d.nested, d.stamps, d.most = ClickHouse, true, true, true, true, false, 0
	case "HIVE", "SPARK", "KYUUBI":
		d.Family, d.backslash, d.doubled, d.doubleStr, d.backtick, d.uncomment, d.most = Hive, true, false, true, true, true, 0
	case "PRESTO", "TRINO", "ATHENA":
		d.Family, d.most = Trino, 0
	case "SQLITE":
		d.Family, d.backtick, d.brackets, d.stamps, d.most = SQLite, true, true, false, 32_000
	case "SNOWFLAKE":
		d.backslash, d.dollar = true, true
	case "DATABEND":
		d.backslash, d.most = true, 0
	}
	return d
}

// postgresCast says of which type a bind is, because the server guesses from what stands around it and asks for text where
// nothing does. Texts are left to it: they fit numbers and dates as well.
func postgresCast(place string, k Kind) string {
	switch k {
	case Integer:
		return place + "::int"
	case Long:
		return place + "::bigint"
	case Double:
		return place + "::float8"
	case Decimal:
		return place + "::numeric"
	case Boolean:
		return place + "::boolean"
	case Date:
		return place + "::date"
	case Time:
		return place + "::time"
	case Timestamp:
		return place + "::timestamp"
	case Text, Null:
	}
	return place
}

// oracleCast converts texts by their form, not by the settings of the session.
func oracleCast(place string, k Kind) string {
	switch k {
	case Date:
		return "TO_DATE(" + place + ", 'YYYY-MM-DD')"
	case Timestamp:
		return "TO_TIMESTAMP(" + place + ", 'YYYY-MM-DD HH24:MI:SS.FF')"
	case Decimal:
		return "TO_NUMBER(" + place + ")"
	case Integer, Long, Double, Boolean, Time, Text, Null:
	}
	return place
}

// sqlServerCast does the same: what '2024-02-01' means to datetime depends on the language of the session.
func sqlServerCast(place string, k Kind) string {
	switch k {
	case Date:
		return "CONVERT(date, " + place + ", 23)"
	case Time:
		return "CONVERT(time, " + place + ")"
	case Timestamp:
		return "CONVERT(datetime2, " + place + ", 121)"
	case Decimal:
		return "CONVERT(decimal(38, 10), " + place + ")"
	case Integer, Long, Double, Boolean, Text, Null:
	}
	return place
}

// binds reports whether a statement that begins with word takes binds. Where it does not, values become literals.
func (d Dialect) binds(word string) bool {
	if d.most == 0 {
		return false
	}
	if d.Family == SQLServer {
		return !slices.Contains([]string{"CREATE", "ALTER", "DROP", "TRUNCATE", "USE", "GRANT", "REVOKE", "DENY", "BACKUP", "RESTORE", "BULK", "DBCC"}, word)
	}
	switch word {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "VALUES", "(":
		return true
	case "REPLACE":
		return d.Family == MySQL || d.Family == SQLite
	case "DO", "SET":
		return d.Family == MySQL
	case "CALL":
		return d.Family != Plain
	case "BEGIN", "DECLARE":
		return d.Family == Oracle
	}
	return false
}

// word is the first word of a statement, in capitals.
func (d Dialect) word(text string) string {
	words := d.words(text, 1)
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// words are the first words of a statement outside of comments, in capitals; a character that is part of no word counts as
// one.
func (d Dialect) words(text string, most int) []string {
	var out []string
	d.scan(text, func(t token) bool {
		if t.kind == comment {
			return true
		}
		if t.kind != code {
			out = append(out, t.text[:1])
			return len(out) < most
		}
		for rest := t.text; rest != "" && len(out) < most; {
			rest = strings.TrimLeft(rest, " \t\r\n\f\v\u00a0\ufeff")
			n := 0
			for n < len(rest) && wordByte(rest[n]) {
				n++
			}
			if n == 0 && rest != "" {
				n = 1
			}
			if rest[:n] != "" {
				out = append(out, strings.ToUpper(rest[:n]))
			}
			rest = rest[n:]
		}
		return len(out) < most
	})
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
}
