package datasource

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/security/crud"
	"dorado/plugins/form"
	"dorado/views/security"
)

// DataSource is a connection that somebody keeps.
type DataSource struct {
	ID        int64         `db:"id"`
	Name      string        `db:"name"`
	Note      string        `db:"note"`
	Type      string        `db:"type"`
	Params    string        `db:"params"`  // JSON of the settings that are not secret
	Secrets   secret.String `db:"secrets"` // sealed JSON of those that are; empty when there are none
	UserID    int64         `db:"user_id"`
	UserName  string        `db:"user_name"` // of the owner, empty when he is gone
	CreatedAt time.Time     `db:"created_at"`
	UpdatedAt time.Time     `db:"updated_at"`
}

// Ref is what every list shows of a data source.
func (d DataSource) Ref() crud.Ref { return crud.Ref{ID: d.ID, Name: d.Name, UpdatedAt: d.UpdatedAt} }

// key is what grants know it by.
func (d DataSource) key() string { return strconv.FormatInt(d.ID, 10) }

// Draft is what a form may set. Type counts when creating only.
type Draft struct {
	Name     string
	Note     string
	Type     string
	Settings form.Flat

	Tested security.Tested // what came of trying the settings; it is shown and never kept

	params, secrets string // what is stored, made of Settings by the service
}

const (
	maxName = 60  // characters
	maxNote = 255 // characters
)

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	d.Name, d.Note, d.Type = strings.TrimSpace(d.Name), strings.TrimSpace(d.Note), strings.ToUpper(strings.TrimSpace(d.Type))
	return d
}

// Validate returns a fault with a message for each field that breaks a rule. Settings are checked by the service, which knows
// the types.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", "security.required")
	case utf8.RuneCountInString(d.Name) > maxName:
		c.Add("name", "security.too_long", "max", maxName)
	case strings.ContainsFunc(d.Name, unicode.IsControl):
		c.Add("name", "datasource.error.name_form")
	}
	if utf8.RuneCountInString(d.Note) > maxNote {
		c.Add("note", ErrNote.Key, "max", maxNote)
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound  = fault.New(fault.NotFound, "datasource.error.not_found")
	ErrNameTaken = fault.New(fault.Conflict, "datasource.error.name_taken")
	ErrNote      = fault.New(fault.Invalid, "datasource.error.note")
	ErrType      = fault.New(fault.Invalid, "datasource.error.type")
	ErrSettings  = fault.New(fault.Invalid, "datasource.error.settings")
	ErrInUse     = fault.New(fault.Conflict, "datasource.error.in_use")
	ErrConnect   = fault.New(fault.Unavailable, "datasource.error.connect")
	ErrNoTables  = fault.New(fault.Invalid, "datasource.error.no_tables")
	ErrPassword  = fault.New(fault.Invalid, "datasource.error.password_again")
)

// Use is one object that refers to a data source.
type Use = crud.Use

// Referrer is implemented by modules that hold ids of data sources.
type Referrer interface {
	// DataSourceUses lists what refers to the data source, at most limit of it.
	DataSourceUses(ctx context.Context, id int64, limit int) ([]Use, error)
}

// Spec is what a list of data sources can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "d.name", "type": "d.type", "owner": "u.name", "updated": "d.updated_at"},
		Search:  []string{"d.name", "d.note"},
		Default: "-updated",
		ID:      "d.id",
	}
}
