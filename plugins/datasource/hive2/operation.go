package hive2

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	hs "github.com/beltran/gohive/hiveserver"

	"dorado/plugins/datasource/literals"
)

// portion is how many rows are asked for at once.
const portion = 1000

// operation is something the server does.
type operation struct {
	s       *session
	handle  *hs.TOperationHandle
	changed int64 // rows; -1: not known
	closed  bool
}

var errNoHandle = errors.New("the server answers without a handle")

// run starts a statement and waits for its end. When ctx ends first, the statement is cancelled.
func (s *session) run(ctx context.Context, query string, args []driver.NamedValue) (*operation, error) {
	query, err := literals.Dialect{Backslash: true, Bytes: "unhex('%x')"}.Write(query, args)
	if err != nil {
		return nil, err
	}
	req := &hs.TExecuteStatementReq{SessionHandle: s.handle, Statement: query, RunAsync: true}
	answer, err := call(ctx, s, func(ctx context.Context) (*hs.TExecuteStatementResp, error) {
		return s.client.ExecuteStatement(ctx, req)
	}, (*hs.TExecuteStatementResp).GetStatus)
	if err != nil {
		return nil, err
	}
	if answer.OperationHandle == nil {
		return nil, errNoHandle
	}
	o := &operation{s: s, handle: answer.OperationHandle, changed: -1}
	log := o.told(ctx)
	if err := o.wait(ctx, log); err != nil {
		o.cancel(ctx)
		log.last(ctx)
		o.close(ctx)
		return nil, err
	}
	log.last(ctx)
	return o, nil
}

func (o *operation) wait(ctx context.Context, log *told) error {
	req := &hs.TGetOperationStatusReq{OperationHandle: o.handle}
	for pause := firstPoll; ; pause = min(pause*2, lastPoll) {
		answer, err := call(ctx, o.s, func(ctx context.Context) (*hs.TGetOperationStatusResp, error) {
			return o.s.client.GetOperationStatus(ctx, req)
		}, (*hs.TGetOperationStatusResp).GetStatus)
		if err != nil {
			return err
		}
		if answer.OperationState == nil {
			return errors.New("the server does not say what became of the statement")
		}
		switch *answer.OperationState {
		case hs.TOperationState_FINISHED_STATE:
			if answer.NumModifiedRows != nil {
				o.changed = *answer.NumModifiedRows
			}
			return nil
		case hs.TOperationState_INITIALIZED_STATE, hs.TOperationState_PENDING_STATE, hs.TOperationState_RUNNING_STATE:
			log.more(ctx)
		case hs.TOperationState_CANCELED_STATE, hs.TOperationState_CLOSED_STATE:
			return errors.New("the statement was cancelled on the server")
		case hs.TOperationState_TIMEDOUT_STATE:
			return errors.New("the statement took longer than the server allows")
		case hs.TOperationState_ERROR_STATE, hs.TOperationState_UKNOWN_STATE:
			return failure(answer.ErrorCode, answer.SqlState, answer.ErrorMessage)
		default:
			return fmt.Errorf("the server tells an unknown state, %d", *answer.OperationState)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// cancel stops it on the server; one that has ended is not changed by that.
func (o *operation) cancel(ctx context.Context) {
	req := &hs.TCancelOperationReq{OperationHandle: o.handle}
	_ = end(ctx, o.s, func(ctx context.Context) (*hs.TCancelOperationResp, error) {
		return o.s.client.CancelOperation(ctx, req)
	}, (*hs.TCancelOperationResp).GetStatus)
}

// close lets the server forget it.
func (o *operation) close(ctx context.Context) {
	if o.closed {
		return
	}
	o.closed = true
	req := &hs.TCloseOperationReq{OperationHandle: o.handle}
	_ = end(ctx, o.s, func(ctx context.Context) (*hs.TCloseOperationResp, error) { return o.s.client.CloseOperation(ctx, req) }, (*hs.TCloseOperationResp).GetStatus)
}

// rows reads the result.
func (o *operation) rows(ctx context.Context) (*rows, error) {
	r := &rows{ctx: ctx, o: o}
	if !o.handle.HasResultSet {
		o.close(ctx)
		return r, nil
	}
	req := &hs.TGetResultSetMetadataReq{OperationHandle: o.handle}
	answer, err := call(ctx, o.s, func(ctx context.Context) (*hs.TGetResultSetMetadataResp, error) {
		return o.s.client.GetResultSetMetadata(ctx, req)
	}, (*hs.TGetResultSetMetadataResp).GetStatus)
	if err == nil && answer.Schema == nil {
		err = errors.New("the server does not name the columns of the result")
	}
	if err != nil {
		o.close(ctx)
		return nil, err
	}
	for _, c := range answer.Schema.Columns {
		r.names = append(r.names, c.GetColumnName())
		r.types = append(r.types, typeName(c))
	}
	r.more = true
	return r, nil
}

func typeName(c *hs.TColumnDesc) string {
	if c.GetTypeDesc() == nil || len(c.GetTypeDesc().GetTypes()) == 0 {
		return ""
	}
	entry := c.GetTypeDesc().GetTypes()[0]
	if entry.GetPrimitiveEntry() == nil {
		return "COMPLEX"
	}
	name, _ := strings.CutSuffix(entry.GetPrimitiveEntry().GetType().String(), "_TYPE")
	return name
}

// rows are the rows of a result, a portion at a time.
type rows struct {
	ctx   context.Context //nolint:containedctx // Next has none
	o     *operation
	names []string
	types []string
	cells []cells
	at    int
	count int
	more  bool
}

var _ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)

// Columns names them.
func (r *rows) Columns() []string { return r.names }

// ColumnTypeDatabaseTypeName is the type as Hive calls it.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i] }

// Close ends the statement when it has not ended.
func (r *rows) Close() error {
	if r.more && r.ctx.Err() != nil {
		r.o.cancel(r.ctx)
	}
	r.more = false
	r.o.close(r.ctx)
	return nil
}

// Next gives a row.
func (r *rows) Next(dest []driver.Value) error {
	if r.at == r.count && r.more {
		if err := r.fetch(); err != nil {
			return err
		}
	}
	if r.at == r.count {
		return io.EOF
	}
	for i, c := range r.cells {
		if i < len(dest) {
			dest[i] = c.at(r.at)
		}
	}
	r.at++
	return nil
}

func (r *rows) fetch() error {
	r.cells, r.at, r.count = nil, 0, 0
	req := &hs.TFetchResultsReq{OperationHandle: r.o.handle, Orientation: hs.TFetchOrientation_FETCH_NEXT, MaxRows: portion}
	answer, err := call(r.ctx, r.o.s, func(ctx context.Context) (*hs.TFetchResultsResp, error) { return r.o.s.client.FetchResults(ctx, req) }, (*hs.TFetchResultsResp).GetStatus)
	if err != nil {
		return err
	}
	if answer.Results == nil {
		return errors.New("the server answers without rows")
	}
	r.cells, r.count, err = columns(answer.Results.Columns, len(r.names))
	r.more = r.count > 0 // whether there are more is told wrongly by many servers; an empty portion is the end
	return err
}
