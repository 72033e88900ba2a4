package schedule

import "dorado/modules/access"

// What one may do with the schedules of a project.
const (
	Read    access.Permission = "schedule.read"
	Edit    access.Permission = "schedule.edit"    // create, change
	Release access.Permission = "schedule.release" // put online, take offline
	Delete  access.Permission = "schedule.delete"  // beside it one must be the owner of the schedule or of the project
)

// Rules says which roles have the permissions.
func Rules() []access.Rule {
	return []access.Rule{
		access.Allow(Read, access.Readers()...), access.Allow(Edit, access.Writers()...),
		access.Allow(Release, access.Writers()...), access.Allow(Delete, access.Writers()...),
	}
}
