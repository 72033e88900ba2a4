package httptask

import (
	"net/url"
	"regexp"
	"strings"
)

const hidden = "***"

// secretName reports whether what is called so is likely a secret. It says yes too often rather than too rarely: a hidden
// value in a log costs less than a shown one.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"auth", "cookie", "token", "secret", "key", "passw", "pwd", "credential", "signature", "session", "sign"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// shown is an address for the log.
func shown(u *url.URL) string {
	masked := *u
	if masked.User != nil {
		masked.User = url.User(hidden)
	}
	parts := strings.Split(masked.RawQuery, "&")
	for i, part := range parts {
		if name, _, ok := strings.Cut(part, "="); ok && secretName(name) {
			parts[i] = name + "=" + hidden
		}
	}
	masked.RawQuery = strings.Join(parts, "&")
	return strings.Replace(masked.String(), url.QueryEscape(hidden)+"@", hidden+"@", 1)
}

// secretMember finds members of JSON objects that hold secrets: answers of sign-in services have some.
var secretMember = regexp.MustCompile(`(?i)("[^"]*(?:token|secret|passw|pwd|credential|api_?key|private_?key|authorization|cookie|session)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"?`)

// maxShown is how much of a body the log gets, in bytes.
const maxShown = 2 << 10

// excerpt is the beginning of a body for the log.
func excerpt(text string) string {
	more := len(text) > maxShown
	if more {
		text = text[:maxShown]
	}
	text = strings.ToValidUTF8(text, "")
	text = secretMember.ReplaceAllString(text, `${1}"`+hidden+`"`)
	// What a server sends is no word of the task: it does not set output parameters.
	text = strings.ReplaceAll(text, "{setValue(", "{ setValue(")
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	if more {
		text += " …"
	}
	return text
}
