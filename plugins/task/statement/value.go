package statement

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Cell is a value as people and JSON read it.
type Cell struct {
	Text string
	Null bool
	bare bool // a number or a truth value, written without quotes
}

// column says how values of a column are read.
type column struct {
	number, clock, day, zone, bits, guid bool
}

func readColumn(d Dialect, t *sql.ColumnType) column {
	kind := strings.ToUpper(t.DatabaseTypeName())
	kind = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(kind, "NULLABLE("), "UNSIGNED "), ")")
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(kind, w) {
				return true
			}
		}
		return false
	}
	return column{
		number: has("DECIMAL", "NUMERIC", "NUMBER", "FLOAT", "DOUBLE", "REAL", "SERIAL", "YEAR", "OID") || (has("INT") && !has("INTERVAL", "POINT")),
		clock:  strings.HasPrefix(kind, "TIME") && !has("STAMP"),
		day:    (kind == "DATE" || kind == "DATE32") && d.Family != Oracle, // where it has a time of day
		zone:   has("TZ", "ZONE", "OFFSET"),
		bits:   kind == "BIT" && d.Family == MySQL,
		guid:   kind == "UNIQUEIDENTIFIER",
	}
}

// cell reads what a driver returned.
func (c column) cell(v any) Cell {
	switch x := v.(type) {
	case nil:
		return Cell{Null: true}
	case []byte:
		return c.bytes(x)
	case string:
		return c.text(x)
	case int64:
		return Cell{Text: strconv.FormatInt(x, 10), bare: true}
	case float64:
		return float(x, 64)
	case float32:
		return float(float64(x), 32)
	case bool:
		return Cell{Text: strconv.FormatBool(x), bare: true}
	case time.Time:
		return Cell{Text: c.time(x)}
	case fmt.Stringer:
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && p.IsNil() {
			return Cell{Null: true}
		}
		return c.text(x.String())
	}
	return c.other(reflect.ValueOf(v))
}

// other reads what only some drivers return.
func (c column) other(v reflect.Value) Cell {
	switch v.Kind() { //nolint:exhaustive // all else is written as JSON
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return Cell{Null: true}
		}
		return c.cell(v.Elem().Interface())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Cell{Text: strconv.FormatInt(v.Int(), 10), bare: true}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Cell{Text: strconv.FormatUint(v.Uint(), 10), bare: true}
	case reflect.String:
		return c.text(v.String())
	}
	if raw, err := json.Marshal(v.Interface()); err == nil {
		return Cell{Text: string(raw)}
	}
	return Cell{Text: fmt.Sprint(v.Interface())}
}

func (c column) bytes(x []byte) Cell {
	switch {
	case c.bits && len(x) <= 8:
		var n uint64
		for _, b := range x {
			n = n<<8 | uint64(b)
		}
		return Cell{Text: strconv.FormatUint(n, 10), bare: true}
	case c.guid && len(x) == 16: // the first three groups are little-endian
		return Cell{Text: fmt.Sprintf("%X-%X-%X-%X-%X", []byte{x[3], x[2], x[1], x[0]}, []byte{x[5], x[4]}, []byte{x[7], x[6]}, x[8:10], x[10:])}
	case !utf8.Valid(x):
		return Cell{Text: base64.StdEncoding.EncodeToString(x)}
	}
	return c.text(string(x))
}

func (c column) text(s string) Cell {
	if !c.number {
		return Cell{Text: s}
	}
	switch { // Oracle writes .5
	case strings.HasPrefix(s, "."):
		s = "0" + s
	case strings.HasPrefix(s, "-."):
		s = "-0" + s[1:]
	}
	return Cell{Text: s, bare: isNumber(s)}
}

// isNumber reports whether s is a number of JSON.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || (s[0] >= '0' && s[0] <= '9')) && json.Valid([]byte(s))
}

func float(f float64, bits int) Cell {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Cell{Text: strconv.FormatFloat(f, 'g', -1, bits)}
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return Cell{Text: strconv.FormatFloat(f, format, -1, bits), bare: true}
}

// time writes a time as ISO 9075 does, which every database reads.
func (c column) time(t time.Time) string {
	layout := "2006-01-02 15:04:05.999999999"
	switch {
	case c.day:
		return t.Format("2006-01-02")
	case c.clock:
		layout = "15:04:05.999999999"
	}
	if c.zone {
		layout += "-07:00"
	}
	return t.Format(layout)
}

// appendCell writes a cell as JSON.
func appendCell(b []byte, c Cell) []byte {
	switch {
	case c.Null:
		return append(b, "null"...)
	case c.bare:
		return append(b, c.Text...)
	}
	return appendText(b, c.Text)
}

// appendText writes a JSON string. Unlike encoding/json it leaves <, > and & readable.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c == '\n':
			b = append(b, '\\', 'n')
			i++
		case c == '\r':
			b = append(b, '\\', 'r')
			i++
		case c == '\t':
			b = append(b, '\\', 't')
			i++
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	return append(b, '"')
}
