package config_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/config"
)

func TestFoldersOfSQLiteAreAllowedByName(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Source{Environ: []string{"DORADO_DATASOURCE_SQLITE_FOLDERS=/srv/a,/srv/b"}})
	require.NoError(t, err)
	require.Equal(t, []string{"/srv/a", "/srv/b"}, c.DataSource.SQLite.Folders)
	_, err = config.Load(config.Source{Flags: map[string]string{"datasource.sqlite.folders": "data,/"}})
	require.ErrorContains(t, err, `datasource.sqlite.folders: "data" is no absolute path`)
	require.ErrorContains(t, err, "every file of the machine")
}

func TestWhatBelongsToDoradoIsListed(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	c, err := config.Load(config.Source{Flags: map[string]string{"data": data, "database": "/srv/d.db", "worker.exec-dir": "/srv/exec", "storage.local.dir": "/srv/files"}})
	require.NoError(t, err)
	require.Subset(t, c.Own(), []string{data, "/srv/d.db", "/srv/exec", "/srv/files", filepath.Join(data, "keys", "seal.key")})
	c, err = config.Load(config.Source{Flags: map[string]string{"data": data, "database": "postgres://u:p@h/d"}})
	require.NoError(t, err)
	require.NotContains(t, c.Own(), "postgres://u:p@h/d")
}
