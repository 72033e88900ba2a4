package identity

import (
	"context"
	"errors"
	"fmt"

	"dorado/app/kit/ids"
	"dorado/app/kit/secret"
	"dorado/modules/access"
)

// AdminName is the name of the first administrator.
const AdminName = "admin"

// EnsureAdmin makes the first administrator when there is no user at all, and the queue named default.
//
// With a password (from the environment) that is the administrator's. Without one it is random and known to nobody,
// and link is the secret part of a one-time sign-in link that holds for 24 hours. As long as that administrator has
// never signed in, later starts return a fresh link in place of the old one, so that closing the terminal locks nobody
// out. It returns an Invalid fault for a password that breaks the rule.
func (s *Service) EnsureAdmin(ctx context.Context, password secret.String) (created bool, link secret.String, err error) {
	ctx = access.WithPrincipal(ctx, access.System())
	random := password == ""
	if random {
		password = secret.String(ids.Token())
	}
	any, err := s.store.anyUser(ctx)
	if err != nil {
		return false, "", err
	}
	if any {
		if !random {
			return false, "", s.ensureQueue(ctx)
		}
		link, err = s.renewFirstLink(ctx)
		return false, link, errors.Join(err, s.ensureQueue(ctx))
	}
	if err := s.policy.Check(password, AdminName); err != nil {
		return false, "", err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return false, "", err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.ensureQueue(ctx); err != nil {
			return err
		}
		u, err := s.insert(ctx, Draft{Name: AdminName, Admin: true, Enabled: true, Source: Local, MustChangePassword: random}, hash)
		if err != nil {
			return err
		}
		if random {
			link, err = s.newLink(ctx, u.ID, firstLinkLife)
		}
		return err
	})
	if errors.Is(err, ErrNameTaken) { // another process was faster; its terminal has the link
		return false, "", nil
	}
	if err != nil {
		return false, "", fmt.Errorf("create the first administrator: %w", err)
	}
	return true, link, nil
}

func (s *Service) ensureQueue(ctx context.Context) error { return s.store.ensureQueue(ctx, s.now()) }

// renewFirstLink returns no link when the first administrator has got in.
func (s *Service) renewFirstLink(ctx context.Context) (secret.String, error) {
	var link secret.String
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.store.byName(ctx, AdminName)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil || !u.MustChangePassword || !u.Enabled || !u.Admin() || !u.UpdatedAt.Equal(u.CreatedAt) {
			return err
		}
		seen, err := s.store.everSignedIn(ctx, u.ID)
		if err != nil || seen {
			return err
		}
		link, err = s.newLink(ctx, u.ID, firstLinkLife)
		return err
	})
	return link, err
}
