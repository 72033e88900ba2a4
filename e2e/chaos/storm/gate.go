package storm

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Cutting says what a link does with bytes.
type Cutting struct {
	Up    bool          // what the caller sends waits
	Down  bool          // what the server sends waits
	Delay time.Duration // added to every piece, each way
}

// link is the state of one caller's way through a gate.
type link struct {
	mu    sync.Mutex
	state Cutting
	woken chan struct{} // closed and replaced at each change
	conns map[*pair]struct{}
	taken bool // by a fault
}

// pair is one connection through a gate.
type pair struct{ caller, server net.Conn }

func newLink() *link { return &link{woken: make(chan struct{}), conns: map[*pair]struct{}{}} }

func (l *link) set(c Cutting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = c
	close(l.woken)
	l.woken = make(chan struct{})
}

// reset ends every connection as a router that lost its tables does.
func (l *link) reset() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.conns {
		for _, c := range []net.Conn{p.caller, p.server} {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // so that Close sends RST
			}
			if c != nil {
				_ = c.Close()
			}
		}
	}
	return len(l.conns)
}

// pass waits until bytes may go in one direction.
func (l *link) pass(ctx context.Context, up bool) error {
	for {
		l.mu.Lock()
		s, woken := l.state, l.woken
		l.mu.Unlock()
		blocked := s.Down
		if up {
			blocked = s.Up
		}
		if !blocked {
			return sleep(ctx, s.Delay)
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Gate is a listener that passes connections on to one server. Each caller has its own link.
type Gate struct {
	Name   string
	target string
	listen net.Listener
	who    func(remote net.Addr) string // which caller; nil: there is one
	mu     sync.Mutex
	links  map[string]*link
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

// OpenGate listens on a free port of the host. who may be nil.
func OpenGate(ctx context.Context, name, host, target string, who func(remote net.Addr) string) (*Gate, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := &Gate{Name: name, target: target, listen: l, who: who, links: map[string]*link{}, stop: stop}
	g.wg.Go(func() { g.serve(ctx) })
	return g, nil
}

// Addr is where callers connect.
func (g *Gate) Addr() string { return g.listen.Addr().String() }

func (g *Gate) link(caller string) *link {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.links[caller]
	if l == nil {
		l = newLink()
		g.links[caller] = l
	}
	return l
}

// Set changes what the caller's link does; "" when the gate has one caller.
func (g *Gate) Set(caller string, c Cutting) { g.link(caller).set(c) }

// take reserves a link for one fault; give takes that back.
func (g *Gate) take(caller string) bool {
	l := g.link(caller)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken {
		return false
	}
	l.taken = true
	return true
}

func (g *Gate) give(caller string) {
	l := g.link(caller)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = false
}

// Reset ends the caller's connections and returns how many there were.
func (g *Gate) Reset(caller string) int { return g.link(caller).reset() }

// Close ends everything.
func (g *Gate) Close() error {
	g.stop()
	err := g.listen.Close()
	g.mu.Lock()
	for _, l := range g.links {
		l.reset()
	}
	g.mu.Unlock()
	g.wg.Wait()
	return err
}

func (g *Gate) serve(ctx context.Context) {
	for {
		c, err := g.listen.Accept()
		if err != nil {
			return // closed
		}
		g.wg.Go(func() { g.carry(ctx, c) })
	}
}

func (g *Gate) carry(ctx context.Context, caller net.Conn) {
	name := ""
	if g.who != nil {
		name = g.who(caller.RemoteAddr())
	}
	l := g.link(name)
	p := &pair{caller: caller}
	l.mu.Lock()
	l.conns[p] = struct{}{}
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		l.mu.Lock()
		delete(l.conns, p)
		l.mu.Unlock()
		_ = caller.Close()
	}()
	if l.pass(ctx, true) != nil {
		return
	}
	server, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", g.target)
	if err != nil {
		if tcp, ok := caller.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // nobody listens there: refused
		}
		return
	}
	defer func() { _ = server.Close() }()
	l.mu.Lock()
	p.server = server
	l.mu.Unlock()
	var both sync.WaitGroup
	// A direction that fails ends the other; one that is at its end only closes its half.
	both.Go(func() { _ = pump(ctx, cancel, l, server, caller, true) })
	both.Go(func() { _ = pump(ctx, cancel, l, caller, server, false) })
	both.Wait()
}

func pump(ctx context.Context, cancel context.CancelFunc, l *link, to, from net.Conn, up bool) error {
	unblock := context.AfterFunc(ctx, func() { _ = from.SetReadDeadline(time.Unix(1, 0)) })
	defer unblock()
	buf := make([]byte, 64<<10)
	for {
		n, readErr := from.Read(buf)
		if err := l.pass(ctx, up); err != nil {
			return err
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				cancel()
				return err
			}
		}
		if errors.Is(readErr, io.EOF) {
			if tcp, ok := to.(*net.TCPConn); ok {
				return tcp.CloseWrite()
			}
		}
		if readErr != nil {
			if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			cancel()
			return readErr
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
