package boot

import (
	"context"
	"errors"
	"fmt"
	"os"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/secret"
	"dorado/modules/flow"
	"dorado/modules/keep"
)

// sealedColumns lists every column whose texts are sealed, with the purpose that whoever seals and opens them gives.
// `dorado secret rotate` seals them again, and a column that is missing here keeps an old key from being retired.
func sealedColumns() []secret.Column {
	return []secret.Column{
		{Table: "project_parameter", Column: "value", Key: "id", Only: "is_secret", Purpose: flow.SealedParameter},
		{Table: "datasource", Column: "secrets", Key: "id", Purpose: "datasource.secrets"},
		{Table: "alert_plugin_instance", Column: "secrets", Key: "id", Purpose: "alert_plugin_instance.secrets"},
		{Table: "k8s_cluster", Column: "config", Key: "id", Purpose: "k8s_cluster.config"},
	}
}

// openSealer returns what seals and opens secrets of the database. It returns keep.ErrOtherKey when the keys at hand are
// not those that the database was written with.
func openSealer(ctx context.Context, cfg config.Config, d *db.DB) (*secret.Sealer, error) {
	s, err := configuredSealer(ctx, cfg, d)
	if err != nil {
		return nil, err
	}
	if err := keep.CheckSealer(ctx, d, s); err != nil {
		return nil, fmt.Errorf("%w: %s; put that key where secret.key-file (DORADO_SECRET_KEY_FILE) or DORADO_SECRET_KEY says", err, whichKeys(s))
	}
	return s, nil
}

func configuredSealer(ctx context.Context, cfg config.Config, d *db.DB) (*secret.Sealer, error) {
	if cfg.Secret.Key != "" {
		return secret.NewSealer(cfg.Secret.Key)
	}
	if cfg.Cluster.Secret != "" {
		if err := shareKeys(ctx, cfg, d); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(cfg.Secret.KeyFile); errors.Is(err, os.ErrNotExist) { // no fresh key beside secrets of another one
		key, err := keep.SealedWith(ctx, d)
		if err != nil {
			return nil, err
		}
		if key != "" {
			return nil, fmt.Errorf("%w: it has key %s, and there is no file %s; bring the key file of this database there, or set secret.key-file "+
				"(DORADO_SECRET_KEY_FILE) or DORADO_SECRET_KEY", keep.ErrOtherKey, key, cfg.Secret.KeyFile)
		}
	}
	return secret.OpenSealer(cfg.Secret.KeyFile)
}

func whichKeys(s *secret.Sealer) string {
	from := s.File()
	if from == "" {
		from = "DORADO_SECRET_KEY"
	}
	return fmt.Sprintf("%s holds %v", from, s.Keys())
}

// presentSealer opens the configured keys, nil when there are none yet.
func presentSealer(cfg config.Config) (*secret.Sealer, error) {
	if cfg.Secret.Key == "" {
		if _, err := os.Stat(cfg.Secret.KeyFile); errors.Is(err, os.ErrNotExist) {
			return nil, nil //nolint:nilnil // no key is an answer
		}
		return secret.OpenSealer(cfg.Secret.KeyFile)
	}
	return secret.NewSealer(cfg.Secret.Key)
}

// keyPlace is where the keys come from, for messages.
func keyPlace(cfg config.Config) string {
	if cfg.Secret.Key != "" {
		return "DORADO_SECRET_KEY"
	}
	return cfg.Secret.KeyFile
}
