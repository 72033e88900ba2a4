package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"dorado/app/kit/secret"
	"dorado/plugins/task"
)

// What is kept for pages is bounded, in bytes; so masters know it.
const (
	maxKept   = 64 << 10  // a result
	maxDetail = 128 << 10 // what one opens of it
)

// found is what an attempt found, as it is sent to the master.
type found struct {
	result, detail []byte // JSON that pages show
	measured       string
}

func foundBy(out task.Outcome, hide *secret.Masker) found {
	f := found{result: keptOf(out.Result, maxKept, hide)}
	if f.result != nil {
		f.detail, f.measured = keptOf(out.Detail, maxDetail, hide), out.Measured
	}
	return f
}

// keptOf is what a task found as it is sent to the master: without secrets, and without what a database cannot hold. It is
// nil when there is none, or when it has more than most bytes: the task itself goes its way.
func keptOf(raw json.RawMessage, most int, hide *secret.Masker) []byte {
	if len(raw) == 0 || len(raw) > most {
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
	if err != nil || len(out) > most {
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
