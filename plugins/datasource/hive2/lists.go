package hive2

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"

	hs "github.com/beltran/gohive/hiveserver"
)

// Statements that are requests of the protocol: what SHOW TABLES answers differs between the servers.
const (
	ListDatabases = "{databases}"
	ListTables    = "{tables}"  // of a database
	ListColumns   = "{columns}" // of a database and a table; with types
)

// request is one of the lists.
type request struct {
	what string
	args []string
}

// list reports whether a query is one of the lists with its arguments.
func list(query string, args []driver.NamedValue) (request, bool) {
	want, known := map[string]int{ListDatabases: 0, ListTables: 1, ListColumns: 2}[query]
	if !known || len(args) != want {
		return request{}, false
	}
	l := request{what: query}
	for _, a := range args {
		text, ok := a.Value.(string)
		if !ok {
			return request{}, false
		}
		l.args = append(l.args, text)
	}
	return l, true
}

// The columns of an answer, from 0.
const (
	atSchema, atTable, atColumn, atType = 1, 2, 3, 5
)

// list asks and leaves out what only looks alike: a name is a pattern for the server, in which _ is any letter.
func (s *session) list(ctx context.Context, l request) (driver.Rows, error) {
	pattern := func(i int) *hs.TPatternOrIdentifier {
		p := hs.TPatternOrIdentifier(l.args[i])
		return &p
	}
	switch l.what {
	case ListDatabases:
		answer, err := call(ctx, s, func(ctx context.Context) (*hs.TGetSchemasResp, error) {
			return s.client.GetSchemas(ctx, &hs.TGetSchemasReq{SessionHandle: s.handle})
		}, (*hs.TGetSchemasResp).GetStatus)
		if err != nil {
			return nil, err
		}
		return s.listed(ctx, answer.OperationHandle, nil, []int{0})
	case ListTables:
		answer, err := call(ctx, s, func(ctx context.Context) (*hs.TGetTablesResp, error) {
			return s.client.GetTables(ctx, &hs.TGetTablesReq{SessionHandle: s.handle, SchemaName: pattern(0)})
		}, (*hs.TGetTablesResp).GetStatus)
		if err != nil {
			return nil, err
		}
		return s.listed(ctx, answer.OperationHandle, map[int]string{atSchema: l.args[0]}, []int{atTable})
	default:
		answer, err := call(ctx, s, func(ctx context.Context) (*hs.TGetColumnsResp, error) {
			return s.client.GetColumns(ctx, &hs.TGetColumnsReq{SessionHandle: s.handle, SchemaName: pattern(0), TableName: pattern(1)})
		}, (*hs.TGetColumnsResp).GetStatus)
		if err != nil {
			return nil, err
		}
		return s.listed(ctx, answer.OperationHandle, map[int]string{atSchema: l.args[0], atTable: l.args[1]}, []int{atColumn, atType})
	}
}

func (s *session) listed(ctx context.Context, handle *hs.TOperationHandle, only map[int]string, take []int) (driver.Rows, error) {
	if handle == nil {
		return nil, errNoHandle
	}
	handle.HasResultSet = true
	o := &operation{s: s, handle: handle, changed: -1}
	if err := o.wait(ctx, &told{}); err != nil {
		o.close(ctx)
		return nil, err
	}
	r, err := o.rows(ctx)
	if err != nil {
		return nil, err
	}
	return &picked{rows: r, only: only, take: take}, nil
}

// picked is some columns of some rows.
type picked struct {
	*rows
	only map[int]string
	take []int
}

// Columns are without names: nobody asks.
func (p *picked) Columns() []string { return make([]string, len(p.take)) }

// ColumnTypeDatabaseTypeName is not asked for.
func (*picked) ColumnTypeDatabaseTypeName(int) string { return "STRING" }

// Next gives the next row that fits.
func (p *picked) Next(dest []driver.Value) error {
	row := make([]driver.Value, len(p.names))
	for {
		if err := p.rows.Next(row); err != nil {
			return err
		}
		fits := true
		for i, want := range p.only {
			if i >= len(row) {
				return errors.Join(io.ErrUnexpectedEOF, errors.New("the server names fewer columns than the protocol says"))
			}
			got, ok := row[i].(string)
			fits = fits && (!ok || strings.EqualFold(got, want)) // Impala leaves some empty
		}
		if !fits {
			continue
		}
		for i, at := range p.take {
			if at >= len(row) {
				return errors.Join(io.ErrUnexpectedEOF, errors.New("the server names fewer columns than the protocol says"))
			}
			dest[i] = row[at]
		}
		return nil
	}
}
