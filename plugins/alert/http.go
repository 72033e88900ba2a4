package alert

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

	"dorado/app/kit/dial"
	"dorado/plugins/form"
)

const (
	connectTimeout = 10 * time.Second
	totalTimeout   = 30 * time.Second
	maxBody        = 64 << 10 // of an answer
)

// ErrRefused says that the receiver did not take the alert.
var ErrRefused = errors.New("the receiver refused")

// Call is one HTTP request of a plugin.
type Call struct {
	Method  string // POST when empty
	URL     string
	Header  map[string]string
	JSON    any           // the body as JSON, without escaping of HTML; nil: Body
	Body    []byte        // with its Content-Type in Header
	Proxy   *url.URL      // nil: what the environment says
	Timeout time.Duration // 30 seconds when 0
}

// Answer is what came back.
type Answer struct {
	Status int
	Body   []byte // at most 64 KiB of it
}

// Text is the body for people.
func (a Answer) Text() string {
	return strings.TrimSpace(strings.ToValidUTF8(string(a.Body), "\uFFFD"))
}

// Refused is ErrRefused with the status and what the receiver said.
func (a Answer) Refused() error {
	return fmt.Errorf("%w: HTTP %d %s", ErrRefused, a.Status, a.Text())
}

// Do makes the request. Errors do not quote the address, which often is a secret; redirects are not followed, for the same
// reason.
func (c Call) Do(ctx context.Context) (Answer, error) {
	if c.Timeout <= 0 {
		c.Timeout = totalTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := c.request(ctx)
	if err != nil {
		return Answer{}, err
	}
	proxy := http.ProxyFromEnvironment
	if c.Proxy != nil {
		proxy = http.ProxyURL(c.Proxy)
	}
	transport := &http.Transport{
		Proxy: proxy, DialContext: dial.New(connectTimeout).DialContext, TLSHandshakeTimeout: connectTimeout, ForceAttemptHTTP2: true,
		DisableKeepAlives: true, // an alert is rare; nothing is left open after it
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, unaddressed(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", unaddressed(err))
	}
	return Answer{Status: res.StatusCode, Body: body}, nil
}

func (c Call) request(ctx context.Context) (*http.Request, error) {
	body := c.Body
	if c.JSON != nil {
		var err error
		if body, err = EncodeJSON(c.JSON); err != nil {
			return nil, err
		}
	}
	method := c.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, unaddressed(err)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return nil, fmt.Errorf("%w: the address must begin with http:// or https://", ErrSettings)
	}
	if c.JSON != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	req.Header.Set("User-Agent", "Dorado")
	for name, value := range c.Header {
		req.Header.Set(name, value)
	}
	return req, nil
}

// EncodeJSON is v as JSON in which <, > and & stay as they are.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// unaddressed is err without the address that net/http puts before it.
func unaddressed(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// ProxyFields are the fields for a proxy that some plugins have.
func ProxyFields() form.Schema {
	on := &form.Condition{Field: "IsEnableProxy", In: []string{"true"}}
	return form.Schema{
		{Name: "IsEnableProxy", Type: form.Switch, Label: "alert.proxy.on", Default: false, Advanced: true},
		{Name: "Proxy", Type: form.Text, Label: "alert.proxy.host", Required: true, VisibleWhen: on, Advanced: true},
		{Name: "Port", Type: form.Number, Label: "alert.proxy.port", Required: true, Min: new(1.0), Max: new(65535.0), VisibleWhen: on, Advanced: true},
		{Name: "User", Type: form.Text, Label: "alert.proxy.user", VisibleWhen: on, Advanced: true},
		{Name: "Password", Type: form.Secret, Label: "alert.proxy.password", VisibleWhen: on, Advanced: true},
	}
}

// Proxy is the proxy that the fields of ProxyFields name, nil when it is off.
func Proxy(v form.Values) *url.URL {
	if !v.Bool("IsEnableProxy") {
		return nil
	}
	u := &url.URL{Scheme: "http", Host: dial.Join(v.Text("Proxy"), int(v.Number("Port")))}
	if user := v.Text("User"); user != "" {
		u.User = url.UserPassword(user, v.Text("Password"))
	}
	return u
}
