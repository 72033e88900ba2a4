package alert

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Table is the content of a message: rows under columns, in the order in which they were written.
type Table struct {
	Columns []string // of all rows, in the order in which they were first seen
	Rows    []Row
}

// Row is one object of the content.
type Row struct {
	Keys   []string         // in the order in which they were written
	Values map[string]Value // by key
	Raw    json.RawMessage  // the object as it was written
}

// Value is one cell.
type Value struct {
	Text   string // as people read it
	Number bool   // it was written as a number
}

// errContent says that content is not a list of objects.
var errContent = errors.New("alert: the content is not a list of objects")

// Table reads the content. Content that is no list of objects is one row with one cell.
func (m Message) Table() Table {
	if t, err := readTable([]byte(m.Content)); err == nil {
		return t
	}
	if strings.TrimSpace(m.Content) == "" {
		return Table{}
	}
	raw, err := json.Marshal(map[string]string{"content": m.Content})
	if err != nil {
		return Table{}
	}
	return Table{Columns: []string{"content"}, Rows: []Row{{
		Keys: []string{"content"}, Values: map[string]Value{"content": {Text: m.Content}}, Raw: raw,
	}}}
}

func readTable(content []byte) (Table, error) {
	var raws []json.RawMessage
	if err := json.Unmarshal(content, &raws); err != nil {
		return Table{}, errContent
	}
	var t Table
	seen := map[string]bool{}
	for _, raw := range raws {
		row, err := readRow(raw)
		if err != nil {
			return Table{}, err
		}
		for _, k := range row.Keys {
			if !seen[k] {
				seen[k] = true
				t.Columns = append(t.Columns, k)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// readRow reads one object with its keys in order, which a Go map would lose.
func readRow(raw json.RawMessage) (Row, error) {
	row := Row{Values: map[string]Value{}, Raw: raw}
	d := json.NewDecoder(bytes.NewReader(raw))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return row, errContent
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return row, errContent
		}
		key, _ := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return row, errContent
		}
		if !slices.Contains(row.Keys, key) {
			row.Keys = append(row.Keys, key)
		}
		row.Values[key] = readValue(value)
	}
	return row, nil
}

func readValue(raw json.RawMessage) Value {
	var text string
	switch {
	case string(raw) == "null":
		return Value{}
	case json.Unmarshal(raw, &text) == nil:
		return Value{Text: text}
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		return Value{Text: string(raw), Number: true}
	default:
		return Value{Text: string(raw)}
	}
}

// Lines are the cells as lines "key:value".
func (t Table) Lines() string {
	var b strings.Builder
	for _, r := range t.Rows {
		for _, k := range r.Keys {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(k)
			b.WriteByte(':')
			b.WriteString(r.Values[k].Text)
		}
	}
	return b.String()
}

// KeyValueText is what chats show: the title in backticks, then a line for every cell.
func (m Message) KeyValueText() string { return "`" + m.Title + "`\n" + m.Table().Lines() }
