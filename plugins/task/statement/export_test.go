package statement

// Shape is the structure of a text: its tokens without what stands in strings and names.
func Shape(d Dialect, text string) []string {
	var out []string
	d.scan(text, func(t token) bool {
		switch t.kind {
		case code, comment:
			out = append(out, t.text)
		case dollars:
			out = append(append(append(out, t.open), Shape(d, t.inner())...), t.close)
		case str, name:
			out = append(out, t.open+t.close)
		}
		return true
	})
	return out
}
