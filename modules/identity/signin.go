package identity

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
)

const (
	idleLife     = 7 * 24 * time.Hour
	absoluteLife = 30 * 24 * time.Hour
	// maxSessions bounds the sessions of one user: scripts that sign in again and again must not pile them up.
	maxSessions = 100
	// linkLife and firstLinkLife are how long a one-time link can be used.
	linkLife      = 15 * time.Minute
	firstLinkLife = 24 * time.Hour
)

// Method is how somebody signed in.
type Method string

// The methods.
const (
	ByPassword  Method = "PASSWORD"
	ByDirectory Method = "LDAP"
	ByProvider  Method = "OIDC"
	ByLink      Method = "LINK"
)

// Credentials is an attempt to sign in.
type Credentials struct {
	Name      string
	Password  secret.String
	Client    string // address, empty when there is none
	UserAgent string
	Previous  string // secret of the session the browser still has, which the new one replaces
}

// SignedIn is a new session. The secret is shown once.
type SignedIn struct {
	Secret    secret.String // for cookie or header
	ExpiresAt time.Time
	User      User
	Method    Method
}

// SignIn checks name and password and opens a session. The directory is asked about its users and, when it may make
// users, about names that nobody has here; a user of our own is never asked for elsewhere. It returns ErrCredentials for
// a wrong name or password without telling which, ErrDisabled, ErrUnknown and ErrElsewhere only to who knows the password,
// ErrThrottled, ErrBusy and ErrAway.
func (s *Service) SignIn(ctx context.Context, c Credentials) (SignedIn, error) {
	user, hash, err := s.lookUp(ctx, c.Name)
	if err != nil {
		return SignedIn{}, err
	}
	var subjects []subject
	if c.Client != "" {
		subjects = append(subjects, clientSubject(c.Client))
	}
	known := false
	if user.ID != 0 {
		if known, err = s.store.knows(ctx, user.ID, cut(c.Client, 64)); err != nil {
			return SignedIn{}, err
		}
	}
	if ValidName(c.Name) && !known {
		subjects = append(subjects, s.policy.userSubject(c.Name))
	}
	if err := s.attempt(ctx, subjects); err != nil {
		return SignedIn{}, err
	}
	in := SignedIn{User: user, Method: ByPassword}
	if s.asksDirectory(c.Name, user) {
		in.Method = ByDirectory
		in.User, err = s.byDirectory(ctx, c)
	} else {
		err = s.byPassword(ctx, user, hash, c.Password)
	}
	switch {
	case errors.Is(err, ErrCredentials):
		s.log.InfoContext(ctx, "refused to sign in", "user_id", user.ID, "client", c.Client) // an unknown name may be a password
		s.recordRefused(ctx, user, "credentials")
		return SignedIn{}, ErrCredentials
	case err != nil && !knewPassword(err): // nobody looked at the password, so it was no guess
		for _, sub := range subjects {
			err = errors.Join(err, s.store.uncount(context.WithoutCancel(ctx), sub))
		}
		return SignedIn{}, err
	}
	if absolved := s.store.absolve(ctx, subjects); absolved != nil {
		return SignedIn{}, absolved
	}
	if err != nil {
		return SignedIn{}, err
	}
	if !in.User.Enabled {
		s.recordRefused(ctx, in.User, "disabled")
		return SignedIn{}, ErrDisabled
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.demandFresh(ctx, &in.User); err != nil {
			return err
		}
		return s.open(ctx, &in, c, "user.sign_in")
	})
	return in, err
}

// recordRefused notes that somebody could not sign in. Nobody knows who that is; of a name that no user has nothing is kept,
// because it may be a password in the wrong field.
func (s *Service) recordRefused(ctx context.Context, u User, why string) {
	ctx = audit.WithActor(context.WithoutCancel(ctx), audit.Actor{})
	if err := s.record(ctx, "user.sign_in_failed", u, map[string]any{"reason": why}); err != nil {
		s.log.WarnContext(ctx, "a refused sign-in is not in the audit log", "error", err)
	}
}

// knewPassword tells refusals after the right password from failures before it was looked at.
func knewPassword(err error) bool { return errors.Is(err, ErrUnknown) || errors.Is(err, ErrElsewhere) }

// byPassword compares with the hash of ours. An empty hash, of an unknown user or one without a password, takes as long.
func (s *Service) byPassword(ctx context.Context, user User, hash string, password secret.String) error {
	ok, weak, err := s.hasher.matches(ctx, hash, password)
	if err != nil {
		return err
	}
	if !ok || !user.HasPassword() {
		return ErrCredentials
	}
	if weak && user.Enabled {
		s.renewHash(ctx, user.ID, hash, password)
	}
	return nil
}

