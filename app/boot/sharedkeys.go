package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/modules/keep"
)

// sealKeys names the row that holds the keys of all masters.
const sealKeys = "seal"

// shareKeys gives this master the keys that the other masters of its database have, and them its own: they stand in the
// database, wrapped with cluster.secret. Of masters that start at once on an empty database one makes the first key, and the
// others take it.
func shareKeys(ctx context.Context, cfg config.Config, d *db.DB) error {
	own, err := secret.Lines(cfg.Secret.KeyFile)
	if err != nil {
		return err
	}
	offered := own
	if len(own) == 0 {
		key, err := keep.SealedWith(ctx, d)
		if err != nil {
			return err
		}
		shared, err := db.Get[int](ctx, d, `SELECT count(*) FROM shared_key WHERE name = ?`, sealKeys)
		if err != nil {
			return fmt.Errorf("share the keys of secrets: %w", err)
		}
		if key != "" && shared == 0 { // the key is somewhere else, and a fresh one would not help
			return nil
		}
		offered = []string{secret.FreshLine()}
	}
	_, err = d.Exec(ctx, `INSERT INTO shared_key (name, wrapped) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`,
		sealKeys, secret.Wrap(offered, cfg.Cluster.Secret))
	if err != nil {
		return fmt.Errorf("share the keys of secrets: %w", err)
	}
	return d.InTx(ctx, func(ctx context.Context) error {
		wrapped, err := db.Get[string](ctx, d, `SELECT wrapped FROM shared_key WHERE name = ? `+d.Dialect().ForUpdate(), sealKeys)
		if err != nil {
			return fmt.Errorf("share the keys of secrets: %w", err)
		}
		shared, err := secret.Unwrap(wrapped, cfg.Cluster.Secret)
		if errors.Is(err, secret.ErrWrapped) && len(own) > 0 { // cluster.secret was changed
			shared, err = nil, nil
		}
		if err != nil {
			return fmt.Errorf("the keys of this database were shared with another cluster.secret; bring %s here, or set DORADO_SECRET_KEY: %w", cfg.Secret.KeyFile, err)
		}
		all, err := secret.Merge(cfg.Secret.KeyFile, shared)
		if err != nil {
			return err
		}
		if strings.Join(all, "\n") == strings.Join(shared, "\n") {
			return nil
		}
		_, err = d.Exec(ctx, `UPDATE shared_key SET wrapped = ? WHERE name = ?`, secret.Wrap(all, cfg.Cluster.Secret), sealKeys)
		return err
	})
}
