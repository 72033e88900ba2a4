package db

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
)

// statementLimit bounds the prepared statements that one connection keeps. PostgreSQL holds some ten to fifty kilobytes
// for each.
const statementLimit = 200

// seenLimit bounds what a connection remembers of statements that it met once.
const seenLimit = 1000

// preparing is a driver.Connector whose connections prepare what they run a second time, and keep it. Parsing and planning
// cost more than running, for the small statements of the trigger path: this is where a third of its time went.
//
// A statement is kept by its text, so texts must not carry values. It is given up on any error, which is also how a
// connection gets over a change of the schema under it. Statements without arguments are left alone: they may hold
// several commands.
type preparing struct{ driver.Connector }

// Connect implements driver.Connector.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	raw, ok := c.(fullConn)
	if !ok {
		return nil, errors.Join(errors.New("db: the driver lacks what its connections need"), c.Close())
	}
	return &preparedConn{fullConn: raw, kept: map[string]*list.Element{}, order: list.New(), seen: map[string]bool{}}, nil
}

// fullConn is what connections of both drivers can do; database/sql looks for each part by itself.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// fullStmt is the same for statements.
type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparedConn is used by one goroutine at a time, as database/sql promises.
type preparedConn struct {
	fullConn
	kept  map[string]*list.Element // of *keptStmt
	order *list.List               // the one used last in front
	seen  map[string]bool          // met once
}

type keptStmt struct {
	query string
	stmt  fullStmt
	busy  bool // its rows are being read
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *preparedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// ExecContext implements driver.ExecerContext.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s := c.statement(ctx, query, len(args))
	if s == nil {
		return c.fullConn.ExecContext(ctx, query, args)
	}
	res, err := s.stmt.ExecContext(ctx, args)
	if err != nil {
		c.give(s)
	}
	return res, err
}

// QueryContext implements driver.QueryerContext.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s := c.statement(ctx, query, len(args))
	if s == nil {
		return c.fullConn.QueryContext(ctx, query, args)
	}
	rows, err := s.stmt.QueryContext(ctx, args)
	if err != nil {
		c.give(s)
		return nil, err
	}
	s.busy = true
	return &preparedRows{Rows: rows, conn: c, stmt: s}, nil
}

// statement returns the prepared form of a query, or nil when it is to be run directly.
func (c *preparedConn) statement(ctx context.Context, query string, args int) *keptStmt {
	if args == 0 {
		return nil
	}
	if at, ok := c.kept[query]; ok {
		s := at.Value.(*keptStmt)
		if s.busy {
			return nil
		}
		c.order.MoveToFront(at)
		return s
	}
	if !c.seen[query] {
		if len(c.seen) >= seenLimit {
			clear(c.seen)
		}
		c.seen[query] = true
		return nil
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil // run directly, it says what is wrong; in a transaction that is now broken it says that
	}
	stmt, ok := made.(fullStmt)
	if !ok {
		_ = made.Close()
		return nil
	}
	if c.order.Len() >= statementLimit {
		c.giveOldest()
	}
	delete(c.seen, query)
	s := &keptStmt{query: query, stmt: stmt}
	c.kept[query] = c.order.PushFront(s)
	return s
}

// giveOldest gives up the statement not used for longest that nobody reads from.
func (c *preparedConn) giveOldest() {
	for at := c.order.Back(); at != nil; at = at.Prev() {
		if s := at.Value.(*keptStmt); !s.busy {
			c.give(s)
			return
		}
	}
}

func (c *preparedConn) give(s *keptStmt) {
	at, ok := c.kept[s.query]
	if !ok || at.Value.(*keptStmt) != s {
		return
	}
	c.order.Remove(at)
	delete(c.kept, s.query)
	_ = s.stmt.Close() // on a broken connection; what runs next on it says so
}

// Close gives all statements back and closes the connection.
func (c *preparedConn) Close() error {
	for at := c.order.Front(); at != nil; at = at.Next() {
		_ = at.Value.(*keptStmt).stmt.Close()
	}
	clear(c.kept)
	c.order.Init()
	return c.fullConn.Close()
}

// preparedRows frees its statement when it was read.
type preparedRows struct {
	driver.Rows
	conn *preparedConn
	stmt *keptStmt
}

// Close implements driver.Rows.
func (r *preparedRows) Close() error {
	err := r.Rows.Close()
	if r.stmt.busy {
		r.stmt.busy = false
		if err != nil {
			r.conn.give(r.stmt)
		}
	}
	return err
}
