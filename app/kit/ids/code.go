package ids

import (
	"hash/fnv"
	"sync"
	"time"
)

const (
	epochMillis  = 1609430400000 // 2021-01-01T00:00+08:00
	machineBits  = 5
	sequenceBits = 5
	perMilli     = 1 << sequenceBits
)

// Generator makes codes. It is safe for concurrent use.
type Generator struct {
	machine int64
	now     func() time.Time

	mu    sync.Mutex
	milli int64 // of the last code, since epochMillis
	seq   int64
}

// NewGenerator returns a generator for a machine number, of which the low five bits count. now is the clock.
func NewGenerator(machine int, now func() time.Time) *Generator {
	return &Generator{machine: int64(machine) & (1<<machineBits - 1), now: now, seq: perMilli}
}

// Machine derives a machine number from what tells processes apart, such as host name and process id.
func Machine(parts ...string) int {
	h := fnv.New32a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return int(h.Sum32() % (1 << machineBits))
}

// Next returns a code that this generator has not returned before, greater than all of them.
//
// After 32 codes in one millisecond it borrows from the next one instead of waiting, and when the clock goes back it
// continues from the last code: order and uniqueness matter, the exact instant does not.
func (g *Generator) Next() int64 {
	milli := g.now().UnixMilli() - epochMillis
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case milli > g.milli:
		g.milli, g.seq = milli, 0
	case g.seq+1 < perMilli:
		g.seq++
	default:
		g.milli, g.seq = g.milli+1, 0
	}
	return g.milli<<(machineBits+sequenceBits) | g.machine<<sequenceBits | g.seq
}

// NextN returns n codes in rising order.
func (g *Generator) NextN(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = g.Next()
	}
	return out
}
