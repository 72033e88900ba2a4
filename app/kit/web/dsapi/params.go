package dsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
)

// Params are the parameters of a call, from the query and the body together, as
// DolphinScheduler takes them on every method. Reading a parameter that is
// missing or does not convert is remembered; Err returns the first such problem.
//
// The members of a JSON object are parameters, too: version 2 of the API sends there what version 1 sends as a form.
type Params struct {
	r      *http.Request
	values url.Values
	path   map[string]int64 // set by SetPath
	json   []byte           // the body, when it is JSON
	err    error
}

// ParamError says which parameter could not be used.
type ParamError struct {
	Name    string
	Missing bool
}

func (e *ParamError) Error() string {
	if e.Missing {
		return fmt.Sprintf("parameter %s is missing", e.Name)
	}
	return fmt.Sprintf("parameter %s has the wrong type", e.Name)
}

// Read collects the parameters of r. Bodies are taken as clients really send
// them: a leading "?", empty pairs, values that are not percent-encoded.
func Read(r *http.Request) (*Params, error) {
	p := &Params{r: r, values: url.Values{}}
	err := p.read(r)
	p.modern()
	return p, err
}

func (p *Params) read(r *http.Request) error {
	addPairs(p.values, r.URL.RawQuery)
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	kind := r.Header.Get("Content-Type")
	switch {
	case strings.HasPrefix(kind, "application/json"):
		return p.readJSON(r)
	case strings.HasPrefix(kind, "multipart/form-data"):
		if err := r.ParseMultipartForm(8 << 20); err != nil {
			return p.unreadable(err)
		}
		for name, values := range r.MultipartForm.Value {
			for _, v := range values {
				if strings.HasPrefix(v, "?") || strings.HasPrefix(v, "&") {
					continue // the test suite sends its parameters once more as a part
				}
				p.values.Add(name, clean(v))
			}
		}
		return nil
	default:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return p.unreadable(err)
		}
		if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
			p.json = trimmed // some clients do not say that it is JSON; no form begins so
			return nil
		}
		addPairs(p.values, string(body))
		return nil
	}
}

// unreadable is what is wrong with a body that cannot be read: it is the caller's fault, or he is gone.
func (p *Params) unreadable(err error) error {
	if err := p.r.Context().Err(); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return errors.Join(&ParamError{Name: "body"}, err)
}

// readJSON keeps the body for JSON and takes the members of an object as parameters. A body that is no JSON is refused when
// something is wanted of it.
func (p *Params) readJSON(r *http.Request) error {
	var err error
	if p.json, err = io.ReadAll(io.LimitReader(r.Body, web.JSONLimit)); err != nil {
		return p.unreadable(err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(p.json, &members) != nil {
		return nil //nolint:nilerr // a list, or garbage: the handler says so
	}
	for name, value := range members {
		var text string
		switch {
		case string(value) == "null":
			continue
		case json.Unmarshal(value, &text) == nil:
			p.values.Set(name, clean(text))
		default:
			p.values.Set(name, clean(string(value)))
		}
	}
	return nil
}

func addPairs(values url.Values, text string) {
	text = strings.TrimPrefix(text, "?")
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" {
			continue
		}
		values.Add(decode(name), decode(value))
	}
}

// decode undoes percent-encoding where it is valid and leaves everything else.
func decode(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return clean(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			b.WriteByte(byte(hex(s[i+1])<<4 | hex(s[i+2])))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return clean(b.String())
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}

// clean makes s text that a database stores.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ReplaceAll(s, "\x00", "")
}

// Err is the first problem met while reading parameters.
func (p *Params) Err() error { return p.err }

func (p *Params) fail(name string, missing bool) {
	if p.err == nil {
		p.err = &ParamError{Name: name, Missing: missing}
	}
}

// Has reports whether the parameter was sent, even empty.
func (p *Params) Has(name string) bool { return p.values.Has(name) }

// Text is the parameter, empty when it was not sent.
func (p *Params) Text(name string) string { return p.values.Get(name) }

// TextOr is the parameter, fallback when it was not sent or is empty.
func (p *Params) TextOr(name, fallback string) string {
	if v := p.values.Get(name); v != "" {
		return v
	}
	return fallback
}

// FirstText is the first of several spellings that was sent.
func (p *Params) FirstText(names ...string) string {
	for _, n := range names {
		if p.values.Has(n) {
			return p.values.Get(n)
		}
	}
	return ""
}

// RequiredText is a parameter that must be sent; it may be empty.
func (p *Params) RequiredText(names ...string) string {
	for _, n := range names {
		if p.values.Has(n) {
			return p.values.Get(n)
		}
	}
	p.fail(names[0], true)
	return ""
}

// Int64 is an optional whole number.
func (p *Params) Int64(name string, fallback int64) int64 {
	v := strings.TrimSpace(p.values.Get(name))
	if v == "" {
		return fallback
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		p.fail(name, false)
		return fallback
	}
	return n
}

// RequiredInt64 is a whole number that must be sent, under any of the names.
func (p *Params) RequiredInt64(names ...string) int64 {
	for _, n := range names {
		if strings.TrimSpace(p.values.Get(n)) != "" {
			return p.Int64(n, 0)
		}
	}
	p.fail(names[0], true)
	return 0
}

