package boot

import (
	"time"

	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity"
	"dorado/modules/identity/directory"
	"dorado/modules/identity/openid"
	"dorado/modules/security/account"
)

// newIdentity makes the service of users and what it asks elsewhere. Neither directory nor provider is called yet: one
// that is away keeps nobody of our own users out.
func newIdentity(c *core, rights *access.Service, log *audit.Service, tenants identity.Tenants) (*identity.Service, error) {
	cfg := c.cfg.Identity
	d := identity.Deps{
		DB: c.db, Log: c.logger, Now: time.Now, Access: rights, Audit: log, Tenants: tenants,
		Policy: cfg.Password, Registration: cfg.Registration,
	}
	var err error
	if cfg.LDAP.Enabled() {
		if d.Directory, err = directory.Open(cfg.LDAP); err != nil {
			return nil, err
		}
	}
	if cfg.OIDC.Enabled() {
		if d.Provider, err = openid.Open(cfg.OIDC, c.cfg.URL()+account.ProviderReturnPath, time.Now); err != nil {
			return nil, err
		}
	}
	return identity.New(d), nil
}
