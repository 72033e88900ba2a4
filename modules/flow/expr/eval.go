package expr

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// ErrTooMuch says that an evaluation would take more than MaxSteps.
var ErrTooMuch = errors.New("the condition takes too long to evaluate")

// Param is the value of a parameter. A bare one is a number or a boolean; others are texts.
type Param struct {
	Text string
	Bare bool
}

// Lookup finds a parameter by name.
type Lookup func(name string) (Param, bool)

// Eval evaluates the condition. It fails when a parameter is not known or a bare one is neither number nor boolean, when
// an operation makes no sense, and with ErrTooMuch.
func (x *Expr) Eval(lookup Lookup) (Value, error) {
	for _, p := range x.params { // also in what is not evaluated: the whole condition counts as wrong
		if _, ok := lookup(p.name); !ok {
			return nil, p.unknown()
		}
	}
	return x.root.eval(&env{lookup: lookup})
}

// Holds reports whether the condition is true, exactly: 1 and "true" are not. What cannot be read or evaluated is not,
// either; err says why.
func Holds(src string, lookup Lookup) (holds bool, err error) {
	x, err := Parse(src)
	if err != nil {
		return false, err
	}
	v, err := x.Eval(lookup)
	if err != nil {
		return false, err
	}
	b, boolean := v.(Bool)
	if !boolean {
		return false, fmt.Errorf("the condition gives %s, which is neither true nor false", toText(v))
	}
	return bool(b), nil
}

