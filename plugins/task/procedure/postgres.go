package procedure

import (
	"context"
	"strings"

	"dorado/plugins/task/statement"
)

// postgres calls a procedure, whose OUT values come back as a row, or selects from a function. A call that does not say
// which of them it means gets what is there.
func (c *caller) postgres(ctx context.Context, s *statement.Session) error {
	procedure := !c.asks
	if procedure {
		var err error
		if procedure, err = c.isProcedure(ctx, s); err != nil {
			return err
		}
	}
	st := statement.Statement{Text: "SELECT * FROM " + c.name}
	if procedure {
		st.Text = "CALL " + c.name
	}
	err := c.list(&st, func(_ int, a arg) (string, error) {
		if _, goes := a.input(c.Binder); !goes && !procedure {
			return "", nil // functions are called without them
		}
		return c.initial(&st, a)
	})
	if err != nil {
		return err
	}
	return c.query(ctx, s, st, c.taking())
}

// isProcedure asks the catalogue. What is not found is a procedure, and the server will say what is wrong with it.
func (c *caller) isProcedure(ctx context.Context, s *statement.Session) (bool, error) {
	schema, name := identifiers(c.name)
	st := statement.Statement{Text: "SELECT coalesce(bool_or(p.prokind = 'p'), true) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace" +
		" WHERE p.proname = $1 AND (n.nspname = $2 OR $2 = '')"}
	for _, text := range []string{name, schema} {
		if _, err := c.Add(&st, statement.Bind{Name: "name", Value: text}, false); err != nil {
			return false, err
		}
	}
	is := true
	_, _, err := s.Query(ctx, st, 1, func(*statement.Row) error { return nil }, func(r *statement.Row) error {
		is = r.Cell(0).Text == "true"
		return nil
	})
	return is, err
}

// identifiers cuts schema.name as the server does: what is not quoted is in small letters.
func identifiers(text string) (schema, name string) {
	var parts []string
	for rest := text; ; {
		rest = strings.TrimSpace(rest)
		part, tail := "", ""
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			for {
				before, after, found := strings.Cut(quoted, `"`)
				part += before
				if tail = after; !found || !strings.HasPrefix(after, `"`) {
					break
				}
				part, quoted = part+`"`, after[1:]
			}
			_, tail, _ = strings.Cut(tail, ".")
		} else {
			part, tail, _ = strings.Cut(rest, ".")
			part = strings.ToLower(strings.TrimSpace(part))
		}
		parts = append(parts, part)
		if rest = tail; rest == "" {
			break
		}
	}
	name = parts[len(parts)-1]
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	return schema, name
}
