package dataquality

import (
	"errors"
	"strings"
	"time"
)

// standardFormat is the usual way to write a time, as a Java pattern.
const standardFormat = "yyyy-MM-dd HH:mm:ss"

var errFormat = errors.New("the time format may hold yyyy, MM, dd, HH, mm, ss, SSS, punctuation, and letters in quotes")

// layout is a time format in the words of several languages.
type layout struct {
	golang, posix, percent string // of Go; of PostgreSQL and Oracle; of MySQL and Trino
	digits                 string // a regular expression
}

// timeFormat reads a Java pattern.
func timeFormat(pattern string) (layout, error) {
	if pattern == "" {
		pattern = standardFormat
	}
	units := []struct{ java, golang, posix, percent, digits string }{
		{"yyyy", "2006", "YYYY", "%Y", "[0-9]{4}"},
		{"MM", "01", "MM", "%m", "[0-9]{2}"},
		{"dd", "02", "DD", "%d", "[0-9]{2}"},
		{"HH", "15", "HH24", "%H", "[0-9]{2}"},
		{"mm", "04", "MI", "%i", "[0-9]{2}"},
		{"ss", "05", "SS", "%s", "[0-9]{2}"},
		{"SSS", "000", "MS", "%f", "[0-9]{3}"},
	}
	var l layout
	seen := map[string]bool{}
rest:
	for pattern != "" {
		for _, u := range units {
			after, ok := strings.CutPrefix(pattern, u.java)
			if !ok || seen[u.java] || after != "" && after[0] == u.java[0] {
				continue
			}
			if u.java == "SSS" && !strings.HasSuffix(l.golang, "05.") && !strings.HasSuffix(l.golang, "05,") {
				return l, errFormat // nothing else reads parts of a second without a point
			}
			seen[u.java] = true
			l.golang, l.posix, l.percent, l.digits = l.golang+u.golang, l.posix+u.posix, l.percent+u.percent, l.digits+u.digits
			pattern = after
			continue rest
		}
		text := pattern[:1]
		switch c := pattern[0]; {
		case c == '\'':
			end := strings.IndexByte(pattern[1:], '\'')
			if end < 1 {
				return l, errFormat
			}
			text, pattern = pattern[1:1+end], pattern[end+2:]
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
			return l, errFormat
		default:
			pattern = pattern[1:]
		}
		if strings.Trim(text, " -/.:,_TZ") != "" {
			return l, errFormat // more would mean something to one of the languages
		}
		quoted := text
		if strings.ContainsAny(text, "TZ") {
			quoted = `"` + text + `"`
		}
		l.golang, l.posix, l.percent = l.golang+text, l.posix+quoted, l.percent+text
		l.digits += strings.ReplaceAll(text, ".", "[.]")
	}
	if !seen["yyyy"] || !seen["MM"] || !seen["dd"] {
		return l, errFormat
	}
	return l, nil
}

// when reads a time in the format, or in one of two usual ones, and writes it as SQL does.
func (l layout) when(text string) (string, error) {
	for _, form := range []string{l.golang, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.Format("2006-01-02 15:04:05.000"), nil
		}
	}
	return "", errors.New("the time " + text + " does not have the format")
}
