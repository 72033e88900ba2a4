package resource

import (
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
)

// Limits of names.
const (
	MaxName = 255  // bytes of one part of a path
	MaxPath = 1024 // bytes
)

// Faults of this package.
var (
	ErrNotConfigured = fault.New(fault.Unavailable, "resource.not_configured")
	ErrNotFound      = fault.New(fault.NotFound, "resource.not_found")
	ErrExists        = fault.New(fault.Conflict, "resource.exists")
	ErrBadPath       = fault.New(fault.Invalid, "resource.bad_path")
	ErrForeign       = fault.New(fault.Forbidden, "resource.foreign")
	ErrNotFolder     = fault.New(fault.Invalid, "resource.not_folder")
	ErrIsFolder      = fault.New(fault.Invalid, "resource.is_folder")
	ErrInUse         = fault.New(fault.Conflict, "resource.in_use")
	ErrTooLarge      = fault.New(fault.TooLarge, "resource.too_large")
	ErrQuota         = fault.New(fault.TooLarge, "resource.quota")
	ErrNotText       = fault.New(fault.Invalid, "resource.not_text")
	ErrChanged       = fault.New(fault.Conflict, "resource.changed")
	ErrIntoItself    = fault.New(fault.Invalid, "resource.into_itself")
	ErrShort         = fault.New(fault.Invalid, "resource.short")
)

// Ref names a file or folder: a tenant and a path in its tree without a slash at either end. The path of the tree itself is
// empty.
type Ref struct {
	Tenant string
	Path   string
}

// String is the name that definitions are compared by.
func (r Ref) String() string { return flow.ResourceName(r.Tenant, r.Path) }

// Name is the last part of the path.
func (r Ref) Name() string { return path.Base("/" + r.Path) }

// Parent is the folder the file lies in.
func (r Ref) Parent() Ref { return Ref{r.Tenant, parentOf(r.Path)} }

// Child is what lies in the folder under a name.
func (r Ref) Child(name string) Ref {
	if r.Path == "" {
		return Ref{r.Tenant, name}
	}
	return Ref{r.Tenant, r.Path + "/" + name}
}

// Root reports whether r is the tree of a tenant.
func (r Ref) Root() bool { return r.Path == "" }

// within reports whether r is folder or lies below it.
func (r Ref) within(folder Ref) bool {
	return r.Tenant == folder.Tenant && (folder.Path == "" || r.Path == folder.Path || strings.HasPrefix(r.Path, folder.Path+"/"))
}

func parentOf(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// Check returns ErrBadPath with the reason for a path that cannot be.
func (r Ref) Check() error {
	if r.Path == "" {
		return nil
	}
	if len(r.Path) > MaxPath {
		return badPath(r.Path[:64]+"…", "long")
	}
	for part := range strings.SplitSeq(r.Path, "/") {
		if reason := badName(part); reason != "" {
			return badPath(part, reason)
		}
	}
	return nil
}

// badPath is ErrBadPath with its reason as the message about the name.
func badPath(name, reason string) error {
	return ErrBadPath.With("name", name).OnField("name", ErrBadPath.Key+"."+reason, "name", name)
}

// badName says what is wrong with one part of a path, as the end of a message key; "" when nothing is.
func badName(name string) string {
	switch {
	case name == "":
		return "empty"
	case name == ".", name == "..":
		return "dots"
	case len(name) > MaxName:
		return "long"
	case !utf8.ValidString(name), !norm.NFC.IsNormalString(name):
		return "unicode"
	case strings.TrimSpace(name) != name:
		return "blank"
	case strings.ContainsAny(name, `\/`):
		return "slash"
	case strings.ContainsFunc(name, invisible):
		return "invisible"
	default:
		return ""
	}
}

// invisible are characters that make two names look alike: control characters, and formats such as changes of direction and
// joiners of width zero.
func invisible(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }

// File is a file or folder.
type File struct {
	ID        int64     `db:"id"`
	Tenant    string    `db:"tenant"`
	Path      string    `db:"path"`
	Name      string    `db:"name"`
	Dir       bool      `db:"is_dir"`
	Size      int64     `db:"size"`   // bytes; of a folder 0
	SHA256    string    `db:"sha256"` // hexadecimal; of a folder empty
	Blob      string    `db:"blob"`   // key in the storage
	Revision  int       `db:"revision"`
	UserID    int64     `db:"user_id"`
	UserName  string    `db:"user_name"`
	CreatedAt time.Time `db:"created_at"`
	UpdatedAt time.Time `db:"updated_at"`
}

// Ref is what the file is called.
func (f File) Ref() Ref { return Ref{f.Tenant, f.Path} }

// Editable reports whether the file can be viewed and edited as text.
func (f File) Editable() bool { return !f.Dir && f.Size <= MaxText && TextSuffix(f.Name) }

// MaxText is the size in bytes up to which a file is shown and edited in the browser.
const MaxText = 1_000_000

// TextSuffixes are the endings of names that mean text, as in DolphinScheduler's resource.view.suffixs, and Markdown, CSV and
// R besides.
func TextSuffixes() []string {
	return []string{
		"txt", "log", "sh", "bat", "conf", "cfg", "py", "java", "sql", "xml", "hql", "properties", "json", "yml", "yaml", "ini", "js",
		"md", "csv", "tsv", "toml", "r", "scala", "go", "ts", "css", "html", "env", "tpl",
	}
}

// TextSuffix reports whether a name says that the file is text.
func TextSuffix(name string) bool {
	return slices.Contains(TextSuffixes(), strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")))
}

// Revision is what a file held.
type Revision struct {
	FileID    int64     `db:"resource_id"`
	Number    int       `db:"revision"`
	Blob      string    `db:"blob"`
	Size      int64     `db:"size"`
	SHA256    string    `db:"sha256"`
	Message   string    `db:"message"`
	UserName  string    `db:"user_name"`
	CreatedAt time.Time `db:"created_at"`
}

// Usage is how much of its quota a tenant uses.
type Usage struct {
	Files int64 `db:"files"`
	Bytes int64 `db:"bytes"` // of all revisions, and of uploads that are not complete
	Quota int64 // 0 = no limit
}

// Use is a task that names a file.
type Use struct {
	Name     string // of the file
	Workflow string
	Task     string
	URL      string
}
