package engine

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// idBlock hands out task instance ids from blocks reserved in the database, so that an attempt has its id before it is
// saved. The next block is fetched while half of the current one is left; its size follows the demand.
type idBlock struct {
	fetch  func(ctx context.Context, n int64) (first int64, err error)
	logger *slog.Logger

	mu       sync.Mutex
	next     int64
	end      int64 // exclusive
	reserve  [2]int64
	fetching bool
	ready    *sync.Cond
	size     int64
	fetched  time.Time
}

const (
	smallestBlock = 256
	largestBlock  = 32768
)

func newIDBlock(ctx context.Context, logger *slog.Logger, fetch func(context.Context, int64) (int64, error)) (*idBlock, error) {
	b := &idBlock{fetch: fetch, logger: logger, size: smallestBlock}
	b.ready = sync.NewCond(&b.mu)
	first, err := fetch(ctx, b.size)
	if err != nil {
		return nil, err
	}
	b.next, b.end, b.fetched = first, first+b.size, time.Now()
	return b, nil
}

// take returns a fresh id. It waits only when a whole block was used up faster than one could be fetched.
func (b *idBlock) take() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.next == b.end {
		if b.reserve[1] > b.reserve[0] {
			b.next, b.end = b.reserve[0], b.reserve[1]
			b.reserve = [2]int64{}
			break
		}
		b.refill()
		b.ready.Wait()
	}
	id := b.next
	b.next++
	if b.end-b.next < b.size/2 && b.reserve[1] == b.reserve[0] {
		b.refill()
	}
	return id
}

// refill fetches the next block in the background. The caller holds the lock.
func (b *idBlock) refill() {
	if b.fetching {
		return
	}
	b.fetching = true
	if time.Since(b.fetched) < 2*time.Second {
		b.size = min(2*b.size, largestBlock)
	}
	size := b.size
	go func() {
		for {
			ctx, cancel := context.WithTimeout(context.Background(), saveTimeout) //nolint:forbidigo // a run that waits for an id gets it even while the engine stops
			first, err := b.fetch(ctx, size)
			cancel()
			if err == nil {
				b.mu.Lock()
				b.reserve, b.fetching, b.fetched = [2]int64{first, first + size}, false, time.Now()
				b.ready.Broadcast()
				b.mu.Unlock()
				return
			}
			b.logger.Warn("reserve task instance ids; tried again", "error", err)
			time.Sleep(200 * time.Millisecond)
		}
	}()
}

// nextIDs are the smallest n ids after the given one, going round: those after the last come first again.
func nextIDs(ids []int64, after int64, n int) []int64 {
	slices.Sort(ids)
	at, found := slices.BinarySearch(ids, after)
	if found {
		at++
	}
	turned := slices.Concat(ids[at:], ids[:at])
	return turned[:min(n, len(turned))]
}
