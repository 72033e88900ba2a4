package taskgroup

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/security/crud"
)

// AllProjects is the project code of a group that belongs to no project.
const AllProjects int64 = 0

// Group limits how many of its tasks run at once.
type Group struct {
	ID          int64     `db:"id"`
	Name        string    `db:"name"`
	Description string    `db:"description"`
	Size        int       `db:"group_size"`
	ProjectCode int64     `db:"project_code"`
	ProjectName string    `db:"project_name"` // empty for all projects
	Status      int       `db:"status"`
	UserID      int64     `db:"user_id"` // who created it
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
	Used        int       `db:"used"`    // slots held now
	Waiting     int       `db:"waiting"` // attempts that wait for one
}

// Ref is what every list shows of a group.
func (g Group) Ref() crud.Ref {
	return crud.Ref{ID: g.ID, Name: g.Name, UpdatedAt: g.UpdatedAt, Project: g.ProjectCode}
}

// Closed reports whether the group limits nothing.
func (g Group) Closed() bool { return g.Status == 0 }

// Draft is what a form may set. ProjectCode counts when creating only.
type Draft struct {
	Name        string
	Description string
	Size        int
	ProjectCode int64
}

const (
	maxName        = 255
	maxDescription = 255 // characters
	maxSize        = 1_000_000
)

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	d.Name, d.Description = strings.TrimSpace(d.Name), strings.TrimSpace(d.Description)
	return d
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", ErrNameMissing.Key)
	case utf8.RuneCountInString(d.Name) > maxName:
		c.Add("name", "security.too_long", "max", maxName)
	case strings.ContainsFunc(d.Name, unicode.IsControl):
		c.Add("name", "taskgroup.error.name_form")
	}
	if d.Size < 1 || d.Size > maxSize {
		c.Add("size", ErrSize.Key, "max", maxSize)
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", ErrDescription.Key, "max", maxDescription)
	}
	return c.Err()
}

// Entry is an attempt that holds a slot or waits for one.
type Entry struct {
	ID           int64     `db:"id"` // of the task instance
	Task         string    `db:"name"`
	Instance     string    `db:"instance"`
	InstanceID   int64     `db:"instance_id"`
	ProjectCode  int64     `db:"project_code"`
	ProjectName  string    `db:"project_name"`
	GroupID      int64     `db:"group_id"`
	GroupName    string    `db:"group_name"`
	GroupProject int64     `db:"group_project"`
	Priority     int       `db:"priority"`
	Forced       bool      `db:"forced"`
	State        string    `db:"state"`
	Position     int       `db:"position"` // among those of the group that wait, from 1; 0 when it does not wait
	SubmittedAt  time.Time `db:"submitted_at"`
}

// Waits reports whether the attempt has no slot yet.
func (e Entry) Waits() bool { return e.Position > 0 }

// Faults of this package.
var (
	ErrNotFound      = fault.New(fault.NotFound, "taskgroup.error.not_found")
	ErrNameMissing   = fault.New(fault.Invalid, "taskgroup.error.name_missing")
	ErrNameTaken     = fault.New(fault.Conflict, "taskgroup.error.name_taken")
	ErrSize          = fault.New(fault.Invalid, "taskgroup.error.size")
	ErrDescription   = fault.New(fault.Invalid, "taskgroup.error.description")
	ErrClosed        = fault.New(fault.Conflict, "taskgroup.error.closed")
	ErrOpen          = fault.New(fault.Conflict, "taskgroup.error.open")
	ErrInUse         = fault.New(fault.Conflict, "taskgroup.error.in_use")
	ErrEntryNotFound = fault.New(fault.NotFound, "taskgroup.error.entry_not_found")
	ErrStarted       = fault.New(fault.Conflict, "taskgroup.error.started") // the attempt does not wait any more
	ErrPriority      = fault.New(fault.Invalid, "taskgroup.error.priority")
)

// Use is one object that refers to a group.
type Use = crud.Use

// Referrer is implemented by modules that hold ids of task groups.
type Referrer interface {
	// TaskGroupUses lists what refers to the group, at most limit of it.
	TaskGroupUses(ctx context.Context, id int64, limit int) ([]Use, error)
}

// Controller carries out what is wished for an attempt that waits. Its methods check again whether it does.
type Controller interface {
	ForceStart(ctx context.Context, taskInstance int64) error
	SetGroupPriority(ctx context.Context, taskInstance int64, priority int) error
}

// Spec is what a list of groups can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "g.name", "project": "p.name", "size": "g.group_size", "updated": "g.updated_at"},
		Search:  []string{"g.name", "g.description"},
		Filters: map[string]string{"status": "CAST(g.status AS TEXT)", "project": "CAST(g.project_code AS TEXT)"},
		Default: "-updated",
		ID:      "g.id",
	}
}

// QueueSpec is what the queue can be asked for.
func QueueSpec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"group": "g.name", "priority": "t.task_group_priority", "position": "COALESCE(q.position, 0)", "submitted": "t.submit_time"},
		Search:  []string{"t.name", "w.name"},
		Filters: map[string]string{
			"group": "CAST(t.task_group_id AS TEXT)",
			"state": "CASE WHEN q.position IS NULL THEN 'acquired' ELSE 'waiting' END",
		},
		Default: "position",
		ID:      "t.id",
	}
}
