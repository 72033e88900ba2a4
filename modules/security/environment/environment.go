package environment

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

// None is the code that stands for no environment.
const None int64 = -1

// Environment is shell text that stands before scripts.
type Environment struct {
	ID          int64     `db:"id"`
	Code        int64     `db:"code"`
	Name        string    `db:"name"`
	Config      string    `db:"config"`
	Description string    `db:"description"`
	OperatorID  int64     `db:"operator_id"` // who changed it last
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`

	WorkerGroups []string `db:"-"` // for which forms offer it; none = all
}

// Ref is what every list shows of an environment.
func (e Environment) Ref() crud.Ref { return crud.Ref{ID: e.ID, Name: e.Name, UpdatedAt: e.UpdatedAt} }

// Serves reports whether forms offer the environment for a worker group.
func (e Environment) Serves(group string) bool {
	return len(e.WorkerGroups) == 0 || slices.Contains(e.WorkerGroups, group)
}

// Draft is what a form may set.
type Draft struct {
	Name         string
	Config       string
	Description  string
	WorkerGroups []string
}

const (
	maxName        = 255
	maxConfig      = 65_535 // bytes
	maxDescription = 255    // characters
)

// Clean returns the draft without surrounding white space and repeated groups.
func (d Draft) Clean() Draft {
	out := Draft{Name: strings.TrimSpace(d.Name), Config: strings.TrimSpace(strings.ReplaceAll(d.Config, "\r\n", "\n")), Description: strings.TrimSpace(d.Description)}
	for _, g := range d.WorkerGroups {
		if g = strings.TrimSpace(g); g != "" && !slices.Contains(out.WorkerGroups, g) {
			out.WorkerGroups = append(out.WorkerGroups, g)
		}
	}
	slices.Sort(out.WorkerGroups)
	return out
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
		c.Add("name", "environment.error.name_form")
	}
	switch {
	case d.Config == "":
		c.Add("config", ErrConfigMissing.Key)
	case len(d.Config) > maxConfig:
		c.Add("config", "security.too_long", "max", maxConfig)
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", ErrDescription.Key, "max", maxDescription)
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound      = fault.New(fault.NotFound, "environment.error.not_found")
	ErrNameMissing   = fault.New(fault.Invalid, "environment.error.name_missing")
	ErrNameTaken     = fault.New(fault.Conflict, "environment.error.name_taken")
	ErrConfigMissing = fault.New(fault.Invalid, "environment.error.config_missing")
	ErrGroupUnknown  = fault.New(fault.Invalid, "environment.error.group_unknown")
	ErrGroupInUse    = fault.New(fault.Conflict, "environment.error.group_in_use")
	ErrDescription   = fault.New(fault.Invalid, "environment.error.description")
	ErrInUse         = fault.New(fault.Conflict, "environment.error.in_use")
)

// Use is one object that refers to an environment.
type Use = crud.Use

// Referrer is implemented by modules that hold codes of environments.
type Referrer interface {
	// EnvironmentUses lists what refers to the environment, at most limit of it; with a group only what does so for that
	// worker group.
	EnvironmentUses(ctx context.Context, code int64, group string, limit int) ([]Use, error)
}

// Spec is what a list of environments can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "name", "created": "created_at", "updated": "updated_at"},
		Search:  []string{"name", "config", "description"},
		Default: "-updated",
		ID:      "id",
	}
}
