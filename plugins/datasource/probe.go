package datasource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"dorado/app/kit/dial"
	"dorado/plugins/form"
)

// Step is where connecting failed.
type Step string

// The steps, in order.
const (
	Lookup  Step = "lookup"  // there is no such name
	Connect Step = "connect" // nobody answers
	Secure  Step = "tls"     // the two do not agree on encryption
	SignIn  Step = "sign_in" // wrong user or password
	Missing Step = "database"
	Ask     Step = "query"    // connected, but the statement failed
	Driver  Step = "driver"   // there is no driver
	Unfit   Step = "settings" // nothing was tried: the settings contradict each other or cannot be read
)

// Steps are all steps.
func Steps() []Step { return []Step{Lookup, Connect, Secure, SignIn, Missing, Ask, Driver, Unfit} }

// Error says at which step connecting failed. Its text holds no password.
type Error struct {
	Step Step
	Spot Spot // of a statement that somebody wrote
	text string
	err  error
}

func (e *Error) Error() string { return e.text }

// Is reports whether the cause is target.
func (e *Error) Is(target error) bool { return errors.Is(e.err, target) }

// ErrNoDriver says that this program cannot open a type.
var ErrNoDriver = errors.New("there is no driver for this type in this version")

// ErrNoTables says that a type is no database.
var ErrNoTables = errors.New("this type has no databases and no tables")

// at is an error with the step that its maker knows.
type at struct {
	error
	step Step
}

func (e *at) Unwrap() error { return e.error }

// At says at which step err happened; nil stays nil. It is for Ping, and for drivers of our own.
func At(step Step, err error) error {
	if err == nil {
		return nil
	}
	return &at{err, step}
}

// connectTimeout is for one host.
const connectTimeout = 4 * time.Second

// Dial connects to the first host that answers; drivers use it in place of their own.
func (s Settings) Dial(ctx context.Context) (net.Conn, error) {
	return dial.Hosts(ctx, s.Hosts, s.Port, connectTimeout)
}

// Test opens a connection and asks the other side something. It returns how long that took, or an *Error.
func (p Plugin) Test(ctx context.Context, s Settings) (time.Duration, error) {
	begin := time.Now()
	if p.Ping != nil {
		if err := within(ctx, func() error { return p.Ping(ctx, s) }); err != nil {
			return 0, p.failed(s, p.step(err), err)
		}
		return time.Since(begin), nil
	}
	if p.Open == nil {
		return 0, p.failed(s, Driver, ErrNoDriver)
	}
	if len(s.Hosts) > 0 { // first without the driver, so that the step of a failure is clear
		conn, err := s.Dial(ctx)
		if err != nil {
			return 0, p.failed(s, dialStep(err), err)
		}
		conn.Close()
	}
	err := p.use(ctx, s, func(conn *sql.Conn) error {
		var answer any
		if err := conn.QueryRowContext(ctx, p.Query).Scan(&answer); err != nil {
			return &queryError{err}
		}
		return nil
	})
	return time.Since(begin), err
}

// queryError is a failure after connecting.
type queryError struct{ error }

func (e *queryError) Unwrap() error { return e.error }

// use gives fn one connection.
func (p Plugin) use(ctx context.Context, s Settings, fn func(conn *sql.Conn) error) error {
	if p.Ping != nil {
		return p.failed(s, Driver, ErrNoTables)
	}
	if p.Open == nil {
		return p.failed(s, Driver, ErrNoDriver)
	}
	d, err := p.Open(s)
	if err != nil {
		return p.failed(s, Unfit, err)
	}
	d.SetMaxOpenConns(1)
	defer d.Close()
	err = within(ctx, func() error {
		conn, err := d.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.PingContext(ctx); err != nil {
			return err
		}
		return fn(conn)
	})
	if err == nil {
		return nil
	}
	return p.failed(s, p.step(err), err)
}

// within waits for fn as long as ctx lasts; what hangs is left alone.
func within(ctx context.Context, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func dialStep(err error) Step {
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		return Lookup
	}
	return Connect
}

// step finds out where a failure happened.
func (p Plugin) step(err error) Step {
	if known, ok := errors.AsType[*at](err); ok {
		return known.step
	}
	if p.Step != nil {
		if step := p.Step(err); step != "" {
			return step
		}
	}
	if secured(err) {
		return Secure
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" { // some drivers connect when they are asked something
		return dialStep(err)
	}
	if _, ok := errors.AsType[*queryError](err); ok {
		return Ask
	}
	return dialStep(err)
}

func secured(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "tls:") || strings.Contains(text, "x509") || strings.Contains(text, "ssl is not enabled") ||
		strings.Contains(text, "http response to https client")
}

func (p Plugin) failed(s Settings, step Step, err error) error {
	text := err.Error()
	for _, f := range p.Schema {
		if v := s.All[f.Name]; f.Type == form.Secret && len(v) > 2 {
			text = strings.ReplaceAll(text, v, form.Mask)
		}
	}
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return &Error{Step: step, text: strings.TrimSpace(text), err: err}
}

// maxNames bounds a list.
const maxNames = 10_000

// Column is a column of a table.
type Column struct{ Name, Type string }

// Databases lists the databases of a server. It returns an *Error.
func (p Plugin) Databases(ctx context.Context, s Settings) ([]string, error) {
	return p.names(ctx, s, p.Lists.Databases)
}

// Tables lists the tables and views of a database; "" is the one of the settings. It returns an *Error.
func (p Plugin) Tables(ctx context.Context, s Settings, database string) ([]string, error) {
	s, args := p.in(s, database)
	return p.names(ctx, s, p.Lists.Tables, args...)
}

// Columns lists the columns of a table in their order. It returns an *Error.
func (p Plugin) Columns(ctx context.Context, s Settings, database, table string) ([]Column, error) {
	s, args := p.in(s, database)
	var out []Column
	err := p.query(ctx, s, p.Lists.Columns, append(args, table), func(rows *sql.Rows) error {
		var c Column
		if err := rows.Scan(&c.Name, &c.Type); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

// in returns the settings and the arguments that lead to a database.
func (p Plugin) in(s Settings, database string) (Settings, []any) {
	if database == "" || !p.database(database) {
		database = s.Database
	}
	if p.Lists.Connect {
		s.Database = database
		return s, nil
	}
	if _, schema, ok := strings.Cut(database, "/"); ok {
		database = schema
	}
	return s, []any{database}
}

func (p Plugin) names(ctx context.Context, s Settings, statement string, args ...any) ([]string, error) {
	var out []string
	err := p.query(ctx, s, statement, args, func(rows *sql.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		out = append(out, name)
		return nil
	})
	return out, err
}

func (p Plugin) query(ctx context.Context, s Settings, statement string, args []any, row func(*sql.Rows) error) error {
	return p.use(ctx, s, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, statement, args...)
		if err != nil {
			return &queryError{err}
		}
		defer rows.Close()
		for n := 0; rows.Next() && n < maxNames; n++ {
			if err := row(rows); err != nil {
				return &queryError{fmt.Errorf("read a name: %w", err)}
			}
		}
		if err := rows.Err(); err != nil {
			return &queryError{err}
		}
		return nil
	})
}
