package identity

import (
	"sync"
	"time"

	"dorado/modules/access"
)

const (
	cacheLife = 5 * time.Second
	cacheSize = 10_000
)

// cache remembers who holds a secret, by its hash, for a few seconds.
type cache struct {
	mu         sync.Mutex
	entries    map[string]cached
	generation int
}

type cached struct {
	principal access.Principal
	until     time.Time
}

func newCache() *cache { return &cache{entries: map[string]cached{}} }

func (c *cache) get(key string, now time.Time) (access.Principal, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || !e.until.After(now) {
		return access.Principal{}, false
	}
	return e.principal, true
}

// now is the generation that a later put must name.
func (c *cache) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.generation
}

// put remembers p unless the cache was cleared since generation: what was read before a change must not outlive it.
func (c *cache) put(key string, p access.Principal, now time.Time, generation int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if len(c.entries) >= cacheSize {
		clear(c.entries)
	}
	c.entries[key] = cached{p, now.Add(cacheLife)}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	clear(c.entries)
}
