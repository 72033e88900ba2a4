package oozie

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"dorado/modules/transfer/neutral"
)

// element is an XML element without its name space.
type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     string // without blanks around
	line     int
	raw      []byte
}

// Limits of a document.
const (
	maxElements = 100_000
	maxDepth    = 50
)

// parse reads a document. A DOCTYPE is refused, since it is where entities are made; so are processing instructions other
// than the declaration.
func parse(file string, data []byte) (*element, error) {
	if len(data) > neutral.MaxFile {
		return nil, neutral.ErrTooLarge.With("limit", neutral.MaxFile>>20)
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if c := strings.ToLower(charset); c == "utf-8" || c == "us-ascii" {
			return in, nil
		}
		return nil, errors.New("only UTF-8 is read")
	}
	var open []*element
	var root *element
	count := 0
	for {
		token, err := d.Token()
		line, _ := d.InputPos()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, neutral.Refuse(file, line, err.Error())
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, neutral.Refuse(file, line, "DOCTYPE and entities are not read")
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, neutral.Refuse(file, line, "processing instructions are not read")
			}
		case xml.StartElement:
			if count++; count > maxElements || len(open) >= maxDepth {
				return nil, neutral.Refuse(file, line, "too many or too deep elements")
			}
			e := &element{name: t.Name.Local, attrs: map[string]string{}, line: line}
			for _, a := range t.Attr {
				e.attrs[a.Name.Local] = strings.TrimSpace(a.Value)
			}
			if len(open) > 0 {
				up := open[len(open)-1]
				up.children = append(up.children, e)
			} else if root == nil {
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			e := open[len(open)-1]
			e.text, e.raw = strings.TrimSpace(string(e.raw)), nil
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				e := open[len(open)-1]
				e.raw = append(e.raw, t...)
			}
		}
	}
	if root == nil {
		return nil, neutral.Refuse(file, 0, "no element")
	}
	return root, nil
}

// child returns the first child of a name, an empty element when there is none.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return &element{}
}

func (e *element) all(name string) []*element {
	var out []*element
	for _, c := range e.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// value is the text of the first child of a name.
func (e *element) value(name string) string { return e.child(name).text }

// settings reads <configuration><property><name/><value/>.
func (e *element) settings() (names []string, values map[string]string) {
	values = map[string]string{}
	for _, p := range e.child("configuration").all("property") {
		if name := p.value("name"); name != "" {
			if _, twice := values[name]; !twice {
				names = append(names, name)
			}
			values[name] = p.value("value")
		}
	}
	return names, values
}
