package identity

import (
	"context"
	"errors"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/modules/access"
)

// Session is a sign-in that still holds.
type Session struct {
	ID         string    `db:"id"` // hash of the secret
	UserID     int64     `db:"user_id"`
	Client     string    `db:"client"`
	UserAgent  string    `db:"user_agent"`
	Method     Method    `db:"method"`
	CreatedAt  time.Time `db:"created_at"`
	LastSeenAt time.Time `db:"last_seen_at"` // up to a minute old
	ExpiresAt  time.Time `db:"expires_at"`
}

// Authenticate returns who holds the secret of a session. It returns access.ErrUnauthenticated for one that is unknown,
// ended or of a disabled user. Changes by other processes show within 5 seconds.
func (s *Service) Authenticate(ctx context.Context, sessionSecret string) (access.Principal, error) {
	return s.authenticate("session", sessionSecret, func(id string, now time.Time) (access.Principal, error) {
		u, seen, err := s.store.sessionUser(ctx, id, now, now.Add(-idleLife))
		if err != nil {
			return access.Principal{}, err
		}
		if seen.Before(now.Add(-time.Minute)) {
			s.touched(ctx, s.store.touchSession(ctx, id, now))
		}
		p := principal(u)
		p.SessionID = id
		return p, nil
	})
}

// AuthenticateToken returns who holds an access token, like Authenticate.
func (s *Service) AuthenticateToken(ctx context.Context, token string) (access.Principal, error) {
	return s.authenticate("token", token, func(hash string, now time.Time) (access.Principal, error) {
		u, t, err := s.store.tokenUser(ctx, hash, now)
		if err != nil {
			return access.Principal{}, err
		}
		if t.LastUsedAt == nil || t.LastUsedAt.Before(now.Add(-time.Minute)) {
			s.touched(ctx, s.store.touchToken(ctx, t.ID, now))
		}
		p := principal(u)
		p.TokenID, p.Scope = t.ID, t.Scope
		p.MustChangePassword = false // a program can't choose a password, and the token is not the password
		return p, nil
	})
}

func (s *Service) authenticate(kind, text string, read func(hash string, now time.Time) (access.Principal, error)) (access.Principal, error) {
	if text == "" || len(text) > 512 {
		return access.Principal{}, access.ErrUnauthenticated
	}
	hash, now := ids.Hash(text), s.now()
	if p, ok := s.cache.get(kind+hash, now); ok {
		return p, nil
	}
	generation := s.cache.now()
	p, err := read(hash, now)
	if errors.Is(err, db.ErrNoRows) {
		return access.Principal{}, access.ErrUnauthenticated
	}
	if err != nil {
		return access.Principal{}, err
	}
	s.cache.put(kind+hash, p, now, generation)
	return p, nil
}

// touched notes that somebody was seen could not be stored; that is no reason to refuse the request.
func (s *Service) touched(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "the time of last use could not be stored", "error", err)
	}
}

func principal(u User) access.Principal {
	return access.Principal{
		UserID: u.ID, Name: u.Name, Admin: u.Admin(), Service: u.Service, MustChangePassword: u.MustChangePassword,
		Zone: u.Zone, Locale: u.Locale, Theme: u.Theme, PageSize: u.PageSize,
	}
}

// SignOut ends the session with this secret. An unknown one is no error.
func (s *Service) SignOut(ctx context.Context, sessionSecret string) error {
	if sessionSecret == "" {
		return nil
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		s.forget(ctx)
		return s.store.deleteSession(ctx, ids.Hash(sessionSecret))
	})
}

// Sessions returns the own sessions, the last used first.
func (s *Service) Sessions(ctx context.Context) ([]Session, error) {
	p, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	return s.store.sessions(ctx, p.UserID, now, now.Add(-idleLife))
}

// SessionsOf returns the sessions of a user, the last used first. It returns access errors.
func (s *Service) SessionsOf(ctx context.Context, userID int64) ([]Session, error) {
	if err := s.access.Require(ctx, UserRead); err != nil {
		return nil, err
	}
	now := s.now()
	return s.store.sessions(ctx, userID, now, now.Add(-idleLife))
}

// EndSession ends one of the own sessions by its ID. It returns ErrSession and access errors.
func (s *Service) EndSession(ctx context.Context, id string) error {
	p, err := own(ctx)
	if err != nil {
		return err
	}
	return s.endSession(ctx, User{ID: p.UserID, Name: p.Name}, id)
}

// EndSessionOf ends a session of a user by its ID. It returns ErrNotFound, ErrSession and access errors.
func (s *Service) EndSessionOf(ctx context.Context, userID int64, id string) error {
	u, err := s.edited(ctx, userID)
	if err != nil {
		return err
	}
	return s.endSession(ctx, u, id)
}

func (s *Service) endSession(ctx context.Context, u User, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		owner, err := s.store.sessionOwner(ctx, id)
		if errors.Is(err, db.ErrNoRows) || err == nil && owner != u.ID {
			return ErrSession
		}
		if err != nil {
			return err
		}
		s.forget(ctx)
		if err := s.store.deleteSession(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, "user.session_end", u, nil)
	})
}

// EndSessions ends the own sessions; exceptThis keeps the one that asks.
func (s *Service) EndSessions(ctx context.Context, exceptThis bool) error {
	p, err := own(ctx)
	if err != nil {
		return err
	}
	keep := ""
	if exceptThis {
		keep = p.SessionID
	}
	return s.endSessions(ctx, User{ID: p.UserID, Name: p.Name}, keep)
}

// EndSessionsOf ends the sessions of a user, and his one-time links. It returns ErrNotFound and access errors.
func (s *Service) EndSessionsOf(ctx context.Context, userID int64) error {
	u, err := s.edited(ctx, userID)
	if err != nil {
		return err
	}
	return s.endSessions(ctx, u, "")
}

func (s *Service) endSessions(ctx context.Context, u User, keep string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		s.forget(ctx)
		if err := s.endAll(ctx, u.ID, keep); err != nil {
			return err
		}
		return s.record(ctx, "user.sign_out", u, nil)
	})
}

// edited returns a user whom the principal may edit.
func (s *Service) edited(ctx context.Context, userID int64) (User, error) {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return User{}, err
	}
	return s.store.byID(ctx, userID)
}

// own returns who acts, for what everybody may do with his own account. A token that is limited to a scope may not: with
// the account it could get rid of the limit.
func own(ctx context.Context) (access.Principal, error) {
	p, err := access.Must(ctx)
	if err == nil && len(p.Scope) > 0 {
		err = access.ErrDenied.With("permission", "account")
	}
	return p, err
}

// Run removes expired sessions, links and counts of failures every hour until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := s.clean(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "expired sessions could not be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
