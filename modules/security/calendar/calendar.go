package calendar

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

// Calendar is a business calendar.
type Calendar struct {
	ID          int64     `db:"id"`
	Name        string    `db:"name"`
	Description string    `db:"description"`
	Weekend     string    `db:"weekend"` // see ParseWeekend
	OperatorID  int64     `db:"operator_id"`
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
	Holidays    int       `db:"holidays"` // how many days of each kind
	MakeUps     int       `db:"make_ups"`
}

// Ref is what every list shows of a calendar.
func (c Calendar) Ref() crud.Ref { return crud.Ref{ID: c.ID, Name: c.Name, UpdatedAt: c.UpdatedAt} }

// Draft is what a form may set.
type Draft struct {
	Name        string
	Description string
	Weekend     string
}

const (
	maxName        = 100
	maxDescription = 255 // characters
)

// Clean returns the draft without surrounding white space, its weekend in order.
func (d Draft) Clean() Draft {
	out := Draft{Name: strings.TrimSpace(d.Name), Description: strings.TrimSpace(d.Description), Weekend: d.Weekend}
	if w, ok := ParseWeekend(d.Weekend); ok {
		out.Weekend = w.String()
	}
	return out
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
		c.Add("name", "calendar.error.name_form")
	}
	if _, ok := ParseWeekend(d.Weekend); !ok {
		c.Add("weekend", "calendar.error.weekend")
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", "security.too_long", "max", maxDescription)
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound  = fault.New(fault.NotFound, "calendar.error.not_found")
	ErrNameTaken = fault.New(fault.Conflict, "calendar.error.name_taken")
	ErrInUse     = fault.New(fault.Conflict, "calendar.error.in_use")
	ErrLine      = fault.New(fault.Invalid, "calendar.error.line") // a text of days cannot be read; line, text, reason
	ErrTooMany   = fault.New(fault.Invalid, "calendar.error.too_many")
	ErrDate      = fault.New(fault.Invalid, "calendar.error.date")
)

// Use is one object that refers to a calendar.
type Use = crud.Use

// Referrer is implemented by modules that hold ids of calendars.
type Referrer interface {
	// CalendarUses lists what refers to the calendar, at most limit of it.
	CalendarUses(ctx context.Context, id int64, limit int) ([]Use, error)
}

// Spec is what a list of calendars can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "c.name", "updated": "c.updated_at"},
		Search:  []string{"c.name", "c.description"},
		Default: "-updated",
		ID:      "c.id",
	}
}
