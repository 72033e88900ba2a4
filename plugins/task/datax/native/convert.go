package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/plugins/task/statement"
)

// read turns what a driver returned into nil, string, int64, float64, bool, []byte or time.Time.
func (d *database) read(c column, v any) (any, error) {
	switch x := v.(type) {
	case nil, int64, bool:
		return x, nil
	case []byte:
		return readBytes(c.kind, x), nil
	case string:
		if d.family == statement.Oracle && c.kind == decimal {
			return number1(x), nil
		}
		return x, nil
	case float64:
		return x, nil
	case float32:
		return strconv.FormatFloat(float64(x), 'g', -1, 32), nil
	case time.Time:
		return d.readTime(c, x)
	}
	return readOther(d, c, reflect.ValueOf(v))
}

// number1 writes a number of Oracle as others do: it may begin with a point.
func number1(s string) string {
	switch {
	case strings.HasPrefix(s, "."):
		return "0" + s
	case strings.HasPrefix(s, "-."):
		return "-0" + s[1:]
	}
	return s
}

func readBytes(k kind, x []byte) any {
	switch {
	case k == binary:
		return x
	case k == bits && len(x) <= 8:
		var n uint64
		for _, b := range x {
			n = n<<8 | uint64(b)
		}
		return unsigned(n)
	case k == guid && len(x) == 16: // the first three groups are little-endian
		return fmt.Sprintf("%x-%x-%x-%x-%x", []byte{x[3], x[2], x[1], x[0]}, []byte{x[5], x[4]}, []byte{x[7], x[6]}, x[8:10], x[10:])
	}
	return string(x)
}

func unsigned(n uint64) any {
	if n > math.MaxInt64 {
		return strconv.FormatUint(n, 10)
	}
	return int64(n)
}

func (d *database) readTime(c column, t time.Time) (any, error) {
	if d.family != statement.MySQL {
		return t, nil
	}
	if t.IsZero() { // 0000-00-00
		if d.nulls {
			return nil, nil //nolint:nilnil // NULL
		}
		return nil, fmt.Errorf("column %q: the date 0000-00-00 is none (zeroDateTimeBehavior=convertToNull in the address makes it NULL)", c.name)
	}
	if c.kind == instant { // shown in the zone of the session, which the driver does not know
		return in(t, d.zone), nil
	}
	return t, nil
}

// in is the same day and time of day in another zone.
func in(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}

// readOther reads what only some drivers return.
func readOther(d *database, c column, v reflect.Value) (any, error) {
	switch v.Kind() { //nolint:exhaustive // all else is written as text
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, nil //nolint:nilnil // NULL
		}
		if s, ok := reflect.TypeAssert[fmt.Stringer](v); ok && v.Elem().Kind() == reflect.Struct && v.Elem().Type() != reflect.TypeFor[time.Time]() {
			return s.String(), nil
		}
		return d.read(c, v.Elem().Interface())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return unsigned(v.Uint()), nil
	case reflect.String:
		return v.String(), nil
	}
	if s, ok := reflect.TypeAssert[fmt.Stringer](v); ok { // decimals, identifiers and addresses of ClickHouse
		return s.String(), nil
	}
	raw, err := json.Marshal(v.Interface())
	if err != nil {
		return nil, fmt.Errorf("column %q: a value of type %s cannot be read", c.name, v.Type())
	}
	return string(raw), nil
}

// converter makes values fit a column.
type converter struct {
	family statement.Family // of the target
	zone   *time.Location   // of times without a zone where the other side has one
	shown  *time.Location   // MySQL: of TIMESTAMP
	blanks bool             // an empty text stands for NULL where no text can be
}

var errEncoding = errors.New("the bytes are no text in UTF-8")

// write returns what the driver of the target is given for a value of column from that goes to column to. Its errors are
// those of a dirty row; they hold no value.
func (c converter) write(from, to column, v any) (any, error) {
	if v == nil {
		if to.kind == binary && c.family == statement.SQLServer {
			return []byte(nil), nil // which has to know the type of NULL, too
		}
		return nil, nil //nolint:nilnil // NULL
	}
	if s, ok := v.(string); ok && s == "" && c.blanks && to.kind != text && to.kind != binary {
		return nil, nil //nolint:nilnil // NULL
	}
	out, err := c.convert(from, to, v)
	if err != nil {
		return nil, fmt.Errorf("column %q (%s): %w", to.name, to.typ, err)
	}
	return out, nil
}

func (c converter) convert(from, to column, v any) (any, error) {
	switch to.kind {
	case integer, decimal, float:
		return writeNumber(to.kind, v)
	case bits:
		s, err := writeNumber(integer, v)
		if err != nil {
			return nil, err
		}
		return strconv.ParseUint(s, 10, 64)
	case boolean:
		return c.writeBoolean(v)
	case binary:
		if b, ok := v.([]byte); ok {
			return b, nil
		}
		s, err := c.text(from, v)
		return []byte(s), err
	case date, clock, stamp, instant:
		return c.writeTime(from, to, v)
	case text, guid:
	}
	return c.text(from, v)
}

// text writes a value as people read it.
func (c converter) text(from column, v any) (string, error) {
	switch x := v.(type) {
	case string:
		if !utf8.ValidString(x) {
			return "", errEncoding
		}
		return x, nil
	case []byte:
		if !utf8.Valid(x) {
			return "", errEncoding
		}
		return string(x), nil
	case int64:
		return strconv.FormatInt(x, 10), nil
	case float64:
		return formatFloat(x), nil
	case bool:
		return strconv.FormatBool(x), nil
	case time.Time:
		switch from.kind { //nolint:exhaustive // the others have no times
		case date:
			return x.Format("2006-01-02"), nil
		case clock:
			return x.Format("15:04:05.999999999") + zoneOf(from, x), nil
		case instant:
			return x.In(c.zone).Format("2006-01-02 15:04:05.999999999-07:00"), nil
		}
		return x.Format("2006-01-02 15:04:05.999999999"), nil
	}
	return "", fmt.Errorf("a value of type %T", v)
}

