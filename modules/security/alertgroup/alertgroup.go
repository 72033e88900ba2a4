package alertgroup

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/security/crud"
)

// Admins is the id of the group that is always there.
const Admins int64 = 1

// Group is an alert group.
type Group struct {
	ID          int64     `db:"id"`
	Name        string    `db:"name"`
	Description string    `db:"description"`
	UserID      int64     `db:"user_id"` // who created it; 0 for the one that is always there
	Instances   []int64   `db:"-"`       // ids of the alert instances that it tells by, in order
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Ref is what every list shows of a group.
func (g Group) Ref() crud.Ref { return crud.Ref{ID: g.ID, Name: g.Name, UpdatedAt: g.UpdatedAt} }

// Draft is what a form may set.
type Draft struct {
	Name        string
	Description string
	Instances   []int64 // in the order in which they are told; doubled ones count once
}

const (
	maxName        = 255
	maxDescription = 255 // characters
	maxInstances   = 100
)

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	var instances []int64
	for _, id := range d.Instances {
		if !slices.Contains(instances, id) {
			instances = append(instances, id)
		}
	}
	return Draft{Name: strings.TrimSpace(d.Name), Description: strings.TrimSpace(d.Description), Instances: instances}
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", "security.required")
	case utf8.RuneCountInString(d.Name) > maxName:
		c.Add("name", "security.too_long", "max", maxName)
	case strings.ContainsFunc(d.Name, unicode.IsControl):
		c.Add("name", "alertgroup.error.name_form")
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", ErrDescription.Key, "max", maxDescription)
	}
	if len(d.Instances) > maxInstances {
		c.Add("instances", "alertgroup.error.too_many", "max", maxInstances)
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound    = fault.New(fault.NotFound, "alertgroup.error.not_found")
	ErrNameTaken   = fault.New(fault.Conflict, "alertgroup.error.name_taken")
	ErrDescription = fault.New(fault.Invalid, "alertgroup.error.description")
	ErrInUse       = fault.New(fault.Conflict, "alertgroup.error.in_use")
	ErrInstances   = fault.New(fault.Invalid, "alertgroup.error.instances")
	ErrAdmins      = fault.New(fault.Conflict, "alertgroup.error.admins")
)

// Use is one object that refers to a group.
type Use = crud.Use

// Referrer is implemented by modules that hold ids of alert groups.
type Referrer interface {
	// AlertGroupUses lists what refers to the group, at most limit of it.
	AlertGroupUses(ctx context.Context, id int64, limit int) ([]Use, error)
}

// Spec is what a list of groups can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "name", "updated": "updated_at"},
		Search:  []string{"name", "description"},
		Default: "-updated",
		ID:      "id",
	}
}
