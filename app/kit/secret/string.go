package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const mask = "***"

// String is a text that never prints itself. An empty one prints as nothing, so that a missing secret is visible.
type String string

// Reveal returns the text.
func (s String) Reveal() string { return string(s) }

// Equal compares in constant time.
func (s String) Equal(other string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(other)) == 1
}

// String returns the mask.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// Format writes the mask, whatever the verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue returns the mask.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns the mask, for JSON and YAML.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
