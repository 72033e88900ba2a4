package py4j

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
)

// ErrNoMethod is returned by Call for a method that an object does not have, or not with these arguments.
var ErrNoMethod = errors.New("py4j: no such method")

// Object is something that clients call methods of. Its methods must be safe for concurrent use, and its dynamic type must
// be a pointer.
type Object interface {
	// Letter says what references to the object look like: 'r', or one of the collections' a, g, h, l.
	Letter() byte
	// Class is the name of its Java class.
	Class() string
	// Call returns ErrNoMethod, an *Exception for what the client is to be told, or any other error, which it is not.
	Call(ctx context.Context, method string, args []Value) (Value, error)
	// String is what toString answers.
	String() string
}

// Entry is the object that a client begins with.
type Entry interface {
	Call(ctx context.Context, method string, args []Value) (Value, error)
}

// common are the methods that every object has.
func common(o Object, method string, args []Value) (Value, error) {
	switch {
	case method == "toString" && len(args) == 0:
		return OfText(o.String()), nil
	case method == "hashCode" && len(args) == 0:
		h := fnv.New32a()
		fmt.Fprintf(h, "%p", o)
		return Value{Kind: Int, Int: int64(int32(h.Sum32()))}, nil //nolint:gosec // a hash may be negative
	case method == "equals" && len(args) == 1:
		return OfBool(args[0].Kind == Ref && args[0].Object == o), nil
	case method == "getClass" && len(args) == 0:
		return OfObject(class(o.Class())), nil
	}
	return Value{}, ErrNoMethod
}

// class is what getClass returns.
func class(name string) Object {
	simple := name
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' || name[i] == '$' {
			simple = name[i+1:]
			break
		}
	}
	return NewBean("java.lang.Class", "class "+name, map[string]Value{"getName": OfText(name), "getSimpleName": OfText(simple)})
}

// Bean is an object with getters only.
type Bean struct {
	class, text string
	getters     map[string]Value
}

// NewBean returns an object that answers the methods named in getters, which take no arguments. text is what toString
// answers.
func NewBean(class, text string, getters map[string]Value) *Bean { return &Bean{class, text, getters} }

// Letter is part of Object, as what follows.
func (*Bean) Letter() byte { return 'r' }

// Class is part of Object.
func (b *Bean) Class() string { return b.class }

// String is part of Object.
func (b *Bean) String() string { return b.text }

// Call is part of Object.
func (b *Bean) Call(_ context.Context, method string, args []Value) (Value, error) {
	if v, ok := b.getters[method]; ok && len(args) == 0 {
		return v, nil
	}
	return Value{}, ErrNoMethod
}

// Classes of exceptions that clients know.
const (
	IllegalArgument = "java.lang.IllegalArgumentException"
	IllegalState    = "java.lang.IllegalStateException"
	RuntimeError    = "java.lang.RuntimeException"
	NoSuchElement   = "java.util.NoSuchElementException"
)

// Exception is an error that the client is told. In Python it is a Py4JJavaError.
type Exception struct{ class, message string }

// NewException returns an exception of a Java class.
func NewException(class, message string) *Exception { return &Exception{class, message} }

// Error is the message.
func (e *Exception) Error() string { return e.message }

// Letter is part of Object, as what follows.
func (*Exception) Letter() byte { return 'r' }

// Class is part of Object.
func (e *Exception) Class() string { return e.class }

// String is part of Object.
func (e *Exception) String() string {
	if e.message == "" {
		return e.class
	}
	return e.class + ": " + e.message
}

// trace is what stands for a stack trace; clients print it.
func (e *Exception) trace() string { return e.String() + "\n\tat dorado.gateway(Gateway)\n" }

// Call is part of Object.
func (e *Exception) Call(_ context.Context, method string, args []Value) (Value, error) {
	if len(args) > 0 {
		return Value{}, ErrNoMethod
	}
	switch method {
	case "getMessage", "getLocalizedMessage":
		return OfText(e.message), nil
	case "getCause":
		return OfNull(), nil
	case "printStackTrace":
		return OfVoid(), nil
	}
	return Value{}, ErrNoMethod
}

// ancestors are the classes and interfaces that a client may ask about, besides the object's own.
func ancestors(o Object) []string {
	all := []string{o.Class(), "java.lang.Object"}
	switch x := o.(type) {
	case *Exception:
		all = append(all, "java.lang.Throwable", "java.lang.Exception")
		if x.class != RuntimeError {
			all = append(all, RuntimeError)
		}
	case *Map:
		all = append(all, "java.util.Map")
	case *List:
		all = append(all, "java.util.List", "java.util.Collection", "java.lang.Iterable")
	case *Set:
		all = append(all, "java.util.Set", "java.util.Collection", "java.lang.Iterable")
	case *Iterator:
		all = append(all, "java.util.Iterator")
	}
	return all
}

// index reads the argument of get.
func index(v Value, n int) (int, error) {
	if v.Kind != Int && v.Kind != Long {
		return 0, ErrNoMethod
	}
	if v.Int < 0 || v.Int >= int64(n) {
		return 0, NewException("java.lang.IndexOutOfBoundsException", "Index: "+strconv.FormatInt(v.Int, 10)+", Size: "+strconv.Itoa(n))
	}
	return int(v.Int), nil
}
