package statement

import (
	"errors"
	"slices"
	"strings"
)

// Arguments cuts "name(a, b)" into the name and its arguments, by the rules of the dialect for strings and names. There are
// none where no parenthesis is.
func (d Dialect) Arguments(text string) (head string, args []string, err error) {
	depth, begin, ended := 0, -1, false
	head = strings.TrimSpace(text)
	d.scan(text, func(t token) bool {
		if t.kind != code {
			if ended && t.kind != comment {
				err = errTail
			}
			return err == nil
		}
		inside := false // of ${…}, whose name may hold anything
		for i := range len(t.text) {
			c, at := t.text[i], t.from+i
			switch {
			case inside:
				inside = c != '}'
			case ended:
				if strings.IndexByte(" \t\r\n;", c) < 0 {
					err = errTail
					return false
				}
			case c == '$' && strings.HasPrefix(t.text[i:], "${") && strings.Contains(t.text[i:], "}"):
				inside = true
			case c == '(':
				if depth++; depth == 1 {
					head, begin = strings.TrimSpace(text[:at]), at+1
				}
			case c == ')':
				if depth--; depth < 0 {
					err = errParentheses
					return false
				}
				if depth == 0 {
					args, ended = append(args, strings.TrimSpace(text[begin:at])), true
				}
			case c == ',' && depth == 1:
				args, begin = append(args, strings.TrimSpace(text[begin:at])), at+1
			}
		}
		return true
	})
	switch {
	case err != nil:
		return "", nil, err
	case depth > 0:
		return "", nil, errParentheses
	case len(args) == 1 && args[0] == "":
		args = nil
	}
	if slices.Contains(args, "") {
		return "", nil, errors.New("an argument is missing between two commas")
	}
	return head, args, nil
}

var (
	errTail        = errors.New("something follows the closing parenthesis of the call")
	errParentheses = errors.New("the parentheses of the call do not match")
)

// Literal reports whether nothing can be bound.
func (d Dialect) Literal() bool { return d.most == 0 }
