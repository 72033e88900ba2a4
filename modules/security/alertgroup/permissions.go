package alertgroup

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may read alert groups, because forms offer them; administrators
// change them.
const (
	View   access.Permission = "alertgroup.view"
	Manage access.Permission = "alertgroup.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
