package py4j

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// What a client may put into one collection.
const (
	maxElements = 10_000
	maxHeld     = 8 << 20 // bytes of texts
)

// bag is what collections share: a bound and a lock.
type bag struct {
	mu   sync.Mutex
	held int
}

// room makes sure that v may be added to n elements.
func (b *bag) room(n int, vs ...Value) error {
	size := 0
	for _, v := range vs {
		size += len(v.Text)
	}
	if n >= maxElements || b.held+size > maxHeld {
		return NewException(IllegalState, "The collection is full")
	}
	b.held += size
	return nil
}

// element prints a value inside a collection. Collections in it are not entered: one may hold itself.
func element(v Value) string {
	if v.Kind == Ref {
		switch v.Object.(type) {
		case *Map, *List, *Set, *Iterator:
			return v.Object.Class()
		}
	}
	return v.String()
}

func elements(all []Value) string {
	parts := make([]string, len(all))
	for i, v := range all {
		parts[i] = element(v)
	}
	return strings.Join(parts, ", ")
}

// same compares as Java's equals, except that an int equals a long of the same value: Python knows no difference.
func same(a, b Value) bool {
	if a.Kind == Long {
		a.Kind = Int
	}
	if b.Kind == Long {
		b.Kind = Int
	}
	return a == b
}

// Map is a java.util.HashMap that keeps the order of insertion.
type Map struct {
	bag
	keys   []Value
	values []Value
}

// Pair is one entry of a map.
type Pair struct {
	Key   string
	Value Value
}

// NewMap returns a map with these entries.
func NewMap(pairs ...Pair) *Map {
	m := &Map{}
	for _, p := range pairs {
		m.keys, m.values = append(m.keys, OfText(p.Key)), append(m.values, p.Value)
	}
	return m
}

// Letter is part of Object, as what follows.
func (*Map) Letter() byte { return 'a' }

// Class is part of Object.
func (*Map) Class() string { return "java.util.HashMap" }

// String is part of Object.
func (m *Map) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	parts := make([]string, len(m.keys))
	for i := range m.keys {
		parts[i] = element(m.keys[i]) + "=" + element(m.values[i])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Call is part of Object.
func (m *Map) Call(_ context.Context, method string, args []Value) (Value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch len(args) {
	case 0:
		switch method {
		case "size":
			return OfInt(int64(len(m.keys))), nil
		case "isEmpty":
			return OfBool(len(m.keys) == 0), nil
		case "keySet":
			return OfObject(&Set{values: slices.Clone(m.keys)}), nil
		case "values":
			return OfObject(&List{values: slices.Clone(m.values)}), nil
		case "clear":
			m.keys, m.values, m.held = nil, nil, 0
			return OfVoid(), nil
		}
	case 1:
		at := slices.IndexFunc(m.keys, func(k Value) bool { return same(k, args[0]) })
		switch method {
		case "get":
			return m.at(at), nil
		case "containsKey":
			return OfBool(at >= 0), nil
		case "remove":
			was := m.at(at)
			if at >= 0 {
				m.held -= min(m.held, len(m.keys[at].Text)+len(m.values[at].Text))
				m.keys, m.values = slices.Delete(m.keys, at, at+1), slices.Delete(m.values, at, at+1)
			}
			return was, nil
		}
	case 2:
		if method == "put" {
			return m.put(args[0], args[1])
		}
	}
	return Value{}, ErrNoMethod
}

func (m *Map) at(i int) Value {
	if i < 0 {
		return OfNull()
	}
	return m.values[i]
}

func (m *Map) put(key, value Value) (Value, error) {
	at := slices.IndexFunc(m.keys, func(k Value) bool { return same(k, key) })
	if at >= 0 {
		if err := m.room(0, value); err != nil {
			return Value{}, err
		}
		was := m.values[at]
		m.held -= min(m.held, len(was.Text))
		m.values[at] = value
		return was, nil
	}
	if err := m.room(len(m.keys), key, value); err != nil {
		return Value{}, err
	}
	m.keys, m.values = append(m.keys, key), append(m.values, value)
	return OfNull(), nil
}

// List is a java.util.ArrayList.
type List struct {
	bag
	values []Value
}

// NewList returns a list of values.
func NewList(values ...Value) *List { return &List{values: values} }

// Letter is part of Object, as what follows.
func (*List) Letter() byte { return 'l' }

// Class is part of Object.
func (*List) Class() string { return "java.util.ArrayList" }

// String is part of Object.
func (l *List) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return "[" + elements(l.values) + "]"
}

// Call is part of Object.
func (l *List) Call(_ context.Context, method string, args []Value) (Value, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if method == "get" && len(args) == 1 {
		at, err := index(args[0], len(l.values))
		if err != nil {
			return Value{}, err
		}
		return l.values[at], nil
	}
	if method == "add" && len(args) == 1 {
		if err := l.room(len(l.values), args[0]); err != nil {
			return Value{}, err
		}
		l.values = append(l.values, args[0])
		return OfBool(true), nil
	}
	return query(l.values, method, args)
}

// query are the methods that lists and sets share.
func query(values []Value, method string, args []Value) (Value, error) {
	switch {
	case method == "size" && len(args) == 0:
		return OfInt(int64(len(values))), nil
	case method == "isEmpty" && len(args) == 0:
		return OfBool(len(values) == 0), nil
	case method == "contains" && len(args) == 1:
		return OfBool(slices.ContainsFunc(values, func(v Value) bool { return same(v, args[0]) })), nil
	case method == "iterator" && len(args) == 0:
		return OfObject(&Iterator{rest: slices.Clone(values)}), nil
	}
	return Value{}, ErrNoMethod
}

// Set is a java.util.HashSet that keeps the order of insertion.
type Set struct {
	bag
	values []Value
}

// Letter is part of Object, as what follows.
func (*Set) Letter() byte { return 'h' }

// Class is part of Object.
func (*Set) Class() string { return "java.util.HashSet" }

// String is part of Object.
func (s *Set) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "[" + elements(s.values) + "]"
}

// Call is part of Object.
func (s *Set) Call(_ context.Context, method string, args []Value) (Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method == "add" && len(args) == 1 {
		if slices.ContainsFunc(s.values, func(v Value) bool { return same(v, args[0]) }) {
			return OfBool(false), nil
		}
		if err := s.room(len(s.values), args[0]); err != nil {
			return Value{}, err
		}
		s.values = append(s.values, args[0])
		return OfBool(true), nil
	}
	return query(s.values, method, args)
}

// Iterator goes through what a list or a set held when it was made.
type Iterator struct {
	mu   sync.Mutex
	rest []Value
}

// Letter is part of Object, as what follows.
func (*Iterator) Letter() byte { return 'g' }

// Class is part of Object.
func (*Iterator) Class() string { return "java.util.Iterator" }

// String is part of Object.
func (i *Iterator) String() string { return i.Class() }

// Call is part of Object.
func (i *Iterator) Call(_ context.Context, method string, args []Value) (Value, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case method == "hasNext" && len(args) == 0:
		return OfBool(len(i.rest) > 0), nil
	case method == "next" && len(args) == 0:
		if len(i.rest) == 0 {
			return Value{}, NewException(NoSuchElement, "")
		}
		v := i.rest[0]
		i.rest = i.rest[1:]
		return v, nil
	}
	return Value{}, ErrNoMethod
}
