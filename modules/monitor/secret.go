package monitor

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// hidden stands for what must not be shown.
const hidden = "••••••"

// secretWord finds names of things that hold secrets, secretURL the password in an address.
var (
	secretWord = regexp.MustCompile(`(?i)(secret|passw|token|credential|private|api.?key|signature|\bauth)`)
	secretURL  = regexp.MustCompile(`(://[^/\s:@]*:)[^@/\s]+@`)
)

// Shown is the value of a node of the registry as people may see it: JSON indented, and without what looks like a secret,
// be it by the name of its field, by the path of the node, or by its form. clipped says that there is more of it.
func Shown(path, value string) (text string, clipped bool) {
	const most = 8000
	if value == "" {
		return "", false
	}
	if secretWord.MatchString(path) {
		return hidden, false
	}
	text = value
	var parsed any
	d := json.NewDecoder(strings.NewReader(value))
	d.UseNumber()
	if d.Decode(&parsed) == nil && !d.More() {
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if e.Encode(masked(parsed)) == nil {
			text = strings.TrimRight(out.String(), "\n")
		}
	} else if secretWord.MatchString(value) {
		return hidden, false
	}
	text = secretURL.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "${1}"+hidden+"@")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], ""), true
	}
	return text, false
}

// masked is a JSON value without what stands under the name of a secret.
func masked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if secretWord.MatchString(name) {
				v[name] = hidden
			} else {
				v[name] = masked(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = masked(v[i])
		}
	}
	return v
}
