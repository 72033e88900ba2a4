package procedure

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task/statement"
)

// marker names the columns of the result that holds OUT values, among results that a procedure makes itself.
const marker = "dorado_out_"

// sqlServer runs a batch: EXEC takes variables and constants only, and a variable says of which type a value is even when
// it is NULL. The values come back as the last result.
func (c *caller) sqlServer(ctx context.Context, s *statement.Session) error {
	var st statement.Statement
	declare := func(variable, kind, value string) {
		st.Text += "DECLARE " + variable + " " + sqlServerType(kind)
		if value != "" {
			st.Text += " = " + value
		}
		st.Text += ";\n"
	}
	var given, back []string
	var params []form.Param
	target := ""
	if c.asks {
		kind := "INTEGER" // the status of a procedure
		if c.result != nil {
			kind, params, back = c.result.Type, append(params, *c.result), append(back, "@dorado_result")
		}
		declare("@dorado_result", kind, "")
		target = "@dorado_result = "
	}
	for i, a := range c.args {
		variable := fmt.Sprintf("@dorado_%d", i+1)
		switch {
		case a.out != nil:
			value, err := c.initial(&st, a)
			if err != nil {
				return err
			}
			declare(variable, a.out.Type, value)
			params, back = append(params, *a.out), append(back, variable)
			variable += " OUTPUT"
		case !strings.Contains(a.text, "${"):
			variable = a.text
		default:
			_, kind, _ := c.Value(a.param)
			value := statement.Statement{Binds: st.Binds}
			if err := c.Append(&value, a.text, false); err != nil {
				return err
			}
			st.Binds = value.Binds
			declare(variable, kind, value.Text)
		}
		given = append(given, a.label+variable)
	}
	st.Text += "EXEC " + target + c.name + " " + strings.Join(given, ", ") + ";"
	if len(back) == 0 {
		_, err := s.Exec(ctx, st)
		return err
	}
	for i := range back {
		back[i] = fmt.Sprintf("%s AS %s%d", back[i], marker, i+1)
	}
	st.Text += "\nSELECT " + strings.Join(back, ", ") + ";"
	found := false
	err := s.Last(ctx, st, func(r *statement.Row) error {
		if len(r.Columns) != len(params) || r.Columns[0] != marker+"1" {
			return nil
		}
		found = true
		return c.row(r, params)
	})
	if err == nil && !found {
		err = fmt.Errorf("%s returned no values", c.name)
	}
	return err
}

func sqlServerType(kind string) string {
	switch kind {
	case "INTEGER":
		return "int"
	case "LONG":
		return "bigint"
	case "FLOAT", "DOUBLE":
		return "float"
	case "DATE":
		return "date"
	case "TIME":
		return "time"
	case "TIMESTAMP":
		return "datetime2"
	case "BOOLEAN":
		return "bit"
	}
	return "nvarchar(max)"
}

// oracle runs a block with variables of the declared types. They come back as texts, because only those show dates and
// numbers of 38 digits without loss.
func (c *caller) oracle(ctx context.Context, s *statement.Session) error {
	var st statement.Statement
	var back []string
	var params []form.Param
	variables := map[int]string{}
	st.Text = "DECLARE\n"
	if c.asks {
		if c.result == nil {
			return errors.New("what the function returns needs an OUT parameter")
		}
		st.Text += "  dorado_result " + oracleType(c.result.Type) + ";\n"
		params, back = append(params, *c.result), append(back, "dorado_result")
	}
	for i, a := range c.args {
		if a.out == nil {
			continue
		}
		value, err := c.initial(&st, a)
		if err != nil {
			return err
		}
		if a.out.Type == "BOOLEAN" && value != "NULL" { // a boolean goes in as a number
			value = "(" + value + " = 1)"
		}
		variables[i] = fmt.Sprintf("dorado_%d", i+1)
		st.Text += "  " + variables[i] + " " + oracleType(a.out.Type) + " := " + value + ";\n"
		params, back = append(params, *a.out), append(back, variables[i])
	}
	if len(back) == 0 {
		st.Text = ""
	}
	st.Text += "BEGIN\n  "
	if c.asks {
		st.Text += "dorado_result := "
	}
	st.Text += c.name
	if err := c.list(&st, func(i int, _ arg) (string, error) { return variables[i], nil }); err != nil {
		return err
	}
	st.Text += ";\n"
	args := st.Args(c.Dialect)
	values := make([]sql.NullString, len(back))
	for i, variable := range back {
		st.Text += fmt.Sprintf("  :%d := %s;\n", len(st.Binds)+1+i, oracleText(variable, params[i].Type))
		args = append(args, sql.Out{Dest: &values[i]})
	}
	st.Text += "END;"
	if err := s.Call(ctx, st, args); err != nil {
		return err
	}
	for i, p := range params {
		c.take(p, statement.Cell{Text: values[i].String, Null: !values[i].Valid})
	}
	return nil
}

func oracleType(kind string) string {
	switch kind {
	case "INTEGER", "LONG", "FLOAT", "DOUBLE":
		return "NUMBER"
	case "DATE", "TIMESTAMP", "BOOLEAN":
		return kind
	}
	return "VARCHAR2(32767)"
}

// oracleText is an expression that shows a variable independently of the session's settings.
func oracleText(variable, kind string) string {
	switch kind {
	case "INTEGER", "LONG", "FLOAT", "DOUBLE":
		return "TO_CHAR(" + variable + ", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"
	case "DATE":
		return "TO_CHAR(" + variable + ", 'YYYY-MM-DD')"
	case "TIMESTAMP":
		return "TO_CHAR(" + variable + ", 'YYYY-MM-DD HH24:MI:SS.FF6')"
	case "BOOLEAN":
		return "CASE WHEN " + variable + " THEN 'true' WHEN NOT " + variable + " THEN 'false' END"
	}
	return variable
}
