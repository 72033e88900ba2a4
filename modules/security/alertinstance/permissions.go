package alertinstance

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may read instances, without their secrets; administrators change them.
const (
	View   access.Permission = "alertinstance.view"
	Manage access.Permission = "alertinstance.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
