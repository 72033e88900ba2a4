package flow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"dorado/modules/flow/timeexpr"
)

// MaxExpanded bounds a text after expansion, in bytes: parameters that multiply each other must not eat the memory.
const MaxExpanded = 16 << 20

// ErrTooLarge says that a text would pass MaxExpanded when expanded.
var ErrTooLarge = errors.New("flow: the text is larger than 16 MiB after its parameters are put in")

const (
	// maxName bounds the text between "${" and "}" that is looked up at all, so that nested braces stay linear.
	maxName = 1024
	// maxOpen bounds how many "${" and "{" may be open at once; what lies further out is left as it is.
	maxOpen = 256
)

// Expand replaces ${name} by its value and then each $[…] by its time at base, in one pass each. Unknown names stay as
// they are, known ones inside them ("${HOME:-${dir}}") are replaced. Values are put in as they are, so they must be
// resolved already (Resolve). It fails with ErrTooLarge or with a *timeexpr.Error that names the expression.
func Expand(text string, values map[string]string, base time.Time) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	out, err := substitute(text, func(name []byte) (string, bool) {
		value, ok := values[string(name)]
		return value, ok
	})
	if err != nil {
		return "", err
	}
	if out, err = timeexpr.Replace(out, base); err != nil {
		return "", err
	}
	if len(out) > MaxExpanded {
		return "", ErrTooLarge
	}
	return out, nil
}

// Substitute replaces each ${name} that lookup knows by what it returns, innermost first, and leaves the others. It fails
// with ErrTooLarge.
func Substitute(text string, lookup func(name string) (string, bool)) (string, error) {
	return substitute(text, func(name []byte) (string, bool) { return lookup(string(name)) })
}

// substitute replaces each ${name} that lookup knows, innermost first. It reads the text once; what it wrote is not
// read again except as part of an enclosing name.
func substitute(text string, lookup func(name []byte) (string, bool)) (string, error) {
	first := strings.Index(text, "${")
	if first < 0 {
		return text, nil
	}
	out := make([]byte, 0, len(text)+len(text)/8+64)
	out = append(out, text[:first]...)
	var stack [maxOpen]int // where in out a "${" starts; ^position for a plain "{" inside one
	open := 0
	for i := first; i < len(text); {
		if open == 0 { // nothing to close: jump to the next placeholder
			next := strings.Index(text[i:], "${")
			if next < 0 {
				out = append(out, text[i:]...)
				break
			}
			out = append(out, text[i:i+next]...)
			i += next
		} else if next := strings.IndexAny(text[i:], "${}"); next != 0 {
			if next < 0 {
				out = append(out, text[i:]...)
				break
			}
			out = append(out, text[i:i+next]...)
			i += next
		}
		switch c := text[i]; {
		case c == '$' && i+1 < len(text) && text[i+1] == '{':
			if open == maxOpen {
				open = 0
			}
			stack[open] = len(out)
			open++
			out = append(out, "${"...)
			i += 2
			continue
		case c == '{':
			if open == maxOpen {
				open = 0
			}
			stack[open] = ^len(out)
			open++
		case c == '}':
			open--
			if start := stack[open]; start >= 0 && len(out)-start-2 <= maxName {
				if value, ok := lookup(out[start+2:]); ok {
					out = append(out[:start], value...)
					if len(out) > MaxExpanded {
						return "", ErrTooLarge
					}
					i++
					continue
				}
			}
		}
		out = append(out, text[i])
		i++
	}
	if len(out) > MaxExpanded {
		return "", ErrTooLarge
	}
	return string(out), nil
}

// resolver expands a set of parameters that refer to each other. References among parameters of one cycle are left
// as they are, whichever of them is looked at first: it is Tarjan's search for strongly connected components, run
// while expanding. Its depth is bounded by the number of parameters.
type resolver struct {
	raw   map[string]string
	done  map[string]string
	seen  map[string]*visit
	stack []*visit
	total int // bytes of all values so far: parameters that double each other stop early
	err   error
}

type visit struct {
	name    string
	index   int
	low     int
	onStack bool
}

// references expands every ${…} of every value, in the order of names.
func references(raw map[string]string, names []string) (map[string]string, error) {
	r := &resolver{raw: raw, done: make(map[string]string, len(raw)), seen: map[string]*visit{}}
	for _, name := range names {
		r.resolve(name)
		if r.err != nil {
			return nil, r.err
		}
	}
	return r.done, nil
}

// resolve makes sure that name has its expanded value, unless it is part of a cycle being searched just now. It
// returns nil for a value without references.
func (r *resolver) resolve(name string) *visit {
	if v, ok := r.seen[name]; ok {
		return v
	}
	text := r.raw[name]
	if !strings.Contains(text, "${") {
		r.done[name] = text
		return nil
	}
	v := &visit{name: name, index: len(r.seen), onStack: true}
	v.low = v.index
	r.seen[name] = v
	r.stack = append(r.stack, v)
	out, err := substitute(text, func(name []byte) (string, bool) {
		if _, known := r.raw[string(name)]; !known || r.err != nil {
			return "", false
		}
		other := string(name)
		if target := r.resolve(other); target != nil && target.onStack {
			v.low = min(v.low, target.low)
			return "", false
		}
		return r.done[other], true
	})
	if r.total += len(out); err == nil && r.total > MaxExpanded {
		err = ErrTooLarge
	}
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("parameter %q: %w", name, err)
	}
	r.done[name] = out
	if v.low == v.index {
		for {
			member := r.stack[len(r.stack)-1]
			r.stack = r.stack[:len(r.stack)-1]
			member.onStack = false
			if member == v {
				break
			}
		}
	}
	return v
}
