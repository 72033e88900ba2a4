//go:build e2e

package e2e

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// second drops the value of a call that is expected to fail.
func second[T any](_ T, err error) error { return err }

func touch(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o644))
}

// open makes a temporary folder that every user may write to.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dorado-e2e-") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}
