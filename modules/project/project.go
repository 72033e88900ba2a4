package project

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/access"
)

// Project is a folder of workflows with its own circle of people.
type Project struct {
	ID          int64     `db:"id"`
	Code        int64     `db:"code"`
	Name        string    `db:"name"`
	Description string    `db:"description"`
	OwnerID     int64     `db:"owner_id"`
	OwnerName   string    `db:"owner_name"`
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Row is a project in a list.
type Row struct {
	Project
	Workflows int
	Role      access.Role // of whoever asks; Admin for administrators
}

// Draft is what a form may set.
type Draft struct {
	Name        string
	Description string
}

const (
	maxName        = 255
	maxDescription = 255 // characters
)

func (d Draft) clean() Draft {
	return Draft{Name: strings.TrimSpace(d.Name), Description: strings.TrimSpace(d.Description)}
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", "project.name_required")
	case utf8.RuneCountInString(d.Name) > maxName:
		c.Add("name", "project.name_long", "max", maxName)
	case strings.ContainsFunc(d.Name, unicode.IsControl):
		c.Add("name", "project.name_control")
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", ErrDescription.Key, "max", maxDescription)
	}
	return c.Err()
}

// Member is somebody with a role in a project.
type Member struct {
	UserID    int64
	Name      string
	Role      access.Role
	Since     time.Time
	IsEnabled bool
}

// Person is a user who may be given a role.
type Person struct {
	ID   int64  `db:"id"`
	Name string `db:"name"`
}

// Faults of this package.
var (
	ErrNotFound = fault.New(fault.NotFound, "project.not_found")
	// ErrNoAccess says that the caller may not see the project.
	ErrNoAccess = fault.New(fault.Forbidden, "project.no_access")
	// ErrNoGrant says that the caller may see the project and not do this in it.
	ErrNoGrant     = fault.New(fault.Forbidden, "project.no_grant")
	ErrNameTaken   = fault.New(fault.Conflict, "project.name_taken")
	ErrNotEmpty    = fault.New(fault.Conflict, "project.not_empty")
	ErrChanged     = fault.New(fault.Conflict, "project.changed")
	ErrDescription = fault.New(fault.Invalid, "project.description_long")
	ErrUserUnknown = fault.New(fault.Invalid, "project.user_unknown")
	ErrRoleUnknown = fault.New(fault.Invalid, "project.role_unknown")
	ErrOwnerStays  = fault.New(fault.Conflict, "project.owner_stays")
)

// Use is one thing inside a project that keeps it from being deleted.
type Use struct {
	Name string
	URL  string
}

// Contents is implemented by the module that knows what is in projects.
type Contents interface {
	// WorkflowCounts returns how many workflows each project has; one without any may be missing.
	WorkflowCounts(ctx context.Context, projects []int64) (map[int64]int, error)
	// ProjectUses lists what keeps a project from being deleted, at most limit of it, and how much there is.
	ProjectUses(ctx context.Context, project int64, limit int) (uses []Use, total int, err error)
	// RecentWorkflows returns those that changed last.
	RecentWorkflows(ctx context.Context, project int64, limit int) ([]Recent, error)
	// MayCreate reports whether whoever acts may create a workflow in the project.
	MayCreate(ctx context.Context, project int64) bool
}

// Recent is a workflow that changed lately.
type Recent struct {
	Name     string
	URL      string
	State    string
	Tasks    int
	Modifier string
	At       time.Time
}

// Spec is what the list of projects can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{
			"id": "p.id", "name": "p.name", "owner": "o.name", "created": "p.created_at", "updated": "p.updated_at",
		},
		Search:  []string{"p.name", "p.description"},
		Default: "-updated",
		ID:      "p.id",
	}
}
