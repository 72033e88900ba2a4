package statement

// Shape is the structure of a text: its tokens without what stands in strings and names.
func Shape(d Dialect, text string) []string {
	var out []string
	d.scan(text, func(t token) bool {
		switch {
		case t.kind == code || t.kind == comment:
			out = append(out, t.text)
		case t.kind == dollars:
			out = append(append(append(out, t.open), Shape(d, t.inner())...), t.close)
		default:
			out = append(out, t.open+t.close)
		}
		return true
	})
	return out
}
