package azkaban

import (
	"regexp"
	"strconv"
	"strings"
)

// props are settings in the order in which they were written.
type props struct {
	keys   []string
	values map[string]string
	lines  map[string]int
}

func newProps() *props { return &props{values: map[string]string{}, lines: map[string]int{}} }

func (p *props) set(key, value string, line int) {
	if _, known := p.values[key]; !known {
		p.keys = append(p.keys, key)
	}
	p.values[key], p.lines[key] = value, line
}

func (p *props) get(key string) string { return strings.TrimSpace(p.values[key]) }

// parseProps reads what Java calls properties: key=value, key: value, comments, lines that go on, escapes.
func parseProps(data []byte) *props {
	p := newProps()
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		number := i + 1
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		var whole strings.Builder
		for goesOn(line) && i+1 < len(lines) {
			whole.WriteString(line[:len(line)-1])
			i++
			line = strings.TrimLeft(lines[i], " \t\f")
		}
		whole.WriteString(line)
		key, value := split(whole.String())
		p.set(unescape(key), unescape(value), number)
	}
	return p
}

// goesOn reports whether a line ends in an odd number of backslashes.
func goesOn(line string) bool {
	n := 0
	for n < len(line) && line[len(line)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// split cuts a line at the first separator that is not escaped.
func split(line string) (key, value string) {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '=', ':':
			return strings.TrimRight(line[:i], " \t\f"), strings.TrimLeft(line[i+1:], " \t\f")
		case ' ', '\t', '\f':
			rest := strings.TrimLeft(line[i:], " \t\f")
			if rest != "" && (rest[0] == '=' || rest[0] == ':') {
				rest = strings.TrimLeft(rest[1:], " \t\f")
			}
			return line[:i], rest
		}
	}
	return line, ""
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			out.WriteByte('\t')
		case 'n':
			out.WriteByte('\n')
		case 'r', 'f':
		case 'u':
			if n, err := strconv.ParseUint(s[min(i+1, len(s)):min(i+5, len(s))], 16, 16); err == nil && i+4 < len(s) {
				out.WriteRune(rune(n))
				i += 4
				continue
			}
			out.WriteByte('u')
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}

// mentioned lists the names between ${ and } of texts.
func mentioned(texts ...string) []string {
	found := regexp.MustCompile(`\$\{([^{}$\s]{1,256})\}`)
	var out []string
	seen := map[string]bool{}
	for _, text := range texts {
		for _, m := range found.FindAllStringSubmatch(text, -1) {
			if !seen[m[1]] {
				seen[m[1]] = true
				out = append(out, m[1])
			}
		}
	}
	return out
}
