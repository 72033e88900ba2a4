package script_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/alert"
	"dorado/plugins/alert/script"
	"dorado/plugins/form"
)

func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func TestAScriptGetsTitleContentAndParametersAsTheyAre(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir, "tell.sh", `printf '%s|' "$@"; cat`, 0o755)
	hostile := `it's $(id) "x" ; rm`
	answer, err := script.Plugin(dir).Deliver(t.Context(), form.Flat{"path": path, "userParams": hostile}, alert.Message{Title: hostile, Content: "[]"})
	require.NoError(t, err)
	require.Equal(t, "-t|"+hostile+"|-c|[]|-p|"+hostile+"|[]", answer)
}

func TestAScriptThatFailsSaysHow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir, "fail.sh", "echo sorry >&2; exit 3", 0o755)
	_, err := script.Plugin(dir).Deliver(t.Context(), form.Flat{"path": path}, alert.Message{})
	require.ErrorIs(t, err, alert.ErrRefused)
	require.ErrorContains(t, err, "exit code 3: sorry")
}

func TestOnlyScriptsOfTheOperatorAreRun(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	outside := write(t, elsewhere, "x.sh", "echo ran", 0o755)
	link := filepath.Join(dir, "link.sh")
	require.NoError(t, os.Symlink(outside, link))
	open := write(t, dir, "open.sh", "echo ran", 0o777)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.sh"), 0o755))
	p := script.Plugin(dir)
	for _, path := range []string{outside, link, open, filepath.Join(dir, "..", filepath.Base(elsewhere), "x.sh"), filepath.Join(dir, "missing.sh"), filepath.Join(dir, "folder.sh")} {
		answer, err := p.Deliver(t.Context(), form.Flat{"path": path}, alert.Message{})
		require.Error(t, err, path)
		require.NotContains(t, answer, "ran")
	}
	for _, path := range []string{"relative.sh", "/bin/true", ""} {
		_, problems := p.Decode(form.Flat{"path": path})
		require.NotEmpty(t, problems, path)
	}
	_, err := script.Plugin(filepath.Join(dir, "nowhere")).Deliver(t.Context(), form.Flat{"path": open}, alert.Message{})
	require.ErrorContains(t, err, "there is no folder")
}

func TestNothingOfTheProgramReachesAScript(t *testing.T) {
	t.Setenv("DORADO_SECRET_KEY", "hunter2")
	dir := t.TempDir()
	path := write(t, dir, "env.sh", "env", 0o755)
	answer, err := script.Plugin(dir).Deliver(t.Context(), form.Flat{"path": path}, alert.Message{})
	require.NoError(t, err)
	require.NotContains(t, answer, "hunter2")
	require.Contains(t, answer, "PATH=")
}
