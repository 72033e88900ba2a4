package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"dorado/app/kit/secret"
)

// Cost is how hard a password is to hash. The zero value means 19 MiB and 2 passes.
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
}

const (
	saltBytes = 16
	keyBytes  = 32
	// What a stored hash may demand at most: a damaged row must not take all memory.
	maxMemoryKiB = 256 * 1024
	maxPasses    = 16
	// maxWaiting bounds the attempts that queue for hashing.
	maxWaiting = 64
)

// hasher hashes a few passwords at a time.
type hasher struct {
	cost    Cost
	slots   chan struct{}
	waiting atomic.Int64
	dummy   string // hash that no password matches, for unknown names
}

func newHasher(cost Cost) *hasher {
	if cost.MemoryKiB == 0 {
		cost.MemoryKiB = 19 * 1024
	}
	if cost.Passes == 0 {
		cost.Passes = 2
	}
	h := &hasher{cost: cost, slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key)
	h.dummy = encode(cost, key[:saltBytes], key)
	return h
}

// hash returns the PHC string of a password. It returns ErrBusy when too many wait, or the error of ctx.
func (h *hasher) hash(ctx context.Context, password secret.String) (string, error) {
	release, err := h.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: crypto/rand stops the program instead
	return encode(h.cost, salt, argon2.IDKey([]byte(password.Reveal()), salt, h.cost.Passes, h.cost.MemoryKiB, 1, keyBytes)), nil
}

// matches compares a password with a PHC string; an empty one takes as long and never matches. weak tells that the
// hash is cheaper than hashes are made now.
func (h *hasher) matches(ctx context.Context, phc string, password secret.String) (ok, weak bool, err error) {
	unknown := phc == ""
	if unknown {
		phc = h.dummy
	}
	cost, salt, key, err := decode(phc)
	if err != nil {
		return false, false, err
	}
	release, err := h.slot(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	got := argon2.IDKey([]byte(password.Reveal()), salt, cost.Passes, cost.MemoryKiB, 1, uint32(len(key)))
	ok = subtle.ConstantTimeCompare(got, key) == 1 && !unknown
	return ok, cost.MemoryKiB < h.cost.MemoryKiB || cost.Passes < h.cost.Passes, nil
}

func (h *hasher) slot(ctx context.Context) (release func(), err error) {
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func encode(c Cost, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, c.MemoryKiB, c.Passes, b64.EncodeToString(salt), b64.EncodeToString(key))
}

var errHash = errors.New("identity: a stored password hash is damaged")

func decode(phc string) (c Cost, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return c, nil, nil, errHash
	}
	var version, lanes int
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return c, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.MemoryKiB, &c.Passes, &lanes); err != nil {
		return c, nil, nil, errHash
	}
	if lanes != 1 || c.Passes == 0 || c.Passes > maxPasses || c.MemoryKiB > maxMemoryKiB {
		return c, nil, nil, errHash
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return c, nil, nil, errHash
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(key) < 16 || len(key) > 64 {
		return c, nil, nil, errHash
	}
	return c, salt, key, nil
}
