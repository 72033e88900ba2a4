package storm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"dorado/e2e/chaos/check"
)

// weather carries out a plan.
type weather struct {
	w    *World
	mu   sync.Mutex
	done []check.Fault
	took []Takeover
	zk   sync.Mutex // one fault of ZooKeeper's servers at a time
	pg   sync.Mutex // of the database
}

// Takeover is how long it took until nothing belonged to a master that died.
type Takeover struct {
	Fault int
	Runs  int
	Took  time.Duration
	Back  bool // the master was back before that
}

// settle is how long after its return a worker may still end what its former self left behind.
const settle = 15 * time.Second

// blow does all faults at their times and returns when every one is healed.
func (h *weather) blow(ctx context.Context, plan []Planned) {
	began := time.Now()
	var wg sync.WaitGroup
	for _, p := range plan {
		if sleep(ctx, time.Until(began.Add(p.At))) != nil {
			break
		}
		wg.Go(func() { h.one(ctx, p) })
	}
	wg.Wait()
}

func (h *weather) one(ctx context.Context, p Planned) {
	f := check.Fault{No: p.No, Kind: p.Kind, From: time.Now()}
	heal, err := h.begin(ctx, p, &f)
	if err != nil {
		f.Until, f.Void = time.Now(), err.Error()
		h.w.Sayf("%s of %s: void, %v", p, f.Target, err)
	} else {
		h.w.Sayf("%s of %s for %.1f s", p, f.Target, p.For.Seconds())
		_ = sleep(ctx, p.For) // healed at once when the storm is called off
		if heal != nil {
			if err := heal(context.WithoutCancel(ctx)); err != nil {
				h.w.Sayf("%s of %s does not heal: %v", p, f.Target, err)
			}
		}
		f.Until = time.Now()
		switch f.Effect {
		case check.Died, check.Stopped:
			f.Until = f.Until.Add(settle)
		case check.Cut, check.Disk, check.None:
		}
		h.w.Sayf("%s of %s is over", p, f.Target)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, f)
}

type healer = func(ctx context.Context) error

func (h *weather) begin(ctx context.Context, p Planned, f *check.Fault) (healer, error) {
	m := h.w.Masters[p.Target%len(h.w.Masters)]
	k := h.w.Workers[p.Target%len(h.w.Workers)]
	switch p.Kind {
	case "master.kill", "master.freeze", "master.restart", "master.clock":
		return h.process(ctx, p, f, m)
	case "worker.kill", "worker.crash", "worker.freeze", "worker.restart", "worker.clock":
		f.Workers = []string{k.Name}
		return h.process(ctx, p, f, k)
	case "disk.full", "disk.hang":
		f.Workers, f.Effect = []string{k.Name}, check.Disk
		return h.disk(p, f, k)
	case "link.master-worker", "delay.master-worker", "reset.master-worker":
		other := h.w.Workers[p.Other%len(h.w.Workers)]
		f.Workers = []string{other.Name}
		return h.link(p, f, m.Name+"-"+other.Name, []*Gate{m.rpc}, other.Name)
	case "link.master-db", "delay.master-db", "reset.master-db":
		return h.link(p, f, m.Name+"-db", []*Gate{m.db}, "")
	case "link.master-zk":
		return h.link(p, f, m.Name+"-zk", m.zk, "")
	case "link.worker-zk":
		f.Workers = []string{k.Name}
		return h.link(p, f, k.Name+"-zk", k.zk, "")
	case "cable.master":
		return h.cable(ctx, p, f, m)
	case "cable.worker":
		f.Workers, f.Effect = []string{k.Name}, check.Cut
		return h.cable(ctx, p, f, k)
	case "zk.leader-kill", "zk.leader-freeze", "zk.quorum-loss":
		return h.zookeeper(ctx, p, f)
	case "db.kill", "db.restart":
		return h.database(ctx, p, f)
	}
	return nil, fmt.Errorf("no fault %s", p.Kind)
}

func (h *weather) process(ctx context.Context, p Planned, f *check.Fault, n *Node) (healer, error) {
	f.Target = n.Name
	worker := func(e check.Effect, loose bool) {
		if !n.Master {
			f.Effect, f.Loose = e, loose
		}
	}
	plain := func(fix func() error, err error) (healer, error) {
		return func(context.Context) error { return fix() }, err
	}
	switch p.Kind {
	case "master.kill", "worker.kill":
		worker(check.Died, true)
		owned := h.owned(ctx, n)
		if err := n.Kill(ctx); err != nil {
			return nil, err
		}
		if n.Master {
			go h.watch(ctx, p.No, n, owned, time.Now())
		}
		return n.Back, nil
	case "worker.crash":
		worker(check.Died, false)
		return n.Back, n.Crash(ctx)
	case "master.restart", "worker.restart":
		worker(check.Stopped, false)
		if err := n.Leave(ctx); errors.Is(err, errBusy) {
			return nil, err
		} else if err != nil {
			h.w.Sayf("%s does not leave in order, so it is killed: %v", n.Name, err)
			return n.Back, n.Process.Kill(ctx)
		}
		return n.Back, nil
	case "master.freeze", "worker.freeze":
		worker(check.Cut, true)
		return plain(n.Freeze())
	default: // the clock
		by := p.Size
		if !n.Master {
			by *= 450 // up to an hour; a worker decides nothing by the time of day
		}
		f.Target = fmt.Sprintf("%s by %s", n.Name, by)
		return plain(n.Jump(by))
	}
}

