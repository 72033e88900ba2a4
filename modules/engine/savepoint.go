package engine

import (
	"context"
	"strings"

	"dorado/app/kit/fault"
	"dorado/modules/rpc/doradov1"
)

// Faults of savepoints; the worker's own answers use the same keys.
var (
	ErrSaveNotHeld = fault.New(fault.Conflict, "stream.not_held")
	ErrSaveNone    = fault.New(fault.Conflict, "stream.none")
	ErrSaveEarly   = fault.New(fault.Conflict, "stream.early")
	ErrSaveBusy    = fault.New(fault.Conflict, "stream.busy")
	ErrSaveFailed  = fault.New(fault.Conflict, "stream.failed")
	ErrSaveAway    = fault.New(fault.Unavailable, "stream.worker_away")
	ErrSaveOld     = fault.New(fault.Unavailable, "stream.worker_old")
)

// Savepoint asks the worker that holds an attempt to have its streaming job write down its state, and returns where it lies. It
// returns ErrSaveAway when the worker is not connected or goes away meanwhile, ErrSaveOld when its program knows no savepoints,
// and what the worker answers.
func (e *Engine) Savepoint(ctx context.Context, worker string, attempt int64) (string, error) {
	e.dataMu.Lock()
	d := e.data[worker]
	e.dataMu.Unlock()
	away := ErrSaveAway.With("worker", worker)
	if d == nil {
		return "", away
	}
	call, cancel, err := d.open(&doradov1.LogRequest{Want: &doradov1.LogRequest_Savepoint{Savepoint: &doradov1.SavepointRequest{Id: attempt}}})
	if err != nil {
		return "", away.Because(err)
	}
	defer cancel()
	select {
	case <-ctx.Done():
		return "", away.Because(ctx.Err())
	case r, ok := <-call.replies:
		if !ok {
			return "", away
		}
		return savedAt(r, worker)
	}
}

// savedAt reads the worker's answer.
func savedAt(r *doradov1.LogReply, worker string) (string, error) {
	said := strings.Join(r.GetLines(), ", ")
	switch r.GetError() {
	case "":
		return said, nil
	case ErrSaveNotHeld.Key:
		return "", ErrSaveNotHeld.With("worker", worker)
	case ErrSaveNone.Key:
		return "", ErrSaveNone
	case ErrSaveEarly.Key:
		return "", ErrSaveEarly
	case ErrSaveBusy.Key:
		return "", ErrSaveBusy
	case ErrSaveFailed.Key:
		return "", ErrSaveFailed.With("reason", said)
	case ErrLogGone.Key:
		return "", ErrSaveOld.With("worker", worker)
	}
	return "", logError(r.GetError(), worker)
}
