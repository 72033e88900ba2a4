package queue

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may read queues, because forms
// offer them; administrators change them.
const (
	View   access.Permission = "queue.view"
	Manage access.Permission = "queue.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}
