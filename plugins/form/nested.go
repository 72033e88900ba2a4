package form

import (
	"encoding/json"
	"strings"
)

// Inner parts the name of a field that is not a member of the settings, but of an object in them: "a.b" is the member b of the
// object a. ok is false for a plain name.
func Inner(name string) (object, member string, ok bool) {
	return strings.Cut(name, ".")
}

// lookup finds members of settings by the names of fields.
type lookup struct {
	members map[string]json.RawMessage
	objects map[string]map[string]json.RawMessage // those that were asked about
}

// find returns a member; ok is false when what should hold it is no object, or no text with one where it is packed.
func (l lookup) find(name string, packed bool) (member json.RawMessage, given, ok bool) {
	object, inner, nested := Inner(name)
	if !nested {
		member, given = l.members[name]
		return member, given, true
	}
	members, known := l.objects[object]
	if !known {
		raw := l.members[object]
		if packed {
			raw = unpack(raw)
		}
		if len(raw) > 0 && json.Unmarshal(raw, &members) != nil {
			return nil, false, false
		}
		l.objects[object] = members
	}
	member, given = members[inner]
	return member, given, true
}

// unpack takes an object out of the text that holds it. What is no text is left to fail.
func unpack(raw json.RawMessage) json.RawMessage {
	var text *string
	switch err := json.Unmarshal(raw, &text); {
	case len(raw) == 0 || err == nil && (text == nil || strings.TrimSpace(*text) == ""):
		return nil
	case err != nil:
		return json.RawMessage("[]")
	}
	return json.RawMessage(*text)
}
