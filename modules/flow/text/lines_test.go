package text_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/text"
)

func TestAComparisonHoldsBothTexts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	some := func() string {
		var b strings.Builder
		for range r.IntN(30) {
			b.WriteString(string(rune('a'+r.IntN(4))) + "\n")
		}
		return b.String()
	}
	for range 2000 {
		a, b := some(), some()
		var old, now strings.Builder
		changes := 0
		for _, l := range text.Lines(a, b) {
			if l.Op != text.Added {
				old.WriteString(l.Text + "\n")
			}
			if l.Op != text.Removed {
				now.WriteString(l.Text + "\n")
			}
			if l.Op != text.Same {
				changes++
			}
		}
		require.Equal(t, a, old.String())
		require.Equal(t, b, now.String())
		require.Equal(t, shortest(strings.Split(a, "\n"), strings.Split(b, "\n")), changes)
	}
}

// shortest counts the lines to take away and add, the slow way.
func shortest(x, y []string) int {
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		corner := row[0]
		row[0] = i + 1
		for j := range y {
			next := min(row[j], row[j+1]) + 1
			if x[i] == y[j] {
				next = corner
			}
			corner, row[j+1] = row[j+1], next
		}
	}
	return row[len(y)]
}

func TestAUnifiedComparisonReadsLikeDiff(t *testing.T) {
	t.Parallel()
	a := strings.Join([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", ""}, "\n")
	b := strings.Replace(strings.Replace(a, "2\n", "two\n", 1), "11\n", "", 1)
	require.Equal(t, "--- old\n+++ new\n@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n@@ -8,5 +8,4 @@\n 8\n 9\n 10\n-11\n 12\n", text.Unified(a, b, "old", "new"))
	require.Empty(t, text.Unified(a, a, "old", "new"))
}

func TestThePublishedSchemaIsCurrent(t *testing.T) {
	t.Parallel()
	const file = "../../../docs/workflow.schema.json"
	want := string(text.Schema(nil))
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "write it again with UPDATE=1 go test ./modules/flow/text")
}
