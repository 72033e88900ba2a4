package describe

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"dorado/app/kit/web/dsapi"
)

//go:embed table/*.yaml schemas.yaml pages.yaml
var files embed.FS

// Place is where a parameter is sent.
type Place string

// The places.
const (
	InPath      Place = "path"
	InQuery     Place = "query"
	InForm      Place = "form" // the body or the query
	InMultipart Place = "multipart"
	InJSON      Place = "json" // a member of the body
)

// Form of an answer.
type Form string

// The forms.
const (
	Enveloped Form = "enveloped" // in the envelope, as data
	Bare      Form = "bare"      // JSON without the envelope
	File      Form = "file"      // bytes of ContentType
	Empty     Form = "empty"
	Redirect  Form = "redirect"
)

// Param is a parameter of an endpoint.
type Param struct {
	In Place
	Member
}

// Endpoint is one method at one address.
type Endpoint struct {
	Method, Path string
	Older        string // the address in 3.2 and before, where it differs
	Tag          string
	English      string
	Chinese      string
	Who          Who
	Params       []Param
	Body         *Type // a JSON body that is no list of parameters
	Status       int   // of a success
	Form         Form
	ContentType  string // of a File
	Data         Type
	Codes        []int // of failures; the last is the wrapper code
	Ours         bool  // DolphinScheduler does not have it
	Since        string
}

// Key is method and address with the variables left empty, so that it does not matter what they are called.
func (e Endpoint) Key() string { return Key(e.Method, e.Path) }

// ID names the endpoint in addresses and in the OpenAPI document.
func (e Endpoint) ID() string { return operationID(e.Method, e.Path) }

// V2 reports whether the endpoint belongs to version 2 of the interface.
func (e Endpoint) V2() bool { return strings.HasPrefix(e.Path, "/v2/") }

// Key is a method and an address with the variables left empty.
func Key(method, path string) string {
	var b strings.Builder
	b.WriteString(method + " ")
	for i, segment := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		if strings.HasPrefix(segment, "{") {
			segment = "{}"
		}
		b.WriteString(segment)
	}
	return b.String()
}

// Tag is a group of endpoints.
type Tag struct {
	Name, English, Chinese string
	Endpoints              []Endpoint
}

// Page is a page for people and who may open it.
type Page struct {
	Method, Path string
	Who          Who
}

// Table is the whole description.
type Table struct {
	Tags    []Tag
	Pages   []Page
	Schemas map[string][]Member
	Bodies  map[string][]Member
	Enums   map[string][]string
}

type fileTag struct {
	Tag, En, Zh string
	Endpoints   []fileEndpoint
}

type fileEndpoint struct {
	Call, En, Zh, Who                            string
	Path, Query, Form, Multipart, JSON, Body, OK string
	Codes                                        []int
	Ours                                         bool
	Since                                        string
}

// Load reads the table that is built in.
func Load() (*Table, error) {
	t := &Table{}
	if err := t.readTypes(); err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "table/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the table: %w", err)
	}
	for _, name := range names {
		var f fileTag
		if err := read(name, &f); err != nil {
			return nil, err
		}
		tag := Tag{Name: f.Tag, English: f.En, Chinese: f.Zh}
		for _, entry := range f.Endpoints {
			e, err := t.endpoint(f.Tag, entry)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, entry.Call, err)
			}
			tag.Endpoints = append(tag.Endpoints, e)
		}
		t.Tags = append(t.Tags, tag)
	}
	if err := t.readPages(); err != nil {
		return nil, err
	}
	return t, nil
}

