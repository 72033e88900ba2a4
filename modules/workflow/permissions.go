package workflow

import "dorado/modules/access"

// What one may do with the workflows of a project. Running them is the instance module's to allow.
const (
	Read    access.Permission = "workflow.read"
	Edit    access.Permission = "workflow.edit"
	Release access.Permission = "workflow.release"
	Delete  access.Permission = "workflow.delete"
)

// Rules says which roles have the permissions.
func Rules() []access.Rule {
	return []access.Rule{
		access.Allow(Read, access.Readers()...),
		access.Allow(Edit, access.Writers()...),
		access.Allow(Release, access.Writers()...),
		access.Allow(Delete, access.Writers()...),
	}
}