// Int is Int64 for numbers of 32 bits.
func (p *Params) Int(name string, fallback int) int {
	n := p.Int64(name, int64(fallback))
	if n < -1<<31 || n > 1<<31-1 {
		p.fail(name, false)
		return fallback
	}
	return int(n)
}

// RequiredInt is RequiredInt64 for numbers of 32 bits.
func (p *Params) RequiredInt(name string) int {
	if strings.TrimSpace(p.values.Get(name)) == "" {
		p.fail(name, true)
		return 0
	}
	return p.Int(name, 0)
}

// Bool is an optional truth value in any of the usual spellings.
func (p *Params) Bool(name string, fallback bool) bool {
	switch strings.ToLower(strings.TrimSpace(p.values.Get(name))) {
	case "":
		return fallback
	case "true", "on", "yes", "1":
		return true
	case "false", "off", "no", "0":
		return false
	default:
		p.fail(name, false)
		return fallback
	}
}

// Enum is an optional constant name out of allowed; empty when it was not sent.
func (p *Params) Enum(name string, allowed ...string) string {
	v := p.values.Get(name)
	if v == "" || slices.Contains(allowed, v) {
		return v
	}
	p.fail(name, false)
	return ""
}

// List is a comma-joined list; repeated parameters are joined too.
func (p *Params) List(name string) []string {
	var out []string
	for _, v := range p.values[name] {
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

// Int64s is a comma-joined list of whole numbers.
func (p *Params) Int64s(name string) []int64 {
	var out []int64
	for _, item := range p.List(name) {
		n, err := strconv.ParseInt(item, 10, 64)
		if err != nil {
			p.fail(name, false)
			return nil
		}
		out = append(out, n)
	}
	return out
}

// Default is what the parameter name is taken to be when it was not sent, or sent empty.
func (p *Params) Default(name, value string) {
	if p.values.Get(name) == "" {
		p.values.Set(name, value)
	}
}

// Alias takes what was sent as sent for the parameter name, unless that was sent, too.
func (p *Params) Alias(sent, name string) {
	if v, ok := p.values[sent]; ok && !p.values.Has(name) {
		p.values[name] = v
	}
}

// SetPath makes Path return value for name, for addresses that name something in another way.
func (p *Params) SetPath(name string, value int64) {
	if p.path == nil {
		p.path = map[string]int64{}
	}
	p.path[name] = value
}

// Path is a whole number in the address.
func (p *Params) Path(name string) int64 {
	if value, ok := p.path[name]; ok {
		return value
	}
	n, err := strconv.ParseInt(chi.URLParam(p.r, name), 10, 64)
	if err != nil {
		p.fail(name, false)
		return 0
	}
	return n
}

// ErrPaging is the fault of page numbers that are not positive.
var ErrPaging = fault.New(fault.Invalid, "dsapi.paging")

// maxPageSize keeps one call from reading a whole table into memory.
const maxPageSize = 10_000

// Paging are pageNo and pageSize, both required and positive; version 2 of the API has defaults for both.
func (p *Params) Paging() (pageNo, pageSize int) {
	if strings.Contains(p.r.URL.Path, "/v2/") {
		return p.PagingOr(1, 10)
	}
	return p.paging(p.RequiredInt("pageNo"), p.RequiredInt("pageSize"))
}

// PagingOr is Paging where both have defaults, as in version 2 of the API.
func (p *Params) PagingOr(no, size int) (pageNo, pageSize int) {
	return p.paging(p.Int("pageNo", no), p.Int("pageSize", size))
}

func (p *Params) paging(no, size int) (pageNo, pageSize int) {
	if p.err == nil && (no <= 0 || size <= 0) {
		p.err = ErrPaging
	}
	return max(no, 1), min(max(size, 1), maxPageSize)
}

// Time is an optional yyyy-MM-dd HH:mm:ss in the caller's zone, UTC when he has
// none. The zero time stands for "not sent".
func (p *Params) Time(name string) time.Time {
	v := strings.TrimSpace(p.values.Get(name))
	if v == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(layout, v, i18n.Zone(p.r.Context()))
	if err != nil {
		p.fail(name, false)
		return time.Time{}
	}
	return t.UTC()
}

// RequiredTime is Time for a parameter that must be sent.
func (p *Params) RequiredTime(name string) time.Time {
	if strings.TrimSpace(p.values.Get(name)) == "" {
		p.fail(name, true)
		return time.Time{}
	}
	return p.Time(name)
}

// unusable reports whether err is about the parameters and not about the deed.
func unusable(err error) bool {
	_, param := errors.AsType[*ParamError](err)
	return param
}

// JSON decodes the body into v. Unknown fields are ignored.
func (p *Params) JSON(v any) error {
	body := p.json
	if body == nil { // some clients do not say that it is JSON
		var err error
		if body, err = io.ReadAll(io.LimitReader(p.r.Body, web.JSONLimit)); err != nil {
			return fmt.Errorf("read JSON body: %w", err)
		}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return &ParamError{Name: "body"}
	}
	return nil
}

// ParseTime reads yyyy-MM-dd HH:mm:ss in the caller's zone, UTC when he has none.
func ParseTime(ctx context.Context, text string) (time.Time, error) {
	t, err := time.ParseInLocation(layout, strings.TrimSpace(text), i18n.Zone(ctx))
	return t.UTC(), err
}
