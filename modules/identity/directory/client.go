package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"dorado/app/kit/secret"
)

// maxAtOnce bounds the sign-ins that ask the directory at the same time.
const maxAtOnce = 16

// maxText is the most bytes of a name or a password that are sent on.
const maxText = 1024

var (
	// ErrRefused means that the directory does not know the name, or the password is wrong.
	ErrRefused = errors.New("directory: the name or the password is wrong")
	// ErrUnavailable means that no server gave an answer.
	ErrUnavailable = errors.New("directory: no answer")
	// ErrBusy means that too many sign-ins are under way.
	ErrBusy = errors.New("directory: too many sign-ins are under way")
)

// Entry is what the directory knows of somebody.
type Entry struct {
	DN    string
	ID    string // value of the id attribute, hexadecimal when it is no text; empty when the entry has none
	Name  string
	Email string
	Phone string
	Admin bool // meaningful when MapsAdmin
}

// Client asks one directory. It keeps no connection between sign-ins.
type Client struct {
	cfg     Config
	servers []server
	roots   *x509.CertPool
	slots   chan struct{}
}

// Open makes a client of a valid configuration. It connects to nothing yet.
func Open(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, slots: make(chan struct{}, maxAtOnce)}
	for _, address := range cfg.URLs {
		s, err := parse(address)
		if err != nil {
			return nil, err
		}
		c.servers = append(c.servers, s)
	}
	var err error
	c.roots, err = cfg.roots()
	return c, err
}

// MapsAdmin reports whether the directory says who is an administrator.
func (c *Client) MapsAdmin() bool { return c.cfg.AdminGroup != "" || c.cfg.AdminUser != "" }

// Creates reports whether a user is made for somebody who has none.
func (c *Client) Creates() bool { return c.cfg.OnMissing == Create }

// Authenticate returns the entry of who has this name and password. The error is, or wraps, ErrRefused, ErrUnavailable
// or ErrBusy; its text is for the log and holds no password.
func (c *Client) Authenticate(ctx context.Context, name string, password secret.String) (Entry, error) {
	if name == "" || password == "" || len(name) > maxText || len(password) > maxText {
		return Entry{}, ErrRefused
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return Entry{}, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var away []error
	for _, s := range c.servers {
		conn, err := c.connect(ctx, s)
		if err == nil {
			var e Entry
			e, err = c.authenticate(conn, name, password)
			_ = conn.Close()
			if err == nil || !unanswered(err) {
				return e, err
			}
		}
		away = append(away, fmt.Errorf("%s: %w", s.dial, err))
		if ctx.Err() != nil {
			break
		}
	}
	return Entry{}, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(away...))
}

// connect opens an encrypted connection, or a plain one where that is allowed. All that happens on it ends with ctx.
func (c *Client) connect(ctx context.Context, s server) (*ldap.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.dial)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		if err := raw.SetDeadline(end); err != nil {
			raw.Close()
			return nil, err
		}
	}
	context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // a caller who left needs no answer
	if s.secure {
		secured := tls.Client(raw, c.cfg.tls(s.host, c.roots))
		if err := secured.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		conn := ldap.NewConn(secured, true)
		conn.Start()
		return conn, nil
	}
	conn := ldap.NewConn(raw, false)
	conn.Start()
	if c.cfg.StartTLS {
		if err := conn.StartTLS(c.cfg.tls(s.host, c.roots)); err != nil {
			_ = conn.Close()
			raw.Close()
			return nil, err
		}
	}
	return conn, nil
}

