package launch

import (
	"strconv"
	"strings"
)

// Quote returns text as one word of a POSIX shell.
func Quote(text string) string {
	plain := text != ""
	for i := 0; i < len(text) && plain; i++ {
		c := text[i]
		plain = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_@%+=:,./-", c) >= 0
	}
	if plain {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Line is a command line that grows from left to right.
type Line struct {
	parts []string
}

// NewLine begins a line with a program, given as text for the shell.
func NewLine(program string) *Line { return &Line{parts: []string{program}} }

// String returns the line as text for a shell.
func (l *Line) String() string { return strings.Join(l.parts, " ") }

// Words adds each text as a word of its own.
func (l *Line) Words(words ...string) *Line {
	for _, w := range words {
		l.parts = append(l.parts, Quote(w))
	}
	return l
}

// Option adds name and value as two words; nothing when the value is blank.
func (l *Line) Option(name, value string) *Line {
	if value = strings.TrimSpace(value); value == "" {
		return l
	}
	return l.Words(name, value)
}

// Joined adds begin and value as one word; nothing when the value is blank.
func (l *Line) Joined(begin, value string) *Line {
	if value = strings.TrimSpace(value); value == "" {
		return l
	}
	return l.Words(begin + value)
}

// Conf adds "name key=value"; nothing when the value is blank.
func (l *Line) Conf(name, key, value string) *Line {
	if value = strings.TrimSpace(value); value == "" {
		return l
	}
	return l.Words(name, key+"="+value)
}

// Shell adds text that the shell splits and expands; nothing when it is blank.
func (l *Line) Shell(text string) *Line {
	if text = OneLine(text); text != "" {
		l.parts = append(l.parts, text)
	}
	return l
}

// OneLine makes one line of text for a shell: somebody who puts each option on a line of its own does not mean to end the
// command there, with or without a backslash. Line ends within quotes stay.
func OneLine(text string) string {
	var out strings.Builder
	var quote byte
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			if text[i] == '\n' && quote == 0 {
				out.WriteByte(' ')
				continue
			}
			out.WriteByte(c)
			c = text[i]
		case c == '\\' && quote == 0:
			continue // the last character: it would swallow what comes behind
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == 0 && c == '\n':
			c = ' '
		}
		out.WriteByte(c)
	}
	line := strings.TrimLeft(out.String(), " \t")
	if end := strings.TrimRight(line, " \t"); !strings.HasSuffix(end, `\`) {
		return end
	}
	return line // the blank may be one that a backslash keeps
}

// Number writes n without an exponent; "" unless it is above zero, which is how the programs are left to their defaults.
func Number(n float64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// Script is text for a shell or a file, with the line ends of Unix.
func Script(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// Blank reports whether nothing is to be seen of text.
func Blank(text string) bool { return strings.TrimSpace(text) == "" }
