package queue

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/security/crud"
)

// Default is the name and the value of the queue that is always there.
const Default = "default"

// Queue is a Yarn queue.
type Queue struct {
	ID        int64     `db:"id"`
	Name      string    `db:"name"`
	Value     string    `db:"value"`
	CreatedAt time.Time `db:"created_at"`
	UpdatedAt time.Time `db:"updated_at"`
}

// Ref is what every list shows of a queue.
func (q Queue) Ref() crud.Ref { return crud.Ref{ID: q.ID, Name: q.Name, UpdatedAt: q.UpdatedAt} }

// Draft is what a form may set.
type Draft struct {
	Name  string
	Value string
}

// maxLength is how many characters a name or value may have.
const maxLength = 64

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	return Draft{Name: strings.TrimSpace(d.Name), Value: strings.TrimSpace(d.Value)}
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	for _, f := range []struct{ name, value string }{{"name", d.Name}, {"value", d.Value}} {
		switch {
		case f.value == "":
			c.Add(f.name, "security.required")
		case utf8.RuneCountInString(f.value) > maxLength:
			c.Add(f.name, "security.too_long", "max", maxLength)
		}
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound   = fault.New(fault.NotFound, "queue.error.not_found")
	ErrNameTaken  = fault.New(fault.Conflict, "queue.error.name_taken")
	ErrValueTaken = fault.New(fault.Conflict, "queue.error.value_taken")
	ErrChanged    = crud.ErrChanged
	ErrInUse      = fault.New(fault.Conflict, "queue.error.in_use")
)

// Use is one object that refers to a queue.
type Use = crud.Use

// Referrer is implemented by modules that hold queues.
type Referrer interface {
	// QueueUses lists what refers to q, at most limit of it.
	QueueUses(ctx context.Context, q Queue, limit int) ([]Use, error)
}

// Spec is what a list of queues can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "name", "value": "value", "updated": "updated_at"},
		Search:  []string{"name", "value"},
		Default: "-updated",
		ID:      "id",
	}
}