func (c *Client) authenticate(conn *ldap.Conn, name string, password secret.String) (Entry, error) {
	if err := c.bind(conn); err != nil {
		return Entry{}, err
	}
	found, err := c.search(conn, name)
	if err != nil {
		return Entry{}, err
	}
	if err := conn.Bind(found.DN, password.Reveal()); err != nil {
		if unanswered(err) {
			return Entry{}, err
		}
		return Entry{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	e := Entry{
		DN: found.DN, ID: text(found.GetRawAttributeValue(c.cfg.IDAttribute)), Name: found.GetAttributeValue(c.cfg.NameAttribute),
		Email: found.GetAttributeValue(c.cfg.EmailAttribute), Phone: found.GetAttributeValue(c.cfg.PhoneAttribute),
	}
	if e.Name == "" {
		return Entry{}, fmt.Errorf("%w: %s has no attribute %s", ErrRefused, e.DN, c.cfg.NameAttribute)
	}
	e.Admin = c.cfg.AdminUser != "" && strings.EqualFold(e.Name, c.cfg.AdminUser)
	if !e.Admin && c.cfg.AdminGroup != "" {
		if err := c.bind(conn); err != nil {
			return Entry{}, err
		}
		if e.Admin, err = c.isAdmin(conn, e); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

// bind makes the connection that of the account which searches.
func (c *Client) bind(conn *ldap.Conn) error {
	if c.cfg.BindDN == "" {
		return nil
	}
	if err := conn.Bind(c.cfg.BindDN, c.cfg.BindPassword.Reveal()); err != nil {
		return fmt.Errorf("%w: bind as %s: %w", ErrUnavailable, c.cfg.BindDN, err)
	}
	return nil
}

func (c *Client) search(conn *ldap.Conn, name string) (*ldap.Entry, error) {
	var attributes []string
	for _, a := range []string{c.cfg.NameAttribute, c.cfg.EmailAttribute, c.cfg.PhoneAttribute, c.cfg.IDAttribute} {
		if a != "" {
			attributes = append(attributes, a)
		}
	}
	res, err := conn.Search(&ldap.SearchRequest{
		BaseDN: c.cfg.BaseDN, Scope: ldap.ScopeWholeSubtree, DerefAliases: ldap.NeverDerefAliases, SizeLimit: 2, EnforceSizeLimit: true,
		TimeLimit: c.seconds(), Filter: fill(c.cfg.UserFilter, "name", name), Attributes: attributes,
	})
	switch {
	case errors.Is(err, ldap.ErrSizeLimitExceeded), ldap.IsErrorAnyOf(err, ldap.LDAPResultReferral, ldap.LDAPResultSizeLimitExceeded):
		return nil, fmt.Errorf("%w: search: %w", ErrRefused, err)
	case err != nil:
		return nil, fmt.Errorf("%w: search in %s: %w", ErrUnavailable, c.cfg.BaseDN, err)
	case len(res.Entries) != 1:
		return nil, fmt.Errorf("%w: %d entries have this name", ErrRefused, len(res.Entries))
	case res.Entries[0].DN == "": // to bind with an empty name is to bind as nobody, which succeeds
		return nil, fmt.Errorf("%w: the entry has no name", ErrRefused)
	}
	return res.Entries[0], nil
}

func (c *Client) isAdmin(conn *ldap.Conn, e Entry) (bool, error) {
	res, err := conn.Search(&ldap.SearchRequest{
		BaseDN: c.cfg.AdminGroup, Scope: ldap.ScopeBaseObject, DerefAliases: ldap.NeverDerefAliases, SizeLimit: 1, TimeLimit: c.seconds(),
		Filter: fill(c.cfg.GroupFilter, "dn", e.DN, "name", e.Name), Attributes: []string{"1.1"},
	})
	if err != nil { // "no such group" too: a typing mistake must not quietly take everybody's rights away
		return false, fmt.Errorf("%w: look into the group %s: %w", ErrUnavailable, c.cfg.AdminGroup, err)
	}
	return len(res.Entries) == 1, nil
}

func (c *Client) seconds() int { return max(1, int(c.cfg.Timeout/time.Second)) }

// unanswered tells a server that is away, or cannot answer now, from one that says no.
func unanswered(err error) bool {
	return errors.Is(err, ErrUnavailable) || ldap.IsErrorAnyOf(err, ldap.ErrorNetwork, ldap.ErrorUnexpectedMessage, ldap.ErrorUnexpectedResponse,
		ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultOther, ldap.LDAPResultOperationsError, ldap.LDAPResultProtocolError)
}

// text is an identifier as text: some directories keep it as bytes.
func text(raw []byte) string {
	s := string(raw)
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return hex.EncodeToString(raw)
}
