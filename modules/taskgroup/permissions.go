package taskgroup

import "dorado/modules/access"

// Permissions of this package. Everybody signed in may see the groups of all projects together and of his own; writers of
// a project change its groups, administrators those of all. Operators act on what waits.
const (
	View      access.Permission = "taskgroup.view"
	Create    access.Permission = "taskgroup.create"
	ManageAll access.Permission = "taskgroup.manage_all" // groups without a project
	Manage    access.Permission = "taskgroup.manage"     // in a project
	Operate   access.Permission = "taskgroup.operate"    // on tasks of a project that wait
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{
		access.Allow(View, access.User), access.Allow(Create, access.User), access.Allow(ManageAll),
		access.Allow(Manage, access.Writers()...), access.Allow(Operate, access.Operators()...),
	}
}
