package native

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"dorado/plugins/task/statement"
)

// piece is a part of a job that one channel copies.
type piece struct {
	from  source
	query string
	about string // for the log
	to    int    // which of the targets
}

// source is where pieces come from.
type source interface {
	open(ctx context.Context, p piece) (rows, error)
	close() error
}

// rows are the rows of a piece. next returns io.EOF behind the last one. A rowError is one row that cannot be read.
type rows interface {
	columns() []column
	next() ([]any, error)
	close() error
}

type rowError struct{ error }

// tables is a database that is read.
type tables struct{ *database }

func (s tables) close() error { return s.pool.Close() }

type result struct {
	d    *database
	conn *sql.Conn
	rows *sql.Rows
	cols []column
	into []any
	raw  []any
}

func (s tables) open(ctx context.Context, p piece) (rows, error) {
	conn, err := s.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.name, err)
	}
	found, err := conn.QueryContext(ctx, p.query)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", p.about, err), conn.Close())
	}
	cols, err := columnsOf(s.family, found)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", p.about, err), found.Close(), conn.Close()) //nolint:sqlclosecheck // otherwise result closes it
	}
	r := &result{d: s.database, conn: conn, rows: found, cols: cols, into: make([]any, len(cols)), raw: make([]any, len(cols))}
	for i := range r.raw {
		r.into[i] = &r.raw[i]
	}
	return r, nil
}

func (r *result) columns() []column { return r.cols }

func (r *result) next() ([]any, error) {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	if err := r.rows.Scan(r.into...); err != nil {
		return nil, err
	}
	out := make([]any, len(r.raw))
	for i, v := range r.raw {
		var err error
		if out[i], err = r.d.read(r.cols[i], v); err != nil {
			return nil, rowError{err}
		}
	}
	return out, nil
}

// close gives the connection up: what was not read of the result would have to be read before it is good for anything.
func (r *result) close() error {
	_ = r.conn.Raw(func(any) error { return errLeft })
	return errors.Join(r.rows.Close(), r.conn.Close())
}

var errLeft = errors.New("the connection is not used again")

// cut makes pieces of a reader. channels is how many shall work side by side.
func (e end) cut(ctx context.Context, channels int, log func(string, ...any)) (pieces []piece, sources []source, err error) {
	defer func() {
		if err != nil {
			for _, s := range sources {
				err = errors.Join(err, s.close())
			}
		}
	}()
	names, err := e.columns()
	if err != nil {
		return nil, nil, err
	}
	where := strings.TrimSpace(e.params.Where)
	for _, c := range e.params.Connection {
		d, err := e.connect(ctx, c.URL)
		if err != nil {
			return nil, sources, err
		}
		from := tables{d}
		sources = append(sources, from)
		for i, q := range c.QuerySQL {
			pieces = append(pieces, piece{from: from, query: strings.TrimRight(q, "; \t\r\n"), about: fmt.Sprintf("statement %d of %s", i+1, d.name)})
		}
		if len(c.QuerySQL) > 0 {
			continue // as in DataX, it takes the place of tables
		}
		for _, table := range c.Table {
			conditions := []string{""}
			if e.params.SplitPk != "" && channels > 1 {
				if conditions, err = d.split(ctx, table, e.params.SplitPk, where, channels*5); err != nil {
					return nil, sources, fmt.Errorf("splitPk %q of %s: %w", e.params.SplitPk, table, err)
				}
				if len(conditions) == 1 {
					log("splitPk: the key %s of %s is not split; it is read in one piece", e.params.SplitPk, table)
				}
			}
			for i, condition := range conditions {
				p := piece{from: from, query: "SELECT " + strings.Join(names, ",") + " FROM " + table + filter(where, condition), about: fmt.Sprintf("%s of %s", table, d.name)}
				if len(conditions) > 1 {
					p.about = fmt.Sprintf("part %d of %d of %s", i+1, len(conditions), p.about)
				}
				pieces = append(pieces, p)
			}
		}
	}
	return pieces, sources, nil
}

