package home

import "strconv"

type slice struct{ state, x, width string }

// slices lays the counts side by side on a width of 1000. What is there at all
// gets a visible sliver, and the rest is shared by size.
func slices(counts []Count) []slice {
	const width, sliver = 1000, 6
	sum, kinds := 0, 0
	for _, c := range counts {
		if c.Count > 0 {
			sum += c.Count
			kinds++
		}
	}
	out := make([]slice, 0, kinds)
	x := 0
	for _, c := range counts {
		if c.Count <= 0 {
			continue
		}
		w := sliver + (width-kinds*sliver)*c.Count/sum
		if len(out) == kinds-1 {
			w = width - x // rounding goes to the last one
		}
		out = append(out, slice{c.State, strconv.Itoa(x), strconv.Itoa(w)})
		x += w
	}
	return out
}
