package db

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// Writer is one connection kept for a caller that writes all the time, so that its statements stay prepared. It is
// safe for concurrent use; calls run one after the other.
//
// A lost connection is replaced at the next call. On SQLite each call queues with the other writers.
type Writer struct {
	d *DB

	mu    sync.Mutex
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// Writer reserves a connection. It returns an Unavailable fault when none can be had.
func (d *DB) Writer(ctx context.Context) (*Writer, error) {
	w := &Writer{d: d}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.open(ctx); err != nil {
		return nil, explain(err)
	}
	return w, nil
}

// Do runs fn on the connection, outside any transaction of ctx. An error that means a lost connection closes it, so
// the next call starts on a fresh one.
func (w *Writer) Do(ctx context.Context, fn func(conn *sql.Conn) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	release, err := w.d.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := w.open(ctx); err != nil {
		return explain(err)
	}
	return explain(w.guard(func() error { return fn(w.conn) }))
}

// Tx runs fn between BEGIN and COMMIT on the connection, so that statements of Stmt can be used as they are. An error
// or a panic of fn rolls back; fn must return the error of every failed statement, because PostgreSQL answers COMMIT
// of a failed transaction by a silent rollback. A connection found dead at BEGIN is replaced once.
func (w *Writer) Tx(ctx context.Context, fn func(conn *sql.Conn) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	release, err := w.d.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := w.begin(ctx); err != nil {
		return explain(err)
	}
	done := false
	defer func() {
		if !done { // a panic
			w.rollback(ctx)
		}
	}()
	err = w.guard(func() error {
		if err := fn(w.conn); err != nil {
			return err
		}
		_, err := w.conn.ExecContext(ctx, "COMMIT")
		return err
	})
	done = true
	if err != nil {
		w.rollback(ctx)
	}
	return explain(err)
}

func (w *Writer) rollback(ctx context.Context) {
	if w.conn == nil {
		return
	}
	if _, err := w.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		w.drop() // the state of the connection is unknown; closing it rolls back
	}
}

func (w *Writer) begin(ctx context.Context) error {
	begin := "BEGIN"
	if w.d.writers != nil {
		begin = "BEGIN IMMEDIATE"
	}
	for attempt := 0; ; attempt++ {
		if err := w.open(ctx); err != nil {
			return err
		}
		_, err := w.conn.ExecContext(ctx, begin)
		if err == nil {
			return nil
		}
		w.drop()
		if attempt > 0 || !Unavailable(err) {
			return err
		}
	}
}

// Stmt returns query (with ? placeholders) prepared on the connection, preparing it once for each connection. Only
// the function given to Do or Tx may call it, and must not keep the result.
func (w *Writer) Stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	if w.conn == nil {
		return nil, driverClosed()
	}
	s, err := w.conn.PrepareContext(ctx, w.d.x.Rebind(query))
	if err != nil {
		return nil, explain(err)
	}
	w.stmts[query] = s
	return s, nil
}

// Close gives the connection back.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return nil
	}
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	errs = append(errs, w.conn.Close())
	w.conn, w.stmts = nil, nil
	return errors.Join(errs...)
}

func (w *Writer) open(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.d.x.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.stmts = conn, map[string]*sql.Stmt{}
	return nil
}

// guard runs fn and drops the connection when it is lost.
func (w *Writer) guard(fn func() error) error {
	err := fn()
	if err != nil && Unavailable(err) {
		w.drop()
	}
	return err
}

// drop closes the connection for good instead of giving it back to the pool in an unknown state.
func (w *Writer) drop() {
	if w.conn == nil {
		return
	}
	for _, s := range w.stmts {
		_ = s.Close() // SQLite keeps a connection open, and its locks, while a statement of it is
	}
	_ = w.conn.Raw(func(any) error { return driverClosed() })
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}
