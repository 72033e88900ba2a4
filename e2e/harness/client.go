package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Base is the path below which the REST interface lives.
const Base = "/dolphinscheduler"

// APIError is an answer that says no.
type APIError struct {
	Status int // HTTP
	Code   int // of the envelope; 0 when there was none
	Msg    string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("HTTP %d, code %d: %s", e.Status, e.Code, e.Msg)
}

// Code returns the code of the envelope when err is an APIError, 0 otherwise.
func Code(err error) int {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.Code
	}
	return 0
}

// Status returns the HTTP status when err is an APIError, 0 otherwise.
func Status(err error) int {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.Status
	}
	return 0
}

// Client speaks the REST interface as one user. It is safe for use by many goroutines once it is signed in.
type Client struct {
	URL     string // http://host:port
	Session string // header sessionId
	Token   string // header token; wins over the session
	HTTP    *http.Client
}

// NewClient returns a client that is not signed in.
func NewClient(server string) *Client {
	return &Client{URL: server, HTTP: &http.Client{
		Timeout:   60 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// Close drops idle connections.
func (c *Client) Close() { c.HTTP.CloseIdleConnections() }

// Do sends one request below Base and returns the answer as it is. A form goes into the query of GET and DELETE and into
// the body otherwise.
func (c *Client) Do(ctx context.Context, method, path string, form url.Values) (*http.Response, error) {
	return c.send(ctx, method, path, form, nil)
}

func (c *Client) send(ctx context.Context, method, path string, form url.Values, header map[string]string) (*http.Response, error) {
	target := c.URL + Base + path
	var body io.Reader = http.NoBody
	switch {
	case len(form) == 0:
	case method == http.MethodGet || method == http.MethodDelete:
		target += "?" + form.Encode()
	default:
		body = strings.NewReader(form.Encode())
	}
	kind := ""
	if body != http.NoBody {
		kind = "application/x-www-form-urlencoded"
	}
	return c.request(ctx, method, target, kind, body, header)
}

// request sends one request as this user; kind is the type of its body.
func (c *Client) request(ctx context.Context, method, target, kind string, body io.Reader, header map[string]string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Token != "" {
		req.Header.Set("token", c.Token)
	} else if c.Session != "" {
		req.Header.Set("sessionId", c.Session)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return c.HTTP.Do(req)
}

// Call sends one request and decodes the data of the envelope into out, which may be nil. It returns an *APIError when
// the envelope's code is not 0 or there is no envelope.
func (c *Client) Call(ctx context.Context, method, path string, form url.Values, out any) error {
	return c.callWith(ctx, method, path, form, nil, out)
}

func (c *Client) callWith(ctx context.Context, method, path string, form url.Values, header map[string]string, out any) error {
	res, err := c.send(ctx, method, path, form, header)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	return read(res, method, path, out)
}

// CallJSON is Call for the endpoints that take a JSON body.
func (c *Client) CallJSON(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	res, err := c.request(ctx, method, c.URL+Base+path, "application/json", bytes.NewReader(body), nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	return read(res, method, path, out)
}

// read decodes the data of an answer's envelope into out.
func read(res *http.Response, method, path string, out any) error {
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var envelope struct {
		Code *int
		Msg  string
		Data json.RawMessage
	}
	if err := json.Unmarshal(raw, &envelope); err != nil || envelope.Code == nil {
		return fmt.Errorf("%s %s: %w", method, path, &APIError{Status: res.StatusCode, Msg: cut(string(raw))})
	}
	if *envelope.Code != 0 {
		return fmt.Errorf("%s %s: %w", method, path, &APIError{Status: res.StatusCode, Code: *envelope.Code, Msg: envelope.Msg})
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, out); err != nil {
		return fmt.Errorf("%s %s: %w in %s", method, path, err, cut(string(envelope.Data)))
	}
	return nil
}

// call is Call for one kind of answer.
func call[T any](ctx context.Context, c *Client, method, path string, form url.Values) (T, error) {
	var out T
	err := c.Call(ctx, method, path, form, &out)
	return out, err
}

// Login signs in with a password and keeps the session.
func (c *Client) Login(ctx context.Context, user, password string) error {
	var data struct{ SessionID string }
	form := url.Values{"userName": {user}, "userPassword": {password}}
	if err := c.Call(ctx, http.MethodPost, "/login", form, &data); err != nil {
		return err
	}
	c.Session = data.SessionID
	return nil
}

// UseToken makes a new access token for the signed-in user and uses it from now on.
func (c *Client) UseToken(ctx context.Context) error {
	me, err := c.Me(ctx)
	if err != nil {
		return err
	}
	var token struct{ Token string }
	form := url.Values{
		"userId":     {itoa(me.ID)},
		"expireTime": {time.Now().UTC().AddDate(1, 0, 0).Format(time.DateTime)},
	}
	if err := c.Call(ctx, http.MethodPost, "/access-tokens", form, &token); err != nil {
		return err
	}
	c.Token = token.Token
	return nil
}

// Page is one page of a list.
type Page[T any] struct {
	TotalList   []T
	Total       int
	TotalPage   int
	PageSize    int
	CurrentPage int
	PageNo      int
}

func cut(s string) string {
	if len(s) > 500 {
		return s[:500] + "…"
	}
	return s
}
