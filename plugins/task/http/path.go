package httptask

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ohler55/ojg/jp"
)

var errPath = errors.New("this is no JSON path that can be used")

// maxPath bounds the length of a path, and maxNames how many names its lists may multiply to.
const (
	maxPath  = 1000
	maxNames = 100
)

// isPath tells a JSON path from a value that an OUT parameter has for other reasons, such as a time expression.
func isPath(text string) bool {
	return text == "$" || strings.HasPrefix(text, "$.") || strings.HasPrefix(text, "$['") || strings.HasPrefix(text, "$[*") || strings.HasPrefix(text, "$[?") ||
		len(text) > 3 && strings.HasPrefix(text, "$[") && text[2] >= '0' && text[2] <= '9' && strings.Contains(text, "]")
}

// parsePath reads a path. It refuses those whose work does not grow with the size of the text they are applied to alone.
func parsePath(text string) (x jp.Expr, err error) {
	defer rescue(&err)
	if len(text) > maxPath {
		return nil, errPath
	}
	if x, err = jp.ParseString(text); err != nil {
		return nil, fmt.Errorf("%w: %w", errPath, err)
	}
	descents, names := 0, 1
	for _, part := range x {
		switch p := part.(type) {
		case jp.Descent:
			descents++
		case jp.Union:
			names *= max(1, len(p))
		case *jp.Filter:
			if s := p.String(); strings.Contains(s, "..") || strings.Count(s, "*") > 1 {
				return nil, errPath
			}
		case *jp.Proc:
			return nil, errPath
		}
		if descents > 1 || names > maxNames {
			return nil, errPath
		}
	}
	return x, nil
}

// pick returns what a path finds as text: a text as it is, everything else as JSON, several finds as a list.
func pick(path string, document any) (text string, found bool, err error) {
	defer rescue(&err)
	x, err := parsePath(path)
	if err != nil {
		return "", false, err
	}
	all := x.Get(document)
	switch len(all) {
	case 0:
		return "", false, nil
	case 1:
		switch one := all[0].(type) {
		case nil:
			return "", true, nil
		case string:
			return one, true, nil
		}
		raw, err := encode(all[0])
		return string(raw), true, err
	}
	raw, err := encode(all)
	return string(raw), true, err
}

// rescue makes an error of a panic: the text comes from somebody else's server.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errPath, r)
	}
}

// parseJSON reads one JSON document. Whole numbers stay whole.
func parseJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the body is no JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the body is no JSON: something stands behind it")
	}
	return numbers(v), nil
}

// numbers makes of numbers what conditions in paths compare.
func numbers(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = numbers(x[k])
		}
	case []any:
		for i := range x {
			x[i] = numbers(x[i])
		}
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		if f, err := x.Float64(); err == nil && strings.ContainsAny(string(x), ".eE") {
			return f
		}
	}
	return v
}
