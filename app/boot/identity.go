package boot

import (
	"context"
	"time"

	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity"
	"dorado/modules/identity/directory"
	"dorado/modules/identity/openid"
	"dorado/modules/project"
	"dorado/modules/security/accesstoken"
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

// tokenProjects gives the form of access tokens the projects of who asks.
func tokenProjects(projects *project.Service) func(context.Context) ([]accesstoken.Project, error) {
	return func(ctx context.Context) ([]accesstoken.Project, error) {
		all, err := projects.All(ctx)
		out := make([]accesstoken.Project, len(all))
		for i, p := range all {
			out[i] = accesstoken.Project{Code: p.Code, Name: p.Name}
		}
		return out, err
	}
}
