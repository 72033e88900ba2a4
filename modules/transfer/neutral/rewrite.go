package neutral

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Place is where a value of a JSON text stands.
type Place struct {
	Key    string           // of the innermost object
	Object map[string]int64 // whole numbers among the members of that object, by name, also where they are texts
}

// Rewrite replaces values of a JSON text and leaves everything else byte for byte as it is: the order of members, numbers
// as they are written, white space. number is asked for every whole number and every text that is one; text for every
// other text. Either may be nil. Raw that is no JSON comes back as it is.
func Rewrite(raw json.RawMessage, number func(Place, int64) int64, text func(Place, string) string) json.RawMessage {
	if !json.Valid(raw) {
		return raw
	}
	w := rewriter{in: raw, number: number, text: text}
	w.out.Grow(len(raw))
	w.value(Place{})
	return w.out.Bytes()
}

type rewriter struct {
	in     []byte
	at     int
	out    bytes.Buffer
	number func(Place, int64) int64
	text   func(Place, string) string
	depth  int
}

// looksInto is how deep objects are read as a whole before they are rewritten. Settings are flatter than that, and a text
// that is nothing but brackets would otherwise be read once for each of them.
const looksInto = 8

func (w *rewriter) blank() {
	from := w.at
	for w.at < len(w.in) && strings.IndexByte(" \t\r\n", w.in[w.at]) >= 0 {
		w.at++
	}
	w.out.Write(w.in[from:w.at])
}

func (w *rewriter) take(n int) {
	w.out.Write(w.in[w.at : w.at+n])
	w.at += n
}

func (w *rewriter) value(p Place) {
	w.blank()
	switch w.in[w.at] {
	case '{':
		inner := Place{}
		if w.depth++; w.depth <= looksInto {
			inner.Object = numbers(w.in[w.at:])
		}
		for w.take(1); ; w.take(1) {
			if w.blank(); w.in[w.at] == '}' {
				break
			}
			end := w.scalar()
			inner.Key = unquote(w.in[w.at:end])
			w.take(end - w.at)
			w.blank()
			w.take(1) // the colon
			w.value(inner)
			if w.blank(); w.in[w.at] == '}' {
				break
			}
		}
		w.take(1)
		w.depth--
	case '[':
		for w.take(1); ; w.take(1) {
			if w.blank(); w.in[w.at] == ']' {
				break
			}
			w.value(p)
			if w.blank(); w.in[w.at] == ']' {
				break
			}
		}
		w.take(1)
	default:
		end := w.scalar()
		w.out.Write(w.replaced(p, w.in[w.at:end]))
		w.at = end
	}
	w.blank()
}

// scalar returns where the text, number, true, false or null at the place ends.
func (w *rewriter) scalar() int { return scalarEnd(w.in, w.at) }

func scalarEnd(in []byte, at int) int {
	if in[at] != '"' {
		for at < len(in) && strings.IndexByte(",]} \t\r\n", in[at]) < 0 {
			at++
		}
		return at
	}
	for at++; in[at] != '"'; at++ {
		if in[at] == '\\' {
			at++
		}
	}
	return at + 1
}

func (w *rewriter) replaced(p Place, raw []byte) []byte {
	quoted := raw[0] == '"'
	s := string(raw)
	if quoted {
		s = unquote(raw)
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil {
		if w.number == nil {
			return raw
		}
		other := w.number(p, n)
		switch {
		case other == n:
			return raw
		case quoted:
			return strconv.AppendQuote(nil, strconv.FormatInt(other, 10))
		}
		return strconv.AppendInt(nil, other, 10)
	}
	if !quoted || w.text == nil {
		return raw
	}
	other := w.text(p, s)
	if other == s {
		return raw
	}
	return Quote(other)
}

// Quote writes a JSON text without escapes for HTML.
func Quote(s string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(s) != nil { // never: a text can always be written
		return []byte(`""`)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func unquote(raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// numbers lists the whole numbers among the members of the object that raw begins with.
func numbers(raw []byte) map[string]int64 {
	var members map[string]json.RawMessage
	if json.NewDecoder(bytes.NewReader(raw)).Decode(&members) != nil {
		return nil
	}
	out := map[string]int64{}
	for name, value := range members {
		s := string(value)
		if strings.HasPrefix(s, `"`) {
			s = unquote(value)
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil {
			out[name] = n
		}
	}
	return out
}