func read(name string, into any) error {
	text, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the description: %w", err)
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (t *Table) readTypes() error {
	var f struct {
		Schemas, Bodies, Enums map[string]string
	}
	if err := read("schemas.yaml", &f); err != nil {
		return err
	}
	t.Schemas, t.Bodies, t.Enums = map[string][]Member{}, map[string][]Member{}, map[string][]string{}
	var err error
	for name, text := range f.Schemas {
		if t.Schemas[name], err = parseMembers(text); err != nil {
			return fmt.Errorf("schema %s: %w", name, err)
		}
	}
	for name, text := range f.Bodies {
		if t.Bodies[name], err = parseMembers(text); err != nil {
			return fmt.Errorf("body %s: %w", name, err)
		}
	}
	for name, text := range f.Enums {
		t.Enums[name] = strings.Fields(text)
	}
	for name, members := range t.Schemas {
		for _, m := range members {
			if err := t.known(m.Type); err != nil {
				return fmt.Errorf("schema %s: %s: %w", name, m.Name, err)
			}
		}
	}
	return nil
}

func (t *Table) readPages() error {
	var f struct{ Pages map[string]string }
	if err := read("pages.yaml", &f); err != nil {
		return err
	}
	for call, who := range f.Pages {
		method, path, found := strings.Cut(call, " ")
		if !found {
			return fmt.Errorf("pages.yaml: %q is no method and address", call)
		}
		w, err := parseWho(who)
		if err != nil {
			return fmt.Errorf("pages.yaml: %s: %w", call, err)
		}
		t.Pages = append(t.Pages, Page{method, path, w})
	}
	slices.SortFunc(t.Pages, func(a, b Page) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	return nil
}

func (t *Table) endpoint(tag string, f fileEndpoint) (Endpoint, error) {
	e := Endpoint{Tag: tag, English: f.En, Chinese: f.Zh, Codes: f.Codes, Ours: f.Ours, Since: f.Since}
	var found bool
	if e.Method, e.Path, found = strings.Cut(f.Call, " "); !found {
		return e, fmt.Errorf("call %q is no method and address", f.Call)
	}
	if older := dsapi.Older(e.Path); older != e.Path {
		e.Older = older
	}
	var err error
	if e.Who, err = parseWho(f.Who); err != nil {
		return e, err
	}
	for _, list := range []struct {
		in   Place
		text string
	}{{InPath, f.Path}, {InQuery, f.Query}, {InForm, f.Form}, {InMultipart, f.Multipart}, {InJSON, f.JSON}} {
		members, err := parseMembers(list.text)
		if err != nil {
			return e, err
		}
		for _, m := range members {
			if err := t.known(m.Type); err != nil {
				return e, fmt.Errorf("parameter %s: %w", m.Name, err)
			}
			m.Required = m.Required || list.in == InPath
			e.Params = append(e.Params, Param{list.in, m})
		}
	}
	if f.Body != "" {
		body, err := parseType(f.Body)
		if err != nil {
			return e, err
		}
		e.Body = &body
	}
	err = t.answer(&e, f.OK)
	return e, err
}

// answer reads what a success looks like.
func (t *Table) answer(e *Endpoint, text string) error {
	status, what, _ := strings.Cut(text, " ")
	var err error
	if e.Status, err = strconv.Atoi(status); err != nil || http.StatusText(e.Status) == "" {
		return fmt.Errorf("ok: %q is no HTTP status", status)
	}
	form, rest, _ := strings.Cut(what, " ")
	switch Form(form) {
	case Empty, Redirect:
		e.Form = Form(form)
		return nil
	case File:
		e.Form, e.ContentType = File, rest
		return nil
	case Bare:
		e.Form, what = Bare, rest
	default:
		e.Form = Enveloped
	}
	if e.Data, err = parseType(what); err != nil {
		return err
	}
	return t.known(e.Data)
}

// known refuses the names of types that do not exist.
func (t *Table) known(of Type) error {
	switch {
	case of.Of != nil:
		return t.known(*of.Of)
	case len(of.Members) > 0:
		for _, m := range of.Members {
			if err := t.known(m.Type); err != nil {
				return err
			}
		}
		return nil
	}
	_, plain := plainTypes()[of.Name]
	_, schema := t.Schemas[of.Name]
	_, body := t.Bodies[of.Name]
	_, enum := t.Enums[of.Name]
	if !plain && !schema && !body && !enum {
		return fmt.Errorf("there is no type %q", of.Name)
	}
	return nil
}

// Endpoints are those of all groups, in the order of the table.
func (t *Table) Endpoints() []Endpoint {
	var out []Endpoint
	for _, tag := range t.Tags {
		out = append(out, tag.Endpoints...)
	}
	return out
}

// Only is the table with nothing but the endpoints that keep wants. Groups without any are left out.
func (t *Table) Only(keep func(Endpoint) bool) *Table {
	out := *t
	out.Tags = nil
	for _, tag := range t.Tags {
		tag.Endpoints = slices.DeleteFunc(slices.Clone(tag.Endpoints), func(e Endpoint) bool { return !keep(e) })
		if len(tag.Endpoints) > 0 {
			out.Tags = append(out.Tags, tag)
		}
	}
	return &out
}

// operationID is method and address as one word.
func operationID(method, path string) string {
	var b strings.Builder
	b.WriteString(strings.ToLower(method))
	up := true
	for _, c := range path {
		switch {
		case c == '{':
			b.WriteString("By")
			up = true
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
			text := string(c)
			if up {
				text = strings.ToUpper(text)
			}
			b.WriteString(text)
			up = false
		default:
			up = true
		}
	}
	return b.String()
}
