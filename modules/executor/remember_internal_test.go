package executor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task/shell"
)

func TestSettingsThatAreRememberedAreNotChangedByAnAttempt(t *testing.T) {
	t.Parallel()
	r, plugin := newRemembered(), shell.Plugin()
	raw := []byte(`{"rawScript":"echo ${who}","localParams":[],"resourceList":[]}`)
	for _, who := range []string{"ann", "bob", "eve"} {
		values, problems := r.decode(plugin, raw)
		require.Empty(t, problems)
		require.NoError(t, values.Expand(plugin.Schema, func(s string) (string, error) {
			return strings.ReplaceAll(s, "${who}", who), nil
		}))
		require.Equal(t, "echo "+who, values.Text("rawScript"))
	}
}

func TestBadSettingsAreRefusedEachTime(t *testing.T) {
	t.Parallel()
	r, plugin := newRemembered(), shell.Plugin()
	for range 2 {
		_, problems := r.decode(plugin, []byte(`["rawScript"]`))
		require.NotEmpty(t, problems)
	}
}

func TestAnInterpreterThatAppearsIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	r, dir := newRemembered(), t.TempDir()
	require.Empty(t, r.lookPath("tool", dir))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tool"), []byte("#!/bin/sh\n"), 0o755))
	require.Equal(t, filepath.Join(dir, "tool"), r.lookPath("tool", dir))
	require.Equal(t, filepath.Join(dir, "tool"), r.lookPath("tool", dir))
}
