package engine

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
)

// world is a fleet whose tasks end by a clock of its own.
type world struct {
	*fleet
	tick    int
	ends    map[int][]ending // tick → what ends then
	lengths map[int64]int    // attempt → ticks
}

type ending struct {
	worker  string
	attempt int64
}

func newWorld(slots map[string]int) *world {
	w := &world{ends: map[int][]ending{}, lengths: map[int64]int{}}
	w.fleet = newFleet(slog.New(slog.DiscardHandler), time.Now, Config{}, false, func(q queued, worker string) { w.begin(q.attempt, worker) })
	for name, n := range slots {
		w.ready(w.join(&doradov1.Hello{Worker: name, Slots: uint32(n)}, newOutbox(nil)))
	}
	return w
}

func (w *world) begin(attempt int64, worker string) {
	at := w.tick + w.lengths[attempt]
	w.ends[at] = append(w.ends[at], ending{worker, attempt})
}

func TestW27_LoadIsSpreadByTheShareOfSlotsInUse(t *testing.T) {
	t.Parallel()
	slots := map[string]int{"small": 8, "middle": 16, "middle2": 16, "large": 40, "huge": 100}
	total := 0
	for _, n := range slots {
		total += n
	}
	for _, busy := range []float64{0.3, 0.6, 0.9, 1.2} { // of what all of them together can do
		t.Run(fmt.Sprint(busy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(slots)
			dice := rand.New(rand.NewPCG(1, uint64(100*busy)))
			const warm, ticks, short, long = 500, 4000, 2, 200
			const mean = 0.9*short + 0.1*long
			load := map[string]float64{}
			next, due := int64(0), 0.0
			for w.tick = range ticks {
				for _, e := range w.ends[w.tick] {
					w.release(e.worker, e.attempt)
				}
				delete(w.ends, w.tick)
				for due += 2 * dice.Float64() * busy * float64(total) / mean; due >= 1; due-- {
					next++
					w.lengths[next] = short
					if dice.Float64() < 0.1 {
						w.lengths[next] = long
					}
					if worker, ok := w.reserve(queued{group: defaultGroup, attempt: next, run: next}); ok {
						w.begin(next, worker)
					} else {
						for _, info := range w.list() {
							require.Equal(t, info.Slots, info.Running, "%s has a slot, and a task waits", info.Name)
						}
					}
				}
				for _, info := range w.list() {
					require.LessOrEqual(t, info.Running, info.Slots)
					if w.tick >= warm {
						load[info.Name] += float64(info.Running) / float64(info.Slots)
					}
				}
			}
			least, most := load["huge"], load["huge"]
			for _, l := range load {
				least, most = min(least, l), max(most, l)
			}
			t.Logf("least %.3f, most %.3f of the slots in use", least/(ticks-warm), most/(ticks-warm))
			require.Less(t, most/least, 1.3)
		})
	}
}
