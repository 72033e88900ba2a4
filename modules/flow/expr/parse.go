package expr

import (
	"fmt"
	"slices"
)

// Limits of an expression.
const (
	MaxLength = 64 << 10 // bytes
	maxDepth  = 200      // of parentheses and the like within each other
	// MaxSteps is how much work an evaluation may do: one step an operation, and one for each 64 bytes of text it looks at.
	MaxSteps = 2_000_000
)

// Expr is a condition that was understood. It may be evaluated any number of times, concurrently, too.
type Expr struct {
	root   node
	params []*placeholder
}

// node is an expression; it is evaluated by eval.
type node interface{ eval(e *env) (Value, error) }

// Parse reads a condition. The error is an *Error.
func Parse(src string) (*Expr, error) {
	if len(src) > MaxLength {
		return nil, &Error{Reason: fmt.Sprintf("the condition is longer than %d bytes", MaxLength)}
	}
	p := &parser{lexer: lexer{src: src}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == end {
		return nil, &Error{Reason: "the condition is empty"}
	}
	root, err := p.ternary()
	if err != nil {
		return nil, err
	}
	if p.is(";") {
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if p.tok.kind != end {
		return nil, p.unexpected()
	}
	return &Expr{root: root, params: p.params}, nil
}

type parser struct {
	lexer
	tok    token
	depth  int
	params []*placeholder
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) is(s string) bool { return p.tok.kind == sign && p.tok.text == s }

func (p *parser) expect(s string) error {
	if !p.is(s) {
		if p.tok.kind == end {
			return p.fail(p.tok.at, "%s is missing", s)
		}
		return p.unexpected()
	}
	return p.advance()
}

func (p *parser) unexpected() error {
	switch t := p.tok; t.kind {
	case end:
		return p.fail(t.at, "the condition ends too early")
	case number:
		return p.fail(t.at, "a number is not expected here")
	case text:
		return p.fail(t.at, "a text is not expected here")
	case param:
		return p.fail(t.at, "${%s} is not expected here", t.text)
	case word:
		if statement(t.text) {
			return p.statement()
		}
		return p.fail(t.at, "%s is not expected here", t.text)
	case sign:
		return p.fail(t.at, "%s is not expected here", t.text)
	}
	return p.fail(p.tok.at, "not understood")
}

// statement names the words with which programs begin.
func statement(s string) bool {
	return slices.Contains([]string{
		"while", "for", "do", "if", "else", "function", "return", "var", "let", "const", "new", "throw", "try", "switch", "class",
		"delete", "eval", "import", "async", "await", "yield", "with", "break", "continue", "goto",
	}, s)
}

func (p *parser) statement() error {
	what := "statements"
	if w := p.tok.text; w == "while" || w == "for" || w == "do" {
		what = "loops"
	}
	return p.fail(p.tok.at, "%s: %s are not allowed, a condition is one expression", p.tok.text, what)
}

// nest guards recursion.
func (p *parser) nest(parse func() (node, error)) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.tok.at, "nested too deeply")
	}
	n, err := parse()
	p.depth--
	return n, err
}

func (p *parser) ternary() (node, error) {
	return p.nest(func() (node, error) {
		test, err := p.binary(0)
		if err != nil || !p.is("?") {
			return test, err
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		yes, err := p.ternary()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		no, err := p.ternary()
		return &conditional{test, yes, no}, err
	})
}

// precedence lists the binary operators, the loosest first.
func precedence() [][]string {
	return [][]string{{"||"}, {"&&"}, {"==", "!=", "===", "!=="}, {"<", "<=", ">", ">="}, {"+", "-"}, {"*", "/", "%"}}
}

func (p *parser) binary(level int) (node, error) {
	levels := precedence()
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil && p.tok.kind == sign && slices.Contains(levels[level], p.tok.text) {
		op := p.tok.text
		if err = p.advance(); err != nil {
			break
		}
		var right node
		right, err = p.binary(level + 1)
		left = &operation{op, left, right}
	}
	return left, err
}

func (p *parser) unary() (node, error) {
	if !p.is("!") && !p.is("-") && !p.is("+") {
		return p.postfix()
	}
	return p.nest(func() (node, error) {
		op := p.tok.text
		if err := p.advance(); err != nil {
			return nil, err
		}
		of, err := p.unary()
		return &prefix{op, of}, err
	})
}

func (p *parser) postfix() (node, error) {
	n, err := p.primary()
	for err == nil {
		switch {
		case p.is("."):
			n, err = p.member(n)
		case p.is("["):
			if err = p.advance(); err != nil {
				break
			}
			var at node
			if at, err = p.ternary(); err == nil {
				n, err = &element{n, at}, p.expect("]")
			}
		case p.is("("):
			return nil, p.fail(p.tok.at, "this cannot be called")
		default:
			return n, nil
		}
	}
	return nil, err
}

func (p *parser) member(of node) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	name, at := p.tok.text, p.tok.at
	if p.tok.kind != word {
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.is("(") {
		if name != "length" {
			return nil, p.fail(at, ".%s is not known", name)
		}
		return &length{of}, nil
	}
	if !slices.Contains(methods(), name) {
		return nil, p.fail(at, ".%s() is not known; there are %v", name, methods())
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	args, err := p.list(")")
	return &call{name, of, args}, err
}

// list reads expressions with commas between them up to the closing sign.
func (p *parser) list(closing string) ([]node, error) {
	var out []node
	for !p.is(closing) {
		n, err := p.ternary()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if !p.is(",") {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	return out, p.expect(closing)
}

func (p *parser) primary() (node, error) {
	t := p.tok
	if t.kind == word && statement(t.text) {
		return nil, p.statement()
	}
	if t.kind == end || t.kind == sign && t.text != "(" && t.text != "[" {
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch t.kind {
	case number:
		return &literal{Number(t.num)}, nil
	case text:
		return &quoted{t.parts}, nil
	case param:
		n := &placeholder{t.text, t.at}
		p.params = append(p.params, n)
		return n, nil
	case word:
		return p.name(t)
	case sign, end:
	}
	if t.text == "(" {
		n, err := p.ternary()
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	}
	items, err := p.list("]")
	return &array{items}, err
}

func (p *parser) name(t token) (node, error) {
	switch t.text {
	case "true", "false":
		return &literal{Bool(t.text == "true")}, nil
	case "null":
		return &literal{Null{}}, nil
	case "undefined":
		return &literal{Undefined{}}, nil
	case "NaN", "Infinity":
		return &literal{toNumber(Text(t.text))}, nil
	case "Number", "String", "Boolean", "parseInt", "parseFloat":
		if p.is("(") {
			if err := p.advance(); err != nil {
				return nil, err
			}
			args, err := p.list(")")
			return &call{t.text, nil, args}, err
		}
	}
	return nil, p.fail(t.at, "%s is not defined; write ${%s} for a parameter and \"%s\" for a text", t.text, t.text, t.text)
}
