package athena

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/plugins/datasource/literals"
	"dorado/plugins/datasource/restsql"
)

// Config says where statements run.
type Config struct {
	Client    *restsql.Client
	Keys      Keys
	Database  string
	Catalog   string // "": AwsDataCatalog
	WorkGroup string // "": primary
	Output    string // s3://…, where Athena keeps results; "": what the work group says
}

type server struct {
	c      Config
	kinds  []string // types of the columns of the statement that runs
	header bool     // the first row of its result holds the names
	first  bool     // no row was read yet
}

// New returns a connection; it sends nothing.
func New(c Config) restsql.Server { return &server{c: c} }

// Error is what Athena says.
type Error struct {
	Type string // such as InvalidRequestException
	Text string
}

func (e *Error) Error() string {
	if e.Type == "" {
		return e.Text
	}
	return e.Type + ": " + e.Text
}

// results begins what Next needs once a statement has succeeded; the token of the next page follows.
const results, running = "results:", "running"

// Start hands a statement over, with its arguments written into it.
func (s *server) Start(ctx context.Context, query string, args []driver.NamedValue) (restsql.Page, error) {
	query, err := literals.Dialect{Bytes: "X'%x'"}.Write(query, args)
	if err != nil {
		return restsql.Page{}, err
	}
	token := make([]byte, 16)
	_, _ = rand.Read(token) // it never fails
	in := map[string]any{
		"QueryString": query, "ClientRequestToken": hex.EncodeToString(token), // a statement that is sent again runs once
		"QueryExecutionContext": without(map[string]string{"Database": s.c.Database, "Catalog": s.c.Catalog}),
	}
	if s.c.WorkGroup != "" {
		in["WorkGroup"] = s.c.WorkGroup
	}
	if s.c.Output != "" {
		in["ResultConfiguration"] = map[string]string{"OutputLocation": s.c.Output}
	}
	var out struct {
		ID string `json:"QueryExecutionId"`
	}
	if err := s.call(ctx, "StartQueryExecution", in, &out); err != nil {
		return restsql.Page{}, err
	}
	if out.ID == "" {
		return restsql.Page{}, errAnswer
	}
	return restsql.Page{ID: out.ID, Next: running}, nil
}

// without is a map without empty values.
func without(m map[string]string) map[string]string {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

// Next asks how a statement is, or for a page of its result.
func (s *server) Next(ctx context.Context, after restsql.Page) (restsql.Page, error) {
	if token, ok := strings.CutPrefix(after.Next, results); ok {
		return s.results(ctx, after.ID, token)
	}
	var out struct {
		Execution struct {
			Status struct {
				State  string `json:"State"`
				Reason string `json:"StateChangeReason"`
			} `json:"Status"`
			Kind string `json:"StatementType"`
		} `json:"QueryExecution"`
	}
	if err := s.call(ctx, "GetQueryExecution", map[string]string{"QueryExecutionId": after.ID}, &out); err != nil {
		return restsql.Page{}, err
	}
	switch status := out.Execution.Status; status.State {
	case "QUEUED", "RUNNING":
		return restsql.Page{ID: after.ID, Next: running}, nil
	case "SUCCEEDED":
		s.kinds, s.header, s.first = nil, out.Execution.Kind != "DDL" && out.Execution.Kind != "UTILITY", true
		return s.results(ctx, after.ID, "")
	case "FAILED", "CANCELLED":
		return restsql.Page{}, &Error{Text: restsql.Readable(status.State + ": " + status.Reason)}
	}
	return restsql.Page{}, errAnswer
}

// results reads a page of a result. It says what it holds itself, so that waiting for it is no waiting for nothing.
func (s *server) results(ctx context.Context, id, token string) (restsql.Page, error) {
	in := map[string]any{"QueryExecutionId": id, "MaxResults": 1000}
	if token != "" {
		in["NextToken"] = token
	}
	var out struct {
		Next    string `json:"NextToken"`
		Changed *int64 `json:"UpdateCount"`
		Set     struct {
			Rows []struct {
				Data []struct {
					Text *string `json:"VarCharValue"`
				} `json:"Data"`
			} `json:"Rows"`
			Meta struct {
				Columns []struct {
					Name string `json:"Name"`
					Type string `json:"Type"`
				} `json:"ColumnInfo"`
			} `json:"ResultSetMetadata"`
		} `json:"ResultSet"`
	}
	if err := s.call(ctx, "GetQueryResults", in, &out); err != nil {
		return restsql.Page{}, err
	}
	p := restsql.Page{ID: id, Changed: out.Changed}
	if out.Next != "" {
		p.Next = results + out.Next
	}
	var names []string
	for _, c := range out.Set.Meta.Columns {
		names = append(names, c.Name)
		p.Columns = append(p.Columns, restsql.Column{Name: c.Name, Type: strings.ToUpper(c.Type)})
		if s.first {
			s.kinds = append(s.kinds, c.Type)
		}
	}
	for i, cells := range out.Set.Rows {
		row := make([]driver.Value, len(s.kinds))
		if len(cells.Data) > len(row) {
			return p, errors.New("the server sends another number of values than it has named columns")
		}
		texts := make([]string, len(cells.Data))
		for i, c := range cells.Data {
			if c.Text == nil {
				continue
			}
			texts[i] = *c.Text
			row[i] = value(*c.Text, s.kinds[i])
		}
		if i == 0 && s.first && s.header && slices.Equal(texts, names) {
			continue
		}
		p.Rows = append(p.Rows, row)
	}
	s.first = false
	return p, nil
}

// value reads what stands in a cell. What is no number of its type stays a text, as dates and arrays do.
func value(text, kind string) driver.Value {
	switch kind {
	case "tinyint", "smallint", "integer", "int", "bigint":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case "double", "float", "real":
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case "boolean":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case "varbinary":
		if b, err := hex.DecodeString(strings.ReplaceAll(text, " ", "")); err == nil {
			return b
		}
	}
	return text
}

// Cancel ends a statement.
func (s *server) Cancel(ctx context.Context, of restsql.Page) {
	_ = s.call(ctx, "StopQueryExecution", map[string]string{"QueryExecutionId": of.ID}, &struct{}{}) // it may have ended by itself
}

var errAnswer = errors.New("the server does not answer as Athena does")

func (s *server) call(ctx context.Context, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, raw, err := s.c.Client.Do(ctx, http.MethodPost, "/", body, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "AmazonAthena."+action)
		s.c.Keys.sign(r, body, time.Now())
	})
	if e, ok := errors.AsType[*restsql.HTTPError](err); ok {
		var said struct {
			Type  string `json:"__type"`
			Text  string `json:"message"` // also written Message
			Upper string `json:"Message"`
		}
		if json.Unmarshal(e.Body, &said) == nil && said.Type != "" {
			kind := said.Type[strings.LastIndexByte(said.Type, '#')+1:]
			return &Error{restsql.Readable(kind), restsql.Readable(said.Text + said.Upper)}
		}
		return e
	}
	if err != nil {
		return err
	}
	if json.Unmarshal(raw, out) != nil {
		return errAnswer
	}
	return nil
}
