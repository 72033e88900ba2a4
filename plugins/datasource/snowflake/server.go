package snowflake

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dorado/plugins/datasource/restsql"
)

const path = "/api/v2/statements"

// Config says where statements run.
type Config struct {
	Client      *restsql.Client
	Credentials Credentials
	Database    string
	Schema      string
	Warehouse   string
	Role        string
}

type server struct{ c Config }

// New returns a connection; it sends nothing.
func New(c Config) restsql.Server {
	for _, name := range []*string{&c.Database, &c.Schema, &c.Warehouse, &c.Role} {
		// The API takes names as they are, where statements and JDBC take them in capitals.
		if strings.ToLower(*name) == *name {
			*name = strings.ToUpper(*name)
		}
	}
	return &server{c}
}

// Error is what Snowflake says about a statement.
type Error struct {
	Code  string
	State string // SQLSTATE
	Text  string
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Text
	}
	return e.Code + ": " + e.Text
}

// answer is every answer of the API.
type answer struct {
	Code    string `json:"code"`
	State   string `json:"sqlState"`
	Message string `json:"message"`
	Handle  string `json:"statementHandle"`
	Meta    *struct {
		Types []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Scale *int   `json:"scale"`
		} `json:"rowType"`
		Partitions []struct{} `json:"partitionInfo"`
	} `json:"resultSetMetaData"`
	Data  [][]*string `json:"data"`
	Stats *struct {
		Inserted int64 `json:"numRowsInserted"`
		Updated  int64 `json:"numRowsUpdated"`
		Deleted  int64 `json:"numRowsDeleted"`
	} `json:"stats"`

	runs bool // the statement has not ended
}

// state is what a page needs to be followed: which partitions there are, and how their values are read.
type state struct {
	Partition int      `json:"p"` // the next one; -1: it is not known whether the statement has ended
	Count     int      `json:"n"`
	Types     []string `json:"t"`
}

// Start hands a statement over. The server answers at once, so that whoever cancels knows what.
func (s *server) Start(ctx context.Context, query string, args []driver.NamedValue) (restsql.Page, error) {
	type bind struct {
		Type  string  `json:"type"`
		Value *string `json:"value"`
	}
	binds := map[string]bind{}
	for _, a := range args {
		if a.Name != "" {
			return restsql.Page{}, errors.New("arguments with names are not supported by this type of data source")
		}
		kind, text, err := bound(a.Value)
		if err != nil {
			return restsql.Page{}, err
		}
		binds[strconv.Itoa(a.Ordinal)] = bind{kind, text}
	}
	body, err := json.Marshal(struct {
		Statement string          `json:"statement"`
		Database  string          `json:"database,omitempty"`
		Schema    string          `json:"schema,omitempty"`
		Warehouse string          `json:"warehouse,omitempty"`
		Role      string          `json:"role,omitempty"`
		Bindings  map[string]bind `json:"bindings,omitempty"`
	}{query, s.c.Database, s.c.Schema, s.c.Warehouse, s.c.Role, binds})
	if err != nil {
		return restsql.Page{}, err
	}
	// The number lets a statement that is sent again run once.
	a, err := s.ask(ctx, http.MethodPost, path+"?async=true&requestId="+requestID(), body)
	if err != nil {
		return restsql.Page{}, err
	}
	return s.page(a, state{Partition: -1})
}

func requestID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// bound is an argument as the API takes it.
func bound(v driver.Value) (kind string, text *string, err error) {
	switch v := v.(type) {
	case nil:
		return "TEXT", nil, nil
	case bool:
		return "BOOLEAN", new(strconv.FormatBool(v)), nil
	case int64:
		return "FIXED", new(strconv.FormatInt(v, 10)), nil
	case float64:
		return "REAL", new(strconv.FormatFloat(v, 'g', -1, 64)), nil
	case string:
		return "TEXT", &v, nil
	case []byte:
		return "BINARY", new(hex.EncodeToString(v)), nil
	case time.Time:
		return "TIMESTAMP_NTZ", new(strconv.FormatInt(v.UnixNano(), 10)), nil
	}
	return "", nil, fmt.Errorf("a value of the type %T cannot be bound", v)
}

// Next asks whether a statement has ended, or for a further partition of its result.
func (s *server) Next(ctx context.Context, after restsql.Page) (restsql.Page, error) {
	var at state
	if err := json.Unmarshal([]byte(after.Next), &at); err != nil {
		return restsql.Page{}, err
	}
	to := path + "/" + url.PathEscape(after.ID)
	if at.Partition >= 0 {
		to += "?partition=" + strconv.Itoa(at.Partition)
	}
	a, err := s.ask(ctx, http.MethodGet, to, nil)
	if err != nil {
		return restsql.Page{}, err
	}
	a.Handle = after.ID
	return s.page(a, at)
}

// Cancel ends a statement.
func (s *server) Cancel(ctx context.Context, of restsql.Page) {
	_, _ = s.ask(ctx, http.MethodPost, path+"/"+url.PathEscape(of.ID)+"/cancel", nil) // it may have ended by itself
}

