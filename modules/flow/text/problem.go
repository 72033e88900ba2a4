package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a text. Key is a message key, Args are alternating names and values for it.
type Problem struct {
	Line   int // from 1
	Column int // from 1, in characters
	Key    string
	Args   []any
}

// String describes the problem for logs and tests.
func (p Problem) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d:%d: %s %v", p.Line, p.Column, strings.TrimPrefix(p.Key, "yaml.problem."), p.Args))
}

// maxProblems is where Parse stops counting: nobody reads more.
const maxProblems = 100

func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// nearest returns the name that somebody may have meant, "" when none is near.
func nearest(written string, known func(yield func(string) bool)) string {
	best, least := "", 3
	for name := range known {
		if d := distance(strings.ToLower(written), strings.ToLower(name), least); d < least || d == least && d < 3 && name < best {
			best, least = name, d
		}
	}
	if least*2 > len(written) {
		return ""
	}
	return best
}

// distance counts the letters to change from a to b; it stops counting at most.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most || len(a) > 200 {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			corner, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, corner+cost)
		}
	}
	return row[len(b)]
}
