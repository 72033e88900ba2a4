package restsql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

const (
	maxAnswer = 64 << 20 // of one page of rows
	maxText   = 2000     // of what the server says about a failure
	// overloaded is how often a server may say that it has no time.
	overloaded = 10
)

// Client sends requests to one server.
type Client struct {
	base *url.URL
	http *http.Client
}

// NewClient returns a client whose connections are made by dial. Redirects are not followed: they lead elsewhere.
func NewClient(base *url.URL, dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{base: base, http: &http.Client{
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			DisableKeepAlives: true, // nothing tells when the last statement was
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Base is scheme and host.
func (c *Client) Base() url.URL { return *c.base }

// HTTPError is an answer that tells of a failure.
type HTTPError struct {
	Code int
	Body []byte
}

func (e *HTTPError) Error() string {
	return fmt.Sprintf("the server answers %d %s", e.Code, http.StatusText(e.Code))
}

// Do makes a request, again when the server has no time. sign, unless it is nil, completes it. The answer is its status, which
// is 2xx, and its body; else the error is an *HTTPError.
func (c *Client) Do(ctx context.Context, method, path string, body []byte, sign func(*http.Request)) (int, []byte, error) {
	at, err := c.base.Parse(path)
	if err != nil {
		return 0, nil, errors.New("the server names an address that is none")
	}
	at.Scheme, at.Host, at.User = c.base.Scheme, c.base.Host, nil // wherever it leads to
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
		if err != nil {
			return 0, nil, errors.New("the server names an address that is none")
		}
		req.Header.Set("User-Agent", "dorado")
		req.Header.Set("Accept", "application/json")
		if len(body) > 0 {
			req.Header.Set("Content-Type", "application/json")
		}
		if sign != nil {
			sign(req)
		}
		code, raw, err := c.once(req)
		if err != nil {
			return 0, nil, err
		}
		if (code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable) && try < overloaded {
			if err := wait(ctx, time.Duration(try)*100*time.Millisecond); err != nil {
				return 0, nil, err
			}
			continue
		}
		if code < 200 || code > 299 {
			return code, nil, &HTTPError{code, raw}
		}
		return code, raw, nil
	}
}

func (c *Client) once(req *http.Request) (int, []byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, err
	}
	if len(raw) > maxAnswer {
		return 0, nil, errors.New("the server sends more rows at once than are taken")
	}
	return resp.StatusCode, raw, nil
}

// Readable makes a sentence of what a server says: one line, no control characters.
func Readable(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.TrimSpace(strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text), ""))
}
