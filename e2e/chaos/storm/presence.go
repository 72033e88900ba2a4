package storm

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"dorado/e2e/chaos/check"
)

// presence watches the registry with a client of its own, past all gates, and notes when a worker was not in it. On a
// machine that is overloaded a worker loses its place without anything having been done to it, and that is as good a reason
// to give its tasks to others as a cable that was pulled; so what nobody did is evidence, too.
type presence struct {
	w    *World
	mu   sync.Mutex
	gone map[string]time.Time // since when
	list []check.Fault
}

// quietLog drops what the client would print.
type quietLog struct{}

// Printf implements zk.Logger.
func (quietLog) Printf(string, ...any) {}

// watch looks until the context ends.
func (p *presence) watch(ctx context.Context) {
	if p.w.zk == nil {
		return
	}
	conn, _, err := zk.Connect(p.w.zk.Servers(), 10*time.Second, zk.WithLogger(quietLog{}))
	if err != nil {
		p.w.Sayf("the registry cannot be watched: %v", err)
		return
	}
	defer conn.Close()
	for {
		present, err := p.look(conn)
		now := time.Now()
		p.mu.Lock()
		for _, n := range p.w.Workers {
			since, gone := p.gone[n.Name]
			switch here := err == nil && slices.Contains(present, n.Name); {
			case here && gone:
				p.over(n.Name, since, now)
			case !here && !gone:
				p.gone[n.Name] = now.Add(-time.Second)
			}
		}
		p.mu.Unlock()
		if sleep(ctx, 300*time.Millisecond) != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, since := range p.gone {
		p.over(name, since, time.Now())
	}
}

func (p *presence) over(name string, since, now time.Time) {
	delete(p.gone, name)
	if now.Sub(since) < 2*time.Second {
		return
	}
	p.list = append(p.list, check.Fault{
		No: 2000 + len(p.list), Kind: absent, Target: name, From: since, Until: now, Effect: check.Cut, Workers: []string{name},
	})
}

// absent is the kind of what presence notes.
const absent = "not in the registry"

// look returns the names of the workers that are registered.
func (p *presence) look(conn *zk.Conn) ([]string, error) {
	const path = "/dolphinscheduler/nodes/worker"
	children, _, err := conn.Children(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range children {
		raw, _, err := conn.Get(path + "/" + c)
		if err != nil {
			continue // it left just now
		}
		var beat struct{ Name string }
		if json.Unmarshal(raw, &beat) == nil {
			out = append(out, strings.TrimSpace(beat.Name))
		}
	}
	return out, nil
}

// held returns how many attempts the workers say they hold, as the registry shows it; nothing without one.
func (w *World) held() (int, error) {
	if w.zk == nil {
		return 0, nil
	}
	conn, _, err := zk.Connect(w.zk.Servers(), 10*time.Second, zk.WithLogger(quietLog{}))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	const path = "/dolphinscheduler/nodes/worker"
	children, _, err := conn.Children(path)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, c := range children {
		raw, _, err := conn.Get(path + "/" + c)
		if err != nil {
			return 0, err
		}
		var beat struct{ Running int }
		if err := json.Unmarshal(raw, &beat); err != nil {
			return 0, err
		}
		total += beat.Running
	}
	return total, nil
}
