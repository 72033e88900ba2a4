package identity

import (
	"errors"

	"dorado/modules/identity/directory"
	"dorado/modules/identity/openid"
)

// Config says how people sign in.
type Config struct {
	Registration bool             `koanf:"registration"` // anybody may ask for a user by REST; an administrator lets him in
	Password     Policy           `koanf:"password"`
	LDAP         directory.Config `koanf:"ldap"`
	OIDC         openid.Config    `koanf:"oidc"`
}

// DefaultConfig returns the defaults: users and passwords of our own, nothing else.
func DefaultConfig() Config {
	return Config{Password: DefaultPolicy(), LDAP: directory.DefaultConfig(), OIDC: openid.DefaultConfig()}
}

// Validate returns everything that is wrong, joined.
func (c Config) Validate() error {
	return errors.Join(c.Password.Validate(), c.LDAP.Validate(), c.OIDC.Validate())
}
