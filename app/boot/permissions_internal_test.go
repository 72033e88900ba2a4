package boot

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheTableOfPermissionsIsThatOfTheRules compares docs/permissions.md with what the modules declare.
func TestTheTableOfPermissionsIsThatOfTheRules(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../docs/permissions.md", "<!-- permissions: begin -->\n", "<!-- permissions: end -->"
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(data), begin)
	require.True(t, ok)
	table, _, ok := strings.Cut(rest, end)
	require.True(t, ok)
	require.Equal(t, PermissionTable(), table, "the table is what `dorado policy list --permissions` prints")
}
