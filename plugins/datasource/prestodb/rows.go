package prestodb

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// rows are the pages of a result.
type rows struct {
	ctx     context.Context //nolint:containedctx // Next has none
	c       *conn
	next    string // nextUri
	columns []string
	types   []string
	data    [][]json.RawMessage
	changed *int64
	pause   time.Duration
}

var _ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)

// page asks for the next page.
func (r *rows) page() error {
	a, err := r.c.ask(r.ctx, http.MethodGet, r.next, "")
	if err != nil {
		return err
	}
	if err := r.take(a); err != nil {
		return err
	}
	if len(r.data) > 0 || r.next == "" {
		r.pause = firstPause
		return nil
	}
	r.pause = min(2*r.pause, lastPause)
	return wait(r.ctx, r.pause)
}

func (r *rows) take(a answer) error {
	r.next, r.data = a.NextURI, a.Data
	if a.UpdateCount != nil {
		r.changed = a.UpdateCount
	}
	if a.Error != nil {
		r.next = ""
		return &Error{Name: readable(a.Error.Name), Text: readable(a.Error.Message)}
	}
	if len(r.columns) == 0 {
		for _, c := range a.Columns {
			r.columns, r.types = append(r.columns, c.Name), append(r.types, c.Type)
		}
	}
	return nil
}

// Columns names them.
func (r *rows) Columns() []string { return r.columns }

// ColumnTypeDatabaseTypeName is the type as Presto calls it, without what stands in brackets.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return strings.ToUpper(base(r.types[i])) }

func base(kind string) string {
	kind, _, _ = strings.Cut(kind, "(")
	return kind
}

// Close ends a statement that has not ended.
func (r *rows) Close() error {
	r.forget(r.ctx)
	return nil
}

// forget lets the server forget a statement, even when ctx has ended.
func (r *rows) forget(ctx context.Context) {
	if r.next == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if resp, err := r.c.send(ctx, http.MethodDelete, r.next, ""); err == nil {
		resp.Body.Close()
	}
	r.next = ""
}

// Next gives a row.
func (r *rows) Next(dest []driver.Value) error {
	for len(r.data) == 0 {
		if r.next == "" {
			return io.EOF
		}
		if err := r.page(); err != nil {
			return err
		}
	}
	row := r.data[0]
	r.data = r.data[1:]
	if len(row) != len(r.types) || len(dest) < len(row) {
		return errors.New("the server sends another number of values than it has named columns")
	}
	for i, raw := range row {
		v, err := value(raw, base(r.types[i]))
		if err != nil {
			return err
		}
		dest[i] = v
	}
	return nil
}

var errValue = errors.New("the server sends a value that is none of its type")

// value reads what stands in a cell. What has no type of its own in database/sql (dates, decimals) is text, and what is made
// of others (array, map, row) is JSON.
func value(raw json.RawMessage, kind string) (driver.Value, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, errValue
		}
	}
	switch kind {
	case "boolean":
		v, err := strconv.ParseBool(text)
		return v, wrong(err)
	case "bigint", "integer", "smallint", "tinyint":
		v, err := strconv.ParseInt(text, 10, 64)
		return v, wrong(err)
	case "double", "real":
		v, err := strconv.ParseFloat(text, 64) // NaN and Infinity are texts
		return v, wrong(err)
	case "varbinary":
		v, err := base64.StdEncoding.DecodeString(text)
		return v, wrong(err)
	}
	return text, nil
}

func wrong(err error) error {
	if err != nil {
		return errValue
	}
	return nil
}
