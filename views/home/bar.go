package home

import "strconv"

type slice struct{ state, x, width string }

// slices lays the counts side by side on a width of 1000. What is there at all
// gets at least a visible sliver.
func slices(counts []Count) []slice {
	const width, sliver = 1000, 6
	sum := total(counts)
	out := make([]slice, 0, len(counts))
	x := 0
	for i, c := range counts {
		if c.Count == 0 {
			continue
		}
		w := max(sliver, width*c.Count/sum)
		if i == len(counts)-1 {
			w = max(sliver, width-x)
		}
		out = append(out, slice{c.State, strconv.Itoa(x), strconv.Itoa(w)})
		x += w
	}
	return out
}
