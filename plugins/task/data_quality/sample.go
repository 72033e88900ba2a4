package dataquality

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	mostRows   = 10_000 // in the file
	loggedRows = 100
	keptRows   = 100      // for the page of the result
	keptBytes  = 64 << 10 // of them, as JSON
	keptCell   = 1000     // characters of one value
	cellWidth  = 60       // in the log, in characters
	// rowsFile is in the working directory; an OUT parameter of the type FILE hands it on.
	rowsFile = "error_rows.csv"
)

// sample is the first rows that break a rule.
type sample struct {
	columns []string
	rows    [][]string
	nulls   map[[2]int]bool // row and column of the first ones
}

// Rows are the first rows that break a rule, as pages show them.
type Rows struct {
	Columns []string    `json:"columns"`
	Rows    [][]*string `json:"rows"` // nil is NULL
	More    bool        `json:"more"` // there are others
}

// add keeps a row and says whether another one is wanted.
func (s *sample) add(columns []string, row []any) bool {
	if len(s.rows) >= mostRows {
		return false
	}
	if s.columns == nil {
		s.columns = append(s.columns, columns...)
	}
	texts := make([]string, len(row))
	for i, v := range row {
		if texts[i] = cell(v); v == nil {
			texts[i] = "NULL"
			if len(s.rows) < keptRows {
				if s.nulls == nil {
					s.nulls = map[[2]int]bool{}
				}
				s.nulls[[2]int{len(s.rows), i}] = true
			}
		}
	}
	s.rows = append(s.rows, texts)
	return len(s.rows) < mostRows
}

// preview is the first rows as JSON, as many as there is room for.
func (s *sample) preview() json.RawMessage {
	out := Rows{Columns: make([]string, len(s.columns)), Rows: [][]*string{}, More: len(s.rows) > keptRows}
	size := 64
	short := func(text string) string {
		if r := []rune(text); len(r) > keptCell {
			text = string(r[:keptCell-1]) + "…"
		}
		raw, err := json.Marshal(text)
		if err == nil {
			size += len(raw) + 1
		}
		return text
	}
	for i, name := range s.columns {
		out.Columns[i] = short(name)
	}
	for i, row := range s.rows[:min(len(s.rows), keptRows)] {
		size += 3
		line := make([]*string, len(row))
		for k, text := range row {
			if s.nulls[[2]int{i, k}] {
				size += len("null,")
				continue
			}
			line[k] = new(short(text))
		}
		if size > keptBytes {
			out.More = true
			break
		}
		out.Rows = append(out.Rows, line)
	}
	raw, err := json.Marshal(out)
	if err != nil || len(raw) > keptBytes { // names alone are too long
		return nil
	}
	return raw
}

// cell is a value of a database as text.
func cell(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case []byte:
		return strings.ToValidUTF8(string(x), "\uFFFD")
	case string:
		return strings.ToValidUTF8(x, "\uFFFD")
	case time.Time:
		return x.Format("2006-01-02 15:04:05.999999999")
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(x), 'f', -1, 32)
	default:
		return fmt.Sprint(x)
	}
}

// write draws the first rows as a table.
func (s *sample) write(w io.Writer) {
	if len(s.rows) == 0 {
		return
	}
	lines := [][]string{s.columns}
	lines = append(lines, s.rows[:min(len(s.rows), loggedRows)]...)
	widths := make([]int, len(s.columns))
	for i, line := range lines {
		short := make([]string, len(line))
		for k, text := range line {
			text = strings.Join(strings.Fields(text), " ")
			if r := []rune(text); len(r) > cellWidth {
				text = string(r[:cellWidth-1]) + "…"
			}
			short[k] = text
			widths[k] = max(widths[k], utf8.RuneCountInString(text))
		}
		lines[i] = short
	}
	var b strings.Builder
	for i, line := range lines {
		var out strings.Builder
		for k, text := range line {
			out.WriteString(text + strings.Repeat(" ", widths[k]-utf8.RuneCountInString(text)+2))
		}
		b.WriteString(strings.TrimRight(out.String(), " ") + "\n")
		if i == 0 {
			for _, width := range widths {
				b.WriteString(strings.Repeat("-", width) + "  ")
			}
			b.WriteString("\n")
		}
	}
	if more := len(s.rows) - loggedRows; more > 0 {
		fmt.Fprintf(&b, "(%d more in %s)\n", more, rowsFile)
	}
	_, _ = io.WriteString(w, b.String()) // a log that is broken shows in the next line
}

// save writes all rows to a file, as CSV.
func (s *sample) save(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", rowsFile, err)
	}
	w := csv.NewWriter(f)
	err = w.WriteAll(append([][]string{s.columns}, s.rows...))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", rowsFile, err)
	}
	return nil
}
