package alertinstance

import (
	"context"
	"slices"
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

// Instance is one way to send alerts.
type Instance struct {
	ID        int64         `db:"id"`
	Plugin    string        `db:"plugin"` // name of the plugin
	Name      string        `db:"name"`
	Params    string        `db:"params"`  // JSON of the settings that are not secret
	Secrets   secret.String `db:"secrets"` // sealed JSON of those that are; empty when there are none
	Kind      string        `db:"instance_type"`
	Warning   string        `db:"warning_type"`
	UserID    int64         `db:"user_id"`
	CreatedAt time.Time     `db:"created_at"`
	UpdatedAt time.Time     `db:"updated_at"`
}

// Ref is what every list shows of an instance.
func (i Instance) Ref() crud.Ref { return crud.Ref{ID: i.ID, Name: i.Name, UpdatedAt: i.UpdatedAt} }

// Wants reports whether the instance is to hear of an alert of this warning type. What is neither a success nor a failure is
// told to all.
func (i Instance) Wants(warning string) bool {
	return i.Warning == "ALL" || i.Warning == "" || warning == i.Warning || warning != "SUCCESS" && warning != "FAILURE"
}

// Draft is what a form may set. Plugin counts when creating only.
type Draft struct {
	Name     string
	Plugin   string
	Warning  string // ALL when empty
	Kind     string // NORMAL when empty
	Settings form.Flat

	Tested security.Tested // what came of trying the settings; it is shown and never kept

	params, secrets string // what is stored, made of Settings by the service
}

const maxName = 255

// Warnings are the outcomes that an instance may be told of.
func Warnings() []string { return []string{"ALL", "SUCCESS", "FAILURE"} }

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	d.Name, d.Plugin = strings.TrimSpace(d.Name), strings.TrimSpace(d.Plugin)
	if d.Kind != "GLOBAL" {
		d.Kind = "NORMAL"
	}
	if d.Warning = strings.ToUpper(strings.TrimSpace(d.Warning)); !slices.Contains(Warnings(), d.Warning) {
		d.Warning = "ALL"
	}
	return d
}

// Validate returns a fault with a message for each field that breaks a rule. Settings are checked by the service, which knows
// the plugins.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", "security.required")
	case utf8.RuneCountInString(d.Name) > maxName:
		c.Add("name", "security.too_long", "max", maxName)
	case strings.ContainsFunc(d.Name, unicode.IsControl):
		c.Add("name", "alertinstance.error.name_form")
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound  = fault.New(fault.NotFound, "alertinstance.error.not_found")
	ErrNameTaken = fault.New(fault.Conflict, "alertinstance.error.name_taken")
	ErrPlugin    = fault.New(fault.Invalid, "alertinstance.error.plugin")
	ErrSettings  = fault.New(fault.Invalid, "alertinstance.error.settings")
	ErrInUse     = fault.New(fault.Conflict, "alertinstance.error.in_use")
	ErrTest      = fault.New(fault.Unavailable, "alertinstance.error.test")
)

// Use is one object that refers to an instance.
type Use = crud.Use

// Referrer is implemented by modules that hold ids of instances.
type Referrer interface {
	// AlertInstanceUses lists what refers to the instance, at most limit of it.
	AlertInstanceUses(ctx context.Context, id int64, limit int) ([]Use, error)
}

// Spec is what a list of instances can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "name", "plugin": "plugin", "updated": "updated_at"},
		Search:  []string{"name", "plugin"},
		Default: "-updated",
		ID:      "id",
	}
}
