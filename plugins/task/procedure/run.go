package procedure

import (
	"context"
	"fmt"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/statement"
)

// run reads the call before it connects.
func run(ctx context.Context, v form.Values, env task.Env) (task.Outcome, error) {
	source, err := env.Source(v.ID("datasource"))
	if err != nil {
		return task.Outcome{}, err
	}
	local := v.Params(task.LocalParams)
	c := caller{Binder: statement.NewBinder(statement.Of(source.Plugin), env, local)}
	text, err := c.Prepare(v.Text(method))
	if err != nil {
		return task.Outcome{}, err
	}
	if c.call, err = parse(c.Dialect, text, local, statement.Outs(env, local)); err != nil {
		return task.Outcome{}, err
	}
	for _, a := range c.args { // a parameter without a value is noticed before anything is done
		if a.out == nil {
			if err := c.Append(&statement.Statement{}, a.text, true); err != nil {
				return task.Outcome{}, err
			}
		}
	}
	if err := statement.Work(ctx, source, env.Log, c.do); err != nil {
		return task.Outcome{}, err
	}
	return task.Outcome{Out: c.values}, nil
}

// caller carries out a call in the way of a dialect.
type caller struct {
	statement.Binder
	call
	values map[string]string
}

func (c *caller) do(ctx context.Context, s *statement.Session) error {
	c.values = map[string]string{}
	var err error
	switch c.Dialect.Family {
	case statement.Postgres:
		err = c.postgres(ctx, s)
	case statement.MySQL:
		err = c.mysql(ctx, s)
	case statement.SQLServer:
		err = c.sqlServer(ctx, s)
	case statement.Oracle:
		err = c.oracle(ctx, s)
	case statement.ClickHouse, statement.Hive, statement.Trino, statement.SQLite, statement.Plain:
		err = c.plain(ctx, s)
	}
	if err != nil {
		return err
	}
	for _, p := range c.taking() {
		s.Logf("%s = %s (%s)", p.Prop, statement.Shorten(c.values[p.Prop], 500), p.Type)
	}
	return nil
}

// take keeps the value of a parameter.
func (c *caller) take(p form.Param, cell statement.Cell) {
	text := cell.Text
	if cell.Null {
		text = ""
	}
	if p.Type == "BOOLEAN" && !cell.Null { // many databases return 1 and 0
		if binds, err := statement.Parse(p.Prop, p.Type, text); err == nil && len(binds) == 1 {
			text = fmt.Sprint(binds[0].Value)
		}
	}
	c.values[p.Prop] = text
}

// row takes the values of a result: by position when there are as many columns as parameters, otherwise by name.
func (c *caller) row(r *statement.Row, params []form.Param) error {
	for i, p := range params {
		at := i
		if len(r.Columns) != len(params) {
			if at = r.Find(p.Prop); at < 0 {
				return fmt.Errorf("%s returned %d values, and none of them is called %q", c.name, len(r.Columns), p.Prop)
			}
		}
		c.take(p, r.Cell(at))
	}
	return nil
}

// query runs a statement whose first row holds the values of params.
func (c *caller) query(ctx context.Context, s *statement.Session, st statement.Statement, params []form.Param) error {
	n, _, err := s.Query(ctx, st, 1, func(*statement.Row) error { return nil }, func(r *statement.Row) error { return c.row(r, params) })
	if err != nil {
		return err
	}
	if n == 0 && len(params) > 0 {
		return fmt.Errorf("%s returned no values", c.name)
	}
	return nil
}

// list adds the arguments to st; back says what stands for one that comes back, "" leaves it out.
func (c *caller) list(st *statement.Statement, back func(i int, a arg) (string, error)) error {
	st.Text += "("
	first := true
	for i, a := range c.args {
		text := ""
		if a.out != nil {
			var err error
			if text, err = back(i, a); err != nil {
				return err
			}
			if text == "" {
				continue
			}
		}
		if !first {
			st.Text += ", "
		}
		first = false
		st.Text += a.label + text
		if a.out == nil {
			if err := c.Append(st, a.text, c.Dialect.Literal()); err != nil {
				return err
			}
		}
	}
	st.Text += ")"
	return nil
}

// initial adds the value that an argument goes in with, as the type that its parameter has.
func (c *caller) initial(st *statement.Statement, a arg) (string, error) {
	value, ok := a.input(c.Binder)
	if !ok {
		return "NULL", nil
	}
	kind := a.out.Type
	if kind == "LIST" {
		kind = "VARCHAR"
	}
	binds, err := statement.Parse(a.param, kind, value)
	if err != nil {
		return "", err
	}
	return c.Add(st, binds[0], c.Dialect.Literal())
}

// function asks for what a function returns in the way that all databases know.
func (c *caller) function(ctx context.Context, s *statement.Session, from string) error {
	st := statement.Statement{Text: "SELECT " + c.name}
	err := c.list(&st, func(int, arg) (string, error) {
		return "", fmt.Errorf("a function of this type of data source has no OUT arguments")
	})
	if err != nil {
		return err
	}
	st.Text += from
	if c.result == nil {
		return c.query(ctx, s, st, nil)
	}
	return c.query(ctx, s, st, []form.Param{*c.result})
}

// plain calls what returns nothing, or a function.
func (c *caller) plain(ctx context.Context, s *statement.Session) error {
	if c.asks {
		return c.function(ctx, s, "")
	}
	st := statement.Statement{Text: "CALL " + c.name}
	err := c.list(&st, func(_ int, a arg) (string, error) {
		return "", fmt.Errorf("parameter %q: OUT parameters are not supported for this type of data source", a.param)
	})
	if err != nil {
		return err
	}
	_, err = s.Exec(ctx, st)
	return err
}

// mysql hands values back through variables of the session, because the server has no other way.
func (c *caller) mysql(ctx context.Context, s *statement.Session) error {
	if c.asks {
		return c.function(ctx, s, "")
	}
	var variables []string
	var params []form.Param
	for _, a := range c.args {
		if a.out == nil {
			continue
		}
		variable := fmt.Sprintf("@dorado_out_%d", len(variables)+1)
		st := statement.Statement{}
		value, err := c.initial(&st, a)
		if err != nil {
			return err
		}
		st.Text = "SET " + variable + " = " + value
		if _, err := s.Exec(ctx, st); err != nil {
			return err
		}
		variables, params = append(variables, variable), append(params, *a.out)
	}
	st, n := statement.Statement{Text: "CALL " + c.name}, 0
	if err := c.list(&st, func(int, arg) (string, error) { n++; return variables[n-1], nil }); err != nil {
		return err
	}
	if _, err := s.Exec(ctx, st); err != nil {
		return err
	}
	if len(variables) == 0 {
		return nil
	}
	return c.query(ctx, s, statement.Statement{Text: "SELECT " + strings.Join(variables, ", ")}, params)
}
