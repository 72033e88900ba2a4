package secret

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// ErrSealed is returned by Open for a text that is damaged, was sealed for another purpose, or whose key is gone.
var ErrSealed = errors.New("secret: the sealed text cannot be opened")

const sealVersion = "s1"

// Sealer encrypts and decrypts texts. It is safe for concurrent use. One that was opened from a key file follows the
// file: a key that is added to it is used from the next text on.
type Sealer struct {
	path string // key file; "" when the keys were given as text

	mu    sync.Mutex
	ring  ring
	stamp stamp // of the key file when ring was read
}

// Seal encrypts plain with the newest key. purpose, such as "datasource.password", is bound to the result: it opens only
// for the same one, so a sealed text copied to another column is useless.
func (s *Sealer) Seal(plain, purpose string) string {
	keys := s.keys("")
	box := keys.seal([]byte(plain), []byte(purpose))
	return sealVersion + ":" + keys.newest() + ":" + base64.RawStdEncoding.EncodeToString(box)
}

// Open decrypts what Seal returned for the same purpose. It returns ErrSealed.
func (s *Sealer) Open(sealed, purpose string) (String, error) {
	id, text, ok := parts(sealed)
	if !ok {
		return "", ErrSealed
	}
	aead, known := s.keys(id).byID[id]
	if !known {
		return "", fmt.Errorf("%w: there is no key %q", ErrSealed, id)
	}
	box, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(box) < aead.NonceSize() {
		return "", ErrSealed
	}
	plain, err := aead.Open(nil, box[:aead.NonceSize()], box[aead.NonceSize():], []byte(purpose))
	if err != nil {
		return "", ErrSealed
	}
	return String(plain), nil
}

// KeyOf returns the id of the key that a text was sealed with; false for a text that no Sealer made.
func KeyOf(sealed string) (string, bool) {
	id, _, ok := parts(sealed)
	return id, ok
}

// Prefix is what every text begins with that was sealed with a key.
func Prefix(key string) string { return sealVersion + ":" + key + ":" }

// Newest returns the id of the key for new texts.
func (s *Sealer) Newest() string { k := s.keys(""); return k.newest() }

// Keys returns the ids of all keys, the oldest first.
func (s *Sealer) Keys() []string { return append([]string(nil), s.keys("").order...) }

// File returns the path of the key file, "" when the keys were given as text.
func (s *Sealer) File() string { return s.path }

func parts(sealed string) (id, text string, ok bool) {
	fields := strings.SplitN(sealed, ":", 3)
	if len(fields) != 3 || fields[0] != sealVersion || fields[1] == "" {
		return "", "", false
	}
	return fields[1], fields[2], true
}

// keys returns the keys, read again when the key file is another one than before. A file that cannot be read now, or
// that lacks the wanted key, leaves those that are known in force: work goes on while somebody edits it.
func (s *Sealer) keys(want string) ring {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" {
		return s.ring
	}
	now, err := stampOf(s.path)
	if _, known := s.ring.byID[want]; err != nil || now == s.stamp && (want == "" || known) {
		return s.ring
	}
	if ring, stamp, err := readKeys(s.path); err == nil {
		s.ring, s.stamp = ring, stamp
	}
	return s.ring
}
