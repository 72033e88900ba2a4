package openid

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/secret"
)

// Missing says what happens when somebody signs in who has no user yet.
type Missing string

// What can happen.
const (
	Create Missing = "create" // a user is made
	Deny   Missing = "deny"   // an administrator makes users beforehand
)

// Config says who the provider is and what of its answers is believed.
type Config struct {
	Issuer       string        `koanf:"issuer"` // URL; "" = there is none
	ClientID     string        `koanf:"client-id"`
	ClientSecret secret.String `koanf:"client-secret"` // "" = a public client
	Label        string        `koanf:"label"`         // what the button says
	Scopes       []string      `koanf:"scopes"`
	Insecure     bool          `koanf:"insecure"` // allows an issuer by http://
	CAFile       string        `koanf:"ca-file"`  // PEM of who signed the provider's certificate; "" = the system's

	NameClaim   string `koanf:"name-claim"`   // the name of the user here
	EmailClaim  string `koanf:"email-claim"`  // "" = not taken over
	GroupsClaim string `koanf:"groups-claim"` // may be a path, as in realm_access.roles; "" = no groups

	AdminGroup     string   `koanf:"admin-group"`     // its members are administrators; "" = not told by the provider
	AllowedGroups  []string `koanf:"allowed-groups"`  // one of them is needed; none = all may
	AllowedDomains []string `koanf:"allowed-domains"` // the verified e-mail address is in one of them; none = all may

	OnMissing Missing       `koanf:"on-missing"`
	Timeout   time.Duration `koanf:"timeout"` // of one question to the provider
}

// DefaultConfig returns the defaults; without an issuer there is no provider.
func DefaultConfig() Config {
	return Config{
		Label: "OpenID Connect", Scopes: []string{"openid", "profile", "email"}, NameClaim: "preferred_username", EmailClaim: "email",
		GroupsClaim: "groups", AllowedGroups: []string{}, AllowedDomains: []string{}, OnMissing: Create, Timeout: 10 * time.Second,
	}
}

// Enabled reports whether there is a provider.
func (c Config) Enabled() bool { return c.Issuer != "" }

// Validate returns everything that is wrong, joined.
func (c Config) Validate() error {
	if !c.Enabled() {
		return nil
	}
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("identity.oidc.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		bad("issuer", "%q is not an https address", c.Issuer)
	case u.Scheme == "http" && !c.Insecure:
		bad("issuer", "%s is not encrypted: use https://, or say insecure: true", c.Issuer)
	}
	if c.ClientID == "" {
		bad("client-id", "must not be empty")
	}
	if c.Label == "" {
		bad("label", "must not be empty")
	}
	if !slices.Contains(c.Scopes, "openid") {
		bad("scopes", "openid must be among them")
	}
	if c.NameClaim == "" {
		bad("name-claim", "must not be empty")
	}
	if c.GroupsClaim == "" && (c.AdminGroup != "" || len(c.AllowedGroups) > 0) {
		bad("groups-claim", "must not be empty with admin-group or allowed-groups")
	}
	if c.EmailClaim == "" && len(c.AllowedDomains) > 0 {
		bad("email-claim", "must not be empty with allowed-domains")
	}
	for _, d := range c.AllowedDomains {
		if d == "" || strings.ContainsAny(d, "@/ ") {
			bad("allowed-domains", "%q is not the name of a domain", d)
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

// roots are the authorities that may have signed the provider's certificate; nil means those of the system.
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
