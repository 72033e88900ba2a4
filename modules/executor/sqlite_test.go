package executor

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
	"dorado/plugins/datasource/sqlitefile"
)

func TestTheWorkerThatRunsATaskDecidesWhichFilesOfSQLiteAreOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, "own")
	require.NoError(t, os.Mkdir(own, 0o755))
	for _, file := range []string{"shop.db", "own/dorado.db"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
	}
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	work := func(t *testing.T, folders []string, file, text string) *doradov1.Report {
		t.Helper()
		types, err := catalog.ConfiguredDataSources(catalog.DataSourceConfig{SQLite: sqlitefile.Config{Folders: folders}}, []string{own})
		require.NoError(t, err)
		m, cfg := newScripted(t, "m"), testConfig(t)
		startTuned(t, Deps{Config: cfg, Sources: types, Catalog: plugins, Logger: slog.New(slog.DiscardHandler), Environ: []string{"PATH=" + cfg.Path}}, nil, m)
		settings, err := json.Marshal(map[string]string{"file": filepath.Join(dir, file), "readOnly": "false"})
		require.NoError(t, err)
		job := newTask("SQL", map[string]any{
			"type": "SQLITE", "datasource": 3, "sqlType": "0", "sql": text, "preStatements": []string{"CREATE TABLE IF NOT EXISTS t (a)", "INSERT INTO t VALUES (7)"},
			"localParams": []map[string]string{{"prop": "n", "direct": "OUT", "type": "LONG", "value": ""}},
		})
		job.Sources = []*doradov1.Source{{Id: 3, Name: "shop", Type: "SQLITE", Settings: settings}}
		r, _ := m.run(job)
		return r
	}
	r := work(t, []string{dir}, "shop.db", "SELECT max(a) AS n FROM t")
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage())
	require.Equal(t, "7", r.GetVarPool()[0].GetValue())
	for want, c := range map[string]struct {
		folders []string
		file    string
		text    string
	}{
		"configuration key datasource.sqlite.folders": {nil, "shop.db", "SELECT 1"},
		"not below a folder":                          {[]string{filepath.Join(dir, "other")}, "shop.db", "SELECT 1"},
		"belongs to this program":                     {[]string{dir}, "own/dorado.db", "SELECT 1"},
		"there is no file":                            {[]string{dir}, "gone.db", "SELECT 1"},
		"authoriz":                                    {[]string{dir}, "shop.db", "ATTACH '" + filepath.Join(own, "dorado.db") + "' AS x"},
	} {
		r := work(t, c.folders, c.file, c.text)
		require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
		require.Contains(t, r.GetMessage(), want)
	}
}
