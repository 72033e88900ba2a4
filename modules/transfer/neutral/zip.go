package neutral

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Entry is one file of an archive.
type Entry struct {
	Path string // with slashes, never leading out of the archive
	Data []byte
}

// Base is the name without folders.
func (e Entry) Base() string { return path.Base(e.Path) }

// Dir is the folder, "." at the top.
func (e Entry) Dir() string { return path.Dir(e.Path) }

// Ext is how the name ends, in lower case.
func (e Entry) Ext() string { return strings.ToLower(path.Ext(e.Path)) }

// IsZip reports whether data begins as archives do.
func IsZip(data []byte) bool { return bytes.HasPrefix(data, []byte("PK\x03\x04")) }

// ratioFrom is the size below which nothing asks how well a file was packed: small texts of blanks pack well.
const ratioFrom = 1 << 20

// Unzip reads the files of an archive in memory. Nothing that an archive says about itself is believed: sizes are counted
// while unpacking. It returns ErrTooLarge, ErrUnsafe, ErrArchive.
func Unzip(data []byte) ([]Entry, error) {
	if len(data) > MaxFile {
		return nil, ErrTooLarge.With("limit", MaxFile>>20)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, ErrArchive.Because(err)
	}
	if len(archive.File) > MaxEntries {
		return nil, ErrUnsafe.With("file", "", "reason", "too many files")
	}
	var out []Entry
	seen := map[string]bool{}
	total := 0
	most := min(MaxUnpacked, max(ratioFrom, len(data)*MaxRatio))
	for _, f := range archive.File {
		name, err := safePath(f.Name)
		if err != nil {
			return nil, err
		}
		switch mode := f.Mode(); {
		case mode.IsDir() || strings.HasSuffix(f.Name, "/") || hidden(name):
			continue
		case mode&fs.ModeType != 0:
			return nil, ErrUnsafe.With("file", name, "reason", "no plain file")
		case f.Flags&1 != 0:
			return nil, ErrUnsafe.With("file", name, "reason", "encrypted")
		case seen[name]:
			return nil, ErrUnsafe.With("file", name, "reason", "stands in the archive twice")
		}
		seen[name] = true
		content, err := unpack(f, most-total)
		if err != nil {
			return nil, err
		}
		total += len(content)
		out = append(out, Entry{name, content})
	}
	return out, nil
}

// unpack reads one file, at most room bytes of it.
func unpack(f *zip.File, room int) ([]byte, error) {
	in, err := f.Open()
	if err != nil {
		return nil, ErrArchive.With("file", f.Name).Because(err)
	}
	defer in.Close()
	content, err := io.ReadAll(io.LimitReader(in, int64(room)+1))
	switch {
	case err != nil:
		return nil, ErrArchive.With("file", f.Name).Because(err)
	case len(content) > room:
		return nil, ErrTooLarge.With("limit", MaxUnpacked>>20)
	}
	return content, nil
}

// safePath refuses names that lead elsewhere, or that show something else than they are.
func safePath(name string) (string, error) {
	bad := func(reason string) error { return ErrUnsafe.With("file", CleanName(name, 100), "reason", reason) }
	clean := path.Clean(strings.TrimSuffix(name, "/"))
	switch {
	case name == "" || len(name) > MaxPath:
		return "", bad("name too long")
	case !utf8.ValidString(name):
		return "", bad("name is no UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || invisible(r) }):
		return "", bad("name has invisible characters")
	case strings.ContainsAny(name, `\:`):
		return "", bad("name of another system")
	case strings.HasPrefix(name, "/") || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains("/"+name+"/", "/../"):
		return "", bad("name leads out of the archive")
	}
	return clean, nil
}

// hidden tells files that systems leave in archives.
func hidden(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(name, "__MACOSX/") || base == ".DS_Store" || base == "Thumbs.db" || strings.HasPrefix(base, "._")
}
