package icons_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryIconAPageNamesIsInTheSprite(t *testing.T) {
	t.Parallel()
	sprite, err := os.ReadFile("../../static/vendor/icons.svg")
	require.NoError(t, err)
	named := regexp.MustCompile(`icons\.(?:Icon|Spin|Href)\("([^"]+)"\)|\bIcon:\s*"([^"]+)"`)
	found := 0
	for _, dir := range []string{"..", "../../modules", "../../plugins", "../../app"} {
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_templ.go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				found++
				require.Containsf(t, string(sprite), `id="`+m[1]+m[2]+`"`, "%s", path)
			}
			return err
		})
		require.NoError(t, err)
	}
	require.Positive(t, found)
}
