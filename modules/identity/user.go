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

// Source is who checks that somebody is a user.
type Source string

// The sources of users.
const (
	Local Source = "LOCAL" // this program, by a password
	LDAP  Source = "LDAP"  // the directory
	OIDC  Source = "OIDC"  // the OpenID Connect provider
)

// User is somebody who can sign in, or a program with access tokens.
type User struct {
	ID                 int64     `db:"id"`
	Name               string    `db:"name"`
	Type               Type      `db:"user_type"`
	Email              string    `db:"email"`
	Phone              string    `db:"phone"`
	TenantID           int64     `db:"tenant_id"` // 0: none, the default tenant
	Queue              string    `db:"queue"`     // empty: that of the tenant
	Enabled            bool      `db:"enabled"`
	Source             Source    `db:"source"`
	ExternalID         string    `db:"external_id"` // what its source calls it, empty when not known yet
	Service            bool      `db:"is_service"`  // a program: it has no password and opens no session
	Zone               string    `db:"time_zone"`   // IANA name, empty when never chosen
	Locale             string    `db:"locale"`      // empty when never chosen
	Theme              string    `db:"theme"`       // light, dark, or empty for the system's
	PageSize           int       `db:"page_size"`
	MustChangePassword bool      `db:"must_change_password"`
	CreatedAt          time.Time `db:"created_at"`
	UpdatedAt          time.Time `db:"updated_at"`

	PasswordChangedAt *time.Time `db:"password_changed_at"` // nil: not since this is noted
	LastSignInAt      *time.Time `db:"last_sign_in_at"`     // nil: never
}

// Admin reports whether the user is an administrator.
func (u User) Admin() bool { return u.Type == AdminUser }

// HasPassword reports whether this program checks a password of the user.
func (u User) HasPassword() bool { return u.Source == Local && !u.Service }

// Draft is what an administrator sets of a user.
type Draft struct {
	Name     string
	Password secret.String // required for a new user who has one; empty keeps the password of an existing one
	Admin    bool
	Email    string
	Phone    string // E.164 ("+4930123456") or empty
	TenantID int64  // 0: none
	Queue    string
	Enabled  bool

	Source     Source // empty: Local for a new user, the present one for others
	ExternalID string // with an empty Source the present one stays
	Service    bool   // for a new user only; it cannot change

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
	ErrAway        = fault.New(fault.Unavailable, "identity.signin.away")      // of the directory or the provider
	ErrUnknown     = fault.New(fault.Forbidden, "identity.signin.unknown")     // known to the source, and no user here
	ErrElsewhere   = fault.New(fault.Forbidden, "identity.signin.elsewhere")   // the name belongs to another user here
	ErrNotAllowed  = fault.New(fault.Forbidden, "identity.signin.not_allowed") // the provider's groups or domains say no
	ErrAttempt     = fault.New(fault.Forbidden, "identity.signin.attempt")     // unknown, used or too old
	ErrProvider    = fault.New(fault.Forbidden, "identity.signin.provider")    // the provider refused, or its answer does not hold
	ErrNoProvider  = fault.New(fault.NotFound, "identity.signin.no_provider")
	ErrNoPassword  = fault.New(fault.Conflict, "identity.password.none") // of a user of another source, or a program
	ErrExternal    = fault.New(fault.Conflict, "identity.user.external_taken").OnField("external_id", "identity.user.external_taken")
	ErrRegister    = fault.New(fault.Forbidden, "identity.register.off")
	ErrActive      = fault.New(fault.Invalid, "identity.user.active")
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
	d.ExternalID = strings.TrimSpace(d.ExternalID)
	return d
}

// validate collects everything wrong with the draft, in which Source is set; isNew demands a password of who has one.
func (d Draft) validate(policy Policy, isNew bool) error {
	var c fault.Collector
	checkName(&c, d.Name)
	switch has := d.Source == Local && !d.Service; {
	case has && (isNew || d.Password != ""):
		policy.check(&c, "password", d.Password, d.Name)
	case !has && d.Password != "":
		c.Add("password", "identity.password.none")
	}
	switch {
	case d.Source != Local && d.Source != LDAP && d.Source != OIDC, d.Service && d.Source != Local:
		c.Add("source", "identity.user.source")
	case d.Source == OIDC && d.ExternalID == "":
		c.Add("external_id", "identity.user.external_required")
	case len(d.ExternalID) > 600 || !printable(d.ExternalID):
		c.Add("external_id", "identity.user.external_rule")
	}
	// An address comes with the first sign-in of somebody from elsewhere, and a program has none.
	if d.Email != "" || d.Source == Local && !d.Service {
		checkEmail(&c, d.Email)
	}
	checkPhone(&c, d.Phone)
	if d.TenantID < 0 {
		c.Add("tenant_id", "identity.user.tenant_unknown")
	}
	if utf8.RuneCountInString(d.Queue) > 100 || !printable(d.Queue) {
		c.Add("queue", "identity.user.queue_rule", "max", 100)
	}
	return c.Err()
}

func checkName(c *fault.Collector, name string) {
	switch {
	case name == "":
		c.Add("name", "identity.user.name_required")
	case !ValidName(name):
		c.Add("name", "identity.user.name_rule", "min", 3, "max", 39)
	case strings.EqualFold(name, "system"):
		c.Add("name", "identity.user.name_reserved")
	}
}

func checkEmail(c *fault.Collector, email string) {
	switch {
	case email == "":
		c.Add("email", "identity.user.email_required")
	case !validEmail(email):
		c.Add("email", "identity.user.email_rule")
	}
}

func checkPhone(c *fault.Collector, phone string) {
	if phone != "" && !phonePattern.MatchString(phone) {
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
			"created": "created_at", "updated": "updated_at", "seen": "last_sign_in_at",
		},
		Search:  []string{"name", "email", "phone"},
		Filters: map[string]string{"type": "user_type", "state": "CAST(state AS TEXT)", "source": "CASE WHEN is_service THEN 'SERVICE' ELSE source END"},
		Default: "-updated",
		ID:      "id",
	}
}