func (h *weather) disk(p Planned, f *check.Fault, n *Node) (healer, error) {
	f.Target = n.Name
	if n.disk == nil {
		return nil, errors.New("it has no disk of its own")
	}
	n.diskMu.Lock()
	defer n.diskMu.Unlock()
	if n.diskBusy {
		return nil, errBusy
	}
	fix := n.disk.Free
	var err error
	if p.Kind == "disk.full" {
		err = n.disk.Fill()
	} else {
		fix, err = n.disk.Thaw, n.disk.Freeze()
	}
	n.diskBusy = true
	return func(context.Context) error {
		n.diskMu.Lock()
		defer n.diskMu.Unlock()
		n.diskBusy = false
		return fix()
	}, err
}

// cable cuts a process off from everything, below TCP.
func (h *weather) cable(ctx context.Context, p Planned, f *check.Fault, n *Node) (healer, error) {
	f.Target = n.Name + []string{", both ways", ", what it is sent", ", what it sends"}[p.Way]
	n.diskMu.Lock()
	defer n.diskMu.Unlock()
	if n.pulled {
		return nil, errBusy
	}
	if err := n.net.pull(ctx, p.Way); err != nil {
		return nil, err
	}
	n.pulled = true
	return func(ctx context.Context) error {
		n.diskMu.Lock()
		defer n.diskMu.Unlock()
		n.pulled = false
		return n.net.plug(ctx, p.Way)
	}, nil
}

// link cuts, delays or resets one caller's way through gates.
func (h *weather) link(p Planned, f *check.Fault, name string, gates []*Gate, caller string) (healer, error) {
	f.Target = name
	var c Cutting
	what, _, _ := strings.Cut(p.Kind, ".")
	switch what {
	case "reset":
		n := 0
		for _, g := range gates {
			n += g.Reset(caller)
		}
		if n == 0 {
			return nil, errors.New("nothing is connected")
		}
		return nil, nil
	case "delay":
		c.Delay = p.Size.Abs() / 50 // 20 to 160 ms each way
		f.Target += fmt.Sprintf(" by %d ms", c.Delay.Milliseconds())
	default:
		c.Up, c.Down = p.Way != 2, p.Way != 1
		f.Target += []string{", both ways", ", what it is sent", ", what it sends"}[p.Way]
		if len(f.Workers) > 0 {
			f.Effect = check.Cut
		}
	}
	for _, g := range gates {
		if !g.take(caller) {
			return nil, errBusy
		}
	}
	for _, g := range gates {
		g.Set(caller, c)
	}
	return func(context.Context) error {
		for _, g := range gates {
			g.Set(caller, Cutting{})
			g.give(caller)
		}
		return nil
	}, nil
}

func (h *weather) zookeeper(ctx context.Context, p Planned, f *check.Fault) (healer, error) {
	z := h.w.zk
	f.Target = "ZooKeeper"
	if !h.zk.TryLock() {
		return nil, errBusy
	}
	leader, err := z.Leader(ctx)
	if err != nil {
		h.zk.Unlock()
		return nil, err
	}
	victims := []int{leader}
	if p.Kind == "zk.quorum-loss" {
		for i := range z.Servers() {
			f.Workers, f.Effect = nil, check.Cut
			if i != leader && len(victims) <= len(z.Servers())/2 {
				victims = append(victims, i)
			}
		}
		for _, k := range h.w.Workers {
			f.Workers = append(f.Workers, k.Name)
		}
	}
	f.Target = fmt.Sprintf("ZooKeeper servers %v", victims)
	if p.Kind == "zk.leader-freeze" {
		return func(context.Context) error {
			defer h.zk.Unlock()
			return z.Resume(leader)
		}, z.Pause(leader)
	}
	for _, i := range victims {
		err = errors.Join(err, z.Kill(ctx, i))
	}
	return func(ctx context.Context) error {
		defer h.zk.Unlock()
		var err error
		for _, i := range victims {
			err = errors.Join(err, z.Restart(ctx, i))
		}
		limit, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return errors.Join(err, z.WaitReady(limit))
	}, err
}

func (h *weather) database(ctx context.Context, p Planned, f *check.Fault) (healer, error) {
	f.Target = "PostgreSQL"
	if !h.pg.TryLock() {
		return nil, errBusy
	}
	err := error(nil)
	if p.Kind == "db.kill" {
		err = h.w.pg.Kill(ctx)
	} else {
		err = h.w.pg.Stop(ctx)
	}
	return func(ctx context.Context) error {
		defer h.pg.Unlock()
		limit, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return h.w.pg.Restart(limit)
	}, err
}
