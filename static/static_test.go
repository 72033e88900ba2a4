package static_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/static"
)

func get(t *testing.T, method, url string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, url, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestFilesMayBeCachedForEverUnderTheirHash(t *testing.T) {
	t.Parallel()
	res := get(t, http.MethodGet, static.Path("css/app.css"))
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/css; charset=utf-8", res.Header.Get("Content-Type"))
	require.Equal(t, "public, max-age=31536000, immutable", res.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
}

func TestAnotherReleasesHashIsAnsweredButNeverKept(t *testing.T) {
	t.Parallel()
	res := get(t, http.MethodGet, "/static/0123456789abcdef/css/app.css")
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
}

func TestUnknownFilesAndTestsAreNotServed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nothing.css", "../go.mod", "static.go", "js", "js/behaviors/time.test.js", ""} {
		res := get(t, http.MethodGet, static.Path(name))
		require.Equalf(t, http.StatusNotFound, res.StatusCode, "%q", name)
	}
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	t.Parallel()
	res := get(t, http.MethodPost, static.Path("css/app.css"))
	require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
	require.Equal(t, "GET, HEAD", res.Header.Get("Allow"))

	res = get(t, http.MethodHead, static.Path("css/app.css"))
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Empty(t, body)
	require.NotEmpty(t, res.Header.Get("Content-Length"))
}

func TestTextIsCompressedWhenTheBrowserAcceptsIt(t *testing.T) {
	t.Parallel()
	plain, err := io.ReadAll(get(t, http.MethodGet, static.Path("vendor/htmx.js")).Body)
	require.NoError(t, err)

	res := get(t, http.MethodGet, static.Path("vendor/htmx.js"), "Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	z, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	unpacked, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, plain, unpacked)

	res = get(t, http.MethodGet, static.Path("vendor/htmx.js"), "Accept-Encoding", "gzip;q=0")
	require.Empty(t, res.Header.Get("Content-Encoding"))
	res = get(t, http.MethodGet, static.Path("vendor/fonts/inter-latin.woff2"), "Accept-Encoding", "gzip")
	require.Empty(t, res.Header.Get("Content-Encoding"), "fonts are compressed already")
}

func TestVendoredFilesAreTheRecordedOnes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("vendor/vendor.json")
	require.NoError(t, err)
	var records []struct {
		File, Source, Licence, SHA256 string
		Packages                      []string
	}
	require.NoError(t, json.Unmarshal(data, &records))
	known := map[string]bool{"vendor.json": true}
	for _, r := range records {
		known[r.File] = true
		data, err := os.ReadFile(filepath.Join("vendor", r.File))
		require.NoError(t, err)
		sum := sha256.Sum256(data)
		require.Equalf(t, r.SHA256, hex.EncodeToString(sum[:]), "%s was changed by hand", r.File)
		require.NotEmptyf(t, r.Source, "%s", r.File)
		for _, p := range r.Packages {
			require.Regexpf(t, `^@?[\w./-]+@\d+\.\d+\.\d+$`, p, "%s", r.File)
			name := p[:strings.LastIndex(p, "@")]
			text := strings.ReplaceAll(strings.TrimPrefix(name, "@"), "/", "-") + ".txt"
			require.FileExistsf(t, filepath.Join("vendor", "licences", text), "licence text of %s", p)
		}
	}
	err = filepath.WalkDir("vendor", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel("vendor", path)
		if err == nil && !strings.HasPrefix(rel, "licences") {
			require.Truef(t, known[filepath.ToSlash(rel)], "%s is not in vendor.json", rel)
		}
		return err
	})
	require.NoError(t, err)
}

func TestNoStyleSheetOrScriptReachesOutside(t *testing.T) {
	t.Parallel()
	outside := regexp.MustCompile(`(?:url\(|import\s*\(?|from\s*)\s*['"]?https?://`)
	for _, dir := range []string{"css", "js"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			require.NotRegexp(t, outside, string(data), path)
			return err
		})
		require.NoError(t, err)
	}
}

func TestEveryFileAStyleSheetNamesExists(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?:@import |url\()['"]?([^'")]+)`)
	err := filepath.WalkDir("css", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range named.FindAllStringSubmatch(string(data), -1) {
			if !strings.HasPrefix(m[1], "data:") {
				require.FileExistsf(t, filepath.Join(filepath.Dir(path), m[1]), "%s", path)
			}
		}
		return err
	})
	require.NoError(t, err)
}
