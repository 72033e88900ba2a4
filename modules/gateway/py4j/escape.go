package py4j

import "strings"

// Escape makes a text fit into a line: backslash, line feed and carriage return get a backslash.
func Escape(text string) string {
	if !strings.ContainsAny(text, "\\\n\r") {
		return text
	}
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(text)
}

// Unescape is the opposite of Escape. A backslash before any other character stands for that character; one at the end
// stands for itself.
func Unescape(text string) string {
	at := strings.IndexByte(text, '\\')
	if at < 0 {
		return text
	}
	var out strings.Builder
	out.Grow(len(text))
	for at >= 0 {
		out.WriteString(text[:at])
		if at+1 == len(text) {
			text = text[at:]
			break
		}
		switch c := text[at+1]; c {
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		default:
			out.WriteByte(c)
		}
		text = text[at+2:]
		at = strings.IndexByte(text, '\\')
	}
	out.WriteString(text)
	return out.String()
}
