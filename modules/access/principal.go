package access

import (
	"context"

	"dorado/modules/audit"
)

// Principal is who acts: a signed-in user, or the program itself. It is a value from the moment of authentication;
// changes to the user show within seconds.
type Principal struct {
	UserID             int64
	Name               string
	Admin              bool
	MustChangePassword bool // until then every permission is refused; only the own password can be changed

	SessionID string // hash of the session's secret; empty when not signed in by a session
	TokenID   int64  // access token; 0 when not signed in by one

	// Scope is what the access token is limited to: permissions or patterns of them ("instance.*", "*.read") and
	// "project:<code>". Empty: everything the user may.
	Scope []string
	// Service tells that the user is a program: it has tokens only, no password and no pages.
	Service bool

	// How the user likes things, for pages; empty or 0 when never chosen.
	Zone     string
	Locale   string
	Theme    string
	PageSize int

	system bool
}

// System is the principal of work that nobody asked for, such as timers and clean-up. It may do everything.
func System() Principal { return Principal{Name: "system", system: true} }

// IsSystem reports whether the program itself acts.
func (p Principal) IsSystem() bool { return p.system }

type principalKey struct{}

// WithPrincipal returns a context in which p acts, for permissions and for the audit log. A token with a scope makes nobody
// an administrator: what asks for one, and not for a permission, treats its user as an ordinary one.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	if len(p.Scope) > 0 {
		p.Admin = false
	}
	ctx = audit.WithActor(ctx, audit.Actor{UserID: p.UserID, Name: p.Name})
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who acts in ctx, and false when nobody is signed in.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}

// Must returns who acts in ctx, or ErrUnauthenticated.
func Must(ctx context.Context) (Principal, error) {
	p, ok := From(ctx)
	if !ok {
		return Principal{}, ErrUnauthenticated
	}
	return p, nil
}
