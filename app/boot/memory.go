package boot

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"dorado/app/kit/lifecycle"
)

// When memory is given back: once what starting needed is garbage, then whenever a quiet minute follows a busy one. The
// runtime does so too, over many minutes; a small machine has use for it earlier.
const (
	memorySettled = 3 * time.Second
	memoryCheck   = time.Minute
	memoryWorth   = 16 << 20 // bytes that must be free and still held
	memoryQuiet   = 32 << 20 // bytes allocated in a minute that count as quiet
)

// A heap may grow to smallHeap before it is collected: that of a busy worker, a few megabytes, would be collected ten times
// a second otherwise, for nothing. A larger one, of ten thousand waiting tasks say, grows by a quarter: collecting it more
// often costs less than the memory.
const (
	smallHeap   = 24 << 20 // bytes
	leastGrowth = 8 << 20  // bytes
	growth      = 100      // percent, as long as nothing is known
)

// heapGrowth is by how many percent a heap with live bytes in use may grow before it is collected.
func heapGrowth(live uint64) int {
	if live == 0 {
		return growth
	}
	limit := max(smallHeap, live+max(leastGrowth, live/4))
	return int(100 * (limit - live) / live)
}

// watchHeap sets how far the heap may grow, after each collection until done is closed. It needs no timer: an object that
// nobody keeps tells of each collection.
func watchHeap(done <-chan struct{}) {
	var set int
	var again func()
	again = func() {
		select {
		case <-done:
			return
		default:
		}
		// It need not be exact, and to set it stops the world for a moment.
		if want := heapGrowth(liveHeap()); want > set*5/4 || want < set*4/5 {
			set = want
			debug.SetGCPercent(want)
		}
		runtime.SetFinalizer(new([16]byte), func(*[16]byte) { again() })
	}
	again()
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// memoryService gives memory back that the process holds and does not use.
func memoryService() lifecycle.Service {
	return lifecycle.Service{Name: "memory", Run: func(ctx context.Context) error {
		watchHeap(ctx.Done())
		wait := time.NewTimer(memorySettled)
		defer wait.Stop()
		allocated := uint64(0)
		for first := true; ; first = false {
			select {
			case <-wait.C:
			case <-ctx.Done():
				return nil
			}
			held, total := heldMemory()
			if first || held > memoryWorth && total-allocated < memoryQuiet {
				debug.FreeOSMemory()
			}
			if first {
				forgetProgram("/proc/self/maps")
			}
			allocated = total
			wait.Reset(memoryCheck)
		}
	}}
}

// heldMemory returns the bytes that are free but not given back, and the bytes allocated since the start.
func heldMemory() (free, allocated uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64(), sample[1].Value.Uint64()
}
