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

// find returns a member; ok is false when what should hold it is no object.
func (l lookup) find(name string) (member json.RawMessage, given, ok bool) {
	object, inner, nested := Inner(name)
	if !nested {
		member, given = l.members[name]
		return member, given, true
	}
	members, known := l.objects[object]
	if !known {
		if raw, ok := l.members[object]; ok && json.Unmarshal(raw, &members) != nil {
			return nil, false, false
		}
		l.objects[object] = members
	}
	member, given = members[inner]
	return member, given, true
}
