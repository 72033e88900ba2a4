package py4j

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The commands that have a body. Streaming and callbacks are unknown here.
const (
	callCommand       = "c"
	memoryCommand     = "m"
	exceptionCommand  = "p"
	reflectionCommand = "r"
	constructCommand  = "i"
	fieldCommand      = "f"
	listCommand       = "l"
	arrayCommand      = "a"
	dirCommand        = "d"
	helpCommand       = "h"
	viewCommand       = "j"
	shutdownCommand   = "s"
)

func known(name string) bool {
	return slices.Contains([]string{
		callCommand, memoryCommand, exceptionCommand, reflectionCommand, constructCommand, fieldCommand, listCommand, arrayCommand,
		dirCommand, helpCommand, viewCommand, shutdownCommand,
	}, name)
}

// Names of objects that are always there.
const (
	entryID  = "t"
	static   = "z:"
	typeUtil = "py4j.reflection.TypeUtil"
)

// exception is the answer about a command that makes no sense, or that this server does not carry out.
func exception(format string, args ...any) string {
	return failed("py4j.Py4JException: " + fmt.Sprintf(format, args...))
}

// carryOut answers a command.
func (c *session) carryOut(ctx context.Context, name string, lines []string) string {
	switch name {
	case callCommand:
		return c.call(ctx, lines)
	case memoryCommand:
		if len(lines) == 2 && lines[0] == "d" {
			c.server.objects.forget(lines[1])
		}
		return "!yv"
	case exceptionCommand:
		return c.trace(lines)
	case reflectionCommand:
		if slices.Equal(lines, []string{"m", typeUtil, "isInstanceOf"}) {
			return "!ym"
		}
		return "!x"
	case constructCommand:
		return c.construct(lines)
	case fieldCommand:
		if len(lines) > 0 && lines[0] == "g" {
			return "!yo"
		}
		return exception("Fields cannot be set")
	case dirCommand:
		return "!ys"
	case viewCommand:
		return "!yv"
	case shutdownCommand:
		return exception("The gateway is not shut down by its clients")
	default: // lists, arrays, help
		return exception("The command %s is not supported", name)
	}
}

// trace answers the text of an exception.
func (c *session) trace(lines []string) string {
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "r") {
		return exception("An exception is asked for by its reference")
	}
	o, ok := c.server.objects.get(lines[0][1:])
	if !ok {
		return missing(lines[0][1:])
	}
	if e, ok := o.(*Exception); ok {
		return "!ys" + Escape(e.trace())
	}
	return exception("%s is no exception", o.Class())
}

func missing(id string) string {
	return exception("Target Object ID does not exist for this gateway :%s", clip(id))
}

// clip keeps what is repeated in a message short.
func clip(text string) string {
	const most = 100
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// construct makes an empty collection.
func (c *session) construct(lines []string) string {
	if len(lines) == 1 {
		var o Object
		switch lines[0] {
		case "java.util.HashMap":
			o = NewMap()
		case "java.util.ArrayList":
			o = NewList()
		case "java.util.HashSet":
			o = &Set{}
		}
		if o != nil {
			return "!y" + OfObject(o).encode(c.name)
		}
	}
	return exception("Only empty java.util.HashMap, ArrayList and HashSet can be made")
}

// name gives an object an id.
func (c *session) name(o Object) string { return c.server.objects.add(c.owner, o) }

// call answers the call of a method.
func (c *session) call(ctx context.Context, lines []string) string {
	if len(lines) < 2 {
		return exception("A call names an object and a method")
	}
	target, method := lines[0], lines[1]
	args := make([]Value, 0, len(lines)-2)
	for _, line := range lines[2:] {
		v, err := c.argument(line)
		switch {
		case errors.Is(err, errNoObject):
			return missing(line[1:])
		case err != nil:
			return exception("%s", strings.TrimPrefix(err.Error(), "py4j: "))
		}
		args = append(args, v)
	}
	v, err := c.invoke(ctx, target, method, args)
	if err == nil {
		return "!y" + v.encode(c.name)
	}
	if told, ok := errors.AsType[*Exception](err); ok {
		return "!xr" + c.name(told)
	}
	switch {
	case errors.Is(err, ErrNoMethod):
		classes := make([]string, len(args))
		for i, a := range args {
			if classes[i] = a.Class(); !a.IsNull() {
				classes[i] = "class " + classes[i]
			}
		}
		return exception("Method %s([%s]) does not exist", clip(method), strings.Join(classes, ", "))
	case errors.Is(err, errNoObject):
		return missing(target)
	}
	c.server.Logger.ErrorContext(ctx, "python gateway: a call failed", "method", clip(method), "error", err)
	return "!xr" + c.name(NewException(RuntimeError, "Internal error"))
}

// argument reads one argument. It returns errNoObject for a reference to nothing.
func (c *session) argument(line string) (Value, error) {
	if !strings.HasPrefix(line, "r") {
		return scalar(line)
	}
	if o, ok := c.server.objects.get(line[1:]); ok {
		return OfObject(o), nil
	}
	return Value{}, errNoObject
}

// errNoObject says that there is no object with the id of a call.
var errNoObject = errors.New("py4j: no such object")

// invoke calls the method. A panic becomes an error: one call must not end the program.
func (c *session) invoke(ctx context.Context, target, method string, args []Value) (v Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = Value{}, fmt.Errorf("py4j: %s panicked: %v", clip(method), r)
		}
	}()
	if class, ok := strings.CutPrefix(target, static); ok {
		return classMethod(class, method, args)
	}
	if target == entryID {
		return c.server.Entry.Call(ctx, method, args)
	}
	o, ok := c.server.objects.get(target)
	if !ok {
		return Value{}, errNoObject
	}
	v, err = o.Call(ctx, method, args)
	if errors.Is(err, ErrNoMethod) {
		return common(o, method, args)
	}
	return v, err
}

// classMethod is the only static method: Python asks for it at the end of an iteration.
func classMethod(class, method string, args []Value) (Value, error) {
	if class != typeUtil || method != "isInstanceOf" || len(args) != 2 || args[0].Kind != Text || args[1].Kind != Ref {
		return Value{}, ErrNoMethod
	}
	return OfBool(slices.Contains(ancestors(args[1].Object), args[0].Text)), nil
}