// Show is the text of a condition with its parameters put in, as people read it in a log. Unknown names stay.
func Show(src string, lookup Lookup) string {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(src); {
		c := src[i]
		if strings.HasPrefix(src[i:], "${") {
			if stop := strings.IndexByte(src[i:], '}'); stop > 0 {
				if p, ok := lookup(src[i+2 : i+stop]); ok {
					switch quoted := strconv.Quote(p.Text); {
					case quote != 0:
						out.WriteString(quoted[1 : len(quoted)-1])
					case p.Bare:
						out.WriteString(p.Text)
					default:
						out.WriteString(quoted)
					}
					i += stop + 1
					continue
				}
			}
		}
		switch {
		case c == '\\' && quote != 0 && i+1 < len(src):
			out.WriteByte(c)
			i++
			c = src[i]
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
		out.WriteByte(c)
		i++
	}
	return out.String()
}

type env struct {
	lookup Lookup
	steps  int
}

// spend counts work: one step, and more for long texts.
func (e *env) spend(bytes int) error {
	if e.steps += 1 + bytes/64; e.steps > MaxSteps {
		return ErrTooMuch
	}
	return nil
}

type (
	literal     struct{ v Value }
	quoted      struct{ parts []part }
	placeholder struct {
		name string
		at   int
	}
	array  struct{ items []node }
	prefix struct {
		op string
		of node
	}
	operation struct {
		op          string
		left, right node
	}
	conditional struct{ test, yes, no node }
	element     struct{ of, at node }
	length      struct{ of node }
	call        struct {
		name string
		of   node // nil for a function
		args []node
	}
)

func (n *literal) eval(e *env) (Value, error) { return n.v, e.spend(0) }

func (n *quoted) eval(e *env) (Value, error) {
	var b strings.Builder
	for _, p := range n.parts {
		if !p.name {
			b.WriteString(p.text)
		} else if v, ok := e.lookup(p.text); ok {
			b.WriteString(v.Text)
		} else {
			b.WriteString("${" + p.text + "}")
		}
	}
	return Text(b.String()), e.spend(b.Len())
}

func (n *placeholder) eval(e *env) (Value, error) {
	p, ok := e.lookup(n.name)
	switch {
	case !ok:
		return nil, n.unknown()
	case !p.Bare:
		return Text(p.Text), e.spend(len(p.Text))
	}
	switch s := strings.TrimSpace(p.Text); s {
	case "true", "false":
		return Bool(s == "true"), e.spend(0)
	case "":
		return nil, &Error{n.at, "the parameter " + n.name + " is empty"}
	default:
		if v := parseNumber(s); !math.IsNaN(float64(v)) {
			return v, e.spend(len(s))
		}
		return nil, &Error{n.at, fmt.Sprintf("the parameter %s is %.40q, which is no number", n.name, s)}
	}
}

func (n *placeholder) unknown() error { return &Error{n.at, "no parameter is called " + n.name} }

func (n *array) eval(e *env) (Value, error) {
	items, err := e.all(n.items)
	return &List{items}, err
}

func (e *env) all(nodes []node) ([]Value, error) {
	out := make([]Value, len(nodes))
	for i, n := range nodes {
		var err error
		if out[i], err = n.eval(e); err != nil {
			return nil, err
		}
	}
	return out, e.spend(0)
}

func (n *prefix) eval(e *env) (Value, error) {
	v, err := n.of.eval(e)
	if err != nil {
		return nil, err
	}
	switch n.op {
	case "!":
		return Bool(!truthy(v)), e.spend(0)
	case "-":
		return -toNumber(v), e.spend(0)
	}
	return toNumber(v), e.spend(0)
}

func (n *conditional) eval(e *env) (Value, error) {
	v, err := n.test.eval(e)
	if err != nil {
		return nil, err
	}
	if truthy(v) {
		return n.yes.eval(e)
	}
	return n.no.eval(e)
}

func (n *operation) eval(e *env) (Value, error) {
	a, err := n.left.eval(e)
	if err != nil {
		return nil, err
	}
	switch {
	case n.op == "&&" && !truthy(a), n.op == "||" && truthy(a):
		return a, nil
	}
	b, err := n.right.eval(e)
	if err != nil {
		return nil, err
	}
	if n.op == "&&" || n.op == "||" {
		return b, nil
	}
	if err := e.spend(size(a) + size(b)); err != nil {
		return nil, err
	}
	return apply(n.op, a, b), nil
}

func apply(op string, a, b Value) Value {
	switch op {
	case "==":
		return Bool(looseEqual(a, b))
	case "!=":
		return Bool(!looseEqual(a, b))
	case "===":
		return Bool(strictEqual(a, b))
	case "!==":
		return Bool(!strictEqual(a, b))
	case "<":
		result, ok := less(a, b)
		return Bool(result && ok)
	case ">":
		result, ok := less(b, a)
		return Bool(result && ok)
	case "<=":
		result, ok := less(b, a)
		return Bool(!result && ok)
	case ">=":
		result, ok := less(a, b)
		return Bool(!result && ok)
	case "+":
		a, b = primitive(a), primitive(b)
		_, textA := a.(Text)
		_, textB := b.(Text)
		if textA || textB {
			return Text(toText(a) + toText(b))
		}
		return toNumber(a) + toNumber(b)
	case "-":
		return toNumber(a) - toNumber(b)
	case "*":
		return toNumber(a) * toNumber(b)
	case "/":
		return toNumber(a) / toNumber(b)
	}
	return Number(math.Mod(float64(toNumber(a)), float64(toNumber(b))))
}

// size is how many bytes of text an operation on v looks at.
func size(v Value) int {
	switch v := v.(type) {
	case Text:
		return len(v)
	case *List:
		n := 0
		for _, item := range v.items {
			n += 8 + size(item)
		}
		return n
	}
	return 0
}

func (n *element) eval(e *env) (Value, error) {
	of, err := n.of.eval(e)
	if err != nil {
		return nil, err
	}
	at, err := n.at.eval(e)
	if err != nil {
		return nil, err
	}
	i := float64(toNumber(at))
	switch of := of.(type) {
	case *List:
		if i >= 0 && i < float64(len(of.items)) && i == math.Trunc(i) {
			return of.items[int(i)], e.spend(0)
		}
		return Undefined{}, e.spend(0)
	case Text:
		if u := units(string(of)); i >= 0 && i < float64(len(u)) && i == math.Trunc(i) {
			return Text(utf16.Decode(u[int(i) : int(i)+1])), e.spend(len(of))
		}
		return Undefined{}, e.spend(len(of))
	}
	return nil, fmt.Errorf("%s has no elements", toText(of))
}

func (n *length) eval(e *env) (Value, error) {
	of, err := n.of.eval(e)
	if err != nil {
		return nil, err
	}
	switch of := of.(type) {
	case *List:
		return Number(len(of.items)), e.spend(0)
	case Text:
		return Number(len(units(string(of)))), e.spend(len(of))
	}
	return nil, fmt.Errorf("%s has no length", toText(of))
}

// methods lists what texts can be asked for; lists know includes and indexOf.
func methods() []string {
	return []string{"includes", "indexOf", "startsWith", "endsWith", "toLowerCase", "toUpperCase", "trim", "charAt", "substring"}
}

func (n *call) eval(e *env) (Value, error) {
	args, err := e.all(n.args)
	if err != nil {
		return nil, err
	}
	if n.of == nil {
		return function(e, n.name, args)
	}
	of, err := n.of.eval(e)
	if err != nil {
		return nil, err
	}
	arg := func(i int) Value {
		if i < len(args) {
			return args[i]
		}
		return Undefined{}
	}
	if err := e.spend(size(of) + size(arg(0))); err != nil {
		return nil, err
	}
	switch of := of.(type) {
	case *List:
		at := slices.IndexFunc(of.items, func(v Value) bool { return strictEqual(v, arg(0)) })
		switch n.name {
		case "includes":
			return Bool(at >= 0), nil
		case "indexOf":
			return Number(at), nil
		}
	case Text:
		return method(n.name, string(of), arg), nil
	}
	return nil, fmt.Errorf("%s has no method %s", toText(of), n.name)
}

func method(name, s string, arg func(int) Value) Value {
	switch name {
	case "includes":
		return Bool(strings.Contains(s, toText(arg(0))))
	case "startsWith":
		return Bool(strings.HasPrefix(s, toText(arg(0))))
	case "endsWith":
		return Bool(strings.HasSuffix(s, toText(arg(0))))
	case "toLowerCase":
		return Text(strings.ToLower(s))
	case "toUpperCase":
		return Text(strings.ToUpper(s))
	case "trim":
		return Text(strings.TrimSpace(s))
	case "indexOf":
		at := strings.Index(s, toText(arg(0)))
		if at > 0 {
			at = len(units(s[:at]))
		}
		return Number(at)
	}
	u := units(s)
	place := func(i, missing int) int {
		if _, none := arg(i).(Undefined); none {
			return missing
		}
		f := math.Trunc(float64(toNumber(arg(i))))
		if math.IsNaN(f) {
			return 0
		}
		return int(math.Max(0, math.Min(f, float64(len(u)))))
	}
	if name == "charAt" {
		from := place(0, 0)
		if float64(toNumber(arg(0))) < 0 {
			from = len(u)
		}
		return Text(utf16.Decode(u[from:min(from+1, len(u))]))
	}
	from, to := place(0, 0), place(1, len(u)) // substring
	return Text(utf16.Decode(u[min(from, to):max(from, to)]))
}

func function(e *env, name string, args []Value) (Value, error) {
	var v Value = Undefined{}
	if len(args) > 0 {
		v = args[0]
	}
	if err := e.spend(size(v)); err != nil {
		return nil, err
	}
	switch name {
	case "String":
		if len(args) == 0 {
			return Text(""), nil
		}
		return Text(toText(v)), nil
	case "Boolean":
		return Bool(truthy(v)), nil
	case "Number":
		if len(args) == 0 {
			return Number(0), nil
		}
		return toNumber(v), nil
	}
	return leading(strings.TrimSpace(toText(v)), name == "parseInt"), nil
}

// leading reads the number with which a text begins.
func leading(s string, whole bool) Number {
	allowed := "0123456789+-.eE"
	if whole {
		allowed = "0123456789+-"
	}
	n := 0
	for n < len(s) && strings.IndexByte(allowed, s[n]) >= 0 {
		n++
	}
	for n = min(n, 400); n > 0; n-- { // longer ones are infinite or have digits that do not count
		if f, err := strconv.ParseFloat(s[:n], 64); err == nil {
			return Number(f)
		}
	}
	return Number(math.NaN())
}
