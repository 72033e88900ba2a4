package databend

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"dorado/app/kit/secret"
	"dorado/plugins/datasource/literals"
	"dorado/plugins/datasource/restsql"
)

// patience is how many seconds the server holds an answer back while it has nothing.
const patience = 5

// Config says who asks, and where.
type Config struct {
	Client   *restsql.Client
	User     string
	Password secret.String
	Database string
}

type server struct {
	c       Config
	session json.RawMessage // as the server sent it last
	types   []string        // of the statement that runs
}

// New returns a connection; it sends nothing.
func New(c Config) restsql.Server {
	session, _ := json.Marshal(map[string]string{"database": c.Database}) //nolint:errchkjson // a text
	return &server{c: c, session: session}
}

// Error is what Databend says about a statement.
type Error struct {
	Code int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Text) }

// answer is every answer of the protocol.
type answer struct {
	ID      string          `json:"id"`
	Session json.RawMessage `json:"session"`
	Schema  []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"schema"`
	Data  [][]*string `json:"data"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Next string `json:"next_uri"`
}

// Start hands a statement over, with its arguments written into it: the protocol has none.
func (s *server) Start(ctx context.Context, query string, args []driver.NamedValue) (restsql.Page, error) {
	query, err := literals.Dialect{Backslash: true, Bytes: "from_hex('%x')"}.Write(query, args)
	if err != nil {
		return restsql.Page{}, err
	}
	body, err := json.Marshal(map[string]any{"sql": query, "session": s.session, "pagination": map[string]int{"wait_time_secs": patience}})
	if err != nil {
		return restsql.Page{}, err
	}
	s.types = nil
	return s.ask(ctx, http.MethodPost, "/v1/query/", body)
}

// Next asks for what follows.
func (s *server) Next(ctx context.Context, after restsql.Page) (restsql.Page, error) {
	return s.ask(ctx, http.MethodGet, after.Next, nil)
}

// Cancel ends a statement.
func (s *server) Cancel(ctx context.Context, of restsql.Page) {
	_, _, _ = s.c.Client.Do(ctx, http.MethodPost, "/v1/query/"+url.PathEscape(of.ID)+"/kill", nil, s.sign) // it may have ended by itself
}

func (s *server) sign(r *http.Request) { r.SetBasicAuth(s.c.User, s.c.Password.Reveal()) }

func (s *server) ask(ctx context.Context, method, path string, body []byte) (restsql.Page, error) {
	var a answer
	_, raw, err := s.c.Client.Do(ctx, method, path, body, s.sign)
	if e, ok := errors.AsType[*restsql.HTTPError](err); ok {
		if json.Unmarshal(e.Body, &a) == nil && a.Error != nil && e.Code != http.StatusUnauthorized {
			return restsql.Page{}, &Error{a.Error.Code, restsql.Readable(a.Error.Message)}
		}
		return restsql.Page{}, e
	}
	if err != nil {
		return restsql.Page{}, err
	}
	switch {
	case json.Unmarshal(raw, &a) != nil || a.ID == "":
		return restsql.Page{}, errors.New("the server does not answer as Databend does")
	case a.Error != nil:
		return restsql.Page{}, &Error{a.Error.Code, restsql.Readable(a.Error.Message)}
	}
	if len(a.Session) > 0 && string(a.Session) != "null" {
		s.session = a.Session
	}
	return s.page(a)
}

func (s *server) page(a answer) (restsql.Page, error) {
	p := restsql.Page{ID: a.ID, Next: a.Next}
	if len(s.types) == 0 {
		for _, c := range a.Schema {
			kind := bare(c.Type)
			s.types = append(s.types, kind)
			p.Columns = append(p.Columns, restsql.Column{Name: c.Name, Type: strings.ToUpper(kind)})
			if strings.HasPrefix(c.Name, "number of rows ") { // what INSERT, UPDATE, DELETE and MERGE answer
				p.Changed = new(int64(0))
			}
		}
	}
	for _, cells := range a.Data {
		if len(cells) != len(s.types) {
			return p, errors.New("the server sends another number of values than it has named columns")
		}
		row := make([]driver.Value, len(cells))
		for i, text := range cells {
			v, err := value(text, s.types[i])
			if err != nil {
				return p, err
			}
			if n, ok := v.(int64); ok && p.Changed != nil {
				*p.Changed += n
			}
			row[i] = v
		}
		p.Rows = append(p.Rows, row)
	}
	return p, nil
}

// bare is a type without what says that it may be NULL, and without what stands in brackets: "Nullable(Int32)", "Int32 NULL",
// "Decimal(10, 2)".
func bare(kind string) string {
	kind = strings.TrimSuffix(strings.TrimSuffix(kind, " NOT NULL"), " NULL")
	if inner, ok := strings.CutPrefix(kind, "Nullable("); ok {
		kind = strings.TrimSuffix(inner, ")")
	}
	kind, _, _ = strings.Cut(kind, "(")
	return kind
}

var errValue = errors.New("the server sends a value that is none of its type")

// value reads what stands in a cell. Dates, decimals and what is made of other values are texts.
func value(text *string, kind string) (driver.Value, error) {
	if text == nil || *text == "NULL" && kind != "String" {
		return nil, nil
	}
	switch {
	case kind == "Boolean":
		b, err := strconv.ParseBool(strings.ToLower(*text))
		if err != nil {
			return nil, errValue
		}
		return b, nil
	case strings.HasPrefix(kind, "Int"), strings.HasPrefix(kind, "UInt"):
		if n, err := strconv.ParseInt(*text, 10, 64); err == nil {
			return n, nil
		}
	case strings.HasPrefix(kind, "Float"):
		f, err := strconv.ParseFloat(*text, 64)
		if err != nil {
			return nil, errValue
		}
		return f, nil
	}
	return *text, nil
}
