package builtin

import (
	"database/sql"
	"errors"
	"regexp"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/sqlitefile"
	"dorado/plugins/form"
)

const (
	fileField = "file"
	readOnly  = "readOnly"
)

// paths are absolute, and the address of JDBC can hold them.
var paths = regexp.MustCompile(`^/[^\x00-\x1f?#%&;]+$`)

// sqliteStep tells where it failed. The file is opened with the first statement that reads it.
func sqliteStep(err error) datasource.Step {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return ""
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return datasource.Unfit
	case sqlite3.SQLITE_CANTOPEN:
		return datasource.Missing
	}
	return datasource.Ask
}

// sqliteType is a file on the machine that connects: the one of the pages, and those of the workers.
func sqliteType(g sqlitefile.Guard) datasource.Plugin {
	prefix := func(datasource.Settings) string { return "jdbc:sqlite:" }
	return datasource.Plugin{
		Type: "SQLITE", Code: 1001, Label: "SQLite", Class: "org.sqlite.JDBC", Query: "SELECT count(*) FROM sqlite_schema",
		Schema: form.Schema{
			{Name: fileField, Type: form.Text, Label: "datasource.file", Help: "datasource.file.help", Required: true},
			{Name: readOnly, Type: form.Select, Label: "datasource.access", Default: "false", Options: []form.Option{
				{Value: "false", Label: "datasource.access.write"}, {Value: "true", Label: "datasource.access.read"},
			}},
		},
		Forms: map[string]*regexp.Regexp{fileField: paths}, Complaint: "datasource.error.file", Address: prefix,
		URL: func(s datasource.Settings) string {
			if s.All[readOnly] == "true" {
				return prefix(s) + s.All[fileField] + "?open_mode=1"
			}
			return prefix(s) + s.All[fileField]
		},
		Open: func(s datasource.Settings) (*sql.DB, error) {
			return sql.OpenDB(sqlitefile.NewConnector(g, s.All[fileField], s.All[readOnly] == "true")), nil
		},
		Step: sqliteStep,
		Lists: datasource.Lists{
			Databases: "SELECT 'main'",
			Tables: `SELECT name FROM pragma_table_list WHERE schema = coalesce(nullif(?, ''), 'main') AND type IN ('table', 'view', 'virtual')
				AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY 1`,
			Columns: "SELECT name, type FROM pragma_table_xinfo(?2, coalesce(nullif(?1, ''), 'main')) ORDER BY cid",
		},
	}
}
