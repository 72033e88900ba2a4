package text

import (
	"fmt"
	"strings"
)

// Line is one line of a comparison of two texts.
type Line struct {
	Op       Op
	Text     string
	Old, New int // numbers from 1; 0 where the line is not
}

// Op says on which side a line is.
type Op byte

// The sides.
const (
	Same    Op = ' '
	Removed Op = '-'
	Added   Op = '+'
)

// maxEffort bounds the search for the shortest comparison; beyond it the middle is shown as replaced.
const maxEffort = 4000

// Lines compares two texts line by line.
func Lines(a, b string) []Line {
	x, y := splitLines(a), splitLines(b)
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	out := make([]Line, 0, len(x)+len(y)-head-tail)
	i, j := 0, 0
	put := func(op Op) {
		switch op {
		case Same:
			out = append(out, Line{Same, x[i], i + 1, j + 1})
			i, j = i+1, j+1
		case Removed:
			out = append(out, Line{Removed, x[i], i + 1, 0})
			i++
		case Added:
			out = append(out, Line{Added, y[j], 0, j + 1})
			j++
		}
	}
	for range head {
		put(Same)
	}
	for _, op := range script(x[head:len(x)-tail], y[head:len(y)-tail]) {
		put(op)
	}
	for range tail {
		put(Same)
	}
	return out
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// script is a shortest way from x to y (Myers, 1986).
func script(x, y []string) []Op {
	n, m := len(x), len(y)
	limit := min(n+m, maxEffort)
	far := make([]int, 2*limit+3) // how far in x each diagonal reaches
	at := func(k int) *int { return &far[k+limit+1] }
	var trail [][]int
	for d := 0; d <= limit; d++ {
		for k := -d; k <= d; k += 2 {
			i := *at(k - 1) + 1
			if k == -d || k != d && *at(k - 1) < *at(k + 1) {
				i = *at(k + 1)
			}
			for i < n && i-k < m && x[i] == y[i-k] {
				i++
			}
			if *at(k) = i; i >= n && i-k >= m {
				return backtrack(trail, d, n, m)
			}
		}
		// What the next steps back need: the diagonals reached with d changes.
		trail = append(trail, append([]int(nil), far[limit+1-d-1:limit+1+d+2]...))
	}
	return append(repeated(Removed, n), repeated(Added, m)...)
}

func repeated(op Op, n int) []Op {
	out := make([]Op, n)
	for i := range out {
		out[i] = op
	}
	return out
}

func backtrack(trail [][]int, d, n, m int) []Op {
	var back []Op
	i, j := n, m
	for ; d > 0; d-- {
		before := trail[d-1] // diagonals -d … d
		at := func(k int) int { return before[k+d] }
		k := i - j
		prev := k - 1
		if k == -d || k != d && at(k-1) < at(k+1) {
			prev = k + 1
		}
		pi := at(prev)
		pj := pi - prev
		start, op := pi, Added
		if prev == k-1 {
			start, op = pi+1, Removed
		}
		for i > start {
			back = append(back, Same)
			i, j = i-1, j-1
		}
		back = append(back, op)
		i, j = pi, pj
	}
	for i > 0 {
		back = append(back, Same)
		i--
	}
	for a, b := 0, len(back)-1; a < b; a, b = a+1, b-1 {
		back[a], back[b] = back[b], back[a]
	}
	return back
}

// Hunk is a stretch of changed lines with some unchanged ones around it.
type Hunk struct{ Lines []Line }

// Hunks leaves out what is further than context lines from a change.
func Hunks(lines []Line, context int) []Hunk {
	var out []Hunk
	end := 0 // of the last hunk
	for i := 0; i < len(lines); i++ {
		if lines[i].Op == Same {
			continue
		}
		from := max(end, i-context)
		last := i
		for j := i; j < len(lines) && j <= last+2*context; j++ {
			if lines[j].Op != Same {
				last = j
			}
		}
		to := min(len(lines), last+context+1)
		if from == end && len(out) > 0 {
			out[len(out)-1].Lines = append(out[len(out)-1].Lines, lines[from:to]...)
		} else {
			out = append(out, Hunk{append([]Line(nil), lines[from:to]...)})
		}
		end, i = to, to-1
	}
	return out
}

// Unified writes a comparison as `diff -u` does; "" when the texts are the same.
func Unified(a, b, nameA, nameB string) string {
	hunks := Hunks(Lines(a, b), 3)
	if len(hunks) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", nameA, nameB)
	for _, h := range hunks {
		old, added, firstOld, firstNew := 0, 0, 0, 0
		for _, l := range h.Lines {
			if l.Old > 0 {
				old++
				firstOld = first(firstOld, l.Old)
			}
			if l.New > 0 {
				added++
				firstNew = first(firstNew, l.New)
			}
		}
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n", firstOld, old, firstNew, added)
		for _, l := range h.Lines {
			out.WriteString(string(l.Op) + l.Text + "\n")
		}
	}
	return out.String()
}

func first(known, n int) int {
	if known == 0 {
		return n
	}
	return known
}
