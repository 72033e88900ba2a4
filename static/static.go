package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed css js img vendor
var files embed.FS

// Prefix is the path below which the handler is mounted.
const Prefix = "/static/"

// tree is the embedded tree, read once. Templates name files through Path and
// have no place to carry a value, hence the package variable.
//
//nolint:gochecknoglobals // immutable, derived from embedded files
var tree = sync.OnceValue(func() *assets {
	t, err := read(files)
	if err != nil {
		panic(fmt.Sprintf("static: cannot read the embedded files: %v", err))
	}
	return t
})

type assets struct {
	hash  string
	files map[string]*asset
}

type asset struct {
	data        []byte
	contentType string
	packed      func() []byte // gzip form, nil when it would not help
}

// read takes every served file of fsys and the hash over names and contents.
func read(fsys fs.FS) (*assets, error) {
	t := &assets{files: map[string]*asset{}}
	sum := sha256.New()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".test.js") {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
		t.files[name] = newAsset(name, data)
		return nil
	})
	if err == nil {
		err = t.join("css/app.css")
	}
	t.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return t, err
}

// join puts the files a style sheet imports in place of its @import lines, so that
// a page asks for one file while we keep writing many. Addresses inside them are
// relative to css/, whichever folder they are written in.
func (t *assets) join(name string) error {
	sheet := t.files[name]
	if sheet == nil {
		return fmt.Errorf("%s is missing", name)
	}
	var out bytes.Buffer
	for line := range strings.Lines(string(sheet.data)) {
		imported, ok := strings.CutPrefix(strings.TrimSpace(line), `@import "`)
		if !ok {
			out.WriteString(line)
			continue
		}
		part := path.Join(path.Dir(name), strings.TrimSuffix(imported, `";`))
		if t.files[part] == nil {
			return fmt.Errorf("%s imports %s, which is missing", name, part)
		}
		out.Write(t.files[part].data)
	}
	t.files[name] = newAsset(name, out.Bytes())
	return nil
}

func newAsset(name string, data []byte) *asset {
	a := &asset{data: data, contentType: contentType(name)}
	a.packed = sync.OnceValue(func() []byte {
		if strings.HasPrefix(a.contentType, "font/") || strings.HasPrefix(a.contentType, "image/png") {
			return nil
		}
		var buf bytes.Buffer
		w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
		if err != nil {
			return nil
		}
		if _, err := w.Write(data); err != nil || w.Close() != nil || buf.Len() >= len(data) {
			return nil
		}
		return buf.Bytes()
	})
	return a
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".json":
		return "application/json"
	case ".png":
		return "image/png"
	default:
		return "text/plain; charset=utf-8"
	}
}

// Path is the address of a file such as "css/app.css".
func Path(name string) string { return Prefix + tree().hash + "/" + name }

// Hash names the state of the whole tree; it changes when any file changes.
func Hash() string { return tree().hash }

// Exists reports whether a file of that name is served.
func Exists(name string) bool { return tree().files[name] != nil }

// Handler serves GET and HEAD below Prefix. Mount it with the full path, not
// stripped.
//
// A hash other than ours belongs to another release (during a rolling update a
// page of one server asks the other). Such a request gets our file, but nobody
// may keep it.
func Handler() http.Handler { return tree() }

// ServeHTTP implements http.Handler.
func (t *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	file := t.files[name]
	if file == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	if hash == t.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-store")
	}
	body := file.data
	if acceptsGzip(r) {
		if packed := file.packed(); packed != nil {
			h.Set("Content-Encoding", "gzip")
			body = packed
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the reader went away; nothing to answer any more
	}
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" {
			return strings.TrimSpace(weight) != "q=0"
		}
	}
	return false
}
