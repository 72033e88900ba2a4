package describe

import (
	"fmt"
	"slices"
)

// Who says who may do something.
type Who string

// Who may do something. Administrators may everything that somebody may.
const (
	Public  Who = "public"          // nobody need be signed in
	User    Who = "user"            // everybody signed in; answers hold what he may see
	Admin   Who = "admin"           // administrators
	Self    Who = "self"            // he whom the object belongs to
	Reader  Who = "project:read"    // members of the project
	Worker  Who = "project:operate" // members who may run workflows
	Writer  Who = "project:write"   // members who may change the project
	Owner   Who = "project:owner"   // who made the project or was made its owner
	Creator Who = "project:creator" // who made the object or owns the project
)

// Everyone lists all values of Who.
func Everyone() []Who {
	return []Who{Public, User, Admin, Self, Reader, Worker, Writer, Owner, Creator}
}

// InProject reports whether what one may depends on the role one has in a project.
func (w Who) InProject() bool {
	return slices.Contains([]Who{Reader, Worker, Writer, Owner, Creator}, w)
}

func parseWho(text string) (Who, error) {
	w := Who(text)
	if !slices.Contains(Everyone(), w) {
		return "", fmt.Errorf("who: %q is none of %v", text, Everyone())
	}
	return w, nil
}
