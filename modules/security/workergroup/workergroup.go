package workergroup

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

// Default is the group that is always there.
const Default = "default"

// Group is a named set of workers.
type Group struct {
	ID          int64     `db:"id"`
	Name        string    `db:"name"`
	Addresses   string    `db:"addresses"` // names of workers, comma separated
	Description string    `db:"description"`
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Ref is what every list shows of a group.
func (g Group) Ref() crud.Ref { return crud.Ref{ID: g.ID, Name: g.Name, UpdatedAt: g.UpdatedAt} }

// Workers are the names of the workers that the group lists; none means whoever says it serves the group.
func (g Group) Workers() []string { return split(g.Addresses) }

// Worker is a live worker.
type Worker struct {
	Name    string
	Address string
	Groups  []string // that it says it serves
}

// Draft is what a form may set.
type Draft struct {
	Name        string
	Workers     []string
	Description string
}

const (
	maxName        = 255
	maxWorker      = 255
	maxWorkers     = 1000
	maxDescription = 255 // characters
)

// Clean returns the draft without white space, empty names and repetitions.
func (d Draft) Clean() Draft {
	return Draft{Name: strings.TrimSpace(d.Name), Workers: split(strings.Join(d.Workers, ",")), Description: strings.TrimSpace(d.Description)}
}

func split(text string) []string {
	var out []string
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == ';' || r == '，' }) {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
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
	case strings.ContainsRune(d.Name, ',') || strings.ContainsFunc(d.Name, unicode.IsControl):
		c.Add("name", "workergroup.error.name_form")
	}
	if len(d.Workers) > maxWorkers {
		c.Add("workers", "workergroup.error.too_many", "max", maxWorkers)
	}
	for _, w := range d.Workers {
		if utf8.RuneCountInString(w) > maxWorker || strings.ContainsFunc(w, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
			c.Add("workers", ErrWorker.Key, "name", w)
		}
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", ErrDescription.Key, "max", maxDescription)
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound    = fault.New(fault.NotFound, "workergroup.error.not_found")
	ErrNameMissing = fault.New(fault.Invalid, "workergroup.error.name_missing")
	ErrNameTaken   = fault.New(fault.Conflict, "workergroup.error.name_taken")
	ErrWorker      = fault.New(fault.Invalid, "workergroup.error.worker")
	ErrDescription = fault.New(fault.Invalid, "workergroup.error.description")
	ErrInUse       = fault.New(fault.Conflict, "workergroup.error.in_use")
	ErrRenamed     = fault.New(fault.Conflict, "workergroup.error.renamed") // a group in use keeps its name
)

// Use is one object that refers to a group.
type Use = crud.Use

// Kinds of uses that clients of the REST interface tell apart.
const (
	UseRun         = "instance.one"
	UseTask        = "workergroup.use.task"
	UseSchedule    = "schedule.one"
	UseEnvironment = "environment.one"
)

// Referrer is implemented by modules that hold names of groups.
type Referrer interface {
	// WorkerGroupUses lists what refers to the group, at most limit of it.
	WorkerGroupUses(ctx context.Context, name string, limit int) ([]Use, error)
}

// Spec is what a list of groups can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "name", "updated": "updated_at"},
		Search:  []string{"name", "addresses", "description"},
		Default: "-updated",
		ID:      "id",
	}
}
