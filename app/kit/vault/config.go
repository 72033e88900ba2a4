package vault

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"dorado/app/kit/secret"
)

// Config says where the vault is and who asks it.
type Config struct {
	Address   string `koanf:"address"`   // https://host:port; "" = there is none
	Namespace string `koanf:"namespace"` // of Vault Enterprise; "" = none
	Mount     string `koanf:"mount"`     // where the key/value engine is mounted
	// Path is the folder below the mount that holds the secrets of a project; {code} stands for the code of the project.
	Path string `koanf:"path"`

	Token     secret.String `koanf:"token"`      // "" = TokenFile, or AppRole
	TokenFile string        `koanf:"token-file"` // read each time it changes, as an agent writes it
	AppRole   string        `koanf:"approle"`    // where AppRole is mounted
	RoleID    string        `koanf:"role-id"`
	SecretID  secret.String `koanf:"secret-id"`

	CA       string        `koanf:"ca"`        // PEM file of the authority of its certificate; "" = those of the system
	Timeout  time.Duration `koanf:"timeout"`   // of one call
	CacheFor time.Duration `koanf:"cache-for"` // how long a secret is used without asking again
}

// DefaultConfig is what an operator need not say.
func DefaultConfig() Config {
	return Config{Mount: "secret", Path: "dorado/{code}", AppRole: "approle", Timeout: 5 * time.Second, CacheFor: time.Minute}
}

// Validate returns everything that is wrong, joined; each message begins with its key.
func (c Config) Validate() error {
	if c.Address == "" {
		return nil
	}
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("vault.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	u, err := url.Parse(c.Address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		bad("address", "it is not an http or https address")
	}
	ways := 0
	for _, set := range []bool{c.Token != "", c.TokenFile != "", c.RoleID != ""} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		bad("token", "set exactly one of vault.token, vault.token-file and vault.role-id")
	}
	if (c.RoleID == "") != (c.SecretID == "") {
		bad("secret-id", "set both vault.role-id and vault.secret-id, or none")
	}
	for key, path := range map[string]string{"mount": c.Mount, "approle": c.AppRole} {
		if path == "" || !clean(path) {
			bad(key, "%q is not a path", path)
		}
	}
	if c.Path != "" && !clean(c.Path) {
		bad("path", "%q is not a path", c.Path)
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > time.Minute {
		bad("timeout", "%s is not between 100ms and 1m", c.Timeout)
	}
	if c.CacheFor < time.Second || c.CacheFor > 24*time.Hour { // a task is sent with what was fetched a moment ago
		bad("cache-for", "%s is not between 1s and 24h", c.CacheFor)
	}
	return errors.Join(problems...)
}

// clean reports whether a path has only ordinary parts.
func clean(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\?#%") || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return false
		}
	}
	return true
}
