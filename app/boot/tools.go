package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/logs"
	"dorado/app/kit/secret"
	"dorado/migrations"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity"
	"dorado/modules/security/account"
)

// Migrate brings the database up to date and says what it did.
func Migrate(ctx context.Context, cfg config.Config, logger *slog.Logger, out io.Writer) error {
	return withDatabase(ctx, cfg, logger, func(d *db.DB) error {
		applied, err := migrations.Up(ctx, d.SQLX().DB, d.Dialect().Name())
		if err != nil {
			return err
		}
		for _, m := range applied {
			fmt.Fprintf(out, "applied %d %s\n", m.Version, m.Name)
		}
		if len(applied) == 0 {
			fmt.Fprintln(out, "the database is up to date")
		}
		return nil
	})
}

// MigrationStatus lists the migrations and whether they were applied.
func MigrationStatus(ctx context.Context, cfg config.Config, logger *slog.Logger, out io.Writer) error {
	return withDatabase(ctx, cfg, logger, func(d *db.DB) error {
		all, err := migrations.Status(ctx, d.SQLX().DB, d.Dialect().Name())
		if err != nil {
			return err
		}
		for _, m := range all {
			state := "pending"
			if !m.AppliedAt.IsZero() {
				state = "applied"
			}
			fmt.Fprintf(out, "%-8s %d %s\n", state, m.Version, m.Name)
		}
		return nil
	})
}

// SetPassword gives a user another password and ends the user's sessions.
func SetPassword(ctx context.Context, cfg config.Config, name, password string, out io.Writer) error {
	return asSystem(ctx, cfg, name, func(ctx context.Context, s *identity.Service, u identity.User) error {
		if err := s.SetPassword(ctx, u.ID, secret.String(password), false); err != nil {
			return err
		}
		fmt.Fprintf(out, "the password of %s is set; all sessions of %s have ended\n", u.Name, u.Name)
		return nil
	})
}

// SignInLink prints a link that signs a user in once.
func SignInLink(ctx context.Context, cfg config.Config, name string, out io.Writer) error {
	return asSystem(ctx, cfg, name, func(ctx context.Context, s *identity.Service, u identity.User) error {
		link, err := s.NewLink(ctx, u.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s%s\n", cfg.URL(), account.LinkPath(link.Reveal()))
		return nil
	})
}

// asSystem runs fn with a user of the database, as nobody but the operator at the terminal can.
func asSystem(ctx context.Context, cfg config.Config, name string, fn func(context.Context, *identity.Service, identity.User) error) error {
	logger := logs.Discard()
	return withDatabase(ctx, cfg, logger, func(d *db.DB) error {
		if _, err := migrations.Up(ctx, d.SQLX().DB, d.Dialect().Name()); err != nil {
			return fmt.Errorf("bring the database up to date: %w", err)
		}
		rights, err := access.New(ctx, access.Deps{DB: d, Log: logger, Now: time.Now, Rules: identity.Rules()})
		if err != nil {
			return err
		}
		users := identity.New(identity.Deps{
			DB: d, Log: logger, Now: time.Now, Access: rights, Audit: audit.New(audit.Deps{DB: d, Now: time.Now}),
			Policy: cfg.Identity.Password,
		})
		ctx := access.WithPrincipal(ctx, access.System())
		u, err := users.Find(ctx, name)
		if errors.Is(err, identity.ErrNotFound) {
			return fmt.Errorf("there is no user %q", name)
		}
		if err != nil {
			return err
		}
		return fn(ctx, users, u)
	})
}

// withDatabase opens the configured database, which may be in use by a running process.
func withDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger, fn func(*db.DB) error) error {
	d, err := db.Open(ctx, db.Config{URL: cfg.DatabaseURL()}, logger)
	if err != nil {
		return err
	}
	return errors.Join(fn(d), d.Close())
}
