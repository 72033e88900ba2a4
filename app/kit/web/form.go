package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
)

// Form reads the fields of a submitted form and remembers what was wrong with
// them, field by field. Decoding and validation fill the same map, so that one
// answer shows everything that needs correcting:
//
//	f := web.ReadForm(r)
//	d := Draft{Code: f.Text("code"), QueueID: f.Int64("queue_id")}
//	t, err := web.Submit(f, func() (Tenant, error) { return p.svc.Create(ctx, d) })
//	if f.Rejects(err) {
//		return p.form(r, d, f) // … return f.Again(security.TenantForm(model)), nil
//	}
//	if err != nil {
//		return nil, err
//	}
//
// Submit does not do the deed with a form that did not decode: where somebody
// typed "twelve" a service would see a zero. Rejects must be asked before err is
// looked at, because such a field is known to the form alone.
type Form struct {
	ctx    context.Context //nolint:containedctx // the request's own, for the language of messages
	values url.Values
	errors map[string]fault.Field
	notice string
	status int
	err    error
}

// ReadForm reads the form in the body of r, and the query for what the body lacks.
func ReadForm(r *http.Request) *Form {
	f := &Form{ctx: r.Context(), errors: map[string]fault.Field{}, status: http.StatusUnprocessableEntity}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		f.err = r.ParseMultipartForm(1 << 20)
	} else {
		f.err = r.ParseForm()
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](f.err); f.err != nil && !tooLarge {
		f.err = fault.New(fault.Invalid, "web.form_broken").Because(f.err)
	}
	f.values = r.Form
	return f
}

// Err is the error of reading the body: too large, or cut off. A handler that
// saves must return it.
func (f *Form) Err() error { return f.err }

// Has reports whether the field was sent, even empty.
func (f *Form) Has(name string) bool { return f.values.Has(name) }

// Text is the field without surrounding white space and without bytes that are
// not text.
func (f *Form) Text(name string) string { return strings.TrimSpace(f.Raw(name)) }

// Raw is the field as it was sent, for scripts and passwords. Line ends become
// \n; invalid UTF-8 is replaced and NUL removed, which databases do not store.
func (f *Form) Raw(name string) string {
	s := f.values.Get(name)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "\r\n", "\n")
}

// Int64 is a whole number; empty is 0. Anything else is an error of the field.
func (f *Form) Int64(name string) int64 {
	s := f.Text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f.Reject(name, "web.field.number")
		return 0
	}
	return n
}

// Int is Int64 for numbers that fit 32 bits.
func (f *Form) Int(name string) int {
	n := f.Int64(name)
	if n < -1<<31 || n > 1<<31-1 {
		f.Reject(name, "web.field.number")
		return 0
	}
	return int(n)
}

// Bool is true for a ticked check box.
func (f *Form) Bool(name string) bool {
	return slices.Contains([]string{"true", "on", "1", "yes"}, strings.ToLower(f.Text(name)))
}

// List is every value of a field that may occur more than once, in order.
func (f *Form) List(name string) []string {
	var out []string
	for _, v := range f.values[name] {
		if v = strings.TrimSpace(strings.ToValidUTF8(v, "\uFFFD")); v != "" {
			out = append(out, strings.ReplaceAll(v, "\x00", ""))
		}
	}
	return out
}

// Reject notes that the field is wrong; key and args are for i18n.T. The first
// reason stays.
func (f *Form) Reject(name, key string, args ...any) {
	if _, taken := f.errors[name]; taken {
		return
	}
	f.errors[name] = fault.New(fault.Invalid, key).OnField(name, key, args...).Fields[0]
}

// OK reports that nothing was wrong so far.
func (f *Form) OK() bool { return len(f.errors) == 0 && f.err == nil && f.notice == "" }

// Submit does the deed unless something in the form did not decode or its body
// could not be read.
func Submit[T any](f *Form, deed func() (T, error)) (T, error) {
	if !f.OK() {
		var none T
		return none, f.err
	}
	return deed()
}

// Rejects reports that the form must be shown again: something in it did not
// decode, or err is about what was typed (Invalid) or clashes with what others
// did (Conflict). It takes the messages out of err. Other errors, and a body that
// could not be read, are for the caller to return: see Err.
func (f *Form) Rejects(err error) bool {
	if fe, ok := errors.AsType[*fault.Error](err); ok && (fe.Kind == fault.Invalid || fe.Kind == fault.Conflict) {
		for _, field := range fe.Fields {
			if _, taken := f.errors[field.Name]; !taken {
				f.errors[field.Name] = field
			}
		}
		if len(fe.Fields) == 0 {
			f.notice = i18n.T(f.ctx, fe.Key, fe.Pairs()...)
		}
		if fe.Kind == fault.Conflict {
			f.status = http.StatusConflict
		}
	}
	return len(f.errors) > 0 || f.notice != ""
}

// Errors is field → message in the reader's language, nil when nothing was wrong.
func (f *Form) Errors() map[string]string {
	if f == nil || len(f.errors) == 0 {
		return nil
	}
	out := make(map[string]string, len(f.errors))
	for name, field := range f.errors {
		out[name] = i18n.T(f.ctx, field.Key, field.Pairs()...)
	}
	return out
}

// Error is the message about one field, empty when it is right. It may be asked of
// a nil form: the form shown for the first time.
func (f *Form) Error(name string) string {
	if f == nil {
		return ""
	}
	field, wrong := f.errors[name]
	if !wrong {
		return ""
	}
	return i18n.T(f.ctx, field.Key, field.Pairs()...)
}

// Notice is a message about the form as a whole, empty when there is none.
func (f *Form) Notice() string {
	if f == nil {
		return ""
	}
	return f.notice
}

// Again answers with the form, the values typed and the messages in it: 422, or
// 409 when others were faster. On a nil form it is the form shown for the first
// time: 200.
func (f *Form) Again(component templ.Component) *PageResponse {
	if f == nil {
		return Page(component)
	}
	return Page(component).Status(f.status)
}

// StampField is the hidden field that carries the moment an object was read, so
// that saving notices an edit made meanwhile.
const StampField = "updated_at"

// Stamp writes a moment for StampField.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Stamp reads StampField. Without one, or with one that nobody wrote, it is the
// start of time: then any edit made since is noticed.
func (f *Form) Stamp() time.Time {
	t, err := time.Parse(time.RFC3339Nano, f.Text(StampField))
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return t
}

// Conflicts reports whether err is a clash with what others did or hold.
func Conflicts(err error) bool { return err != nil && fault.KindOf(err) == fault.Conflict }