func filter(conditions ...string) string {
	var all []string
	for _, c := range conditions {
		if c != "" {
			all = append(all, "("+c+")")
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// split returns conditions that cut a table into parts of about the same range of a key. One empty condition means that the
// key is no integer, or that there is nothing to split.
func (d *database) split(ctx context.Context, table, key, where string, parts int) ([]string, error) {
	conn, err := d.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var low, high any
	if err := conn.QueryRowContext(ctx, "SELECT MIN("+key+"), MAX("+key+") FROM "+table+filter(where)).Scan(&low, &high); err != nil {
		return nil, err
	}
	from, ok1 := whole(low)
	to, ok2 := whole(high)
	if !ok1 || !ok2 || from == to {
		return []string{""}, nil
	}
	return ranges(key, from, to, parts), nil
}

func whole(v any) (int64, bool) {
	switch x := v.(type) {
	case int64:
		return x, true
	case string:
		n, err := strconv.ParseInt(x, 10, 64)
		return n, err == nil
	case []byte:
		n, err := strconv.ParseInt(string(x), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// ranges cover every key, also those that come while the job runs, and rows without one.
func ranges(key string, from, to int64, parts int) []string {
	width := uint64(to) - uint64(from) // also right when the difference is more than an int64 holds
	step := max(width/uint64(parts), 1)
	var out []string
	low := from
	for uint64(to)-uint64(low) > step {
		next := int64(uint64(low) + step)
		condition := fmt.Sprintf("%s < %d", key, next)
		if len(out) > 0 {
			condition = fmt.Sprintf("%s >= %d AND %s", key, low, condition)
		}
		out, low = append(out, condition), next
	}
	if len(out) == 0 {
		return []string{""}
	}
	return append(out, fmt.Sprintf("%s >= %d", key, low), key+" IS NULL")
}

// check has the server look at the statement of a piece without running it, where servers do so.
func (s tables) check(ctx context.Context, p piece) error {
	if s.family != statement.Postgres && s.family != statement.MySQL {
		return nil
	}
	conn, err := s.conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	prepared, err := conn.PrepareContext(ctx, p.query)
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok && e.Number == 1295 { // such statements cannot be prepared
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", p.about, err)
	}
	defer prepared.Close()
	return nil
}

// made is a streamreader: rows that are made up.
type made struct{ e end }

// madeColumn is a column of a streamreader.
type madeColumn struct {
	Type   string `json:"type"`
	Value  any    `json:"value"`
	Random string `json:"random"`
}

func (s made) close() error { return nil }

func (s made) open(_ context.Context, _ piece) (rows, error) {
	r := &madeRows{left: int64(s.e.params.Slice)}
	for i, raw := range s.e.params.Column {
		var c madeColumn
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, fmt.Errorf("streamreader: column %d is not understood", i+1)
		}
		if c.Value == nil && c.Random == "" {
			return nil, fmt.Errorf("streamreader: column %d has neither value nor random", i+1)
		}
		kinds := map[string]kind{"": text, "string": text, "long": decimal, "double": decimal, "bool": boolean, "date": stamp, "bytes": binary}
		k, ok := kinds[strings.ToLower(c.Type)]
		if !ok {
			return nil, fmt.Errorf("streamreader: column %d: there is no type %q", i+1, c.Type)
		}
		r.made = append(r.made, c)
		r.cols = append(r.cols, column{name: fmt.Sprintf("column%d", i+1), kind: k, typ: c.Type})
	}
	return r, nil
}

type madeRows struct {
	made []madeColumn
	cols []column
	left int64
}

func (r *madeRows) columns() []column { return r.cols }
func (r *madeRows) close() error      { return nil }

func (r *madeRows) next() ([]any, error) {
	if r.left <= 0 {
		return nil, io.EOF
	}
	r.left--
	out := make([]any, len(r.made))
	for i, c := range r.made {
		if c.Value != nil {
			out[i] = fmt.Sprint(c.Value)
			continue
		}
		low, high, _ := strings.Cut(c.Random, ",")
		from, err1 := strconv.ParseInt(strings.TrimSpace(low), 10, 64)
		to, err2 := strconv.ParseInt(strings.TrimSpace(high), 10, 64)
		if err1 != nil || err2 != nil || to < from {
			return nil, fmt.Errorf("streamreader: random %q is not of the form 1,10", c.Random)
		}
		n := from + rand.Int64N(to-from+1) //nolint:gosec // made-up rows are no secret
		switch r.cols[i].kind {
		case text:
			out[i] = strings.Repeat("x", int(min(n, 1<<20)))
		case stamp:
			out[i] = time.UnixMilli(n).UTC()
		default:
			out[i] = strconv.FormatInt(n, 10)
		}
	}
	return out, nil
}
