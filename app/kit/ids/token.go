package ids

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// Token returns 256 random bits as 43 characters that are safe in URLs, headers and cookies.
func Token() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand stops the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// Hash returns the SHA-256 of a token in hexadecimal: what a table stores in its place. Tokens have full entropy, so
// neither salt nor a slow function would add anything.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
