package policy

import (
	"context"
	"strings"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Rule is a policy with the names that lists show.
type Rule struct {
	access.Policy
	UserName    string `db:"user_name"` // of the subject, when it is a user
	CreatorName string `db:"creator_name"`
}

// Ref is what every list shows of a rule.
func (r Rule) Ref() crud.Ref {
	return crud.Ref{ID: r.ID, Name: string(r.Permission), UpdatedAt: r.UpdatedAt, Project: r.Project}
}

// OneUser is the subject of a draft about the user that it names.
const OneUser = "user"

// Draft is what a form may set.
type Draft struct {
	Effect     string
	Subject    string // OneUser, or a subject of package access
	User       string // name, with OneUser
	Permission string
	Project    string // code, or name; empty: all
	Workflow   string // code, or name in the project; empty: all
	Note       string

	userID, project, workflow int64 // what the names stand for
}

const maxNote = 255 // characters

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	for _, text := range []*string{&d.Effect, &d.Subject, &d.User, &d.Permission, &d.Project, &d.Workflow, &d.Note} {
		*text = strings.TrimSpace(*text)
	}
	return d
}

// Validate returns a fault with a message for each field that breaks a rule. What needs the database is looked at later.
func (d Draft) Validate() error {
	var c fault.Collector
	if d.Subject == OneUser && d.User == "" {
		c.Add("user", "security.required")
	}
	if d.Permission == "" {
		c.Add("permission", "security.required")
	}
	if d.Workflow != "" && d.Project == "" {
		c.Add("project", "policy.error.project_needed")
	}
	if utf8.RuneCountInString(d.Note) > maxNote {
		c.Add("note", "security.too_long", "max", maxNote)
	}
	return c.Err()
}

func (d Draft) policy() access.Policy {
	p := access.Policy{
		Subject: d.Subject, Permission: access.Permission(d.Permission), Project: d.project, Workflow: d.workflow,
		Effect: access.Effect(d.Effect), Note: d.Note,
	}
	if d.Subject == OneUser {
		p.Subject = access.UserSubject(d.userID)
	}
	return p
}

// Faults of this package.
var (
	ErrNotFound = fault.New(fault.NotFound, "policy.error.not_found")
	ErrUser     = fault.New(fault.Invalid, "policy.error.user")
	ErrProject  = fault.New(fault.Invalid, "policy.error.project")
	ErrWorkflow = fault.New(fault.Invalid, "policy.error.workflow")
	ErrInUse    = fault.New(fault.Conflict, "policy.error.in_use")
)

// Place is a project or a workflow.
type Place struct {
	Code int64
	Name string
}

// Places finds what rules are about.
type Places struct {
	// Projects lists all projects by name.
	Projects func(ctx context.Context) ([]Place, error)
	// Workflow finds a workflow of a project by code or name.
	Workflow func(ctx context.Context, project int64, text string) (Place, bool, error)
	// Workflows names workflows; one that is gone has no name.
	Workflows func(ctx context.Context, codes []int64) (map[int64]string, error)
}

// Spec is what a list of rules can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"permission": "r.permission", "effect": "r.effect", "subject": "r.subject", "updated": "r.updated_at"},
		Search:  []string{"r.permission", "r.subject", "r.note", "u.name"},
		Filters: map[string]string{"effect": "r.effect"},
		Default: "-updated",
		ID:      "r.id",
	}
}