// demandFresh makes somebody whose password is too old choose another one.
func (s *Service) demandFresh(ctx context.Context, u *User) error {
	if s.policy.MaxAge == 0 || u.MustChangePassword || !u.HasPassword() {
		return nil
	}
	since := u.CreatedAt
	if u.PasswordChangedAt != nil {
		since = *u.PasswordChangedAt
	}
	if since.Add(s.policy.MaxAge).After(s.now()) {
		return nil
	}
	u.MustChangePassword = true
	return s.store.setMustChange(ctx, u.ID)
}

// lookUp returns a zero user and no hash for an unknown name.
func (s *Service) lookUp(ctx context.Context, name string) (User, string, error) {
	if !ValidName(name) {
		return User{}, "", nil
	}
	u, err := s.store.byName(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return User{}, "", nil
	}
	if err != nil {
		return User{}, "", err
	}
	hash, err := s.store.hashOf(ctx, u.ID)
	if errors.Is(err, ErrNotFound) {
		return User{}, "", nil
	}
	return u, hash, err
}

// renewHash makes the hash as strong as new ones. Failing to is no reason to refuse the user.
func (s *Service) renewHash(ctx context.Context, id int64, old string, password secret.String) {
	hash, err := s.hasher.hash(ctx, password)
	if err == nil {
		err = s.store.rehash(ctx, id, old, hash)
	}
	if err != nil {
		s.log.WarnContext(ctx, "a password hash could not be renewed", "error", err)
	}
}

// open inserts the session in the transaction of ctx and fills in its secret.
func (s *Service) open(ctx context.Context, in *SignedIn, c Credentials, action string) error {
	now := s.now()
	token := ids.Token()
	in.Secret, in.ExpiresAt = secret.String(token), now.Add(absoluteLife)
	if c.Previous != "" {
		s.forget(ctx)
		if err := s.store.deleteSession(ctx, ids.Hash(c.Previous)); err != nil {
			return err
		}
	}
	if err := s.store.insertSession(ctx, Session{
		ID: ids.Hash(token), UserID: in.User.ID, Client: cut(c.Client, 64), UserAgent: cut(c.UserAgent, 200), Method: in.Method,
		CreatedAt: now, LastSeenAt: now, ExpiresAt: in.ExpiresAt,
	}); err != nil {
		return err
	}
	if err := s.store.trimSessions(ctx, in.User.ID, maxSessions); err != nil {
		return err
	}
	if err := s.store.signedIn(ctx, in.User.ID, now); err != nil {
		return err
	}
	in.User.LastSignInAt = &now
	ctx = access.WithPrincipal(ctx, access.Principal{UserID: in.User.ID, Name: in.User.Name})
	return s.record(ctx, action, in.User, map[string]any{"method": in.Method})
}

// NewLink makes a one-time link with which a user can sign in within 15 minutes, and then has to choose a password. It
// returns the secret part of the link, ErrNotFound, ErrNoPassword and access errors.
func (s *Service) NewLink(ctx context.Context, userID int64) (secret.String, error) {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return "", err
	}
	var token secret.String
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.store.byID(ctx, userID)
		if err != nil {
			return err
		}
		if !u.HasPassword() {
			return ErrNoPassword
		}
		if token, err = s.newLink(ctx, userID, linkLife); err != nil {
			return err
		}
		return s.record(ctx, "user.link", u, nil)
	})
	return token, err
}

// newLink replaces earlier links of the user: at most one opens the door.
func (s *Service) newLink(ctx context.Context, userID int64, life time.Duration) (secret.String, error) {
	token := ids.Token()
	if err := s.store.deleteLinks(ctx, userID); err != nil {
		return "", err
	}
	return secret.String(token), s.store.insertLink(ctx, ids.Hash(token), userID, s.now().Add(life))
}

// SignInByLink uses up a one-time link and opens a session in which a new password must be chosen first. It returns
// ErrLink for one that is unknown, used or too old, and ErrDisabled. Call it for a POST only: programs that preview
// links follow them.
func (s *Service) SignInByLink(ctx context.Context, token string, c Credentials) (SignedIn, error) {
	var (
		in      SignedIn
		refused error // returned after the commit, which uses the link up
	)
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		userID, expires, err := s.store.takeLink(ctx, ids.Hash(token))
		if errors.Is(err, db.ErrNoRows) || err == nil && !expires.After(s.now()) {
			refused = ErrLink
			return nil
		}
		if err != nil {
			return err
		}
		if in.User, err = s.store.byID(ctx, userID); err != nil {
			return err
		}
		if !in.User.Enabled {
			refused = ErrDisabled
			return nil
		}
		if err := s.store.setMustChange(ctx, userID); err != nil {
			return err
		}
		in.User.MustChangePassword, in.Method = true, ByLink
		return s.open(ctx, &in, c, "user.sign_in_by_link")
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return SignedIn{}, err
	}
	return in, nil
}
