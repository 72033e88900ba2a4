package monitor

import "dorado/modules/access"

// Permissions of this package. Everybody signed in sees the health of the cluster; administrators act on it and read the
// registry as it is.
const (
	View   access.Permission = "monitor.view"
	Manage access.Permission = "monitor.manage" // drain workers, retry or discard failed commands, read the whole registry
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
