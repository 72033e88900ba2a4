package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"dorado/e2e/chaos/check"
	"dorado/e2e/harness"
)

// load is what clients did.
type load struct {
	w        *World
	d        *desk
	inFlight int
	want     int // processes to be started in all; the storm's end is another bound

	mu       sync.Mutex
	r        *rand.Rand
	next     int
	asked    int // processes of the triggers so far
	triggers []check.Trigger
	stops    map[int64]bool
	pauses   map[int64]bool
	open     int // unfinished runs, as last seen
}

func newLoad(w *World, d *desk, seed uint64, inFlight, want int) *load {
	return &load{
		w: w, d: d, inFlight: inFlight, want: want, r: rand.New(rand.NewPCG(seed, 0x6c6f6164)), //nolint:gosec // it is to be repeatable
		stops: map[int64]bool{}, pauses: map[int64]bool{},
	}
}

// run triggers workflows until the context ends and at least want tasks were asked for, or until hurry is closed and the
// tasks are enough.
func (l *load) run(ctx context.Context, calm <-chan struct{}) {
	var wg sync.WaitGroup
	watch, stop := context.WithCancel(ctx)
	wg.Go(func() { l.watch(watch) })
	var clients sync.WaitGroup
	for range 6 {
		clients.Go(func() {
			for ctx.Err() == nil && !l.enough(calm) {
				if l.full() {
					_ = sleep(ctx, 50*time.Millisecond)
					continue
				}
				l.trigger(ctx)
			}
		})
	}
	clients.Wait()
	stop()
	wg.Wait()
}

// enough says whether the weather is calm again and the work was enough.
func (l *load) enough(calm <-chan struct{}) bool {
	select {
	case <-calm:
	default:
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked >= l.want
}

func (l *load) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open >= l.inFlight
}

// watch counts what is unfinished, by asking the database beside the product.
func (l *load) watch(ctx context.Context) {
	for sleep(ctx, 300*time.Millisecond) == nil {
		n := 0
		err := l.w.db.QueryRowContext(ctx, `SELECT count(*) FROM workflow_instance WHERE state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`).Scan(&n)
		l.mu.Lock()
		if err == nil {
			l.open = n
		} else {
			l.open = l.inFlight / 2 // the database is away: go on asking, slowly
		}
		l.mu.Unlock()
		if err != nil {
			_ = sleep(ctx, 500*time.Millisecond)
		}
	}
}

// draw picks the next request.
func (l *load) draw() (key string, r recipe, client int, insist bool, stop, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	l.open++ // until it is counted
	total := 0
	for _, one := range l.d.recipes {
		total += one.weight
	}
	pick := l.r.IntN(total)
	for _, r = range l.d.recipes {
		if pick -= r.weight; pick < 0 {
			break
		}
	}
	l.asked += r.tasks
	if r.stops {
		after := time.Duration(l.r.IntN(4000)) * time.Millisecond
		switch l.r.IntN(10) {
		case 0:
			stop = after
		case 1:
			pause = after
		}
	}
	return "k" + strconv.Itoa(l.next), r, l.r.IntN(len(l.d.clients)), l.r.IntN(2) == 0, stop, pause
}

// trigger starts one run. Half of the clients insist: they ask again, with the same key, until there is an answer.
func (l *load) trigger(ctx context.Context) {
	key, r, client, insist, stop, pause := l.draw()
	t := check.Trigger{Key: key, Workflow: r.Code, Outcome: check.Maybe}
	asked := context.WithValue(ctx, onceKey{}, "storm-"+key)
	params := fmt.Sprintf(`[{"prop":"key","direct":"IN","type":"VARCHAR","value":%q}]`, key)
	tries := 1
	if insist {
		tries = 40
	}
	for i := range tries {
		id, err := l.d.clients[(client+i)%len(l.d.clients)].StartWorkflow(asked, l.d.project, r.Code, harness.StartOptions{Params: params})
		if err == nil {
			t.Outcome, t.Run = check.Accepted, id
			break
		}
		wait := 200 * time.Millisecond
		if i > 5 {
			wait = time.Second
		}
		if sleep(ctx, wait) != nil {
			break
		}
	}
	l.mu.Lock()
	l.triggers = append(l.triggers, t)
	l.mu.Unlock()
	if t.Outcome == check.Accepted && stop+pause > 0 {
		go l.operate(ctx, t.Run, stop, pause)
	}
}

// operate stops or pauses a run after a while. A paused one is taken up again at the end of the storm.
func (l *load) operate(ctx context.Context, run int64, stop, pause time.Duration) {
	if sleep(ctx, stop+pause) != nil {
		return
	}
	l.mu.Lock()
	what, client := "STOP", l.d.clients[l.r.IntN(len(l.d.clients))]
	if pause > 0 {
		what = "PAUSE"
		l.pauses[run] = true
	} else {
		l.stops[run] = true
	}
	l.mu.Unlock()
	// Whether it is still there to be stopped, and whether the answer arrives, is not known.
	_ = client.Execute(ctx, l.d.project, run, what)
}

// resume takes up all paused runs again.
func (l *load) resume(ctx context.Context) error {
	rows, err := l.w.db.QueryContext(ctx, `SELECT id FROM workflow_instance WHERE state = 'PAUSE' AND NOT is_sub_workflow`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for i, id := range ids {
		// One that was never taken up stays paused, which the checker accepts: what counts is that nobody hangs.
		_ = l.d.clients[i%len(l.d.clients)].Execute(ctx, l.d.project, id, "RECOVER_SUSPENDED_PROCESS")
	}
	return rows.Err()
}
