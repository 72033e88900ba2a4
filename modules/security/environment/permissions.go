package environment

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may read environments, because tasks name them; administrators change
// them.
const (
	View   access.Permission = "environment.view"
	Manage access.Permission = "environment.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
