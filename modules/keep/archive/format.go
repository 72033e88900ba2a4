package archive

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Format is the version of the layout that this program writes; it reads this one.
const Format = 1

// What keeps a backup from being read. The messages say more.
var (
	ErrNoBackup   = errors.New("this is no backup of Dorado")
	ErrDamaged    = errors.New("the backup is damaged")
	ErrNewer      = errors.New("the backup was written by a newer program")
	ErrPassphrase = errors.New("the passphrase is missing or wrong")
	ErrTooLarge   = errors.New("the backup unpacks to more than is allowed")
)

// Type is what the values of a column are, on either database.
type Type string

// The types of columns. Instants are RFC 3339 in UTC, bytes are base64.
const (
	Int   Type = "int"
	Bool  Type = "bool"
	Text  Type = "text"
	Time  Type = "time"
	Float Type = "float"
	Bytes Type = "bytes"
)

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Table is a table whose rows are in the backup.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Header says what a backup is of.
type Header struct {
	Format    int               `json:"format"`
	Program   string            `json:"program"` // version of the program that wrote it
	Commit    string            `json:"commit,omitempty"`
	Schema    int64             `json:"schema"`  // number of the last migration
	Dialect   string            `json:"dialect"` // of the database it was read from
	CreatedAt time.Time         `json:"createdAt"`
	Tables    []Table           `json:"tables"`
	Skipped   map[string]string `json:"skipped"` // tables that are left out, and why
	Logs      bool              `json:"logs"`    // whether task logs were asked for
}

// Manifest says what a complete backup holds.
type Manifest struct {
	Rows      map[string]int64 `json:"rows"`  // by table
	Files     int64            `json:"files"` // members below files/
	FileBytes int64            `json:"fileBytes"`
	Bytes     int64            `json:"bytes"` // contents of all members but this one
	Checksums []string         `json:"checksums"`
}

// AllRows is the number of rows of all tables.
func (m Manifest) AllRows() int64 {
	n := int64(0)
	for _, rows := range m.Rows {
		n += rows
	}
	return n
}

// sum is a line of a list of checksums.
type sum struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	headerName   = "dorado-backup.json"
	manifestName = "manifest.json"

	pieceSize = 4 << 20 // bytes of rows in a member of a table
	listSize  = 1000    // members that one list of checksums covers

	// Bounds on what is read.
	maxHeader  = 4 << 20
	maxLine    = 64 << 20
	maxTables  = 1000
	maxColumns = 1000
	maxPath    = 4096
	maxLists   = 1 << 20
	window     = 8 << 20 // of the packer
)

var tableName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func pieceName(table string, n int) string { return fmt.Sprintf("tables/%s/%06d.jsonl", table, n) }
func listName(n int) string                { return fmt.Sprintf("checksums/%06d.jsonl", n) }

// check refuses a header that this program does not understand.
func (h *Header) check() error {
	switch {
	case h.Format > Format:
		return fmt.Errorf("%w: its format is %d, this program knows %d", ErrNewer, h.Format, Format)
	case h.Format != Format:
		return fmt.Errorf("%w: its format is %d", ErrNoBackup, h.Format)
	case len(h.Tables) > maxTables:
		return fmt.Errorf("%w: %d tables", ErrDamaged, len(h.Tables))
	}
	tables := map[string]bool{}
	for _, t := range h.Tables {
		if !tableName.MatchString(t.Name) || tables[t.Name] || len(t.Columns) == 0 || len(t.Columns) > maxColumns {
			return fmt.Errorf("%w: table %q", ErrDamaged, t.Name)
		}
		tables[t.Name] = true
		columns := map[string]bool{}
		for _, c := range t.Columns {
			if !tableName.MatchString(c.Name) || columns[c.Name] || !c.Type.known() {
				return fmt.Errorf("%w: column %q of table %s", ErrDamaged, c.Name, t.Name)
			}
			columns[c.Name] = true
		}
	}
	return nil
}

func (t Type) known() bool {
	switch t {
	case Int, Bool, Text, Time, Float, Bytes:
		return true
	}
	return false
}

// CheckPath refuses a path that is not plain, relative and below its folder.
func CheckPath(name string) error {
	if name == "" || len(name) > maxPath || !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\\") ||
		path.IsAbs(name) || path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../") {
		return fmt.Errorf("%w: a file is called %q", ErrDamaged, name)
	}
	return nil
}
