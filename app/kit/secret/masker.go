package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// MinMasked is how many bytes a secret must have to be masked: shorter ones are part of ordinary text everywhere.
const MinMasked = 4

// Masker replaces secrets by *** in text that comes piece by piece. It knows each value as it is, each line of a value of
// several lines, and a value as it looks in base64 (also within a longer text, such as user:password), in an address, in
// JSON and in quotes of a shell. Matches that overlap become one ***.
//
// A Masker is for one stream and one goroutine.
type Masker struct {
	patterns [][]byte            // the longest first
	byHead   map[uint32][][]byte // by their first four bytes, the longest first
	heads    [1 << 13]byte       // a bit for each pair of bytes that a pattern begins with
	longest  int
	pending  []byte // the end of what was added, which may begin a match
}

// NewMasker returns a masker of values, nil when none of them is long enough to be masked.
func NewMasker(values ...string) *Masker {
	var patterns []string
	for _, v := range values {
		patterns = append(patterns, forms(v)...)
	}
	slices.Sort(patterns)
	patterns = slices.Compact(patterns)
	if len(patterns) == 0 {
		return nil
	}
	slices.SortStableFunc(patterns, func(a, b string) int { return len(b) - len(a) })
	m := &Masker{byHead: map[uint32][][]byte{}, longest: len(patterns[0])}
	for _, text := range patterns {
		p := []byte(text)
		m.patterns = append(m.patterns, p)
		m.byHead[head(p)] = append(m.byHead[head(p)], p)
		bit := uint16(p[0])<<8 | uint16(p[1])
		m.heads[bit>>3] |= 1 << (bit & 7)
	}
	return m
}

// forms are the texts in which a value may show up.
func forms(value string) []string {
	var out []string
	add := func(texts ...string) {
		for _, t := range texts {
			if len(t) >= MinMasked {
				out = append(out, t)
			}
		}
	}
	plain := []string{value, strings.TrimSpace(value)}
	if lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }); len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= 2*MinMasked { // "}" alone is no secret
				plain = append(plain, line)
			}
		}
	}
	for _, text := range plain {
		if len(text) < MinMasked {
			continue
		}
		add(text, url.QueryEscape(text), url.PathEscape(text), strings.ReplaceAll(text, "'", `'\''`), strings.ReplaceAll(text, "'", `'"'"'`))
		add(strings.ReplaceAll(url.QueryEscape(text), "+", "%20"))
		add(inJSON(text, true), inJSON(text, false))
		add(inBase64(text)...)
	}
	return out
}

func inJSON(text string, html bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	if enc.Encode(text) != nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

// inBase64 is what of a text is the same in the base64 of every text around it: three texts, for the three places where
// a group of three bytes may begin. A group that the text does not fill is left out.
func inBase64(text string) []string {
	var out []string
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		out = append(out, enc.EncodeToString([]byte(text)))
		for before := range 3 {
			first := (3 - before) % 3
			if whole := (len(text) - first) / 3 * 3; first < len(text) && whole >= 2*3 {
				out = append(out, enc.EncodeToString([]byte(text[first:first+whole])))
			}
		}
	}
	return out
}

func head(p []byte) uint32 {
	return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
}

// Add appends to dst what of the stream is known by now to be free of secrets, or masked, given its next piece.
func (m *Masker) Add(dst, piece []byte) []byte {
	if len(m.pending) > 0 {
		piece = append(m.pending, piece...)
	}
	dst, rest := m.mask(dst, piece, false)
	m.pending = append(m.pending[:0:0], rest...)
	return dst
}

// End appends to dst what is left of the stream, which is over.
func (m *Masker) End(dst []byte) []byte {
	dst, _ = m.mask(dst, m.pending, true)
	m.pending = nil
	return dst
}

// Pending is what was added and not given back yet; SetPending puts it into another masker of the same values.
func (m *Masker) Pending() []byte { return m.pending }

// SetPending goes on where another masker of the same values stopped.
func (m *Masker) SetPending(text []byte) { m.pending = text }

// Text masks a whole text, apart from the stream. On a nil Masker it returns the text as it is.
func (m *Masker) Text(text string) string {
	if m == nil {
		return text
	}
	out, _ := m.mask(nil, []byte(text), true)
	return string(out)
}

// mask works through text. It returns what may still become a match with more text, unless the text is all there is.
func (m *Masker) mask(dst, text []byte, all bool) (out, rest []byte) {
	clean := 0 // up to here everything is in dst
	for i := 0; i < len(text); {
		if i+1 < len(text) {
			if bit := uint16(text[i])<<8 | uint16(text[i+1]); m.heads[bit>>3]&(1<<(bit&7)) == 0 {
				i++
				continue
			}
		}
		end, unsure := m.at(text, i, all)
		for j := i + 1; j < end && !unsure; j++ { // matches that begin within one make it longer
			var e int
			if e, unsure = m.at(text, j, all); e > end {
				end = e
			}
		}
		switch {
		case unsure:
			return append(dst, text[clean:i]...), text[i:]
		case end > i:
			dst = append(append(dst, text[clean:i]...), mask...)
			i, clean = end, end
		default:
			i++
		}
	}
	return append(dst, text[clean:]...), nil
}

// at returns where the longest match that begins at i ends, i for none. unsure says that more text could make one, or a
// longer one.
func (m *Masker) at(text []byte, i int, all bool) (end int, unsure bool) {
	left := text[i:]
	if !all && len(left) < m.longest {
		if len(left) < MinMasked {
			for _, p := range m.patterns {
				if bytes.HasPrefix(p, left) {
					return i, true
				}
			}
			return i, false
		}
		for _, p := range m.byHead[head(left)] {
			if len(p) > len(left) && bytes.HasPrefix(p, left) {
				return i, true
			}
		}
	}
	if len(left) < MinMasked {
		return i, false
	}
	for _, p := range m.byHead[head(left)] {
		if bytes.HasPrefix(left, p) {
			return i + len(p), false
		}
	}
	return i, false
}
