package resource

import (
	"strings"

	"dorado/modules/flow"
)

// Names spells names as clients of DolphinScheduler know them: absolute, with the prefix of the store.
type Names struct {
	Prefix string // "file:" for a local folder, empty for object stores
	Base   string // the folder all tenants lie in, such as "/dolphinscheduler"
}

// Full is the absolute name of a file or folder.
func (n Names) Full(r Ref) string {
	full := n.Prefix + strings.TrimRight(n.Base, "/") + "/" + r.Tenant + "/resources"
	if r.Path != "" {
		full += "/" + r.Path
	}
	return full
}

// Parse reads a name, absolute or not; a relative one, "" and "/" are in the tree of the tenant home. The result may be no
// valid path: see Ref.Check.
func (n Names) Parse(name, home string) Ref {
	name = strings.TrimSpace(name)
	if trimmed := strings.TrimSuffix(name, "/"); strings.HasSuffix(trimmed, "/resources") { // the tree itself
		name = trimmed + "/"
		if rest := strings.TrimSuffix(trimmed, "/resources"); rest != "" {
			if tenant := rest[strings.LastIndexByte(rest, '/')+1:]; tenant != "" {
				return Ref{tenant, ""}
			}
		}
	}
	tenant, path := flow.ParseResource(name)
	if tenant == "" {
		tenant = home
	}
	return Ref{tenant, path}
}
