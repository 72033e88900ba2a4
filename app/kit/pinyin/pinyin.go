package pinyin

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode"
)

//go:embed readings.txt
var readings string

// The characters that the table knows.
const first, last = 0x4E00, 0x9FFF

// Table says how characters are read. It takes about 100 KB.
type Table struct {
	of   [last - first + 1]uint16 // of a character: where its syllables are in sets
	sets [][]string               // the first one is empty
}

// New reads the table.
func New() (*Table, error) { return parse(readings) }

// parse reads lines of a syllable, a blank and characters that are read so.
func parse(text string) (*Table, error) {
	t := &Table{sets: [][]string{nil}}
	known := map[string]uint16{} // sets by their syllables
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		syllable, characters, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			return nil, fmt.Errorf("readings: no characters in %q", line)
		}
		for _, c := range characters {
			if c < first || c > last {
				return nil, fmt.Errorf("readings: %q of %q is out of range", c, syllable)
			}
			set := append(append([]string{}, t.sets[t.of[c-first]]...), syllable)
			key := strings.Join(set, " ")
			at, ok := known[key]
			if !ok {
				at = uint16(len(t.sets))
				known[key], t.sets = at, append(t.sets, set)
			}
			t.of[c-first] = at
		}
	}
	return t, nil
}

// Readings returns the syllables that a character can be read as, without tones; none for what is no Chinese character.
func (t *Table) Readings(c rune) []string {
	if c < first || c > last {
		return nil
	}
	return t.sets[t.of[c-first]]
}

// Text is what somebody typed.
type Text struct {
	table *Table
	typed []rune
}

// Text prepares what somebody typed. Blanks and apostrophes, which part syllables, are left out.
func (t *Table) Text(typed string) Text {
	return Text{t, []rune(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), r == '\'', r == '’':
			return -1
		case r == 'ü', r == 'Ü':
			return 'v'
		}
		return unicode.ToLower(r)
	}, typed))}
}

// Spells reports whether the text has Latin letters, so that it can spell anything at all.
func (t Text) Spells() bool {
	for _, r := range t.typed {
		if r >= 'a' && r <= 'z' {
			return true
		}
	}
	return false
}

// In reports whether a part of the name is spelled so.
func (t Text) In(name string) bool { return t.spelled(name, true) }

// Begins reports whether the beginning of the name is spelled so.
func (t Text) Begins(name string) bool { return t.spelled(name, false) }

// spelled goes through the name and keeps how much of the text can be typed for what ends at the present character: reached[n]
// says that the first n letters can. That takes as many steps as the name is long, however often syllables could be cut
// differently.
func (t Text) spelled(name string, anywhere bool) bool {
	if len(t.typed) == 0 {
		return true
	}
	reached, next := make([]bool, len(t.typed)+1), make([]bool, len(t.typed)+1)
	reached[0] = true
	for _, c := range name {
		c = unicode.ToLower(c)
		between := !unicode.IsLetter(c) && !unicode.IsDigit(c)
		clear(next)
		next[0] = anywhere
		for n, ok := range reached[:len(t.typed)] {
			if !ok {
				continue
			}
			if between && n > 0 {
				next[n] = true
			}
			if c == t.typed[n] {
				next[n+1] = true
			}
			for _, syllable := range t.table.Readings(c) {
				same := common(syllable, t.typed[n:])
				if same > 0 && n+same == len(t.typed) {
					return true
				}
				for typed := 1; typed <= same; typed++ {
					if typed == len(syllable) || initial(syllable, typed) {
						next[n+typed] = true
					}
				}
			}
		}
		if next[len(t.typed)] {
			return true
		}
		reached, next = next, reached
	}
	return false
}

// common is how many letters at the beginning of a text are those of a syllable.
func common(syllable string, typed []rune) int {
	n := 0
	for n < len(syllable) && n < len(typed) && (rune(syllable[n]) == typed[n] || syllable[n] == 'v' && typed[n] == 'u') {
		n++
	}
	return n
}

// initial reports whether this many letters are the first one of a syllable, or all of zh, ch or sh.
func initial(syllable string, letters int) bool {
	return letters == 1 || letters == 2 && syllable[1] == 'h'
}
