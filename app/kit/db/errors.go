package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"syscall"

	"dorado/app/kit/fault"
)

// ErrNoRows is returned by Get when no row matches.
var ErrNoRows = sql.ErrNoRows

// Faults that queries and transactions return in place of the driver's error, which stays in the chain.
var (
	ErrUnavailable = fault.New(fault.Unavailable, "fault.database_unavailable")
	ErrStorageFull = fault.New(fault.Unavailable, "fault.storage_full")
)

// Conflict returns the name of the unique constraint that err violates: uq_<table>_<columns> by the naming rule of the
// schema, or <table>_pkey for a primary key.
func Conflict(err error) (constraint string, ok bool) {
	if name, ok := postgresConflict(err); ok {
		return name, true
	}
	return sqliteConflict(err)
}

// ForeignKey reports whether err violates a foreign key: the row refers to nothing, or is still referred to.
func ForeignKey(err error) bool {
	return postgresForeignKey(err) || sqliteForeignKey(err)
}

// Unavailable reports whether err is of the passing kind: the connection was lost or refused, the server is starting
// or overloaded, the file is locked by another process, the disk is full. Nothing of the failed statement was kept,
// except that a lost answer to COMMIT leaves the outcome unknown.
func Unavailable(err error) bool {
	passing, _ := passing(err)
	return passing
}

func passing(err error) (passing, full bool) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false, false
	}
	if errors.Is(err, ErrStorageFull) {
		return true, true
	}
	for _, known := range []error{
		ErrUnavailable, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, known) {
			return true, false
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true, false
	}
	if p, f := postgresPassing(err); p {
		return p, f
	}
	return sqlitePassing(err)
}

// explain turns failures of the moment into faults; every other error passes unchanged.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	switch passing, full := passing(err); {
	case full:
		return ErrStorageFull.Because(err)
	case passing:
		return ErrUnavailable.Because(err)
	}
	return err
}

// driverClosed is the error by which a connection is taken out of the pool.
func driverClosed() error { return driver.ErrBadConn }
