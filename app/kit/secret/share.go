package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/argon2"
)

// shareVersion begins a text that Wrap made.
const shareVersion = "k1:"

// ErrWrapped is returned by Unwrap for a text that is damaged or was wrapped with another passphrase.
var ErrWrapped = errors.New("secret: the keys cannot be unwrapped")

const saltSize = 16

// Wrap makes lines of a key file readable with a passphrase only (Argon2id, AES-256-GCM), so that processes that share the
// passphrase can hand keys on through a place that others read.
func Wrap(lines []string, passphrase String) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt)
	aead := wrapping(passphrase, salt)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	box := aead.Seal(nonce, nonce, []byte(strings.Join(lines, "\n")), []byte(shareVersion))
	return shareVersion + base64.RawStdEncoding.EncodeToString(append(salt, box...))
}

// Unwrap is the reverse of Wrap. It returns ErrWrapped.
func Unwrap(text string, passphrase String) ([]string, error) {
	packed, ok := strings.CutPrefix(text, shareVersion)
	raw, err := base64.RawStdEncoding.DecodeString(packed)
	if !ok || err != nil || len(raw) < saltSize {
		return nil, ErrWrapped
	}
	aead, box := wrapping(passphrase, raw[:saltSize]), raw[saltSize:]
	if len(box) < aead.NonceSize() {
		return nil, ErrWrapped
	}
	plain, err := aead.Open(nil, box[:aead.NonceSize()], box[aead.NonceSize():], []byte(shareVersion))
	if err != nil {
		return nil, ErrWrapped
	}
	return strings.Split(string(plain), "\n"), nil
}

func wrapping(passphrase String, salt []byte) cipher.AEAD {
	block, err := aes.NewCipher(argon2.IDKey([]byte(passphrase.Reveal()), salt, 2, 19*1024, 1, keySize))
	if err != nil {
		panic(err) // the key has the right size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // so has the block
	}
	return aead
}

// FreshLine is a new key as a line of a key file.
func FreshLine() string {
	_, line := freshKey()
	return line
}

// Lines returns the lines of the key file at path, none when there is no file.
func Lines(path string) ([]string, error) {
	lines, err := keyLines(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return lines, err
}

// Merge makes the key file at path hold these lines, too, and returns all it holds. Keys it did not have are put before the
// others: its newest stays the one for new texts. In a file that did not exist the last line is. Keys that were retired here
// stay so.
func Merge(path string, lines []string) ([]string, error) {
	have, err := Lines(path)
	if err != nil {
		return nil, err
	}
	retired, err := Lines(path + retiredSuffix)
	if err != nil {
		return nil, err
	}
	var fresh []string
	for _, line := range lines {
		r := ring{byID: map[string]cipher.AEAD{}}
		if err := r.add(line); err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		known := slices.ContainsFunc(slices.Concat(have, retired), func(other string) bool {
			o := ring{byID: map[string]cipher.AEAD{}}
			return o.add(other) == nil && o.newest() == r.newest()
		})
		if !known {
			fresh = append(fresh, line)
		}
	}
	if len(fresh) == 0 {
		return have, nil
	}
	all := slices.Concat(fresh, have)
	if len(have) == 0 {
		return all, appendLine(path, all...)
	}
	return all, rewrite(path, all)
}