// zoneOf is the zone of a time of day that has one.
func zoneOf(from column, t time.Time) string {
	if strings.HasSuffix(strings.ToUpper(from.typ), "TZ") {
		return t.Format("-07:00")
	}
	return ""
}

func formatFloat(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// writeNumber writes a number as text, which loses nothing. Where no fraction can be, one that is zero is left out.
func writeNumber(to kind, v any) (string, error) {
	var s string
	switch x := v.(type) {
	case int64:
		return strconv.FormatInt(x, 10), nil
	case bool:
		if x {
			return "1", nil
		}
		return "0", nil
	case float64:
		s = formatFloat(x)
	case string:
		s = strings.TrimSpace(x)
	case []byte:
		s = strings.TrimSpace(string(x))
	case time.Time:
		return "", errors.New("a time is no number")
	}
	if whole, fraction, ok := strings.Cut(s, "."); ok && to == integer {
		if strings.Trim(fraction, "0") != "" {
			return "", errors.New("a number with a fraction where none can be")
		}
		s = whole
	}
	if f, err := strconv.ParseFloat(s, 64); s == "" || err != nil && !math.IsInf(f, 0) {
		return "", errors.New("it is no number")
	}
	return s, nil
}

func (c converter) writeBoolean(v any) (any, error) {
	var is bool
	switch x := v.(type) {
	case bool:
		is = x
	case int64:
		is = x != 0
	case float64:
		is = x != 0
	case string, []byte:
		switch s, _ := c.text(column{}, x); strings.ToLower(strings.TrimSpace(s)) {
		case "1", "true", "t", "yes", "y", "on":
			is = true
		case "0", "false", "f", "no", "n", "off":
		default:
			return nil, errors.New("it is neither true nor false")
		}
	default:
		return nil, errors.New("a time is neither true nor false")
	}
	if c.family == statement.ClickHouse || c.family == statement.Postgres {
		return strconv.FormatBool(is), nil
	}
	return is, nil
}

// writeTime writes times as text in the form that the family reads whatever the settings of the session, or as a time for
// Oracle, which has no such form.
func (c converter) writeTime(from, to column, v any) (any, error) {
	t, zoned, ok := time.Time{}, from.kind == instant, false
	switch x := v.(type) {
	case time.Time:
		t, ok = x, true
	case string:
		t, zoned, ok = parseTime(strings.TrimSpace(x))
	case []byte:
		t, zoned, ok = parseTime(strings.TrimSpace(string(x)))
	}
	if !ok {
		s, isText := v.(string)
		if !isText || c.family == statement.Oracle {
			return nil, errors.New("it is no time")
		}
		return s, nil // servers read more forms than are known here, such as infinity
	}
	if from.kind == clock || to.kind == clock {
		if to.kind == clock {
			return t.Format("15:04:05.999999") + zoneOf(from, t), nil
		}
		return nil, errors.New("a time of day is no day")
	}
	switch {
	case zoned && to.kind != instant:
		t = t.In(c.zone)
	case !zoned && to.kind == instant:
		t = in(t, c.zone)
	}
	if to.kind == date {
		t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	}
	return c.formatTime(to, t), nil
}

func (c converter) formatTime(to column, t time.Time) any {
	switch {
	case c.family == statement.Oracle && to.kind == instant:
		return t
	case c.family == statement.Oracle:
		return in(t, time.UTC)
	case to.kind == date:
		return t.Format("2006-01-02")
	case c.family == statement.MySQL && to.kind == instant:
		return t.In(c.shown).Format("2006-01-02 15:04:05.999999")
	case c.family == statement.ClickHouse && to.kind == instant: // seconds, so that the zone of the server does not count
		if strings.Contains(to.typ, "64") {
			return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
		}
		return strconv.FormatInt(t.Unix(), 10)
	case c.family == statement.SQLServer && to.kind == instant:
		return t.Format("2006-01-02T15:04:05.9999999-07:00")
	case c.family == statement.SQLServer && strings.EqualFold(to.typ, "DATETIME"):
		return t.Format("2006-01-02T15:04:05.999")
	case c.family == statement.SQLServer && strings.EqualFold(to.typ, "SMALLDATETIME"):
		return t.Format("2006-01-02T15:04:05")
	case c.family == statement.SQLServer:
		return t.Format("2006-01-02T15:04:05.9999999")
	case to.kind == instant:
		return t.Format("2006-01-02 15:04:05.999999-07:00")
	}
	return t.Format("2006-01-02 15:04:05.999999")
}

// parseTime reads the forms that databases write. zoned says that the text names its zone.
func parseTime(s string) (t time.Time, zoned, ok bool) {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, false, true
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05-0700", "2006-01-02 15:04:05-07", "2006-01-02 15:04:05 -07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true, true
		}
	}
	if t, err := time.Parse("15:04:05", s); err == nil {
		return t, false, false // a time of day alone: the server reads it
	}
	return t, false, false
}

// size is about how many bytes a value is.
func size(v any) int {
	switch x := v.(type) {
	case string:
		return len(x)
	case []byte:
		return len(x)
	}
	return 8
}
