package statement

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

const (
	grace      = 1500 * time.Millisecond // for a driver and a server to end a statement
	stopTime   = 5 * time.Second         // for a server to end one that has given enough rows
	patience   = 300 * time.Millisecond  // in which the rest of a result is read rather than refused
	maxLogText = 64 << 10                // of one statement or row
	maxLogBind = 500                     // of one value
	maxLogged  = 100                     // binds of one statement
)

// Session is one connection to a data source.
type Session struct {
	Dialect Dialect
	source  task.Source
	log     *gate
	conn    *sql.Conn
	id      atomic.Int64 // of the connection; 0: unknown, or not needed
}

// gate is a log that can be shut, so that what is left behind writes nothing more.
type gate struct {
	mu   sync.Mutex
	to   io.Writer
	shut bool
}

// Write writes unless the gate is shut.
func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut || g.to == nil {
		return len(p), nil
	}
	return g.to.Write(p)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

// Work gives work a connection to source and closes it. It returns soon after ctx ends, even when the driver does not; work
// may then go on for a while, so the caller must not look at what it writes unless Work returned nil.
func Work(ctx context.Context, source task.Source, log io.Writer, work func(ctx context.Context, s *Session) error) error {
	if source.Plugin.Open == nil {
		return fmt.Errorf("data source %q of type %s: %w", source.Name, source.Plugin.Type, datasource.ErrNoDriver)
	}
	s := &Session{Dialect: Of(source.Plugin), source: source, log: &gate{to: log}}
	defer s.log.close()
	ctx = datasource.WithTold(ctx, func(line string) { s.Logf("%s", line) })
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("the driver of %s failed: %v", source.Plugin.Type, r)
			}
		}()
		done <- s.run(ctx, work)
	}()
	select {
	case err := <-done:
		if err == nil || ctx.Err() == nil {
			return s.masked(err)
		}
		done <- err // it noticed first
	case <-ctx.Done():
	}
	return s.masked(s.end(ctx, done))
}

// end waits for the work to notice that ctx ended, and tells the server.
func (s *Session) end(ctx context.Context, done <-chan error) error {
	s.Logf("stopping: %v", context.Cause(ctx))
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	stopped := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				stopped <- fmt.Errorf("the driver failed: %v", r)
			}
		}()
		if s.Dialect.Family == MySQL { // its driver hangs up, which the server does not notice; those of the others tell
			stopped <- s.stop(limit)
			return
		}
		stopped <- nil
	}()
	var result error
	for waiting := 2; waiting > 0; waiting-- {
		select {
		case err := <-done:
			if err == nil { // it was ready just before
				return nil
			}
			result, done = err, nil
		case err := <-stopped:
			if stopped = nil; err != nil {
				s.Logf("the server could not be told to stop the statement: %v", s.masked(err))
			}
		case <-limit.Done():
			s.Logf("the database does not answer; its connection is left behind")
			return fmt.Errorf("the database did not end in time: %w", ctx.Err())
		}
	}
	if errors.Is(result, ctx.Err()) {
		return result
	}
	return fmt.Errorf("%w: %w", ctx.Err(), result)
}

func (s *Session) run(ctx context.Context, work func(context.Context, *Session) error) (err error) {
	db, err := s.source.Plugin.Open(s.source.Settings)
	if err != nil {
		return fmt.Errorf("open data source %q: %w", s.source.Name, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	s.conn, err = db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to data source %q: %w", s.source.Name, err)
	}
	defer func() {
		if r := recover(); r != nil { // the connection is locked for ever, so closing it would hang
			err = fmt.Errorf("the driver of %s failed: %v", s.source.Plugin.Type, r)
			return
		}
		s.conn.Close()
	}()
	s.Logf("connected to data source %q (%s)", s.source.Name, s.source.Plugin.Type)
	if s.Dialect.whoAmI != "" {
		var id int64
		if s.conn.QueryRowContext(ctx, s.Dialect.whoAmI).Scan(&id) == nil { // without it nothing is lost but an early end
			s.id.Store(id)
		}
	}
	return work(ctx, s)
}

// stop ends the running statement from another connection; this one stays usable.
func (s *Session) stop(ctx context.Context) error {
	id := s.id.Load()
	if id == 0 || s.Dialect.stop == "" {
		return nil
	}
	db, err := s.source.Plugin.Open(s.source.Settings)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, fmt.Sprintf(s.Dialect.stop, id))
	return err
}

// Outs are the OUT parameters of a task.
func Outs(env task.Env, local []form.Param) []form.Param {
	if env.Out != nil {
		return env.Out
	}
	var out []form.Param
	for _, p := range local {
		if p.Direct == "OUT" {
			out = append(out, p)
		}
	}
	return out
}

// Logf writes a line to the log. A log that cannot be written is no reason to stop a statement.
func (s *Session) Logf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.log, format+"\n", args...)
}

// announce logs a statement before it runs.
func (s *Session) announce(st Statement) {
	s.Logf("statement: %s", Shorten(st.Text, maxLogText))
	for i, b := range st.Binds {
		if i == maxLogged {
			s.Logf("  and %d more values", len(st.Binds)-i)
			return
		}
		s.Logf("  %d: %s = %s (%s)", i+1, b.Name, Shorten(fmt.Sprint(b.Value), maxLogBind), b.Kind)
	}
}

// Exec runs a statement and returns how many rows it changed.
func (s *Session) Exec(ctx context.Context, st Statement) (int64, error) {
	s.announce(st)
	result, err := s.conn.ExecContext(ctx, st.Text, st.Args(s.Dialect)...)
	if untyped(err) && st.typed != "" {
		result, err = s.conn.ExecContext(ctx, st.typed, st.Args(s.Dialect)...)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", Shorten(st.Text, 200), err)
	}
	n, err := result.RowsAffected()
	if err != nil { // some drivers do not know
		return 0, nil //nolint:nilerr // the statement itself went well
	}
	return n, nil
}

// Call runs a statement with arguments of the driver's own, for procedures that hand values back.
func (s *Session) Call(ctx context.Context, st Statement, args []any) error {
	s.announce(st)
	if _, err := s.conn.ExecContext(ctx, st.Text, args...); err != nil {
		return fmt.Errorf("%s: %w", Shorten(st.Text, 200), err)
	}
	return nil
}

// untyped reports whether PostgreSQL does not know which type a bind has.
func untyped(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == "42P18"
}

// masked takes the secrets of the data source out of an error: drivers may quote their settings.
func (s *Session) masked(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, f := range s.source.Plugin.Schema {
		if v := s.source.Settings.All[f.Name]; f.Type == form.Secret && len(v) > 2 {
			text = strings.ReplaceAll(text, v, form.Mask)
		}
	}
	if text == err.Error() {
		return err
	}
	return &maskedError{text, err}
}

type maskedError struct {
	text string
	err  error
}

func (e *maskedError) Error() string        { return e.text }
func (e *maskedError) Is(target error) bool { return errors.Is(e.err, target) }
