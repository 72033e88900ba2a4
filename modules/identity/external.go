package identity

import (
	"context"
	"errors"
	"strings"

	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity/directory"
)

// arrival is somebody whom the directory or the provider has just identified.
type arrival struct {
	source  Source
	id      string // for ever the same; empty when the source has none
	name    string // of the user here
	email   string
	phone   string
	maps    bool // the source says who is an administrator
	admin   bool
	creates bool // a user is made when there is none
}

// asksDirectory reports whether the directory checks the password of who typed this name.
func (s *Service) asksDirectory(name string, u User) bool {
	if s.directory == nil {
		return false
	}
	if u.ID == 0 {
		return ValidName(name)
	}
	return u.Source == LDAP
}

// byDirectory returns the user of who has name and password in the directory, as SignIn describes it.
func (s *Service) byDirectory(ctx context.Context, c Credentials) (User, error) {
	e, err := s.directory.Authenticate(ctx, c.Name, c.Password)
	switch {
	case errors.Is(err, directory.ErrRefused):
		s.log.InfoContext(ctx, "the directory refuses to sign in", "user", cut(c.Name, 64), "reason", err)
		return User{}, ErrCredentials
	case errors.Is(err, directory.ErrBusy):
		return User{}, ErrBusy
	case err != nil:
		s.log.ErrorContext(ctx, "the directory does not answer", "error", err)
		return User{}, ErrAway.Because(err)
	}
	return s.arrive(ctx, arrival{
		source: LDAP, id: e.ID, name: e.Name, email: e.Email, phone: e.Phone, maps: s.directory.MapsAdmin(), admin: e.Admin, creates: s.directory.Creates(),
	})
}

// arrive returns the user of somebody from elsewhere, made or brought up to date. He is known by what his source calls
// him; a name only decides for a user that an administrator made for the directory and nobody used yet, and an e-mail
// address never does. It returns ErrUnknown and ErrElsewhere.
func (s *Service) arrive(ctx context.Context, a arrival) (User, error) {
	var u User
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		ctx = access.WithPrincipal(ctx, access.System())
		found, err := s.arrived(ctx, a)
		if errors.Is(err, ErrNotFound) && a.creates {
			u, err = s.welcome(ctx, a)
			return err
		}
		if errors.Is(err, ErrNotFound) {
			return ErrUnknown
		}
		if err != nil {
			return err
		}
		u, err = s.refresh(ctx, found, a)
		return err
	})
	if errors.Is(err, ErrNameTaken) { // two first sign-ins at once, or a user of another source
		if found, again := s.arrived(ctx, a); again == nil {
			return found, nil
		}
		err = ErrElsewhere
	}
	if errors.Is(err, ErrElsewhere) || errors.Is(err, ErrUnknown) {
		s.log.WarnContext(ctx, "somebody of another source has no user here", "source", a.source, "name", cut(a.name, 64), "reason", err)
	}
	return u, err
}

// arrived looks for the user. It returns ErrNotFound and ErrElsewhere.
func (s *Service) arrived(ctx context.Context, a arrival) (User, error) {
	if a.id != "" {
		u, err := s.store.byExternal(ctx, a.source, a.id)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return u, err
		}
	}
	u, err := s.store.byName(ctx, a.name)
	if err != nil {
		return User{}, err
	}
	if a.source != LDAP || u.Source != LDAP || u.ExternalID != "" && a.id != "" {
		return User{}, ErrElsewhere
	}
	return u, nil
}

// welcome makes a user. It returns ErrNameTaken and ErrElsewhere.
func (s *Service) welcome(ctx context.Context, a arrival) (User, error) {
	if !ValidName(a.name) || strings.EqualFold(a.name, "system") {
		return User{}, ErrElsewhere
	}
	d := Draft{Name: a.name, Admin: a.maps && a.admin, Enabled: true, Source: a.source, ExternalID: a.id}
	if validEmail(a.email) {
		d.Email = a.email
	}
	if phonePattern.MatchString(a.phone) {
		d.Phone = a.phone
	}
	return s.insert(ctx, d, "")
}

// refresh takes over what the source knows better. The last administrator stays one, whatever the source says.
func (s *Service) refresh(ctx context.Context, u User, a arrival) (User, error) {
	before, err := s.lock(ctx, u.ID)
	if err != nil {
		return User{}, err
	}
	u = before
	if u.ExternalID == "" {
		u.ExternalID = a.id
	}
	if validEmail(a.email) {
		u.Email = a.email
	}
	if phonePattern.MatchString(a.phone) {
		u.Phone = a.phone
	}
	if a.maps && a.admin != u.Admin() {
		switch err := s.mayLose(ctx, u, a.admin); {
		case err == nil:
			u.Type = typeOf(a.admin)
		case errors.Is(err, ErrLastAdmin):
			s.log.WarnContext(ctx, "the last administrator is none any more at the source, and stays one here", "user", u.Name)
		default:
			return User{}, err
		}
	}
	if u == before {
		return u, nil
	}
	u.UpdatedAt = s.after(before.UpdatedAt)
	if err := s.store.update(ctx, u); err != nil {
		return User{}, err
	}
	if err := s.regrant(ctx, before, u); err != nil {
		return User{}, err
	}
	s.forget(ctx)
	return u, s.record(ctx, "user.update", u, audit.Change{Before: summary(before), After: summary(u), Detail: map[string]any{"source": a.source}})
}
