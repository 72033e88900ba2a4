package hive2

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/apache/thrift/lib/go/thrift"

	"dorado/app/kit/secret"
)

// Config says where a server is and how to sign in.
type Config struct {
	// Dial connects to the server; it is the only way out of this package.
	Dial func(context.Context) (net.Conn, error)
	// Host is the server's name as certificates and HTTP know it, with its port.
	Host     string
	Database string
	User     string // empty: "anonymous"
	Password secret.String
	Plain    bool        // no SASL: auth=noSasl
	TLS      *tls.Config // nil: not encrypted
	HTTPPath string      // over HTTP when not empty
}

// anonymous is what Hive's own client says when it is told nothing; servers refuse an empty password.
const anonymous = "anonymous"

// maxItem bounds one text, list or binary value of an answer, in bytes; maxAnswer a whole answer.
const (
	maxItem   = 16 << 20
	maxAnswer = 256 << 20
)

// connector makes sessions.
type connector struct{ c Config }

// NewConnector is for sql.OpenDB.
func NewConnector(c Config) driver.Connector {
	if c.User == "" {
		c.User = anonymous
	}
	if c.Password == "" {
		c.Password = anonymous
	}
	return &connector{c}
}

// Driver is never asked to open by name.
func (c *connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

// Open refuses.
func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("hive2: use NewConnector")
}

// SignInError says that the server does not let the user in.
type SignInError struct{ text string }

func (e *SignInError) Error() string { return e.text }

// Connect opens a session.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, c.c); err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

func (c *connector) connect(ctx context.Context) (*session, error) {
	if c.c.HTTPPath != "" {
		return c.overHTTP()
	}
	raw, err := c.c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, err := c.secure(ctx, raw)
	if err != nil {
		stop()
		return nil, err
	}
	t := newTransport(conn, !c.c.Plain)
	if !c.c.Plain {
		err = t.signIn(c.c.User, c.c.Password.Reveal())
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return newSession(t, t), nil
}

// secure adds TLS when that is configured. It closes conn when it fails.
func (c *connector) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if c.c.TLS == nil {
		return conn, nil
	}
	t := tls.Client(conn, c.c.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("tls: %w", err)
	}
	return t, nil
}

func (c *connector) overHTTP() (*session, error) {
	scheme := "http"
	if c.c.TLS != nil {
		scheme = "https"
	}
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return c.c.Dial(ctx) },
		TLSClientConfig: c.c.TLS, MaxIdleConns: 2,
	}
	client := &http.Client{
		Transport: &authorized{transport, c.c}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	at := (&url.URL{Scheme: scheme, Host: c.c.Host}).JoinPath(c.c.HTTPPath).String()
	t, err := thrift.NewTHttpClientWithOptions(at, thrift.THttpClientOptions{Client: client})
	if err != nil {
		return nil, errors.New("the settings are not understood")
	}
	return newSession(t, closer(transport.CloseIdleConnections)), nil
}

// authorized adds the password, bounds answers and knows the refusal.
type authorized struct {
	next http.RoundTripper
	c    Config
}

// RoundTrip asks once.
func (a *authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(a.c.User, a.c.Password.Reveal())
	resp, err := a.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		resp.Body.Close()
		return nil, &SignInError{"the server answers " + resp.Status}
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	return resp, nil
}

// closer is a function that lets go of a connection.
type closer func()

// Close calls it.
func (c closer) Close() error {
	c()
	return nil
}
