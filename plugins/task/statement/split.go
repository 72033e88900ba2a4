package statement

import (
	"slices"
	"strings"
)

// Split cuts text into statements. Semicolons in strings, names, comments and bodies of routines separate nothing; blank
// statements vanish. Comments stay, because some are hints, except where a server might not understand them.
//
// A body is recognised by its BEGIN and END, so no DELIMITER is needed. In Oracle a line that holds only a slash ends a
// statement, too, and is needed behind DECLARE … and CREATE PACKAGE. In SQL Server a text with GO lines is cut there and
// nowhere else; without them, everything from a DECLARE, IF, WHILE or CREATE PROCEDURE on is one batch, because variables
// do not outlive their batch.
func (d Dialect) Split(text string) []string {
	if d.uncomment {
		text = d.withoutComments(text)
	}
	s := splitter{d: d, text: text, batches: d.Family == SQLServer && d.hasGo(text)}
	d.scan(text, func(t token) bool {
		if t.kind == code {
			s.code(t)
		}
		return true
	})
	s.end(len(text), len(text), false)
	return s.out
}

// mode is how a statement ends.
type mode int

const (
	unknown   mode = iota // not yet decided: too few words are known
	simple                // at a semicolon
	blocks                // at a semicolon outside of BEGIN … END
	unlimited             // at a line of its own, or with the text
)

type splitter struct {
	d       Dialect
	text    string
	batches bool // semicolons separate nothing
	out     []string

	begin  int // of the statement
	words  []string
	mode   mode
	depth  int  // of BEGIN and CASE
	ending bool // END was the last word; what it ends is said by the next one
}

// code looks at a part that is no string, name or comment.
func (s *splitter) code(t token) {
	for i := 0; i < len(t.text); {
		at := t.from + i
		if at == 0 || s.text[at-1] == '\n' {
			if l := line(s.text[at:]); s.separator(l) {
				s.end(at, at+len(l), false)
				i += len(l)
				continue
			}
		}
		switch c := t.text[i]; {
		case c == ';' && !s.batches:
			s.semicolon(at)
			i++
		case wordByte(c):
			end := i + 1
			for end < len(t.text) && wordByte(t.text[end]) {
				end++
			}
			s.word(strings.ToUpper(t.text[i:end]))
			i = end
		default:
			i++
		}
	}
}

// separator reports whether a line ends a statement by itself.
func (s *splitter) separator(l string) bool {
	l = strings.TrimSpace(l)
	return (s.batches && strings.EqualFold(l, "GO")) || (s.d.Family == Oracle && l == "/")
}

func (d Dialect) hasGo(text string) bool {
	found := false
	d.scan(text, func(t token) bool {
		if t.kind == code {
			for i := range t.text {
				at := t.from + i
				if (at == 0 || text[at-1] == '\n') && strings.EqualFold(strings.TrimSpace(line(text[at:])), "GO") {
					found = true
				}
			}
		}
		return !found
	})
	return found
}

func (s *splitter) semicolon(at int) {
	s.close("")
	switch s.mode {
	case unlimited:
		return
	case blocks:
		if s.depth > 0 {
			return
		}
		s.end(at+1, at+1, s.d.Family != Oracle) // a block of Oracle is not complete without it
		return
	case unknown, simple:
	}
	s.end(at, at+1, false)
}

// end takes the statement up to to; the next one begins at next.
func (s *splitter) end(to, next int, trim bool) {
	text := strings.TrimSpace(s.text[s.begin:to])
	if trim {
		text = strings.TrimSpace(strings.TrimSuffix(text, ";"))
	}
	if s.d.word(text) != "" {
		s.out = append(s.out, text)
	}
	s.begin, s.words, s.mode, s.depth, s.ending = next, nil, unknown, 0, false
}

// word takes notice of a word.
func (s *splitter) word(w string) {
	if s.mode == unknown {
		s.words = append(s.words, w)
		s.mode = s.d.modeOf(s.words)
		if s.mode == blocks && slices.Contains(s.words, "BEGIN") {
			s.depth = 1
			return
		}
	}
	if s.mode != blocks {
		return
	}
	was := s.ending
	s.close(w)
	switch {
	case w == "END":
		s.ending = true
	case w == "BEGIN", w == "CASE" && !was:
		s.depth++
	}
}

// close takes notice of an END, now that the next word is known.
func (s *splitter) close(next string) {
	if s.ending && !slices.Contains([]string{"IF", "LOOP", "WHILE", "REPEAT", "FOR"}, next) && s.depth > 0 {
		s.depth--
	}
	s.ending = false
}

// modeOf says how a statement that begins with these words ends.
func (d Dialect) modeOf(words []string) mode {
	switch first := words[0]; {
	case first == "CREATE", first == "ALTER" && d.Family == SQLServer:
		return d.modeOfCreate(words)
	case d.Family == Oracle && first == "BEGIN":
		return blocks
	case d.Family == Oracle && first == "DECLARE":
		return unlimited
	case d.Family == SQLServer && first == "BEGIN":
		switch {
		case len(words) == 1:
			return unknown
		case slices.Contains([]string{"TRAN", "TRANSACTION", "DISTRIBUTED"}, words[1]):
			return simple
		}
		return unlimited
	case d.Family == SQLServer && slices.Contains([]string{"DECLARE", "IF", "WHILE"}, first):
		return unlimited
	case d.Family == MySQL && first == "BEGIN": // MariaDB knows BEGIN NOT ATOMIC … END
		switch {
		case slices.Equal(words, []string{"BEGIN", "NOT", "ATOMIC"}):
			return blocks
		case len(words) == 1, len(words) == 2 && words[1] == "NOT":
			return unknown
		}
	}
	return simple
}

func (d Dialect) modeOfCreate(words []string) mode {
	defined := false // CREATE DEFINER = somebody @ somewhere PROCEDURE
	for _, w := range words[1:] {
		switch w {
		case "PROCEDURE", "PROC", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE":
			switch d.Family {
			case Oracle, SQLServer:
				return unlimited
			case Postgres, MySQL, SQLite:
				return blocks
			case ClickHouse, Hive, Trino, Plain:
			}
			return simple
		case "TYPE":
			if d.Family == Oracle {
				return unlimited
			}
			return simple
		case "DEFINER":
			defined = true
		case "OR", "REPLACE", "ALTER", "AGGREGATE", "EDITIONABLE", "NONEDITIONABLE", "CONSTRAINT", "TEMP", "TEMPORARY":
		default:
			if !defined {
				return simple
			}
		}
	}
	if len(words) > 16 {
		return simple
	}
	return unknown
}

// withoutComments takes comments out, except for hints. Lines keep their numbers.
func (d Dialect) withoutComments(text string) string {
	var b strings.Builder
	d.scan(text, func(t token) bool {
		if t.kind != comment || strings.HasPrefix(t.text, "/*+") {
			b.WriteString(t.text)
			return true
		}
		b.WriteByte(' ')
		b.WriteString(strings.Repeat("\n", strings.Count(t.text, "\n")))
		return true
	})
	return b.String()
}
