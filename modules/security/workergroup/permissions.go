package workergroup

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may read the names, because forms offer them; administrators change
// groups.
const (
	View   access.Permission = "workergroup.view"
	Manage access.Permission = "workergroup.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
