package httptask

import (
	"mime"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// decode makes UTF-8 of a body. What is not in the encoding that the server names is replaced, and NUL, which databases do
// not keep.
func decode(raw []byte, contentType string) string {
	text := string(raw)
	if _, options, err := mime.ParseMediaType(contentType); err == nil && options["charset"] != "" {
		if encoding, err := htmlindex.Get(options["charset"]); err == nil {
			if s, err := encoding.NewDecoder().String(text); err == nil {
				text = s
			}
		}
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
