package i18n

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBothLanguagesHaveTheSameMessagesAndArguments(t *testing.T) {
	t.Parallel()
	english, chinese := loaded()[English], loaded()[Chinese]
	require.NotEmpty(t, english)

	for _, key := range slices.Sorted(maps.Keys(english)) {
		base, plural := strings.CutSuffix(key, ".one")
		if _, has := english[base+".other"]; plural && has {
			continue // Chinese has no form for one
		}
		text, ok := chinese[key]
		require.Truef(t, ok, "zh lacks %q", key)
		require.Equalf(t, placeholders(english[key]), placeholders(text), "arguments of %q", key)
	}
	for _, key := range slices.Sorted(maps.Keys(chinese)) {
		require.Containsf(t, english, key, "en lacks %q", key)
	}
	for key, text := range english {
		require.NotEmptyf(t, text, "%q is empty", key)
		if base, ok := strings.CutSuffix(key, ".other"); ok && strings.Contains(text, "{count}") {
			require.Containsf(t, english, base+".one", "the plural of %q needs a form for one", base)
		}
	}
}

func TestEveryKeyAskedForExistsAndEveryKeyIsUsed(t *testing.T) {
	t.Parallel()
	sources := readSources(t)

	asked := regexp.MustCompile(`i18n\.T\([\w.()]+,\s*"([^"]+)"\s*[,)]`)
	for file, text := range sources {
		for _, m := range asked.FindAllStringSubmatch(text, -1) {
			require.Truef(t, Has(m[1]), "%s asks for %q, which no catalogue has", file, m[1])
		}
	}

	// A key counts as used when it stands between quotes somewhere, or when a
	// quoted string that ends with a dot is its beginning ("state." + name).
	quoted := regexp.MustCompile("[\"'`]([a-zA-Z][\\w-]*(?:\\.[\\w-]+)*\\.?)[\"'`]")
	used := map[string]bool{}
	var prefixes []string
	for _, text := range sources {
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			if strings.HasSuffix(m[1], ".") {
				prefixes = append(prefixes, m[1])
			}
			used[m[1]] = true
		}
	}
	var idle []string
	for key := range loaded()[English] {
		base := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		known := used[key] || used[base] || slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(key, p)
		})
		if !known {
			idle = append(idle, key)
		}
	}
	slices.Sort(idle)
	require.Empty(t, idle, "keys nobody uses")
}

// readSources returns the hand-written program text that may name a key.
func readSources(t *testing.T) map[string]string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	out := map[string]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "node_modules", "vendor", "e2e", "docs"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		name := d.Name()
		written := strings.HasSuffix(name, ".templ") || strings.HasSuffix(name, ".js") ||
			strings.HasSuffix(name, ".go") && name != "doc.go" && !strings.HasSuffix(name, "_templ.go") && !strings.HasSuffix(name, "_test.go")
		if !written {
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // walks our own tree
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		out[rel] = string(text)
		return err
	})
	require.NoError(t, err)
	return out
}

func placeholders(text string) []string {
	found := regexp.MustCompile(`\{\w+\}`).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestAKeyDefinedInTwoFilesIsRefused(t *testing.T) {
	t.Parallel()
	_, err := parse(fstest.MapFS{
		"locales/en/a.json": {Data: []byte(`{"a.title":"A"}`)},
		"locales/en/b.json": {Data: []byte(`{"a.title":"B"}`)},
	})
	require.ErrorContains(t, err, `key "a.title" is already defined in locales/en/a.json`)
}

func TestPluralsFollowTheCountInEachLanguage(t *testing.T) {
	t.Parallel()
	en := WithLocale(t.Context(), English)
	zh := WithLocale(t.Context(), Chinese)
	require.Equal(t, "1 min ago", T(en, "js.time.ago.minute", "count", 1))
	require.Equal(t, "2 min ago", T(en, "js.time.ago.minute", "count", int64(2)))
	require.Equal(t, "1 分钟前", T(zh, "js.time.ago.minute", "count", 1))
	require.Equal(t, "1,284 items", T(en, "component.pager.total", "count", 1284))
	require.Equal(t, "1 item", T(en, "component.pager.total", "count", 1))
}

func TestAnUnknownKeyComesBackAsItIs(t *testing.T) {
	t.Parallel()
	require.Equal(t, "no.such.key", T(t.Context(), "no.such.key", "name", "x"))
}

func TestArgumentTextIsNotExpandedAgain(t *testing.T) {
	t.Parallel()
	got := translate(English, "component.pager.range", []any{"from", "{to}", "to", 9})
	require.Equal(t, "{to}-9", got)
}

func TestScriptsGetOnlyTheirOwnKeys(t *testing.T) {
	t.Parallel()
	messages := JS(WithLocale(t.Context(), Chinese))
	require.NotEmpty(t, messages)
	for key := range messages {
		require.True(t, strings.HasPrefix(key, "js."), key)
	}
}

func TestTheSavedLanguageWinsOverCookieAndBrowser(t *testing.T) {
	t.Parallel()
	require.Equal(t, Chinese, Match("zh_CN", "en", "en-US"))
	require.Equal(t, Chinese, Match("", "zh", "en-US"))
	require.Equal(t, Chinese, Match("", "", "fr;q=0.4, zh-TW;q=0.9"))
	require.Equal(t, English, Match("", "xx", "fr"))
	require.Equal(t, English, Match("", "", ""))
	require.Equal(t, English, Match("", "", ";;;"))
}

func TestTimesAreShownInTheViewersZone(t *testing.T) {
	t.Parallel()
	shanghai := time.FixedZone("Asia/Shanghai", 8*3600)
	ctx := WithZone(context.Background(), shanghai)
	at := time.Date(2026, 10, 18, 1, 30, 0, 0, time.UTC)
	require.Equal(t, "2026-10-18 09:30:00", DateTime(ctx, at))
	require.Equal(t, "2026-10-18 09:30:00 +08:00", Exact(ctx, at))
	require.Empty(t, DateTime(ctx, time.Time{}))
}

func TestRelativeTimeUsesTheLargestUnitThatFits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Date(2026, 10, 18, 12, 0, 0, 0, time.UTC)
	require.Equal(t, "just now", Ago(ctx, now, now.Add(-20*time.Second)))
	require.Equal(t, "12 min ago", Ago(ctx, now, now.Add(-12*time.Minute)))
	require.Equal(t, "in 4 h", Ago(ctx, now, now.Add(4*time.Hour)))
	require.Equal(t, "3 days ago", Ago(ctx, now, now.Add(-72*time.Hour)))
	require.Equal(t, "2026-01-02", Ago(ctx, now, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)))
}

func TestDurationsShowTheirTwoLargestUnits(t *testing.T) {
	t.Parallel()
	en := t.Context()
	zh := WithLocale(t.Context(), Chinese)
	require.Equal(t, "120ms", Duration(en, 120*time.Millisecond))
	require.Equal(t, "6m 41s", Duration(en, 6*time.Minute+41*time.Second))
	require.Equal(t, "1h", Duration(en, time.Hour+20*time.Second))
	require.Equal(t, "3d 4h", Duration(en, 76*time.Hour+59*time.Minute))
	require.Equal(t, "6分41秒", Duration(zh, 6*time.Minute+41*time.Second))
	require.Equal(t, "0ms", Duration(en, -time.Second))
}
