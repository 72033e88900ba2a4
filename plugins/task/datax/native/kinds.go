package native

import (
	"database/sql"
	"strings"

	"dorado/plugins/task/statement"
)

// kind is what values of a column are.
type kind int

const (
	text    kind = iota // also whatever is not listed here: servers read their own types from text
	integer             // without a fraction
	decimal             // exact, of any size
	float
	boolean
	binary
	bits  // of MySQL: bytes that are a number
	guid  // of SQL Server: bytes that are an identifier
	date  // a day
	clock // a time of day
	stamp // a day and a time of day, without a zone
	instant
)

// column is a column of a result or a table.
type column struct {
	name string
	kind kind
	typ  string // as the server calls it
}

func columnsOf(family statement.Family, rows *sql.Rows) ([]column, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	out := make([]column, len(types))
	for i, t := range types {
		out[i] = column{t.Name(), kindOf(family, t.DatabaseTypeName()), t.DatabaseTypeName()}
	}
	return out, nil
}

// kindOf knows the names of types as drivers tell them.
func kindOf(family statement.Family, typ string) kind {
	name := strings.ToUpper(typ)
	for _, wrap := range []string{"LOWCARDINALITY(", "NULLABLE("} {
		if inner, ok := strings.CutPrefix(name, wrap); ok {
			name = strings.TrimSuffix(inner, ")")
		}
	}
	name, arguments, _ := strings.Cut(name, "(")
	name = strings.TrimPrefix(name, "UNSIGNED ")
	switch name {
	case "BIT":
		if family == statement.MySQL {
			return bits
		}
		if family == statement.SQLServer {
			return boolean
		}
		return text
	case "DATE", "DATE32":
		if family == statement.Oracle {
			return stamp
		}
		return date
	case "TIMESTAMP":
		if family == statement.MySQL {
			return instant
		}
		if family == statement.SQLServer {
			return binary // a number of a row's version
		}
		return stamp
	case "DATETIME", "DATETIME2", "SMALLDATETIME", "DATETIME64", "TIMESTAMPDTY":
		if family == statement.ClickHouse {
			return instant
		}
		return stamp
	case "TIMESTAMPTZ", "DATETIMEOFFSET", "TIMESTAMPTZ_DTY", "TIMESTAMPTZDTY", "TIMESTAMPLTZ_DTY", "TIMESTAMPELTZ", "TIMESTAMPTZ DTY":
		return instant
	case "TIME", "TIMETZ":
		return clock
	case "BYTEA", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "IMAGE", "GEOMETRY", "RAW", "LONGRAW", "OCIBLOBLOCATOR":
		return binary
	case "BOOL", "BOOLEAN":
		return boolean
	case "UNIQUEIDENTIFIER":
		return guid
	case "FLOAT", "FLOAT4", "FLOAT8", "FLOAT32", "FLOAT64", "DOUBLE", "REAL", "IBFLOAT", "IBDOUBLE", "BFLOAT", "BDOUBLE":
		return float
	case "DECIMAL", "NUMERIC", "NUMBER", "DECIMAL32", "DECIMAL64", "DECIMAL128", "DECIMAL256", "SMALLMONEY":
		return decimal
	case "MONEY":
		if family == statement.SQLServer {
			return decimal
		}
		return text
	case "SERIAL", "YEAR":
		return integer
	}
	if family == statement.Oracle && strings.HasPrefix(name, "TIMESTAMP") {
		return instant // whatever zone it has
	}
	if plain := strings.TrimRight(strings.TrimPrefix(name, "U"), "0123456789"); arguments == "" || family == statement.MySQL {
		switch plain {
		case "INT", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT":
			return integer
		}
	}
	return text
}
