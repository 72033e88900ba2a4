package instance

import "dorado/modules/access"

// What one may do with runs, within a project.
const (
	Read    access.Permission = "instance.read"    // see instances, attempts and logs
	Operate access.Permission = "instance.operate" // start, stop, pause, resume, recover, rerun
	Delete  access.Permission = "instance.delete"
)

// Rules says which roles may do so.
func Rules() []access.Rule {
	return []access.Rule{
		access.Allow(Read, access.Readers()...), access.Allow(Operate, access.Operators()...), access.Allow(Delete, access.Writers()...),
	}
}
