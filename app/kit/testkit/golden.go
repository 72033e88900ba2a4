package testkit

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// update rewrites golden files instead of comparing: go test ./the/package -update.
//
//nolint:gochecknoglobals // flags of a test binary are registered before its tests are known
var update = flag.Bool("update", false, "rewrite golden files in testdata")

// Updating reports whether golden files are being rewritten.
func Updating() bool { return *update }

// Golden compares got with testdata/<name>, or rewrites that file with -update.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to create it, then review it like code")
	require.Equal(t, string(want), got)
}
