package flow

import (
	"bytes"
	"errors"
	"strings"
)

const (
	// MaxOutBytes bounds the OUT values of one attempt, keys and values together.
	MaxOutBytes = 1 << 20
	// maxOutLines bounds the lines one value may span; a marker that is still open then was no marker.
	maxOutLines = 1024
	// outPiece is how much of an open value is taken at a time.
	outPiece = 64 << 10
)

// ErrOutTooLarge says that a task emitted more OUT values than MaxOutBytes.
var ErrOutTooLarge = errors.New("flow: the task emits more than 1 MiB of output parameters")

const (
	outMarker    = "{setValue(" // after "$" or "#"
	outMarkerLen = len("$" + outMarker)
	outEnd       = ")}"
)

// OutScanner finds ${setValue(key=value)} and #{setValue(key=value)} in the output of a task, whatever else is in it:
// colours, broken UTF-8, binary. Values may span lines. When a marker comes before the last one is closed, the last
// one was text. Feed the output in pieces of any size with Write, then ask for Values.
//
// The zero OutScanner is not usable; it is not safe for concurrent use.
type OutScanner struct {
	declared map[string]bool // nil: every key
	values   map[string]string
	size     int
	tail     []byte // outside a value: the last bytes seen, in case a marker is cut in two
	inside   bool
	value    []byte // inside: what was seen of it
	lines    int
	huge     bool // the start of value was dropped: too long to be kept
	err      error
}

// NewOutScanner returns a scanner that keeps the values of the declared OUT parameters, or, when none is given, of
// every key it sees.
func NewOutScanner(declared ...Property) *OutScanner {
	s := &OutScanner{values: map[string]string{}}
	if len(declared) > 0 {
		s.declared = make(map[string]bool, len(declared))
		for _, p := range declared {
			if p.Direct == Out {
				s.declared[p.Prop] = true
			}
		}
	}
	return s
}

// Values are the emitted values by key; of several with one key the last. Values that were not closed are not there.
func (s *OutScanner) Values() map[string]string { return s.values }

// Write scans the next piece of output; it keeps no reference to it. It fails with ErrOutTooLarge, for good.
func (s *OutScanner) Write(chunk []byte) (int, error) {
	rest := chunk
	for len(rest) > 0 && s.err == nil {
		if s.inside {
			rest = s.read(rest)
		} else {
			rest = s.seek(rest)
		}
	}
	if s.err != nil {
		return 0, s.err
	}
	return len(chunk), nil
}

// seek looks for the next marker and returns what follows it.
func (s *OutScanner) seek(chunk []byte) []byte {
	if len(s.tail) > 0 {
		joined := append(s.tail, chunk[:min(len(chunk), outMarkerLen-1)]...) //nolint:gocritic // it borrows the spare room of the tail, which is written anew below
		if at := marker(joined); at >= 0 {
			used := at + outMarkerLen - len(s.tail)
			s.open()
			return chunk[used:]
		}
		if len(chunk) < outMarkerLen {
			s.tail = append(s.tail[:0], joined[max(0, len(joined)-outMarkerLen+1):]...)
			return nil
		}
	}
	if at := marker(chunk); at >= 0 {
		s.open()
		return chunk[at+outMarkerLen:]
	}
	s.tail = append(s.tail[:0], chunk[max(0, len(chunk)-outMarkerLen+1):]...)
	return nil
}

func (s *OutScanner) open() {
	s.inside, s.huge, s.lines = true, false, 0
	s.value, s.tail = s.value[:0], s.tail[:0]
}

// read takes the rest of the value, its next line, or its next piece, and returns what follows.
func (s *OutScanner) read(chunk []byte) []byte {
	if n := len(s.value); n > 0 && s.value[n-1] == ')' && chunk[0] == '}' {
		s.value = s.value[:n-1]
		s.close()
		return chunk[1:]
	}
	piece := chunk[:min(len(chunk), outPiece)]
	if end := bytes.IndexByte(piece, '\n'); end >= 0 {
		piece = piece[:end+1]
	}
	if end := bytes.Index(piece, []byte(outEnd)); end >= 0 {
		s.value = append(s.value, piece[:end]...)
		s.close()
		return chunk[end+len(outEnd):]
	}
	s.value = append(s.value, piece...)
	if piece[len(piece)-1] == '\n' {
		s.lines++
	}
	if s.lines >= maxOutLines && !s.restart() {
		s.inside = false
	}
	if len(s.value) > MaxOutBytes && !s.restart() {
		// Only an end within reach makes this too large; until then it may be a marker that is none.
		s.huge = true
		s.value = append(s.value[:0], s.value[len(s.value)-outMarkerLen:]...)
	}
	return chunk[len(piece):]
}

// restart goes on from the last marker within the open value, if there is one.
func (s *OutScanner) restart() bool {
	at := lastMarker(s.value)
	if at < 0 {
		return false
	}
	s.value = append(s.value[:0], s.value[at+outMarkerLen:]...)
	s.lines, s.huge = bytes.Count(s.value, []byte{'\n'}), false
	return true
}

// close keeps the finished value.
func (s *OutScanner) close() {
	s.inside = false
	s.restart()
	key, value, ok := bytes.Cut(s.value, []byte{'='})
	if s.huge {
		s.err = ErrOutTooLarge
		return
	}
	name := clean(bytes.TrimSpace(key))
	if !ok || name == "" || s.declared != nil && !s.declared[name] {
		return
	}
	text := clean(bytes.ReplaceAll(value, []byte("\r\n"), []byte{'\n'}))
	if old, known := s.values[name]; known {
		s.size -= len(name) + len(old)
	}
	if s.size += len(name) + len(text); s.size > MaxOutBytes {
		s.err = ErrOutTooLarge
		return
	}
	s.values[name] = text
}

// clean makes bytes fit to be stored as text: no database takes broken UTF-8 or NUL.
func clean(b []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
}

// marker finds the first "${setValue(" or "#{setValue(".
func marker(b []byte) int {
	for from := 0; ; {
		at := bytes.Index(b[from:], []byte(outMarker))
		if at < 0 {
			return -1
		}
		at += from
		if at > 0 && (b[at-1] == '$' || b[at-1] == '#') {
			return at - 1
		}
		from = at + len(outMarker)
	}
}

// lastMarker finds the last one.
func lastMarker(b []byte) int {
	for {
		at := bytes.LastIndex(b, []byte(outMarker))
		if at < 0 {
			return -1
		}
		if at > 0 && (b[at-1] == '$' || b[at-1] == '#') {
			return at - 1
		}
		b = b[:at]
	}
}

// CollectOut lists what a successful attempt hands downstream: its declared OUT parameters in their order, each with
// the emitted value or else the configured one, type kept. Undeclared keys are ignored.
func CollectOut(localParams []Property, emitted map[string]string) []Property {
	var out []Property
	for _, p := range localParams {
		if p.Direct != Out || p.Prop == "" {
			continue
		}
		if value, ok := emitted[p.Prop]; ok {
			p.Value = value
		}
		out = append(out, p)
	}
	return out
}
