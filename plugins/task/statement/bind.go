package statement

import (
	"fmt"
	"slices"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Statement is one statement as the server gets it.
type Statement struct {
	Text  string
	Binds []Bind
	typed string // the same with the type of every text; "" when there is none
}

// Args are the binds as drivers take them.
func (s Statement) Args(d Dialect) []any {
	out := make([]any, len(s.Binds))
	for i, b := range s.Binds {
		out[i] = b.value(d.Family)
	}
	return out
}

// Binder puts parameters into statements.
type Binder struct {
	Dialect Dialect
	env     task.Env
	local   []form.Param
}

// NewBinder returns a binder for the parameters of an attempt; local are those that the task declares.
func NewBinder(d Dialect, env task.Env, local []form.Param) Binder {
	return Binder{Dialect: d, env: env, local: local}
}

// Value returns the value of a parameter and its declared type; there may be none.
func (b Binder) Value(name string) (value, kind string, ok bool) {
	kind = b.env.Types[name]
	value, ok = b.env.Values[name]
	for _, p := range b.local {
		if p.Prop != name || p.Direct == "OUT" {
			continue
		}
		if kind == "" {
			kind = p.Type
		}
		if !ok {
			value, ok = p.Value, true
		}
	}
	return value, kind, ok
}

func (b Binder) value(name string) (value, kind string, err error) {
	for _, n := range []string{name, strings.TrimSpace(name)} {
		if value, kind, ok := b.Value(n); ok {
			return value, kind, nil
		}
	}
	return "", "", fmt.Errorf("parameter %q has no value", Shorten(name, 200))
}

// Prepare evaluates time expressions and puts raw parameters !{name} into text. Comments stay as they are.
func (b Binder) Prepare(text string) (string, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	var out strings.Builder
	var failed error
	flush := func(part string) {
		if failed != nil || part == "" {
			return
		}
		if b.env.Dates != nil && strings.Contains(part, "$[") {
			if part, failed = b.env.Dates(part); failed != nil {
				failed = fmt.Errorf("time expression: %w", failed)
				return
			}
		}
		failed = b.raw(&out, part)
	}
	begin := 0
	b.Dialect.scan(text, func(t token) bool {
		if t.kind == comment {
			flush(text[begin:t.from])
			out.WriteString(t.text)
			begin = t.from + len(t.text)
		}
		return failed == nil
	})
	flush(text[begin:])
	return out.String(), failed
}

func (b Binder) raw(out *strings.Builder, text string) error {
	for {
		before, name, rest, ok := placeholder(text, "!{")
		out.WriteString(before)
		if !ok {
			return nil
		}
		value, _, err := b.value(name)
		if err != nil {
			return err
		}
		out.WriteString(value)
		text = rest
	}
}

// placeholder finds the first one that begins with open. Without one before is all of text.
func placeholder(text, open string) (before, name, rest string, ok bool) {
	i := strings.Index(text, open)
	if i < 0 {
		return text, "", "", false
	}
	end := strings.IndexByte(text[i:], '}')
	if end < 0 {
		return text, "", "", false
	}
	return text[:i], text[i+len(open) : i+end], text[i+end+1:], true
}

// Bind makes binds of the parameters ${name} in one statement. Quotes around nothing but a parameter are part of it. Within
// longer strings and quoted names the value is put in as escaped text; comments stay as they are.
func (b Binder) Bind(text string) (Statement, error) {
	if b.Dialect.binds(b.Dialect.word(text)) {
		st, err := b.bind(text, false)
		if err != nil || len(st.Binds) <= b.Dialect.most {
			return st, err
		}
	}
	return b.bind(text, true)
}

func (b Binder) bind(text string, literal bool) (Statement, error) {
	var st, typed Statement
	if err := b.Append(&st, text, literal); err != nil {
		return Statement{}, err
	}
	if b.Dialect.Family == Postgres && slices.ContainsFunc(st.Binds, func(x Bind) bool { return x.Kind == Text }) {
		w := writer{b: b, st: &typed, explicit: true}
		if err := w.write(text, false); err != nil {
			return Statement{}, err
		}
		w.finish()
		st.typed = typed.Text
	}
	return st, nil
}

// Append adds a part of a statement to st: with binds, or with literals.
func (b Binder) Append(st *Statement, text string, literal bool) error {
	w := writer{b: b, st: st, literal: literal}
	defer w.finish()
	return w.write(text, slices.Contains([]string{"CREATE", "ALTER", "DO"}, b.Dialect.word(text)))
}

// writer adds to a statement.
type writer struct {
	b        Binder
	st       *Statement
	literal  bool // literals instead of binds
	explicit bool // with the type of texts
	out      strings.Builder
	last     byte // of out
}

func (w *writer) put(text string) {
	if text != "" {
		w.out.WriteString(text)
		w.last = text[len(text)-1]
	}
}

// finish hands the text over.
func (w *writer) finish() { w.st.Text += w.out.String() }

// write adds text. program says that dollar quotes hold a program.
func (w *writer) write(text string, program bool) error {
	var failed error
	previous := ""
	w.b.Dialect.scan(text, func(t token) bool {
		switch {
		case t.kind == comment || !strings.Contains(t.text, "${"):
			w.put(t.text)
		case t.kind == code:
			failed = w.code(t.text)
		case t.kind == dollars && program:
			failed = w.program(t)
		case w.whole(t, previous):
			failed = w.code(t.inner())
		default:
			failed = w.embed(t, previous)
		}
		previous = ""
		if t.kind == code {
			previous = t.text
		}
		return failed == nil
	})
	return failed
}

// whole reports whether t is a parameter and the quotes around it, which then fall away.
func (w *writer) whole(t token, previous string) bool {
	if (t.open != "'" && t.open != `"`) || t.close == "" || prefixed(previous) {
		return false
	}
	before, _, rest, ok := placeholder(t.inner(), "${")
	return ok && before == "" && rest == ""
}

// prefixed reports whether a literal behind text is more than a string: DATE '…', N'…'. A bind cannot stand there.
func prefixed(text string) bool {
	trimmed := strings.TrimRight(text, " \t\r\n")
	if trimmed == text {
		return text != "" && (wordByte(text[len(text)-1]) || text[len(text)-1] == '&')
	}
	i := len(trimmed)
	for i > 0 && wordByte(trimmed[i-1]) {
		i--
	}
	if i > 0 && strings.IndexByte(".@$", trimmed[i-1]) >= 0 {
		return false
	}
	switch strings.ToUpper(trimmed[i:]) {
	case "DATE", "TIME", "TIMESTAMP", "INTERVAL", "ZONE", "TIMESTAMPTZ", "DATETIME":
		return true
	}
	return false
}

// code adds text in which parameters become binds.
func (w *writer) code(text string) error {
	for {
		before, name, rest, ok := placeholder(text, "${")
		w.put(before)
		if !ok {
			return nil
		}
		value, kind, err := w.b.value(name)
		if err != nil {
			return err
		}
		binds, err := Parse(strings.TrimSpace(name), kind, value)
		if err != nil {
			return err
		}
		if wordByte(w.last) || strings.IndexByte("$@:", w.last) >= 0 {
			w.put(" ") // or it would become part of the word
		}
		parts := make([]string, len(binds))
		for i, bind := range binds {
			if parts[i], err = w.add(bind); err != nil {
				return fmt.Errorf("parameter %q: %w", name, err)
			}
		}
		w.put(strings.Join(parts, ", "))
		if rest != "" && (wordByte(rest[0]) || strings.HasPrefix(rest, "${")) {
			w.put(" ")
		}
		text = rest
	}
}

// add adds a bind and returns what stands for it.
func (w *writer) add(bind Bind) (string, error) {
	d := w.b.Dialect
	if w.literal {
		return d.literal(bind)
	}
	w.st.Binds = append(w.st.Binds, bind)
	place := d.place(len(w.st.Binds))
	if w.explicit && bind.Kind == Text {
		return place + "::text", nil
	}
	return d.cast(place, bind.Kind), nil
}

// Add adds a bind to st and returns what stands for it in the text: a placeholder, or a literal.
func (b Binder) Add(st *Statement, bind Bind, literal bool) (string, error) {
	w := writer{b: b, st: st, literal: literal}
	return w.add(bind)
}

// embed adds a string or a name in which parameters become escaped text.
func (w *writer) embed(t token, previous string) error {
	if strings.HasSuffix(previous, "&") { // U&'…'
		t.back = true
	}
	text := t.inner()
	w.put(t.open)
	for {
		before, name, rest, ok := placeholder(text, "${")
		w.put(before)
		if !ok {
			w.put(t.close)
			return nil
		}
		value, _, err := w.b.value(name)
		if err != nil {
			return err
		}
		if value, err = w.b.Dialect.escape(t, value); err != nil {
			return fmt.Errorf("parameter %q: %w", name, err)
		}
		w.put(value)
		text = rest
	}
}

// program adds the text of a function: a statement within a string, so that nothing can be bound in it.
func (w *writer) program(t token) error {
	var inner Statement
	in := writer{b: w.b, st: &inner, literal: true}
	if err := in.write(t.inner(), true); err != nil {
		return err
	}
	in.finish()
	if t.close == "" || strings.Contains(inner.Text+t.close[:len(t.close)-1], t.close) {
		return fmt.Errorf("a parameter holds %s, which ends the text around it", t.open)
	}
	w.put(t.open + inner.Text + t.close)
	return nil
}
