package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind says what sort of failure a fault is.
type Kind int

// The kinds of failure.
const (
	// Internal is a defect or a failure the user can do nothing about.
	Internal Kind = iota
	// Invalid is input that breaks a rule; Fields may say which.
	Invalid
	// Unauthenticated means that nobody is signed in, or no longer.
	Unauthenticated
	// Forbidden means that the user is known and may not.
	Forbidden
	// NotFound means that the object does not exist, or not for this user.
	NotFound
	// Conflict is a clash with the state of the data: taken, in use, changed meanwhile.
	Conflict
	// TooMany asks the client to slow down.
	TooMany
	// Unavailable is a passing failure: trying again later may work.
	Unavailable
	// TooLarge is input beyond a size limit.
	TooLarge
)

// String names the kind in lower-case words for logs.
func (k Kind) String() string {
	switch k {
	case Internal:
		return "internal"
	case Invalid:
		return "invalid"
	case Unauthenticated:
		return "unauthenticated"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not found"
	case Conflict:
		return "conflict"
	case TooMany:
		return "too many"
	case Unavailable:
		return "unavailable"
	case TooLarge:
		return "too large"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// Keys of the faults this package makes itself.
const (
	KeyInternal    = "fault.internal"
	KeyInvalid     = "fault.invalid"
	KeyUnavailable = "fault.unavailable"
)

// Field is a message about one field of a form or of a JSON document.
type Field struct {
	Name string         // as the form or document calls it
	Key  string         // message
	Args map[string]any // arguments of the message, nil when it has none
}

// Error is a failure with a message for users. The zero value is not useful: see New.
type Error struct {
	Kind   Kind
	Key    string
	Args   map[string]any
	Fields []Field

	cause error
}

// New returns a base error, to be declared once and derived from.
func New(kind Kind, key string) *Error {
	return &Error{Kind: kind, Key: key}
}

// Error describes the fault for logs. Arguments print themselves, so a secret.String stays masked.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)", e.Key, e.Kind)
	writeArgs(&b, e.Args)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Name, f.Key)
		writeArgs(&b, f.Args)
	}
	if e.cause != nil {
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	return b.String()
}

func writeArgs(b *strings.Builder, args map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(b, " %s=%v", name, args[name])
	}
}

// Unwrap returns the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is a fault of the same kind and key.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error) // one link of the chain; errors.Is walks it
	return ok && t.Kind == e.Kind && t.Key == e.Key
}

// With returns a copy with message arguments added: alternating names and values.
func (e *Error) With(args ...any) *Error {
	c := e.copy()
	if c.Args == nil {
		c.Args = map[string]any{}
	}
	addPairs(c.Args, args)
	return c
}

// Because returns a copy with a hidden cause.
func (e *Error) Because(cause error) *Error {
	c := e.copy()
	c.cause = cause
	return c
}

// OnField returns a copy with a message about the field name; args are alternating names and values.
func (e *Error) OnField(name, key string, args ...any) *Error {
	c := e.copy()
	c.Fields = append(c.Fields, field(name, key, args))
	return c
}

// Pairs returns the arguments as alternating names and values, ordered by name: what a translator takes.
func (e *Error) Pairs() []any { return pairs(e.Args) }

// Pairs returns the arguments as alternating names and values, ordered by name.
func (f Field) Pairs() []any { return pairs(f.Args) }

func (e *Error) copy() *Error {
	c := *e
	c.Args = maps.Clone(e.Args)
	c.Fields = slices.Clone(e.Fields)
	return &c
}

func field(name, key string, args []any) Field {
	f := Field{Name: name, Key: key}
	if len(args) > 0 {
		f.Args = map[string]any{}
		addPairs(f.Args, args)
	}
	return f
}

// addPairs tolerates an odd count: losing an argument is better than failing while reporting a failure.
func addPairs(to map[string]any, args []any) {
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok {
			name = fmt.Sprint(args[i])
		}
		var value any
		if i+1 < len(args) {
			value = args[i+1]
		}
		to[name] = value
	}
}

func pairs(args map[string]any) []any {
	out := make([]any, 0, 2*len(args))
	for _, name := range slices.Sorted(maps.Keys(args)) {
		out = append(out, name, args[name])
	}
	return out
}

// From returns the fault in err's chain. What is not a fault becomes one: an ended context is Unavailable, anything
// else Internal, with err as the hidden cause. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return New(Unavailable, KeyUnavailable).Because(err)
	}
	return New(Internal, KeyInternal).Because(err)
}

// KindOf returns the kind of the fault that From finds in err. A nil error has no kind; it reports Internal.
func KindOf(err error) Kind {
	if f := From(err); f != nil {
		return f.Kind
	}
	return Internal
}

// Collector gathers what is wrong with the fields of a form. The zero value is ready.
type Collector struct{ fields []Field }

// Add notes a message about a field; only the first message of a field is kept.
func (c *Collector) Add(name, key string, args ...any) {
	if c.Has(name) {
		return
	}
	c.fields = append(c.fields, field(name, key, args))
}

// Has reports whether the field already has a message.
func (c *Collector) Has(name string) bool {
	return slices.ContainsFunc(c.fields, func(f Field) bool { return f.Name == name })
}

// Err returns an Invalid fault with key fault.invalid and all fields, or nil when nothing was added.
func (c *Collector) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	e := New(Invalid, KeyInvalid)
	e.Fields = slices.Clone(c.fields)
	return e
}
