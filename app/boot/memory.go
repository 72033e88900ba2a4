package boot

import (
	"context"
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

// memoryService gives memory back that the process holds and does not use.
func memoryService() lifecycle.Service {
	return lifecycle.Service{Name: "memory", Run: func(ctx context.Context) error {
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
