package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/modules/keep"
)

// resealBatch is how many texts one transaction seals again: few, since masters write meanwhile.
const resealBatch = 50

// RotateOptions say what SecretRotate does.
type RotateOptions struct {
	Resume bool // seal again what has an old key, without a new one
	Stage  bool // only put a new key into the file, which is used by the next rotation
}

// withSecrets opens the configured database, as it is, and its keys.
func withSecrets(ctx context.Context, cfg config.Config, logger *slog.Logger, fn func(*db.DB, *secret.Sealer) error) (err error) {
	d, err := existing(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	s, err := openSealer(ctx, cfg, d)
	if err != nil {
		return err
	}
	return fn(d, s)
}

// SecretStatus says which keys there are and what is sealed with each.
func SecretStatus(ctx context.Context, cfg config.Config, logger *slog.Logger, out io.Writer) error {
	return withSecrets(ctx, cfg, logger, func(d *db.DB, s *secret.Sealer) error {
		uses, err := keep.KeyUses(ctx, d, sealedColumns())
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "keys: %s\n", keyPlace(cfg))
		for _, key := range s.Keys() {
			note := ""
			if key == s.Newest() {
				note = ", for new secrets"
			}
			fmt.Fprintf(out, "%s: %d secrets%s\n", key, uses[key], note)
			delete(uses, key)
		}
		lost := 0
		for key, n := range uses {
			lost += n
			fmt.Fprintf(out, "%s: %d secrets, and there is no such key\n", key, n)
		}
		if lost > 0 {
			return fmt.Errorf("%d secrets cannot be opened: bring their key, or enter them again", lost)
		}
		return nil
	})
}

// SecretRotate makes a new key and seals everything again with it, while masters work.
func SecretRotate(ctx context.Context, cfg config.Config, logger *slog.Logger, o RotateOptions, t Terminal) error {
	return withSecrets(ctx, cfg, logger, func(d *db.DB, s *secret.Sealer) error {
		switch {
		case o.Resume:
		case s.File() == "":
			return errors.New("the keys are in DORADO_SECRET_KEY: put a new one there (see docs/secrets.md), restart the masters, and run this with --resume")
		case o.Stage:
			key, err := secret.StageKey(s.File())
			if err != nil {
				return err
			}
			fmt.Fprintf(t.Out, "key %s is in %s and seals nothing yet; copy the file to the other masters, then run `dorado secret rotate`\n", key, s.File())
			return nil
		default:
			if err := newKey(ctx, d, s, t.Out); err != nil {
				return err
			}
		}
		r := keep.Reseal{DB: d, Sealer: s, Columns: sealedColumns(), Batch: resealBatch, Progress: progress(t.Progress)}
		n, err := r.Run(ctx)
		fmt.Fprintf(t.Out, "%d secrets are sealed with key %s now\n", n, s.Newest())
		if err != nil {
			return err
		}
		if len(s.Keys()) > 1 {
			fmt.Fprintln(t.Out, "old keys stay until `dorado secret retire`")
		}
		return nil
	})
}

// newKey brings the key that is staged into use, or makes one.
func newKey(ctx context.Context, d *db.DB, s *secret.Sealer, out io.Writer) error {
	used, err := keep.KeysOf(ctx, d)
	if err != nil {
		return err
	}
	for _, key := range s.Keys() {
		if key != s.Newest() && !slices.Contains(used, key) {
			fmt.Fprintf(out, "key %s was staged and is in use from now on\n", key)
			return secret.PromoteKey(s.File(), key)
		}
	}
	key, err := secret.AddKey(s.File())
	if err == nil {
		fmt.Fprintf(out, "key %s was added to %s; masters on other machines need the file, too\n", key, s.File())
	}
	return err
}

// SecretRetire takes keys out of the file that nothing is sealed with any more.
func SecretRetire(ctx context.Context, cfg config.Config, logger *slog.Logger, t Terminal) error {
	return withSecrets(ctx, cfg, logger, func(d *db.DB, s *secret.Sealer) error {
		if s.File() == "" {
			return errors.New("the keys are in DORADO_SECRET_KEY: take those out that `dorado secret status` counts no secrets for")
		}
		uses, err := keep.KeyUses(ctx, d, sealedColumns())
		if err != nil {
			return err
		}
		var old []string
		for _, key := range s.Keys() {
			if key != s.Newest() && uses[key] == 0 {
				old = append(old, key)
			}
		}
		if len(old) == 0 {
			fmt.Fprintln(t.Out, "no key can be retired")
			return nil
		}
		if err := keep.ForgetKeys(ctx, d, old...); err != nil {
			return err
		}
		if err := secret.RetireKeys(s.File(), old...); err != nil {
			return err
		}
		fmt.Fprintf(t.Out, "retired %v to %s.retired: backups of before need them\n", old, s.File())
		return nil
	})
}
