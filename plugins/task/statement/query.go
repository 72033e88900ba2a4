package statement

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Row is one row of a result. It is valid until the next one.
type Row struct {
	Columns []string // their labels, each once
	columns []column
	keys    [][]byte // "label":
	values  []any
	buffer  []byte
}

// Cell returns the value of a column.
func (r *Row) Cell(i int) Cell { return r.columns[i].cell(r.values[i]) }

// Find returns the column with this label, whatever the case of its letters where none is the same; -1 when there is none.
func (r *Row) Find(label string) int {
	if i := slices.Index(r.Columns, label); i >= 0 {
		return i
	}
	return slices.IndexFunc(r.Columns, func(c string) bool { return strings.EqualFold(c, label) })
}

// JSON is the row as an object, members in the order of the columns. It is valid until the next row.
func (r *Row) JSON() []byte {
	b := r.buffer[:0]
	b = append(b, '{')
	for i := range r.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(append(b, r.keys[i]...), r.Cell(i))
	}
	b = append(b, '}')
	r.buffer = b
	return b
}

// Blank is a row of empty values.
func (r *Row) Blank() []byte {
	b := []byte{'{'}
	for i := range r.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, r.keys[i]...), '"', '"')
	}
	return append(b, '}')
}

func newRow(d Dialect, rows *sql.Rows) (*Row, []any, error) {
	labels, err := rows.Columns()
	if err != nil {
		return nil, nil, fmt.Errorf("read the columns: %w", err)
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, fmt.Errorf("read the columns: %w", err)
	}
	r := &Row{values: make([]any, len(labels)), columns: make([]column, len(labels))}
	into := make([]any, len(labels))
	seen := map[string]bool{}
	for i, label := range labels {
		if i < len(types) {
			r.columns[i] = readColumn(d, types[i])
		}
		label = strings.ToValidUTF8(label, "\ufffd")
		if label == "" || label == "?column?" {
			label = fmt.Sprintf("column%d", i+1)
		}
		for n, base := 2, label; seen[label]; n++ { // an object has a member once
			label = fmt.Sprintf("%s_%d", base, n)
		}
		seen[label] = true
		r.Columns = append(r.Columns, label)
		r.keys = append(r.keys, append(appendText(nil, label), ':'))
		into[i] = &r.values[i]
	}
	return r, into, nil
}

// Query runs a statement and visits up to most rows of its result, one at a time. begin is told the columns first. more says
// that there were more rows; they are not read.
func (s *Session) Query(ctx context.Context, st Statement, most int, begin, visit func(*Row) error) (n int, more bool, err error) {
	s.announce(st)
	rows, err := s.conn.QueryContext(ctx, st.Text, st.Args(s.Dialect)...)
	if untyped(err) && st.typed != "" {
		rows, err = s.conn.QueryContext(ctx, st.typed, st.Args(s.Dialect)...)
	}
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", Shorten(st.Text, 200), err)
	}
	defer func() {
		if closed := rows.Close(); closed != nil && err == nil && !more {
			err = fmt.Errorf("end the query: %w", closed)
		}
	}()
	row, into, err := newRow(s.Dialect, rows)
	if err != nil {
		return 0, false, err
	}
	if err := begin(row); err != nil {
		return 0, false, err
	}
	for rows.Next() {
		if n == most {
			s.skip(ctx, rows)
			return n, true, nil
		}
		n++
		if err := rows.Scan(into...); err != nil {
			return n, false, fmt.Errorf("read row %d: %w", n, err)
		}
		if err := visit(row); err != nil {
			return n, false, err
		}
	}
	if err := rows.Err(); err != nil {
		return n, false, fmt.Errorf("read row %d: %w", n+1, err)
	}
	return n, false, nil
}

// skip gets rid of the rest of a result. Drivers read it to its end, because the connection is good for nothing before; so
// when there is much left, the server is told to stop sending it.
func (s *Session) skip(ctx context.Context, rows *sql.Rows) {
	if s.Dialect.stop == "" {
		return
	}
	begin := time.Now()
	for n := 1; rows.Next(); n++ {
		if n%256 == 0 && time.Since(begin) > patience {
			limit, cancel := context.WithTimeout(ctx, stopTime)
			err := s.stop(limit)
			cancel()
			if err != nil {
				s.Logf("the server could not be told to stop sending: %v", s.masked(err))
			}
			for rows.Next() { // what was sent before the server stopped
			}
			_ = rows.Err() // that it stopped
			// A stop that came too late must hit this and not the next statement.
			_ = rows.Close()
			_, _ = s.conn.ExecContext(ctx, "SELECT 1")
			return
		}
	}
}

// Last runs a statement and visits each row of all its results, which for procedures may be many.
func (s *Session) Last(ctx context.Context, st Statement, visit func(*Row) error) (err error) {
	s.announce(st)
	rows, err := s.conn.QueryContext(ctx, st.Text, st.Args(s.Dialect)...)
	if err != nil {
		return fmt.Errorf("%s: %w", Shorten(st.Text, 200), err)
	}
	defer rows.Close()
	for {
		row, into, err := newRow(s.Dialect, rows)
		if err != nil {
			return err
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return fmt.Errorf("read the result: %w", err)
			}
			if err := visit(row); err != nil {
				return err
			}
		}
		if !rows.NextResultSet() {
			break
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	return nil
}
