package engine

import (
	"maps"
	"time"

	"dorado/modules/cluster"
	"dorado/modules/rpc/doradov1"
)

const (
	// graceMargin is what a worker that lost the registry gets beyond its grace to end its processes.
	graceMargin = 5 * time.Second
	// patience is how long a worker that lives is asked for attempts before they are lost, and askAgain how often.
	patience = time.Minute
	askAgain = 5 * time.Second
	// remembered is how long it is known that a worker died of which nothing is expected.
	remembered = 10 * time.Minute
)

// absence is a worker without a control stream, and what it should bring back.
type absence struct {
	held        map[int64]int64 // attempt → workflow instance
	incarnation string          // of the process that had the stream; "" = it never had one
	since       time.Time
	died        bool      // its end of the stream was closed while the registry still listed it
	replaced    time.Time // since when the registry lists another process of the name
}

// node is a worker as the registry lists it.
type node struct {
	incarnation string
	address     string
	weight      int
}

// is reports whether the registry means this very process.
func (n node) is(w *worker) bool { return n.incarnation == "" || n.incarnation == w.incarnation }

// claimed is an attempt whose worker is to say what became of it.
type claimed struct {
	run, epoch   int64
	worker       string
	placings     int     // of the attempt when it was asked about
	by           *worker // the stream on which it was asked last, nil = on none yet
	since, asked time.Time
}

func (c *claimed) item(attempt int64) *doradov1.ClaimItem {
	return &doradov1.ClaimItem{Id: attempt, WorkflowInstanceId: c.run, Epoch: uint64(c.epoch)}
}

// away notes that a worker's stream ended, and what it should bring back.
func (f *fleet) away(w *worker, held map[int64]int64, hungUp bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.workers[w.name]; now != nil { // it was quicker
		maps.Copy(now.held, held)
		return
	}
	n, listed := f.nodes[w.name]
	died := f.shared && hungUp && !w.upgrading && listed && n.is(w)
	if len(held) == 0 && !died {
		return
	}
	f.absent[w.name] = &absence{held: held, incarnation: w.incarnation, since: f.now(), died: died}
}

// adopt notes attempts that a worker holds since before this master had their run, and has it asked for them.
//
// placings is how often the attempts had been placed when the question came up: an answer about the time before they were
// placed again counts for nothing.
func (f *fleet) adopt(name string, run, epoch int64, placings int, attempts []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	w, a := f.workers[name], f.absent[name]
	if w == nil && a == nil {
		a = &absence{held: map[int64]int64{}, since: now}
		f.absent[name] = a
	}
	for _, id := range attempts {
		c := f.claims[id]
		if c == nil || c.worker != name || c.placings != placings {
			c = &claimed{run: run, epoch: epoch, worker: name, placings: placings, since: now}
			f.claims[id] = c
		}
		if w == nil {
			a.held[id] = run
			continue
		}
		w.held[id] = run
		if w.settled {
			f.ask(w, id, c)
		}
	}
}

// ask sends a claim. The caller holds the lock.
func (f *fleet) ask(w *worker, attempt int64, c *claimed) {
	now := f.now()
	if f.muted || !w.claims || c.by == w && now.Sub(c.asked) < askAgain { // two answers to one question would be one too many
		return
	}
	c.by, c.asked = w, now
	w.out.claim(c.item(attempt))
}

// answered notes that a worker said something of an attempt, and reports whether it had been asked on this very stream, and
// how often the attempt had been placed then.
func (f *fleet) answered(w *worker, attempt int64) (placings int, asked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.claims[attempt]
	if c == nil || c.worker != w.name || w.claims && c.by != w {
		return 0, false
	}
	delete(f.claims, attempt)
	return c.placings, true
}

