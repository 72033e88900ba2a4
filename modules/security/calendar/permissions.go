package calendar

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may see calendars, because schedules name them; administrators change
// them.
const (
	View   access.Permission = "calendar.view"
	Manage access.Permission = "calendar.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
