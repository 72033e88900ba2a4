package boot

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
)

func masterOf(t *testing.T, clusterSecret secret.String) config.Config {
	t.Helper()
	cfg := config.Default(t.TempDir())
	cfg.Secret.KeyFile = filepath.Join(cfg.Data, "keys", "seal.key")
	cfg.Cluster.Secret = clusterSecret
	return cfg
}

func TestMastersOfAClusterShareTheKeysOfSecrets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		// Three start at once on an empty database.
		masters := []config.Config{masterOf(t, "x"), masterOf(t, "x"), masterOf(t, "x")}
		sealers := make([]*secret.Sealer, len(masters))
		errs := make([]error, len(masters))
		var all sync.WaitGroup
		for i, cfg := range masters {
			all.Go(func() { sealers[i], errs[i] = openSealer(t.Context(), cfg, d) })
		}
		all.Wait()
		for i := range masters {
			require.NoError(t, errs[i])
			plain, err := sealers[i].Open(sealers[0].Seal("hunter2", "p"), "p")
			require.NoError(t, err)
			require.Equal(t, "hunter2", plain.Reveal())
		}

		// One gets a new key; it reaches whoever starts again, and whoever is new.
		_, err := secret.AddKey(masters[0].Secret.KeyFile)
		require.NoError(t, err)
		newer, err := openSealer(t.Context(), masters[0], d)
		require.NoError(t, err)
		for _, cfg := range []config.Config{masters[1], masterOf(t, "x")} {
			s, err := openSealer(t.Context(), cfg, d)
			require.NoError(t, err)
			_, err = s.Open(newer.Seal("hunter3", "p"), "p")
			require.NoError(t, err)
			_, err = s.Open(sealers[0].Seal("hunter2", "p"), "p")
			require.NoError(t, err)
		}

		// Another secret unwraps nothing, and says so; with its own file a master shares the keys anew.
		_, err = openSealer(t.Context(), masterOf(t, "y"), d)
		require.ErrorIs(t, err, secret.ErrWrapped)
		changed := masters[0]
		changed.Cluster.Secret = "y"
		_, err = openSealer(t.Context(), changed, d)
		require.NoError(t, err)
		_, err = openSealer(t.Context(), masterOf(t, "y"), d)
		require.NoError(t, err)
	})
}

func TestAMasterWithoutTheSecretOfTheClusterNeedsTheKeyFile(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	_, err := openSealer(t.Context(), masterOf(t, ""), d)
	require.NoError(t, err)
	for _, clusterSecret := range []secret.String{"", "x"} {
		cfg := masterOf(t, clusterSecret)
		_, err = openSealer(t.Context(), cfg, d)
		require.ErrorContains(t, err, "bring the key file of this database there")
		_, err = os.Stat(cfg.Secret.KeyFile)
		require.ErrorIs(t, err, os.ErrNotExist, "a fresh key would not help")
	}
}
