package keep

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"dorado/migrations"
	"dorado/modules/keep/archive"
)

// table is a table as the database describes it.
type table struct {
	archive.Table
	Key      []string // columns of the primary key
	Identity string   // the column that the database numbers; "" = none
	refers   []string // tables that its foreign keys name
}

// schemaOf reads all tables, ordered so that a table comes after those it refers to.
func schemaOf(ctx context.Context, q sqlx.QueryerContext, dialect string) ([]table, error) {
	read := sqliteSchema
	if dialect == migrations.Postgres {
		read = postgresSchema
	}
	tables, err := read(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return sortTables(tables)
}

func sortTables(tables []table) ([]table, error) {
	slices.SortFunc(tables, func(a, b table) int { return strings.Compare(a.Name, b.Name) })
	done := map[string]bool{}
	var out []table
	for len(out) < len(tables) {
		before := len(out)
		for _, t := range tables {
			ready := !done[t.Name] && !slices.ContainsFunc(t.refers, func(other string) bool { return other != t.Name && !done[other] })
			if ready {
				done[t.Name] = true
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("tables refer to each other in a circle")
		}
	}
	return out, nil
}

func postgresSchema(ctx context.Context, q sqlx.QueryerContext) ([]table, error) {
	var columns []struct {
		Table    string `db:"table_name"`
		Column   string `db:"column_name"`
		Type     string `db:"data_type"`
		Identity string `db:"is_identity"`
		Key      bool   `db:"in_key"`
	}
	err := sqlx.SelectContext(ctx, q, &columns, `SELECT c.table_name, c.column_name, c.data_type, c.is_identity,
			EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
				WHERE i.indisprimary AND i.indrelid = to_regclass(quote_ident(c.table_name)) AND a.attname = c.column_name) AS in_key
		FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
		WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position`)
	if err != nil {
		return nil, err
	}
	var foreign []struct {
		Table string `db:"from_table"`
		To    string `db:"to_table"`
	}
	err = sqlx.SelectContext(ctx, q, &foreign, `SELECT f.relname AS from_table, t.relname AS to_table FROM pg_constraint c
		JOIN pg_class f ON f.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid
		WHERE c.contype = 'f' AND f.relnamespace = current_schema()::regnamespace`)
	if err != nil {
		return nil, err
	}
	var out []table
	for _, c := range columns {
		if len(out) == 0 || out[len(out)-1].Name != c.Table {
			out = append(out, table{Table: archive.Table{Name: c.Table}})
		}
		t := &out[len(out)-1]
		kind, err := typeOf(c.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", c.Table, c.Column, err)
		}
		t.Columns = append(t.Columns, archive.Column{Name: c.Column, Type: kind})
		if c.Key {
			t.Key = append(t.Key, c.Column)
		}
		if c.Identity == "YES" {
			t.Identity = c.Column
		}
	}
	for _, f := range foreign {
		if i := slices.IndexFunc(out, func(t table) bool { return t.Name == f.Table }); i >= 0 {
			out[i].refers = append(out[i].refers, f.To)
		}
	}
	return out, nil
}

func sqliteSchema(ctx context.Context, q sqlx.QueryerContext) ([]table, error) {
	var names []struct {
		Name string `db:"name"`
		SQL  string `db:"sql"`
	}
	if err := sqlx.SelectContext(ctx, q, &names, `SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`); err != nil {
		return nil, err
	}
	var out []table
	for _, n := range names {
		t := table{Table: archive.Table{Name: n.Name}}
		var columns []struct {
			Name string `db:"name"`
			Type string `db:"type"`
			Key  int    `db:"pk"`
		}
		if err := sqlx.SelectContext(ctx, q, &columns, `SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid`, n.Name); err != nil {
			return nil, err
		}
		for _, c := range columns {
			kind, err := typeOf(c.Type)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", n.Name, c.Name, err)
			}
			t.Columns = append(t.Columns, archive.Column{Name: c.Name, Type: kind})
			if c.Key > 0 {
				t.Key = append(t.Key, c.Name)
			}
			if c.Key > 0 && strings.Contains(n.SQL, "AUTOINCREMENT") {
				t.Identity = c.Name
			}
		}
		if err := sqlx.SelectContext(ctx, q, &t.refers, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`, n.Name); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// typeOf is what a column type of either database holds.
func typeOf(name string) (archive.Type, error) {
	switch strings.ToLower(name) {
	case "bigint", "integer", "int", "smallint":
		return archive.Int, nil
	case "boolean":
		return archive.Bool, nil
	case "text", "character varying":
		return archive.Text, nil
	case "timestamptz", "timestamp with time zone", "timestamp", "timestamp without time zone", "datetime":
		return archive.Time, nil
	case "double precision", "real":
		return archive.Float, nil
	case "bytea", "blob":
		return archive.Bytes, nil
	}
	return "", fmt.Errorf("a backup cannot hold the column type %q", name)
}
