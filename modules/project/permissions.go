package project

import "dorado/modules/access"

// What one may do with projects.
const (
	Create  access.Permission = "project.create"
	Read    access.Permission = "project.read"
	Edit    access.Permission = "project.edit"
	Delete  access.Permission = "project.delete"
	Members access.Permission = "project.members"

	// EditSettings is for the parameters and preferences of a project.
	EditSettings access.Permission = "project.settings"
	// AssignGroups is for which worker groups a project may use.
	AssignGroups access.Permission = "project.worker_groups"
)

// Rules says which roles have the permissions.
func Rules() []access.Rule {
	return []access.Rule{
		access.Allow(Create, access.User),
		access.Allow(Read, access.Readers()...),
		access.Allow(Edit, access.Writers()...),
		access.Allow(Delete, access.Writers()...),
		access.Allow(Members, access.Owner),
		access.Allow(EditSettings, access.Writers()...),
		access.Allow(AssignGroups),
	}
}
