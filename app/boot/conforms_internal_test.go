package boot

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	endpoints "dorado/app/kit/web/dsapi/describe"
)

var instant = regexp.MustCompile(`^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$`)

// conforms compares the data of an answer with what the table says. Members that the table does not name may be there:
// addresses that were never renamed answer with the words of both generations.
func conforms(t *endpoints.Table, of endpoints.Type, raw json.RawMessage, at string) error {
	if string(raw) == "null" {
		if of.Null || of.Name == "null" || of.Name == "any" {
			return nil
		}
		return fmt.Errorf("%s: null where %s is promised", at, of)
	}
	wrong := func() error { return fmt.Errorf("%s: %.60s where %s is promised", at, raw, of) }
	switch of.Name {
	case "any":
		return nil
	case "list", "page":
		list := raw
		if of.Name == "page" {
			var page struct{ TotalList json.RawMessage }
			if json.Unmarshal(raw, &page) != nil || page.TotalList == nil {
				return wrong()
			}
			list = page.TotalList
		}
		var items []json.RawMessage
		if json.Unmarshal(list, &items) != nil {
			return wrong()
		}
		for i, item := range items {
			if err := conforms(t, *of.Of, item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
		return nil
	case "map":
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return wrong()
		}
		for name, value := range members {
			if err := conforms(t, *of.Of, value, at+"."+name); err != nil {
				return err
			}
		}
		return nil
	}
	if members, body := t.Bodies[of.Name]; body {
		of.Members = slices.DeleteFunc(slices.Clone(members), func(m endpoints.Member) bool { return !m.Required })
	}
	if members := append(slices.Clone(of.Members), t.Schemas[of.Name]...); len(members) > 0 {
		var got map[string]json.RawMessage
		if json.Unmarshal(raw, &got) != nil {
			return wrong()
		}
		for _, m := range members {
			value, there := got[m.Name]
			if !there {
				return fmt.Errorf("%s.%s is missing", at, m.Name)
			}
			if err := conforms(t, m.Type, value, at+"."+m.Name); err != nil {
				return err
			}
		}
		return nil
	}
	if !scalarConforms(t, of, raw) {
		return wrong()
	}
	return nil
}

func scalarConforms(t *endpoints.Table, of endpoints.Type, raw json.RawMessage) bool {
	var text string
	isText := json.Unmarshal(raw, &text) == nil
	if values, enum := t.Enums[of.Name]; enum {
		return isText && slices.Contains(values, text)
	}
	switch of.Name {
	case "int", "long":
		var n int64
		return json.Unmarshal(raw, &n) == nil && (of.Name == "long" || int64(int32(n)) == n) //nolint:gosec // that is the question
	case "double":
		var n float64
		return json.Unmarshal(raw, &n) == nil
	case "bool", "true", "false":
		var b bool
		return json.Unmarshal(raw, &b) == nil && (of.Name == "bool" || string(raw) == of.Name)
	case "str":
		return isText
	case "time":
		return isText && instant.MatchString(text)
	case "json":
		return isText && (text == "" || json.Valid([]byte(text)))
	case "object":
		var members map[string]json.RawMessage
		return json.Unmarshal(raw, &members) == nil
	default: // null, and what a table of ours would not name
		return false
	}
}
