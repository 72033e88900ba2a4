package secret

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrSealed is returned by Open for a text that is damaged, was sealed for another purpose, or whose key is gone.
var ErrSealed = errors.New("secret: the sealed text cannot be opened")

const sealVersion = "s1"

// Sealer encrypts and decrypts texts. It is safe for concurrent use.
type Sealer struct {
	keys   map[string]cipher.AEAD
	newest string
}

// OpenSealer reads the key file at path, creating it with one fresh key (mode 0600) when it does not exist. The file
// holds one key a line, "<id> <base64 of 32 bytes>"; the last line is the key for new texts. A file that others may
// read is refused.
func OpenSealer(path string) (*Sealer, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := AddKey(path); err != nil {
			return nil, err
		}
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("secret: read key file: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("secret: key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("secret: key file %s is readable by others: run chmod 600 on it", path)
	}
	s := &Sealer{keys: map[string]cipher.AEAD{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		id, text, _ := strings.Cut(lines.Text(), " ")
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != 32 || id == "" {
			return nil, fmt.Errorf("secret: key file %s has a damaged line", path)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		if s.keys[id], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		s.newest = id
	}
	if s.newest == "" {
		return nil, fmt.Errorf("secret: key file %s holds no key", path)
	}
	return s, nil
}

// AddKey appends a fresh key to the key file at path, creating the file when needed. Sealers opened afterwards use it
// for new texts.
func AddKey(path string) error {
	raw := make([]byte, 36)
	_, _ = rand.Read(raw) // never fails: crypto/rand stops the program instead
	line := hex.EncodeToString(raw[:4]) + " " + base64.StdEncoding.EncodeToString(raw[4:]) + "\n"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("secret: open key file: %w", err)
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Sync(), f.Close())
}

// Seal encrypts plain. purpose, such as "datasource.password", is bound to the result: it opens only for the same one,
// so a sealed text copied to another column is useless.
func (s *Sealer) Seal(plain, purpose string) string {
	aead := s.keys[s.newest]
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	box := aead.Seal(nonce, nonce, []byte(plain), []byte(purpose))
	return sealVersion + ":" + s.newest + ":" + base64.RawStdEncoding.EncodeToString(box)
}

// Open decrypts what Seal returned for the same purpose. It returns ErrSealed.
func (s *Sealer) Open(sealed, purpose string) (String, error) {
	parts := strings.SplitN(sealed, ":", 3)
	if len(parts) != 3 || parts[0] != sealVersion {
		return "", ErrSealed
	}
	aead, known := s.keys[parts[1]]
	if !known {
		return "", fmt.Errorf("%w: key %q is not in the key file", ErrSealed, parts[1])
	}
	box, err := base64.RawStdEncoding.DecodeString(parts[2])
	if err != nil || len(box) < aead.NonceSize() {
		return "", ErrSealed
	}
	plain, err := aead.Open(nil, box[:aead.NonceSize()], box[aead.NonceSize():], []byte(purpose))
	if err != nil {
		return "", ErrSealed
	}
	return String(plain), nil
}
