package web

import (
	"container/list"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// LimitConfig says how many requests are answered. What is beyond gets HTTP 429.
type LimitConfig struct {
	Requests  int `koanf:"requests"`  // REST calls a second, of all callers together; 0: no limit
	Token     int `koanf:"token"`     // REST calls a second with one access token or session; 0: no limit
	SignIn    int `koanf:"sign-in"`   // attempts to sign in a minute, from one address; 0: no limit
	Expensive int `koanf:"expensive"` // calls a minute of what costs much, from one address; 0: no limit
}

// DefaultLimits are limits that nobody meets who works by hand. REST has none, as in DolphinScheduler.
func DefaultLimits() LimitConfig { return LimitConfig{SignIn: 300, Expensive: 300} }

// Validate names what is wrong with the limits.
func (c LimitConfig) Validate() error {
	for name, n := range map[string]int{"requests": c.Requests, "token": c.Token, "sign-in": c.SignIn, "expensive": c.Expensive} {
		if n < 0 {
			return errors.New("web.limit." + name + ": must not be negative")
		}
	}
	return nil
}

// limiterKeys is how many callers a Limiter tells apart. Of more, those are forgotten that did not call for the longest time.
const limiterKeys = 10_000

// Limiter lets each caller do something so many times in a period. Whoever was quiet may do the whole number at once.
// It is safe for several goroutines; what it remembers is bounded.
type Limiter struct {
	mu    sync.Mutex
	now   func() time.Time
	rate  float64 // a second
	burst float64
	by    map[string]*list.Element
	order *list.List // of *bucket, the latest caller first
}

// bucket is what one caller has left.
type bucket struct {
	key    string
	left   float64
	filled time.Time
}

// NewLimiter makes a Limiter for n times in a period, and nil, which lets everything pass, when n is 0.
func NewLimiter(n int, period time.Duration, now func() time.Time) *Limiter {
	if n <= 0 {
		return nil
	}
	return &Limiter{now: now, rate: float64(n) / period.Seconds(), burst: float64(n), by: map[string]*list.Element{}, order: list.New()}
}

// Take counts one deed of key. It returns 0, or how long key has to wait before the next.
func (l *Limiter) Take(key string) time.Duration {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.bucket(key, now)
	if past := now.Sub(b.filled).Seconds(); past > 0 {
		b.left, b.filled = math.Min(l.burst, b.left+past*l.rate), now
	}
	if b.left < 1 {
		return time.Duration((1 - b.left) / l.rate * float64(time.Second))
	}
	b.left--
	return 0
}

func (l *Limiter) bucket(key string, now time.Time) *bucket {
	if at, known := l.by[key]; known {
		l.order.MoveToFront(at)
		return at.Value.(*bucket) //nolint:forcetypeassert // the list holds nothing else
	}
	if l.order.Len() >= limiterKeys {
		last := l.order.Back()
		delete(l.by, last.Value.(*bucket).key) //nolint:forcetypeassert // the list holds nothing else
		l.order.Remove(last)
	}
	b := &bucket{key: key, left: l.burst, filled: now}
	l.by[key] = l.order.PushFront(b)
	return b
}

// AddressKey is what a client's address counts as: of IPv6 the network, since whoever has one address has all of it.
func AddressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// SlowDown sets the header that tells a client how long to wait.
func SlowDown(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}
