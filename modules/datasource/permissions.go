package datasource

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may keep data sources of his own; whose they are, and whom they are
// granted, decides the rest.
const (
	View   access.Permission = "datasource.view"
	Manage access.Permission = "datasource.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage, access.User)}
}
