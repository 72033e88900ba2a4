package timeexpr

import (
	"errors"
	"fmt"
	"math"
)

// maxNesting bounds parentheses and signs in a row, so that the parser's own stack stays small.
const maxNesting = 64

var (
	errOverflow = errors.New("a number is too large")
	errNesting  = errors.New("too many parentheses or signs")
)

// calculate evaluates integers with + - * / ( ) and signs. Division cuts towards zero.
func calculate(s string) (int64, error) {
	p := parser{text: s}
	n, err := p.sum(0)
	if err != nil {
		return 0, err
	}
	if p.skip(); p.at < len(s) {
		return 0, fmt.Errorf("%q is not integer arithmetic", s)
	}
	return n, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) skip() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

// next returns the next character that is not a space, without taking it; 0 at the end.
func (p *parser) next() byte {
	if p.skip(); p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) sum(depth int) (int64, error) {
	left, err := p.product(depth)
	for err == nil {
		op := p.next()
		if op != '+' && op != '-' {
			return left, nil
		}
		p.at++
		var right int64
		if right, err = p.product(depth); err != nil {
			break
		}
		if op == '-' {
			if right == math.MinInt64 {
				return 0, errOverflow
			}
			right = -right
		}
		if (right > 0 && left > math.MaxInt64-right) || (right < 0 && left < math.MinInt64-right) {
			return 0, errOverflow
		}
		left += right
	}
	return 0, err
}

func (p *parser) product(depth int) (int64, error) {
	left, err := p.factor(depth)
	for err == nil {
		op := p.next()
		if op != '*' && op != '/' {
			return left, nil
		}
		p.at++
		var right int64
		if right, err = p.factor(depth); err != nil {
			break
		}
		if op == '/' {
			if right == 0 {
				return 0, errors.New("division by zero")
			}
			if left == math.MinInt64 && right == -1 {
				return 0, errOverflow
			}
			left /= right
			continue
		}
		if left != 0 && right != 0 {
			product := left * right
			if product/right != left || (left == -1 && right == math.MinInt64) || (right == -1 && left == math.MinInt64) {
				return 0, errOverflow
			}
			left = product
			continue
		}
		left = 0
	}
	return 0, err
}

func (p *parser) factor(depth int) (int64, error) {
	if depth > maxNesting {
		return 0, errNesting
	}
	switch c := p.next(); {
	case c == '+' || c == '-':
		p.at++
		n, err := p.factor(depth + 1)
		if err != nil || c == '+' {
			return n, err
		}
		if n == math.MinInt64 {
			return 0, errOverflow
		}
		return -n, nil
	case c == '(':
		p.at++
		n, err := p.sum(depth + 1)
		if err != nil {
			return 0, err
		}
		if p.next() != ')' {
			return 0, errors.New("a parenthesis is not closed")
		}
		p.at++
		return n, nil
	case isDigit(c):
		var n int64
		for p.at < len(p.text) && isDigit(p.text[p.at]) {
			digit := int64(p.text[p.at] - '0')
			if n > (math.MaxInt64-digit)/10 {
				return 0, errOverflow
			}
			n = n*10 + digit
			p.at++
		}
		return n, nil
	}
	return 0, fmt.Errorf("%q is not integer arithmetic", p.text)
}
