package datasource

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Question is a statement that somebody wants to see the answer to.
type Question struct {
	Text     string
	Database string // "" is the one of the settings; only types whose Lists.Connect is true take another
	Rows     int    // at most so many rows are read
	Bytes    int    // and at most so much text
}

// maxValue is how much of one value is shown.
const maxValue = 64 << 10

// Answer is what a database said.
type Answer struct {
	Query    bool // it has rows, maybe none
	Columns  []Column
	Rows     [][]Value
	More     Cut   // why there are not all rows
	Affected int64 // of a statement without rows; -1 when the database does not tell
}

// Cut is what kept an answer from being whole.
type Cut string

// The reasons.
const (
	Whole   Cut = ""
	ByRows  Cut = "rows"
	ByBytes Cut = "bytes"
)

// Value is one field of a row, as text.
type Value struct {
	Text string
	Null bool
	Cut  bool // the text is only the beginning
}

// Ask runs a statement and reads its answer, no further than the bounds. When ctx ends, the statement is stopped where the
// driver can do that. It returns an *Error.
func (p Plugin) Ask(ctx context.Context, s Settings, q Question) (Answer, error) {
	if q.Database != "" && p.Lists.Connect && p.database(q.Database) {
		s.Database = q.Database
	}
	text := Bare(q.Text)
	answers := make(chan Answer, 1) // who waits may be gone when the driver comes back
	err := p.use(ctx, s, func(conn *sql.Conn) error {
		defer p.guard(ctx, s, conn)()
		a, err := ask(ctx, conn, text, q)
		if err != nil {
			return &queryError{err}
		}
		answers <- a
		return nil
	})
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && p.Spot != nil {
			e.Spot = p.Spot(text, e.err)
		}
		return Answer{}, err
	}
	return <-answers, nil
}

// killing is how long it may take to have a statement stopped.
const killing = 5 * time.Second

// guard has what runs on a connection stopped when ctx ends; who calls what it returns says that nothing runs any more.
func (p Plugin) guard(ctx context.Context, s Settings, conn *sql.Conn) (done func()) {
	if p.Kill == "" {
		return func() {}
	}
	var session int64
	if conn.QueryRowContext(ctx, p.Session).Scan(&session) != nil {
		return func() {} // then it ends when the server notices that nobody listens
	}
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killing)
		defer cancel()
		_ = p.use(ctx, s, func(conn *sql.Conn) error { // it may have ended by itself
			_, err := conn.ExecContext(ctx, fmt.Sprintf(p.Kill, session))
			return err
		})
	})
	return func() {
		if ctx.Err() == nil { // else it has to be stopped, although the driver is back already
			stop()
		}
	}
}

