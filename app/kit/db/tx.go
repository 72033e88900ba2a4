package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
)

type txKey struct{}

// unit is one transaction and what waits for its commit. It is used by one goroutine at a time.
type unit struct {
	tx     *sqlx.Tx
	doomed error // the first error of an inner InTx
	after  []func(ctx context.Context)
	ended  bool
}

// ErrEnded is returned for a context that outlived its transaction.
var ErrEnded = errors.New("db: the transaction of this context has ended; later work takes db.Detach(ctx)")

var errPanicked = errors.New("db: an inner transaction panicked")

// InTx runs fn in a transaction: the one that ctx carries, or a new one, which is committed when fn returns nil and
// rolled back when it returns an error or panics. When an inner InTx failed, the outer one is rolled back and returns
// that error, even if fn dropped it: nobody may commit half of an operation.
//
// fn must use the ctx it is given, start no goroutine with it, and make no remote call: on SQLite it keeps all other
// writers waiting.
func (d *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	u, err := unitOf(ctx)
	if err != nil {
		return err
	}
	if u != nil {
		return u.join(ctx, fn)
	}
	u, err = d.run(ctx, fn)
	if err != nil {
		return explain(err)
	}
	outside := Detach(context.WithoutCancel(ctx)) // what was committed is announced, though the request be gone
	for _, after := range u.after {
		after(outside)
	}
	return nil
}

// join runs fn within the transaction and dooms it when fn fails, be it by a panic that somebody recovers further up.
func (u *unit) join(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	err = errPanicked
	defer func() {
		if err != nil && u.doomed == nil {
			u.doomed = err
		}
	}()
	err = fn(ctx)
	return err
}

func (d *DB) run(ctx context.Context, fn func(ctx context.Context) error) (*unit, error) {
	release, err := d.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	tx, err := d.x.BeginTxx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	u := &unit{tx: tx}
	defer func() {
		u.ended = true
		_ = tx.Rollback() // does nothing after a commit; undoes everything on an error or a panic
	}()
	if err := fn(context.WithValue(ctx, txKey{}, u)); err != nil {
		return nil, err
	}
	if u.doomed != nil {
		return nil, u.doomed
	}
	u.ended = true
	if err := tx.Commit(); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // the end of ctx rolled it back a moment before
			err = ctx.Err()
		}
		return nil, fmt.Errorf("commit: %w", err)
	}
	return u, nil
}

// AfterCommit runs fn once the transaction of ctx is committed, and never when it is rolled back. Without a
// transaction it runs fn at once. fn gets a context without transaction that is not cancelled with ctx, and may write.
func AfterCommit(ctx context.Context, fn func(ctx context.Context)) {
	u, err := unitOf(ctx)
	if err != nil || u == nil {
		fn(Detach(context.WithoutCancel(ctx)))
		return
	}
	u.after = append(u.after, fn)
}

// Detach returns ctx without its transaction, with its other values and its cancellation.
func Detach(ctx context.Context) context.Context {
	if ctx.Value(txKey{}) == nil {
		return ctx
	}
	return context.WithValue(ctx, txKey{}, (*unit)(nil))
}

// InTransaction reports whether ctx carries an open transaction.
func InTransaction(ctx context.Context) bool {
	u, err := unitOf(ctx)
	return err == nil && u != nil
}

// unitOf returns the transaction of ctx, nil without one, or ErrEnded.
func unitOf(ctx context.Context) (*unit, error) {
	u, _ := ctx.Value(txKey{}).(*unit)
	if u != nil && u.ended {
		return nil, ErrEnded
	}
	return u, nil
}
