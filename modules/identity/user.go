package identity

import (
	"context"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
)

// Type is the kind of a user, named as DolphinScheduler names it.
type Type string

// The types of users.
const (
	AdminUser   Type = "ADMIN_USER"
	GeneralUser Type = "GENERAL_USER"
)

// User is somebody who can sign in.
type User struct {
	ID                 int64     `db:"id"`
	Name               string    `db:"name"`
	Type               Type      `db:"user_type"`
	Email              string    `db:"email"`
	Phone              string    `db:"phone"`
	TenantID           int64     `db:"tenant_id"` // 0: none, the default tenant
	Queue              string    `db:"queue"`     // empty: that of the tenant
	Enabled            bool      `db:"enabled"`
	Zone               string    `db:"time_zone"` // IANA name, empty when never chosen
	Locale             string    `db:"locale"`    // empty when never chosen
	Theme              string    `db:"theme"`     // light, dark, or empty for the system's
	PageSize           int       `db:"page_size"`
	MustChangePassword bool      `db:"must_change_password"`
	CreatedAt          time.Time `db:"created_at"`
	UpdatedAt          time.Time `db:"updated_at"`
}

// Admin reports whether the user is an administrator.
func (u User) Admin() bool { return u.Type == AdminUser }

// Draft is what an administrator sets of a user.
type Draft struct {
	Name     string
	Password secret.String // required for a new user; empty keeps the password of an existing one
	Admin    bool
	Email    string
	Phone    string // E.164 ("+4930123456") or empty
	TenantID int64  // 0: none
	Queue    string
	Enabled  bool

	// MustChangePassword makes the user choose a password at the next sign-in. It counts only with a Password.
	MustChangePassword bool
	// Seen is the UpdatedAt the editor was shown; a user changed since then is not overwritten. Zero does not check.
	Seen time.Time
}

// Profile is what users set of themselves.
type Profile struct {
	Email string
	Phone string
}

// Preferences is how users like pages to look.
type Preferences struct {
	Zone     string // IANA name, or empty
	Locale   string // a language of the product, or empty
	Theme    string // light, dark, or empty for the system's
	PageSize int    // one of listing.Sizes
}

// Faults of this package.
var (
	ErrNotFound    = fault.New(fault.NotFound, "identity.user.not_found")
	ErrNameTaken   = fault.New(fault.Conflict, "identity.user.name_taken").OnField("name", "identity.user.name_taken")
	ErrStale       = fault.New(fault.Conflict, "identity.user.stale")
	ErrInUse       = fault.New(fault.Conflict, "identity.user.in_use")
	ErrSelf        = fault.New(fault.Conflict, "identity.user.self")
	ErrLastAdmin   = fault.New(fault.Conflict, "identity.user.last_admin")
	ErrTenant      = fault.New(fault.Invalid, "identity.user.tenant_unknown").OnField("tenant_id", "identity.user.tenant_unknown")
	ErrCredentials = fault.New(fault.Unauthenticated, "identity.signin.failed")
	ErrDisabled    = fault.New(fault.Forbidden, "identity.signin.disabled")
	ErrThrottled   = fault.New(fault.TooMany, "identity.signin.throttled") // argument seconds
	ErrBusy        = fault.New(fault.TooMany, "identity.signin.busy")
	ErrLink        = fault.New(fault.Forbidden, "identity.signin.link")
	ErrCurrent     = fault.New(fault.Invalid, "identity.password.current").OnField("current", "identity.password.current")
	ErrSession     = fault.New(fault.NotFound, "identity.session.not_found")
	ErrToken       = fault.New(fault.NotFound, "identity.token.not_found")
	ErrTokenTaken  = fault.New(fault.Conflict, "identity.token.taken").OnField("token", "identity.token.taken")
)

// Tenants is implemented by the module of tenants.
type Tenants interface {
	TenantExists(ctx context.Context, id int64) (bool, error)
}

// Referrer is implemented by modules above that hold user ids, such as projects their owners'.
type Referrer interface {
	UserInUse(ctx context.Context, id int64) (bool, error)
}

var (
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9_.@-]{3,39}$`)
	phonePattern = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// ValidName reports whether a user can have this name.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// Clean trims what people copy along.
func (d Draft) Clean() Draft {
	d.Name, d.Email, d.Phone, d.Queue = strings.TrimSpace(d.Name), strings.TrimSpace(d.Email), strings.TrimSpace(d.Phone), strings.TrimSpace(d.Queue)
	return d
}

// validate collects everything wrong with the draft; isNew demands a password.
func (d Draft) validate(isNew bool) error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", "identity.user.name_required")
	case !ValidName(d.Name):
		c.Add("name", "identity.user.name_rule", "min", 3, "max", 39)
	case strings.EqualFold(d.Name, "system"):
		c.Add("name", "identity.user.name_reserved")
	}
	if isNew || d.Password != "" {
		checkPassword(&c, "password", d.Password, d.Name)
	}
	Profile{d.Email, d.Phone}.validate(&c)
	if d.TenantID < 0 {
		c.Add("tenant_id", "identity.user.tenant_unknown")
	}
	if utf8.RuneCountInString(d.Queue) > 100 || !printable(d.Queue) {
		c.Add("queue", "identity.user.queue_rule", "max", 100)
	}
	return c.Err()
}

func (p Profile) validate(c *fault.Collector) {
	switch {
	case p.Email == "":
		c.Add("email", "identity.user.email_required")
	case !validEmail(p.Email):
		c.Add("email", "identity.user.email_rule")
	}
	if p.Phone != "" && !phonePattern.MatchString(p.Phone) {
		c.Add("phone", "identity.user.phone_rule")
	}
}

func validEmail(s string) bool {
	if len(s) > 254 || !printable(s) {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s { // a display name is not part of an address
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return strings.Contains(strings.Trim(domain, "."), ".")
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func (p Preferences) validate() error {
	var c fault.Collector
	if p.Zone != "" {
		if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "Local" {
			c.Add("zone", "identity.preferences.zone")
		}
	}
	if _, ok := i18n.Parse(p.Locale); p.Locale != "" && !ok {
		c.Add("locale", "identity.preferences.locale")
	}
	if !slices.Contains([]string{"", "light", "dark"}, p.Theme) {
		c.Add("theme", "identity.preferences.theme")
	}
	if !slices.Contains(listing.Sizes(), p.PageSize) {
		c.Add("page_size", "identity.preferences.page_size")
	}
	return c.Err()
}

// Spec is what the list of users can be sorted by, searched in and filtered by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{
			"name": "name", "type": "user_type", "email": "email", "phone": "phone", "queue": "queue", "state": "state",
			"created": "created_at", "updated": "updated_at",
		},
		Search:  []string{"name", "email", "phone"},
		Filters: map[string]string{"type": "user_type", "state": "CAST(state AS TEXT)"},
		Default: "-updated",
		ID:      "id",
	}
}