func ask(ctx context.Context, conn *sql.Conn, text string, q Question) (Answer, error) {
	if !Asks(text) {
		done, err := conn.ExecContext(ctx, text)
		if err != nil {
			return Answer{}, err
		}
		n, err := done.RowsAffected()
		if err != nil {
			n = -1 // not every database counts
		}
		return Answer{Affected: n}, nil
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	rows, err := conn.QueryContext(reading, text)
	if err != nil {
		return Answer{}, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return Answer{}, err
	}
	if len(types) == 0 { // a WITH that writes
		for rows.Next() {
		}
		return Answer{Affected: -1}, rows.Err()
	}
	a := Answer{Query: true, Affected: -1}
	for _, t := range types {
		a.Columns = append(a.Columns, Column{Name: t.Name(), Type: strings.ToLower(t.DatabaseTypeName())})
	}
	values, into := make([]any, len(types)), make([]any, len(types))
	for i := range values {
		into[i] = &values[i]
	}
	left := q.Bytes
	// enough leaves the rest: drivers read to the end when rows are closed, so the statement is stopped before. One that
	// writes would be undone by that and goes on to its end.
	enough := func(why Cut) (Answer, error) {
		a.More = why
		if !writing.MatchString(begin(text)) {
			stop()
			return a, nil
		}
		for rows.Next() {
		}
		return a, rows.Err()
	}
	for rows.Next() {
		if len(a.Rows) == q.Rows {
			return enough(ByRows)
		}
		if err := rows.Scan(into...); err != nil {
			return Answer{}, err
		}
		row := make([]Value, len(values))
		for i, v := range values {
			row[i] = shown(v, a.Columns[i].Type)
			left -= len(row[i].Text)
		}
		if left < 0 {
			return enough(ByBytes)
		}
		a.Rows = append(a.Rows, row)
	}
	return a, rows.Err()
}

// shown is a value as people read it; kind is the type of its column.
func shown(v any, kind string) Value {
	var text string
	switch v := v.(type) {
	case nil:
		return Value{Null: true}
	case string:
		text = v
	case []byte:
		if !utf8.Valid(v) {
			n := min(len(v), maxValue/2)
			return Value{Text: "0x" + hex.EncodeToString(v[:n]), Cut: n < len(v)}
		}
		text = string(v)
	case time.Time:
		text = v.Format(layout(v, kind))
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		text = strconv.FormatFloat(float64(v), 'g', -1, 32)
	default:
		text = fmt.Sprint(v)
	}
	if len(text) > maxValue {
		return Value{Text: strings.ToValidUTF8(text[:maxValue], ""), Cut: true}
	}
	return Value{Text: strings.ToValidUTF8(text, "\uFFFD")}
}

// layout is how moments of a type are written.
func layout(t time.Time, kind string) string {
	switch {
	case strings.HasPrefix(kind, "date") && !strings.HasPrefix(kind, "datetime") && t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0:
		return time.DateOnly
	case kind == "time":
		return "15:04:05.999999999"
	case kind == "timetz":
		return "15:04:05.999999999Z07:00"
	case strings.Contains(kind, "tz"), strings.Contains(kind, "zone"), strings.Contains(kind, "offset"):
		return "2006-01-02 15:04:05.999999999Z07:00"
	}
	return "2006-01-02 15:04:05.999999999"
}

var (
	// asking are the words with which statements begin that have rows.
	asking = regexp.MustCompile(`(?i)^(select|with|show|describe|desc|explain|values|table|exists|list|pragma)\b`)
	// returning statements write and have rows nevertheless.
	returning = regexp.MustCompile(`(?is)^(insert|update|delete|merge|replace)\b.*\b(returning|output\s+(inserted|deleted))\b`)
	// writing statements change something, although some of them have rows.
	writing = regexp.MustCompile(`(?is)^(insert|update|delete|merge|replace|call|exec|(with|explain)\b.*\b(insert|update|delete|merge))\b`)
	// blocks end with a semicolon of their own.
	blocks = regexp.MustCompile(`(?i)^(begin|declare|create|alter|do)\b`)
)

// Asks reports whether a statement has rows, judged by how it begins.
func Asks(text string) bool {
	text = strings.TrimLeft(begin(text), "( \t\r\n")
	return asking.MatchString(text) || returning.MatchString(text)
}

// Bare is a statement without white space behind it and without the semicolon that ends it, which some databases refuse.
func Bare(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	if blocks.MatchString(begin(text)) {
		return text
	}
	return strings.TrimRight(text, "; \t\r\n")
}

// begin is a statement from its first word on: comments may stand before it.
func begin(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n\uFEFF")
		end := ""
		switch {
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "#"):
			end = "\n"
		case strings.HasPrefix(text, "/*"):
			end = "*/"
		default:
			return text
		}
		_, rest, found := strings.Cut(text, end)
		if !found {
			return ""
		}
		text = rest
	}
}

// Quote is what stands around names that are no plain words: MySQL has its own.
func (p Plugin) Quote() string {
	if strings.HasPrefix(p.Class, "com.mysql.") {
		return "`"
	}
	return `"`
}

// Spot is where in a statement a database found fault: 1 is the first line, and the first character of a line; 0 is unknown.
type Spot struct{ Line, Column int }

// SpotOf turns the number of a character, from 1, into a line and a column.
func SpotOf(text string, character int) Spot {
	if character < 1 {
		return Spot{}
	}
	at := Spot{1, 1}
	for _, r := range text {
		if character--; character == 0 {
			return at
		}
		if at.Column++; r == '\n' {
			at.Line, at.Column = at.Line+1, 1
		}
	}
	return at
}
