package keep

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/migrations"
	"dorado/modules/keep/archive"
)

// raw marks a text that is not UTF-8: {"base64":"…"}.
type raw struct {
	Base64 []byte `json:"base64"`
}

// encoder writes rows as JSON arrays.
type encoder struct {
	buf bytes.Buffer
	enc *json.Encoder
}

func newEncoder() *encoder {
	e := &encoder{}
	e.enc = json.NewEncoder(&e.buf)
	e.enc.SetEscapeHTML(false)
	return e
}

// row encodes values as a driver gives them; the result is valid until the next call.
func (e *encoder) row(columns []archive.Column, values []any) ([]byte, error) {
	e.buf.Reset()
	e.buf.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			e.buf.WriteByte(',')
		}
		if err := e.value(columns[i].Type, v); err != nil {
			return nil, fmt.Errorf("column %s: %w", columns[i].Name, err)
		}
	}
	e.buf.WriteByte(']')
	return e.buf.Bytes(), nil
}

func (e *encoder) value(kind archive.Type, v any) error {
	if v == nil {
		e.buf.WriteString("null")
		return nil
	}
	switch kind {
	case archive.Int:
		if n, ok := v.(int64); ok {
			e.buf.WriteString(strconv.FormatInt(n, 10))
			return nil
		}
	case archive.Bool:
		switch b := v.(type) {
		case bool:
			e.buf.WriteString(strconv.FormatBool(b))
			return nil
		case int64:
			e.buf.WriteString(strconv.FormatBool(b != 0))
			return nil
		}
	case archive.Time:
		if t, ok := v.(time.Time); ok {
			e.buf.WriteString(strconv.Quote(t.UTC().Format(time.RFC3339Nano)))
			return nil
		}
	case archive.Float:
		switch f := v.(type) {
		case float64:
			return e.put(f)
		case int64: // SQLite keeps whole numbers as such
			return e.put(float64(f))
		}
	case archive.Text:
		switch s := v.(type) {
		case string:
			return e.text(s)
		case []byte:
			return e.text(string(s))
		}
	case archive.Bytes:
		switch b := v.(type) {
		case []byte:
			return e.put(b)
		case string:
			return e.put([]byte(b))
		}
	}
	return fmt.Errorf("a value of Go type %T is no %s", v, kind)
}

func (e *encoder) text(s string) error {
	if !utf8.ValidString(s) {
		return e.put(raw{[]byte(s)})
	}
	return e.put(s)
}

// put writes a JSON value without the line end of json.Encoder.
func (e *encoder) put(v any) error {
	if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		v = nil
	}
	if err := e.enc.Encode(v); err != nil {
		return err
	}
	e.buf.Truncate(e.buf.Len() - 1)
	return nil
}

// decodeRow turns a line of a backup into values for a driver of dialect. Its errors are those of a damaged backup.
func decodeRow(t *archive.Table, line []byte, dialect string) ([]any, error) {
	var fields []json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, fmt.Errorf("%w: a row of table %s: %w", archive.ErrDamaged, t.Name, err)
	}
	if len(fields) != len(t.Columns) {
		return nil, fmt.Errorf("%w: a row of table %s has %d values for %d columns", archive.ErrDamaged, t.Name, len(fields), len(t.Columns))
	}
	out := make([]any, len(fields))
	for i, field := range fields {
		v, err := decodeValue(t.Columns[i].Type, field, dialect)
		if err != nil {
			return nil, fmt.Errorf("%w: table %s, column %s: %w", archive.ErrDamaged, t.Name, t.Columns[i].Name, err)
		}
		out[i] = v
	}
	return out, nil
}

func decodeValue(kind archive.Type, field json.RawMessage, dialect string) (any, error) {
	if string(field) == "null" {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	switch kind {
	case archive.Int:
		return strconv.ParseInt(string(field), 10, 64)
	case archive.Bool:
		return strconv.ParseBool(string(field))
	case archive.Float:
		return strconv.ParseFloat(string(field), 64)
	case archive.Time:
		var text string
		if err := json.Unmarshal(field, &text); err != nil {
			return nil, err
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		return at.UTC(), err
	case archive.Bytes:
		var text string
		if err := json.Unmarshal(field, &text); err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(text)
	case archive.Text:
		var text string
		if field[0] == '{' {
			var r raw
			if err := json.Unmarshal(field, &r); err != nil {
				return nil, err
			}
			text = string(r.Base64)
		} else if err := json.Unmarshal(field, &text); err != nil {
			return nil, err
		}
		if dialect == migrations.Postgres { // it refuses what SQLite takes
			text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
		}
		return text, nil
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}
