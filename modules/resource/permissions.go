package resource

import "dorado/modules/access"

// Permissions of this package; they hold for the tree of one's own tenant, for administrators everywhere.
const (
	View access.Permission = "resource.view"
	Edit access.Permission = "resource.edit"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Edit, access.User)}
}
