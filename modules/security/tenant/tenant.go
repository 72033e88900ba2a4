package tenant

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/security/crud"
)

// Default is the code of the tenant that is the worker's own account. It is not a row.
const Default = "default"

// Tenant is the operating-system account that tasks run as.
type Tenant struct {
	ID          int64     `db:"id"`
	Code        string    `db:"code"`
	Description string    `db:"description"`
	QueueID     int64     `db:"queue_id"`
	QueueName   string    `db:"queue_name"`
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Ref is what every list shows of a tenant.
func (t Tenant) Ref() crud.Ref { return crud.Ref{ID: t.ID, Name: t.Code, UpdatedAt: t.UpdatedAt} }

// Draft is what a form may set. Code counts when creating only.
type Draft struct {
	Code        string
	QueueID     int64
	Description string
}

const (
	maxCode        = 30
	maxDescription = 255 // characters
)

var codeForm = regexp.MustCompile(`^[0-9A-Za-z_.-]+$`)

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	return Draft{Code: strings.TrimSpace(d.Code), QueueID: d.QueueID, Description: strings.TrimSpace(d.Description)}
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Code == "":
		c.Add("code", "security.required")
	case utf8.RuneCountInString(d.Code) > maxCode:
		c.Add("code", ErrCodeTooLong.Key, "max", maxCode)
	case !codeForm.MatchString(d.Code):
		c.Add("code", ErrCodeForm.Key)
	case strings.EqualFold(d.Code, Default):
		c.Add("code", ErrCodeTaken.Key, "code", d.Code)
	}
	if d.QueueID <= 0 {
		c.Add("queue_id", "security.required")
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", ErrDescriptionTooLong.Key, "max", maxDescription)
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound           = fault.New(fault.NotFound, "tenant.error.not_found")
	ErrCodeTaken          = fault.New(fault.Conflict, "tenant.error.code_taken")
	ErrCodeForm           = fault.New(fault.Invalid, "tenant.error.code_form")
	ErrCodeTooLong        = fault.New(fault.Invalid, "tenant.error.code_too_long")
	ErrCodeFixed          = fault.New(fault.Invalid, "tenant.error.code_fixed")
	ErrDescriptionTooLong = fault.New(fault.Invalid, "tenant.error.description_too_long")
	ErrQueueMissing       = fault.New(fault.Invalid, "tenant.error.queue_missing")
	ErrChanged            = crud.ErrChanged
	ErrInUse              = fault.New(fault.Conflict, "tenant.error.in_use")
)

// Use is one object that refers to a tenant.
type Use = crud.Use

// Referrer is implemented by modules that hold tenants.
type Referrer interface {
	// TenantUses lists what refers to t, at most limit of it.
	TenantUses(ctx context.Context, t Tenant, limit int) ([]Use, error)
}

// Spec is what a list of tenants can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"code": "t.code", "queue": "q.name", "updated": "t.updated_at"},
		Search:  []string{"t.code", "t.description"},
		Default: "-updated",
		ID:      "t.id",
	}
}