func (s *server) ask(ctx context.Context, method, to string, body []byte) (answer, error) {
	var a answer
	bearer, err := s.c.Credentials.bearer(time.Now())
	if err != nil {
		return a, err
	}
	code, raw, err := s.c.Client.Do(ctx, method, to, body, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+bearer)
		r.Header.Set("X-Snowflake-Authorization-Token-Type", string(s.c.Credentials.Kind))
	})
	if e, ok := errors.AsType[*restsql.HTTPError](err); ok {
		if json.Unmarshal(e.Body, &a) == nil && a.Message != "" && e.Code != http.StatusUnauthorized && e.Code != http.StatusForbidden {
			return a, &Error{Code: restsql.Readable(a.Code), State: a.State, Text: restsql.Readable(a.Message)}
		}
		return a, e
	}
	if err != nil {
		return a, err
	}
	if json.Unmarshal(raw, &a) != nil {
		return a, errors.New("the server does not answer as Snowflake does")
	}
	a.runs = code == http.StatusAccepted
	return a, nil
}

func (s *server) page(a answer, at state) (restsql.Page, error) {
	p := restsql.Page{ID: a.Handle}
	if a.Handle == "" {
		return p, errors.New("the server does not answer as Snowflake does: it gives the statement no number")
	}
	switch {
	case a.runs:
		p.Next = encoded(at)
		return p, nil
	case a.Meta != nil:
		at = state{Partition: 0, Count: len(a.Meta.Partitions)}
		for _, c := range a.Meta.Types {
			kind := strings.ToLower(c.Type)
			if kind == "fixed" && c.Scale != nil && *c.Scale > 0 {
				kind = "decimal"
			}
			at.Types = append(at.Types, kind)
			p.Columns = append(p.Columns, restsql.Column{Name: c.Name, Type: strings.ToUpper(named(kind))})
		}
	case at.Partition < 0: // it has ended without a result
		return p, nil
	}
	for _, cells := range a.Data {
		if len(cells) != len(at.Types) {
			return p, errors.New("the server sends another number of values than it has named columns")
		}
		row := make([]driver.Value, len(cells))
		for i, text := range cells {
			v, err := value(text, at.Types[i])
			if err != nil {
				return p, err
			}
			row[i] = v
		}
		p.Rows = append(p.Rows, row)
	}
	if a.Stats != nil {
		p.Changed = new(a.Stats.Inserted + a.Stats.Updated + a.Stats.Deleted)
	}
	if at.Partition++; at.Partition < at.Count {
		p.Next = encoded(at)
	}
	return p, nil
}

func encoded(at state) string {
	raw, _ := json.Marshal(at) //nolint:errchkjson // texts and numbers
	return string(raw)
}

// named is a type as people know it.
func named(kind string) string {
	switch kind {
	case "fixed":
		return "bigint"
	case "real":
		return "double"
	case "timestamp_ltz", "timestamp_tz":
		return "timestamptz"
	case "timestamp_ntz":
		return "timestamp"
	}
	return kind
}

var errValue = errors.New("the server sends a value that is none of its type")

// value reads what stands in a cell. Whole numbers that are too long stay texts.
func value(text *string, kind string) (driver.Value, error) {
	if text == nil {
		return nil, nil
	}
	switch kind {
	case "fixed":
		if n, err := strconv.ParseInt(*text, 10, 64); err == nil {
			return n, nil
		}
	case "real":
		f, err := strconv.ParseFloat(*text, 64)
		return f, wrong(err)
	case "boolean":
		b, err := strconv.ParseBool(*text)
		return b, wrong(err)
	case "binary":
		b, err := hex.DecodeString(*text)
		return b, wrong(err)
	case "date":
		days, err := strconv.ParseInt(*text, 10, 32)
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(days)), wrong(err)
	case "time", "timestamp_ntz", "timestamp_ltz":
		return moment(*text)
	case "timestamp_tz":
		at, zone, _ := strings.Cut(*text, " ")
		minutes, err := strconv.Atoi(zone)
		if err != nil {
			return nil, errValue
		}
		t, err := moment(at)
		if err != nil {
			return nil, err
		}
		return t.In(time.FixedZone("", (minutes-1440)*60)), nil
	}
	return *text, nil
}

// moment is a number of seconds with up to nine digits behind the point.
func moment(text string) (time.Time, error) {
	whole, rest, _ := strings.Cut(text, ".")
	sec, err1 := strconv.ParseInt(whole, 10, 64)
	nano, err2 := strconv.ParseInt((rest + "000000000")[:9], 10, 64)
	if err1 != nil || err2 != nil || nano < 0 {
		return time.Time{}, errValue
	}
	if strings.HasPrefix(whole, "-") {
		nano = -nano
	}
	return time.Unix(sec, nano).UTC(), nil
}

func wrong(err error) error {
	if err != nil {
		return errValue
	}
	return nil
}
