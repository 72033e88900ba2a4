package secret

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// retiredSuffix ends the name of the file beside a key file that holds its retired keys.
const retiredSuffix = ".retired"

// keySize is that of AES-256, in bytes.
const keySize = 32

// ring is a set of keys.
type ring struct {
	byID  map[string]cipher.AEAD
	order []string // ids, the newest last
}

func (r ring) newest() string { return r.order[len(r.order)-1] }

func (r ring) seal(plain, purpose []byte) []byte {
	aead := r.byID[r.newest()]
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand stops the program instead
	return aead.Seal(nonce, nonce, plain, purpose)
}

// add takes a line: base64 of a key, or an id, a blank and that. A key without an id gets the one that follows from it,
// so that the same key has the same id in a file and in a variable.
func (r *ring) add(line string) error {
	id, text, named := strings.Cut(line, " ")
	if !named {
		id, text = "", line
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize || named && (id == "" || strings.Contains(id, ":")) {
		return errors.New("a key is base64 of 32 bytes, with an id and a blank before it or without")
	}
	if !named {
		id = idOf(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	if _, twice := r.byID[id]; twice { // the last place counts: that makes it the newest
		r.order = slices.DeleteFunc(r.order, func(known string) bool { return known == id })
	}
	r.byID[id] = aead
	r.order = append(r.order, id)
	return nil
}

func idOf(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:4])
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.ModTime(), info.Size()}, nil
}

// OpenSealer reads the key file at path, creating it with one fresh key (mode 0600) when it does not exist. The file
// holds one key a line, "<id> <base64 of 32 bytes>"; the last line is the key for new texts. A file that others may
// read is refused.
func OpenSealer(path string) (*Sealer, error) {
	ring, stamp, err := readKeys(path)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := AddKey(path); err != nil {
			return nil, err
		}
		ring, stamp, err = readKeys(path)
	}
	if err != nil {
		return nil, err
	}
	return &Sealer{path: path, ring: ring, stamp: stamp}, nil
}

// NewSealer takes the keys themselves, separated by commas or line ends, in the form of the lines of a key file or
// without ids; the last one is for new texts. No error names a key.
func NewSealer(keys String) (*Sealer, error) {
	r := ring{byID: map[string]cipher.AEAD{}}
	for n, line := range strings.FieldsFunc(keys.Reveal(), func(c rune) bool { return c == ',' || c == '\n' || c == '\r' }) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := r.add(line); err != nil {
			return nil, fmt.Errorf("secret: key %d: %w", n+1, err)
		}
	}
	if len(r.order) == 0 {
		return nil, errors.New("secret: there is no key")
	}
	return &Sealer{ring: r}, nil
}

func readKeys(path string) (ring, stamp, error) {
	none := ring{}
	at, err := stampOf(path) // before reading: a change in between is seen next time
	if err != nil {
		return none, at, fmt.Errorf("secret: key file: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return none, at, fmt.Errorf("secret: key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return none, at, fmt.Errorf("secret: key file %s is readable by others: run chmod 600 on it", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return none, at, fmt.Errorf("secret: read key file: %w", err)
	}
	r := ring{byID: map[string]cipher.AEAD{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		if err := r.add(line); err != nil {
			return none, at, fmt.Errorf("secret: key file %s has a damaged line, %d: %w", path, n, err)
		}
	}
	if len(r.order) == 0 {
		return none, at, fmt.Errorf("secret: key file %s holds no key", path)
	}
	return r, at, nil
}

func freshKey() (id, line string) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	id = idOf(key)
	return id, id + " " + base64.StdEncoding.EncodeToString(key)
}

// AddKey appends a fresh key to the key file at path, creating the file when needed, and returns the id of the key.
// Sealers of the file use it for new texts from then on.
func AddKey(path string) (string, error) {
	id, line := freshKey()
	return id, appendLine(path, line)
}

// StageKey puts a fresh key before the others of the key file at path: texts that it seals elsewhere can be opened, and
// nothing is sealed with it here until PromoteKey. It returns the id of the key.
func StageKey(path string) (string, error) {
	id, line := freshKey()
	lines, err := keyLines(path)
	if err != nil {
		return "", err
	}
	return id, rewrite(path, append([]string{line}, lines...))
}

// PromoteKey makes a key of the key file at path the one for new texts.
func PromoteKey(path, id string) error {
	mine, others, err := split(path, id)
	if err != nil {
		return err
	}
	if len(mine) == 0 {
		return fmt.Errorf("secret: key file %s has no key %s", path, id)
	}
	return rewrite(path, append(others, mine[0]))
}

// RetireKeys takes keys, by their ids, out of the key file at path and appends them to the file beside it whose name ends
// with ".retired": a backup of before may still need them. The last key of a file stays whatever is asked.
func RetireKeys(path string, ids ...string) error {
	gone, kept, err := split(path, ids...)
	if err != nil || len(gone) == 0 {
		return err
	}
	if len(kept) == 0 {
		return fmt.Errorf("secret: key file %s would be left without a key", path)
	}
	if err := appendLine(path+retiredSuffix, gone...); err != nil {
		return err
	}
	return rewrite(path, kept)
}

func keyLines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("secret: read key file: %w", err)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// split tells the lines of keys from the others of a file.
func split(path string, ids ...string) (mine, others []string, err error) {
	lines, err := keyLines(path)
	for _, line := range lines {
		r := ring{byID: map[string]cipher.AEAD{}}
		if r.add(line) == nil && slices.Contains(ids, r.newest()) {
			mine = append(mine, line)
		} else {
			others = append(others, line)
		}
	}
	return mine, others, err
}

// rewrite replaces a key file in one step.
func rewrite(path string, lines []string) error {
	part := path + ".part"
	if err := errors.Join(os.RemoveAll(part), appendLine(part, lines...)); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("secret: replace key file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func appendLine(path string, lines ...string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("secret: open key file: %w", err)
	}
	text := strings.Join(lines, "\n") + "\n"
	if open, err := endsOpen(f); err == nil && open { // somebody's editor left out the last line end
		text = "\n" + text
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("secret: write key file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func endsOpen(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return last[0] != '\n', err
}

// syncFolder makes a new name in a folder survive a crash of the machine.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
