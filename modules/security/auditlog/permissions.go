package auditlog

import "dorado/modules/access"

// Read is the permission to read the log. It is administrators'.
const Read access.Permission = "audit.read"

// Rules says who has the permissions of this package.
func Rules() []access.Rule { return []access.Rule{access.Allow(Read)} }
