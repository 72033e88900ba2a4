package dataquality

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

var baseForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$`)

// asker runs queries: a connection, or a transaction on one.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// connection is one data source in use.
type connection struct {
	dialect
	source task.Source
	asker  asker
	log    io.Writer
	close  func()
}

// connect opens the data source of a place. Both sides of a rule on one data source share what this returns, so that they
// see one state of it.
func connect(ctx context.Context, env task.Env, at place) (*connection, error) {
	source, err := env.Source(at.source)
	if err != nil {
		return nil, err
	}
	d, ok := dialects()[source.Plugin.Type]
	if !ok || source.Plugin.Open == nil {
		return nil, fmt.Errorf("rules do not run on the data source %s, which is of the type %s", source.Name, source.Plugin.Type)
	}
	settings := source.Settings
	if at.database != "" {
		if !baseForm.MatchString(at.database) {
			return nil, fmt.Errorf("%q is no name of a database", at.database)
		}
		if connects(source.Plugin) {
			settings.Database = at.database
		}
	}
	c := &connection{dialect: d, source: source, log: env.Log}
	pool, err := source.Plugin.Open(settings)
	if err != nil {
		return nil, c.failed("open", err)
	}
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		pool.Close()
		return nil, c.failed("connect to", err)
	}
	c.asker, c.close = conn, func() { conn.Close(); pool.Close() }
	if d.snapshot {
		tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
		if err != nil {
			c.close()
			return nil, c.failed("begin to read", err)
		}
		c.asker, c.close = tx, func() { _ = tx.Rollback(); conn.Close(); pool.Close() }
	}
	return c, nil
}

// failed is err without secrets.
func (c *connection) failed(what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s the data source %s: %w", what, c.source.Name, err)
	}
	text := err.Error()
	for _, f := range c.source.Plugin.Schema {
		if secret := c.source.Settings.All[f.Name]; f.Type == form.Secret && len(secret) > 2 {
			text = strings.ReplaceAll(text, secret, form.Mask)
		}
	}
	return fmt.Errorf("%s the data source %s: %s", what, c.source.Name, text)
}

// query runs a statement and calls each with the values of every row, until it returns false.
func (c *connection) query(ctx context.Context, statement string, each func(columns []string, row []any) bool) error {
	rows, err := c.asker.QueryContext(ctx, statement)
	if err != nil {
		return c.failed("ask", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return c.failed("ask", err)
	}
	row, at := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		at[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(at...); err != nil {
			return c.failed("read from", err)
		}
		if !each(columns, row) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return c.failed("read from", err)
	}
	return nil
}

// number asks for one number: in the column called name, or in the only one.
func (c *connection) number(ctx context.Context, statement, name string) (*big.Rat, error) {
	fmt.Fprintf(c.log, "%s: %s\n", c.source.Name, statement)
	var n *big.Rat
	problem := errors.New("the statement returned no row")
	err := c.query(ctx, statement, func(columns []string, row []any) bool {
		at := -1
		for i, column := range columns {
			if name != "" && strings.EqualFold(column, name) {
				at = i
			}
		}
		switch {
		case at < 0 && len(columns) == 1: // whatever it is called
			at = 0
		case at < 0:
			problem = fmt.Errorf("the statement returned the columns %s, and none called %q", strings.Join(columns, ", "), name)
			return false
		}
		value := cell(row[at])
		if n, problem = parse(value); problem != nil {
			problem = fmt.Errorf("the statement returned %q, which is no number", value)
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	return n, problem
}

// isText says whether a column holds text.
func (c *connection) isText(ctx context.Context, p params) (bool, error) {
	rows, err := c.asker.QueryContext(ctx, "SELECT "+c.column(p.column)+" FROM "+c.table(c.source.Plugin, p.source)+" WHERE 1 = 0")
	if err != nil {
		return false, c.failed("ask", err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil || len(types) == 0 {
		return false, c.failed("ask", errors.Join(err, rows.Err()))
	}
	name := strings.ToUpper(types[0].DatabaseTypeName())
	for _, text := range []string{"CHAR", "TEXT", "STRING", "CLOB"} {
		if strings.Contains(name, text) {
			return true, rows.Err()
		}
	}
	return false, rows.Err()
}

// same says whether two places are one connection.
func together(p datasource.Plugin, a, b place) bool {
	return a.source == b.source && (a.database == b.database || !connects(p))
}
