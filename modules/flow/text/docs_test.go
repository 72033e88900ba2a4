package text_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/text"
)

func TestTheExamplesOfTheDocumentationAreRight(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/workflow-yaml.md")
	require.NoError(t, err)
	known := book{
		text.Project: {"finance": 1}, text.Workflow: {"finance/load-orders": 2, "finance/nightly": 3}, text.Environment: {"production": 4},
	}
	seen := 0
	for _, part := range strings.Split(string(page), "```yaml\n")[1:] {
		src, _, _ := strings.Cut(part, "```")
		if !strings.Contains(src, "tasks:") {
			continue
		}
		if !strings.Contains(src, "name: ") || strings.HasPrefix(src, "tasks:") {
			src = "name: example\n" + src
		}
		seen++
		require.Empty(t, text.Parse([]byte(src), text.Options{Names: known}).Problems, src)
	}
	require.Equal(t, 4, seen)
}