// listed takes over which workers the registry lists, and returns the names that came and went.
func (f *fleet) listed(all []cluster.Node) (joined, left []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	byAddress := make(map[string]string, len(f.nodes))
	for name, n := range f.nodes {
		byAddress[n.address] = name
	}
	next := make(map[string]node, len(all))
	for _, n := range all {
		name, listed := n.Heartbeat.Name, node{incarnation: n.Heartbeat.Incarnation, address: n.Address, weight: n.Heartbeat.WorkerHostWeight}
		if name == "" || n.Garbage != "" { // alive, but nothing can be read: it is whoever was there before
			if name = byAddress[n.Address]; name == "" {
				continue
			}
			listed = f.nodes[name]
		}
		if listed.weight <= 0 {
			listed.weight = defaultHostWeight
		}
		next[name] = listed
	}
	for name := range f.nodes {
		if _, still := next[name]; !still {
			left = append(left, name)
			f.gone[name] = now
		}
	}
	for name, n := range next {
		if _, known := f.nodes[name]; !known {
			joined = append(joined, name)
		}
		delete(f.gone, name)
		if w := f.workers[name]; w != nil && n.is(w) {
			w.weight = n.weight
		}
	}
	f.nodes = next
	for name, w := range f.workers {
		n, ok := next[name]
		w.listed = ok && n.is(w)
	}
	return joined, left
}

// loss is a worker that is gone, and the attempts that are lost with it.
type loss struct {
	worker string
	why    string
	held   map[int64]int64 // attempt → workflow instance
	out    *outbox         // a stream that is still there
}

// losses gives up workers that are gone for good, and attempts of which a worker that lives says nothing. timeout is how
// long a worker may be away where no registry says whether it lives.
func (f *fleet) losses(timeout, grace time.Duration) []loss {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	var all []loss
	for name, a := range f.absent {
		lost := loss{worker: name, held: map[int64]int64{}}
		node, alive := f.nodes[name]
		if !alive && f.gone[name].IsZero() {
			f.gone[name] = now
		}
		switch {
		case !f.shared:
			if now.Sub(a.since) >= timeout {
				lost.held, lost.why = a.held, "did not come back"
			}
		case !alive && a.died, !alive && now.Sub(f.gone[name]) >= grace+graceMargin:
			lost.held, lost.why = a.held, "is gone"
		case !alive:
		case a.incarnation != "" && node.incarnation != "" && node.incarnation != a.incarnation:
			if a.replaced.IsZero() {
				a.replaced = now
			}
			if now.Sub(a.replaced) >= patience {
				lost.held, lost.why = a.held, "started anew and does not say what it holds"
			}
		default:
			for id, run := range a.held {
				if c := f.claims[id]; c != nil && now.Sub(c.since) >= patience {
					lost.held[id], lost.why = run, "lives, and says nothing of it"
				}
			}
		}
		if lost.why != "" && len(lost.held) > 0 {
			all = append(all, lost)
		} else if len(a.held) == 0 && now.Sub(a.since) >= remembered {
			delete(f.absent, name)
		}
	}
	for name, w := range f.workers {
		if since := f.gone[name]; f.shared && !since.IsZero() && now.Sub(since) >= grace+graceMargin && len(w.held) > 0 {
			all = append(all, loss{worker: name, why: "is gone from the registry", held: w.held, out: w.out})
			w.held = map[int64]int64{}
		}
	}
	silent := map[string]*loss{}
	for id, c := range f.claims {
		w := f.workers[c.worker]
		switch {
		case w == nil || !w.settled:
		case now.Sub(c.since) >= patience:
			if silent[c.worker] == nil {
				silent[c.worker] = &loss{worker: c.worker, why: "lives, and says nothing of it", held: map[int64]int64{}}
			}
			silent[c.worker].held[id] = c.run
		case now.Sub(c.asked) >= askAgain:
			f.ask(w, id, c)
		}
	}
	for _, l := range silent {
		all = append(all, *l)
	}
	for i, l := range all {
		all[i].held = maps.Clone(l.held)
		for id := range all[i].held {
			f.drop(l.worker, id)
		}
		if a := f.absent[l.worker]; a != nil && len(a.held) == 0 {
			delete(f.absent, l.worker)
		}
	}
	return all
}

// mute stops everything that goes to workers.
func (f *fleet) mute() {
	f.mu.Lock()
	f.muted = true
	var open []*outbox
	for _, w := range f.workers {
		open = append(open, w.out)
	}
	f.mu.Unlock()
	for _, o := range open {
		o.close()
	}
}
