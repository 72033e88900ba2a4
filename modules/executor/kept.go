package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"dorado/app/kit/secret"
)

// maxKept bounds the result that is kept for pages, in bytes.
const maxKept = 64 << 10

// keptOf is the result of a task as it is sent to the master: without secrets, and without what a database cannot hold. It is
// nil when there is none, or when it is too long to be shown: the task itself goes its way.
func keptOf(raw json.RawMessage, hide *secret.Masker) []byte {
	if len(raw) == 0 || len(raw) > maxKept {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // codes have more digits than a float
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	// Each text for itself: in the JSON a secret may be written with escapes, and to strike out a part may break it.
	out, err := json.Marshal(cleaned(v, func(text string) string {
		if text = strings.ReplaceAll(text, "\x00", ""); hide != nil {
			text = hide.Text(text)
		}
		return text
	}))
	if err != nil || len(out) > maxKept {
		return nil
	}
	return out
}

// cleaned changes all texts of a JSON value, names of members included.
func cleaned(v any, text func(string) string) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case json.Number:
		if changed := text(v.String()); changed != v.String() { // a secret may consist of digits
			return changed
		}
		return v
	case []any:
		for i := range v {
			v[i] = cleaned(v[i], text)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[text(name)] = cleaned(member, text)
		}
		return out
	}
	return v
}
