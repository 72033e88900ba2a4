package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

// longest is how many bytes of JSON a member of a state may have; of a longer one the beginning is kept.
const longest = 16 << 10

// states writes both sides as JSON. Of two objects the members that are the same in both are left out, so that an entry
// about a large object is small and says what was done; what merely notes when that was is no difference.
func states(before, after any) (was, is string, err error) {
	left, b, err := state(before)
	if err != nil {
		return "", "", err
	}
	right, a, err := state(after)
	if err != nil || left == nil || right == nil {
		return b, a, err
	}
	for name, value := range left {
		if other, there := right[name]; there && (bytes.Equal(value, other) || slices.Contains(stamps(), name)) {
			delete(left, name)
			delete(right, name)
		}
	}
	if b, err = written(left); err != nil {
		return "", "", err
	}
	a, err = written(right)
	return b, a, err
}

// stamps are members that change with every update.
func stamps() []string {
	return []string{"updated_at", "updatedAt", "UpdatedAt", "Modifier", "ModifierID"}
}

// state writes one side: its members when it is an object, and its text.
func state(v any) (map[string]json.RawMessage, string, error) {
	if v == nil {
		return nil, "", nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, "", err
	}
	var members map[string]json.RawMessage
	if !bytes.HasPrefix(text, []byte("{")) {
		return nil, string(text), nil
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, "", err
	}
	out, err := written(members)
	return members, out, err
}

func written(members map[string]json.RawMessage) (string, error) {
	short := make(map[string]json.RawMessage, len(members))
	for name, value := range members {
		if len(value) > longest {
			head := value[:1000]
			for len(head) > 0 && !utf8.Valid(head) {
				head = head[:len(head)-1]
			}
			cut, err := json.Marshal(string(head) + "… (" + strconv.Itoa(len(value)) + " bytes)")
			if err != nil {
				return "", err
			}
			value = cut
		}
		short[name] = value
	}
	text, err := json.Marshal(short)
	return string(text), err
}
