package access

import (
	"strconv"
	"strings"
)

// Permission names something one may do, as "<noun>.<verb>". Modules declare theirs as constants.
type Permission string

// Role is what a user is in a domain.
type Role string

// The roles; see the package documentation.
const (
	Admin   Role = "admin"
	User    Role = "user"
	Owner   Role = "owner"
	All     Role = "all"
	Operate Role = "operate"
	Read    Role = "read"
)

// ProjectRoles are the roles a user can hold in a project, most powerful first.
func ProjectRoles() []Role { return []Role{Owner, All, Operate, Read} }

// ParseProjectRole reads a role that can be granted in a project.
func ParseProjectRole(s string) (Role, bool) {
	for _, r := range ProjectRoles() {
		if string(r) == s {
			return r, true
		}
	}
	return "", false
}

// Rule says which roles have a permission. Admin has it always.
type Rule struct {
	Permission Permission
	Roles      []Role
}

// Allow is the rule that p belongs to roles, and to Admin.
func Allow(p Permission, roles ...Role) Rule { return Rule{p, roles} }

// The role sets of ordinary project permissions.

// Readers may see what is in a project.
func Readers() []Role { return []Role{Owner, All, Operate, Read} }

// Operators may also run, stop and repair.
func Operators() []Role { return []Role{Owner, All, Operate} }

// Writers may also create, edit and delete.
func Writers() []Role { return []Role{Owner, All} }

// Everywhere is the domain of roles that hold for the whole installation.
const Everywhere = "*"

const projectPrefix = "project:"

// Project is the domain of a project.
func Project(code int64) string { return projectPrefix + strconv.FormatInt(code, 10) }

// projectOf is the reverse of Project.
func projectOf(domain string) (int64, bool) {
	text, ok := strings.CutPrefix(domain, projectPrefix)
	if !ok {
		return 0, false
	}
	code, err := strconv.ParseInt(text, 10, 64)
	return code, err == nil
}
