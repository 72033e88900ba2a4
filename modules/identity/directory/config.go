package directory

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dorado/app/kit/secret"
)

// Missing says what happens when somebody of the directory signs in who has no user yet.
type Missing string

// What can happen.
const (
	Create Missing = "create" // a user is made
	Deny   Missing = "deny"   // an administrator makes users beforehand
)

// Config says where the directory is and how it is asked.
type Config struct {
	URLs         []string      `koanf:"urls"`      // ldaps://host[:port] or ldap://host[:port]; the next is asked when one is away
	StartTLS     bool          `koanf:"start-tls"` // encrypts ldap://
	Insecure     bool          `koanf:"insecure"`  // allows ldap:// without encryption
	CAFile       string        `koanf:"ca-file"`   // PEM of who signed the servers' certificates; "" = the system's
	BindDN       string        `koanf:"bind-dn"`   // searches; "" = nobody in particular
	BindPassword secret.String `koanf:"bind-password"`
	BaseDN       string        `koanf:"base-dn"`     // where people are
	UserFilter   string        `koanf:"user-filter"` // finds one of them; {name} is what was typed

	NameAttribute  string `koanf:"name-attribute"`  // the name of the user here
	EmailAttribute string `koanf:"email-attribute"` // "" = not taken over
	PhoneAttribute string `koanf:"phone-attribute"` // "" = not taken over
	IDAttribute    string `koanf:"id-attribute"`    // what stays the same when somebody is renamed; "" = the name does

	AdminUser   string `koanf:"admin-user"`   // name of an administrator; "" = nobody by name
	AdminGroup  string `koanf:"admin-group"`  // DN of the group whose members are administrators; "" = none
	GroupFilter string `koanf:"group-filter"` // matches that group when {dn}, or {name}, is a member

	OnMissing Missing       `koanf:"on-missing"`
	Timeout   time.Duration `koanf:"timeout"` // of a whole sign-in
}

// DefaultConfig returns the defaults; without URLs there is no directory.
func DefaultConfig() Config {
	return Config{
		URLs: []string{}, UserFilter: "(uid={name})", NameAttribute: "uid", EmailAttribute: "mail", IDAttribute: "entryUUID",
		GroupFilter: "(|(member={dn})(uniqueMember={dn})(memberUid={name}))", OnMissing: Create, Timeout: 5 * time.Second,
	}
}

// Enabled reports whether there is a directory.
func (c Config) Enabled() bool { return len(c.URLs) > 0 }

// Validate returns everything that is wrong, joined.
func (c Config) Validate() error {
	if !c.Enabled() {
		return nil
	}
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("identity.ldap.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	for _, address := range c.URLs {
		if _, err := parse(address); err != nil {
			bad("urls", "%v", err)
		} else if strings.HasPrefix(address, "ldap://") && !c.StartTLS && !c.Insecure {
			bad("urls", "%s sends passwords unencrypted: use ldaps://, set start-tls, or say insecure: true", address)
		}
	}
	if _, err := ldap.ParseDN(c.BaseDN); c.BaseDN == "" || err != nil {
		bad("base-dn", "%q is not a distinguished name", c.BaseDN)
	}
	if (c.BindDN == "") != (c.BindPassword == "") {
		bad("bind-dn, identity.ldap.bind-password", "set both or none")
	}
	if _, err := ldap.CompileFilter(fill(c.UserFilter, "name", "x")); err != nil || !strings.Contains(c.UserFilter, "{name}") {
		bad("user-filter", "%q is not a filter with {name} in it", c.UserFilter)
	}
	if c.NameAttribute == "" {
		bad("name-attribute", "must not be empty")
	}
	if c.AdminGroup != "" {
		if _, err := ldap.ParseDN(c.AdminGroup); err != nil {
			bad("admin-group", "%q is not a distinguished name", c.AdminGroup)
		}
		if _, err := ldap.CompileFilter(fill(c.GroupFilter, "dn", "x", "name", "x")); err != nil || !strings.ContainsAny(c.GroupFilter, "{") {
			bad("group-filter", "%q is not a filter with {dn} or {name} in it", c.GroupFilter)
		}
	}
	if c.OnMissing != Create && c.OnMissing != Deny {
		bad("on-missing", "%q is neither create nor deny", c.OnMissing)
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > time.Minute {
		bad("timeout", "%s is not within 100ms and 1m", c.Timeout)
	}
	if _, err := c.roots(); err != nil {
		bad("ca-file", "%v", err)
	}
	return errors.Join(problems...)
}

// server is one address of the directory.
type server struct {
	host   string // for its certificate
	dial   string // host:port
	secure bool
}

func parse(address string) (server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return server{}, fmt.Errorf("%q is not ldap://host or ldaps://host", address)
	}
	s, port := server{host: u.Hostname(), secure: u.Scheme == "ldaps"}, u.Port()
	if port == "" {
		port = ldap.DefaultLdapPort
		if s.secure {
			port = ldap.DefaultLdapsPort
		}
	}
	s.dial = net.JoinHostPort(s.host, port)
	return s, nil
}

// roots are the authorities that may have signed the servers' certificates; nil means those of the system.
func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", c.CAFile)
	}
	return pool, nil
}

func (c Config) tls(host string, roots *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// fill puts values, escaped, in the place of {names} of a filter. It is one pass: a value that holds "{dn}" stays text.
func fill(filter string, pairs ...string) string {
	marks := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		marks = append(marks, "{"+pairs[i]+"}", ldap.EscapeFilter(pairs[i+1]))
	}
	return strings.NewReplacer(marks...).Replace(filter)
}
