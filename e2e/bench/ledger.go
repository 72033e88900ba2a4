package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Ledger is the file to which each task appends its id and the time at which it ran. Each line is one write to a
// descriptor opened for appending, so lines of many processes never mix.
type Ledger struct{ Path string }

// newLedger makes an empty file that every user may append to.
func newLedger(path string) (Ledger, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return Ledger{}, err
	}
	if err := f.Chmod(0o666); err != nil { // whatever the umask says
		return Ledger{}, err
	}
	return Ledger{path}, f.Close()
}

// Line returns the shell words that append an id. EPOCHREALTIME is bash's clock; in another shell it is empty.
func (l Ledger) Line(id string) string {
	return fmt.Sprintf("echo %s $EPOCHREALTIME >> %s", id, l.Path)
}

// Entry is one line of a ledger.
type Entry struct {
	ID string
	At time.Time // zero when the shell has no clock
}

// Entries reads the whole ledger.
func (l Ledger) Entries() ([]Entry, error) {
	raw, err := os.ReadFile(l.Path)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		id, at, _ := strings.Cut(s.Text(), " ")
		e := Entry{ID: id}
		if at != "" {
			seconds, micros, _ := strings.Cut(at, ".")
			a, err1 := strconv.ParseInt(seconds, 10, 64)
			b, err2 := strconv.ParseInt(micros, 10, 64)
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("ledger: bad line %q", s.Text())
			}
			e.At = time.Unix(a, b*1000)
		}
		out = append(out, e)
	}
	return out, nil
}

// Count returns the number of lines, reading only what is new since the offset, which it moves.
func (l Ledger) Count(offset *int64) (int, error) {
	f, err := os.Open(l.Path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(*offset, io.SeekStart); err != nil {
		return 0, err
	}
	raw, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	*offset += int64(len(raw))
	return bytes.Count(raw, []byte{'\n'}), nil
}

// twice returns the ids that stand in the ledger more than once, with their counts.
func twice(entries []Entry) map[string]int {
	n := make(map[string]int, len(entries))
	for _, e := range entries {
		n[e.ID]++
	}
	for id, c := range n {
		if c == 1 {
			delete(n, id)
		}
	}
	return n
}
