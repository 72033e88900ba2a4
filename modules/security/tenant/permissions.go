package tenant

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may read tenants, because forms
// offer them; administrators change them.
const (
	View   access.Permission = "tenant.view"
	Manage access.Permission = "tenant.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
