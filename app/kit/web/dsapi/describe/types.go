package describe

import (
	"fmt"
	"strings"
)

// Type is what a value may be.
type Type struct {
	Name    string   // a word: int, str, an enum, a schema, true; "list", "map", "page", "object" for what has parts
	Of      *Type    // of what, for list, map and page
	Members []Member // of an object that is written where it is used
	Null    bool     // it may be null, too
}

// Member is a named value: a parameter, or a part of an object.
type Member struct {
	Name       string
	Type       Type
	Required   bool
	Default    string
	HasDefault bool
}

// typeParser reads the notation of the table.
type typeParser struct {
	text string
	at   int
}

// parseType reads one type.
func parseType(text string) (Type, error) {
	p := &typeParser{text: strings.TrimSpace(text)}
	t, err := p.parse()
	if err == nil && p.at != len(p.text) {
		err = fmt.Errorf("type %q: %q is left over", text, p.text[p.at:])
	}
	return t, err
}

// parseMembers reads names and types between spaces.
func parseMembers(text string) ([]Member, error) {
	p := &typeParser{text: strings.TrimSpace(text)}
	return p.members("")
}

func (p *typeParser) members(end string) ([]Member, error) {
	var out []Member
	for {
		p.spaces()
		if p.at == len(p.text) || end != "" && strings.HasPrefix(p.text[p.at:], end) {
			return out, nil
		}
		name := p.until(":")
		if name == "" || !p.skip(":") {
			return nil, fmt.Errorf("members %q: a name and a colon are expected at %q", p.text, p.text[min(p.at, len(p.text)):])
		}
		m := Member{Name: strings.TrimSuffix(name, "*"), Required: strings.HasSuffix(name, "*")}
		var err error
		if m.Type, err = p.parse(); err != nil {
			return nil, err
		}
		if p.skip("=") {
			m.HasDefault, m.Default = true, p.until(" ")
		}
		out = append(out, m)
	}
}

func (p *typeParser) parse() (Type, error) {
	var t Type
	var err error
	switch {
	case p.skip("["):
		t, err = p.of("list", "]")
	case p.skip("map<"):
		t, err = p.of("map", ">")
	case p.skip("Page<"):
		t, err = p.of("page", ">")
	case p.skip("{"):
		t.Name = "object"
		if t.Members, err = p.members("}"); err == nil && !p.skip("}") {
			err = fmt.Errorf("type %q: } is missing", p.text)
		}
	default:
		t.Name = p.until(" ?]>}=")
		if t.Name == "" {
			err = fmt.Errorf("type %q: a type is missing at %d", p.text, p.at)
		}
	}
	t.Null = p.skip("?")
	return t, err
}

func (p *typeParser) of(name, end string) (Type, error) {
	inner, err := p.parse()
	if err == nil && !p.skip(end) {
		err = fmt.Errorf("type %q: %s is missing", p.text, end)
	}
	return Type{Name: name, Of: &inner}, err
}

func (p *typeParser) spaces() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

func (p *typeParser) skip(what string) bool {
	if !strings.HasPrefix(p.text[p.at:], what) {
		return false
	}
	p.at += len(what)
	return true
}

// until returns the text before the first of the bytes.
func (p *typeParser) until(bytes string) string {
	rest := p.text[p.at:]
	if end := strings.IndexAny(rest, bytes); end >= 0 {
		rest = rest[:end]
	}
	p.at += len(rest)
	return rest
}

// String writes a type as it stands in the table.
func (t Type) String() string {
	out := t.Name
	switch t.Name {
	case "list":
		out = "[" + t.Of.String() + "]"
	case "map":
		out = "map<" + t.Of.String() + ">"
	case "page":
		out = "Page<" + t.Of.String() + ">"
	case "object":
		if len(t.Members) > 0 {
			parts := make([]string, 0, len(t.Members))
			for _, m := range t.Members {
				parts = append(parts, m.Name+":"+m.Type.String())
			}
			out = "{" + strings.Join(parts, " ") + "}"
		}
	}
	if t.Null {
		out += "?"
	}
	return out
}
