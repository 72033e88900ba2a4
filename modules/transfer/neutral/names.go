package neutral

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CleanName makes a name that looks like what it is: without control characters, without characters that nobody sees or
// that turn the direction of what stands around them, without broken UTF-8, and no longer than most characters. An empty
// result means that there was nothing to see.
func CleanName(name string, most int) string {
	var b strings.Builder
	space := false
	for _, r := range name {
		switch {
		case r == utf8.RuneError, invisible(r):
			continue
		case unicode.IsSpace(r), r == '\u2800': // the braille cell without dots
			space = true
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	out := b.String()
	if utf8.RuneCountInString(out) > most {
		out = strings.TrimSpace(string([]rune(out)[:most]))
	}
	return out
}

// invisible reports whether a character shows nothing by itself: controls, marks of direction, joiners, fillers, variation
// selectors, tags, and what is reserved for private use.
func invisible(r rune) bool {
	if unicode.IsSpace(r) {
		return false
	}
	switch {
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Variation_Selector, unicode.Noncharacter_Code_Point):
		return true
	case r == '\u034f', r == '\u115f', r == '\u1160', r == '\u17b4', r == '\u17b5', r == '\u3164', r == '\uffa0', r == '\ufffc':
		return true
	}
	return r >= 0xe0000 && r <= 0xe0fff
}

// unique returns name, or name with a number behind it that seen does not have, and remembers it.
func unique(name string, most int, suffix func(n int) string, seen map[string]bool) string {
	out := name
	for n := 1; seen[out]; n++ {
		tail := suffix(n)
		head := []rune(name)
		if room := most - utf8.RuneCountInString(tail); len(head) > room {
			head = head[:room]
		}
		out = string(head) + tail
	}
	seen[out] = true
	return out
}
