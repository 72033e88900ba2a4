package clustertest

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy stands between one process and its servers. It forwards bytes, or holds them back.
type Proxy struct {
	mu      sync.Mutex
	open    chan struct{} // closed while bytes flow
	closed  bool
	conns   map[net.Conn]struct{}
	listens []net.Listener
	wg      sync.WaitGroup
}

// NewProxy returns a proxy and the addresses that stand for the targets. It ends with the test.
func NewProxy(t testing.TB, targets ...string) (*Proxy, []string) {
	t.Helper()
	p := &Proxy{open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(p.open)
	var addresses []string
	for _, target := range targets {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the test
		require.NoError(t, err)
		p.listens = append(p.listens, l)
		addresses = append(addresses, l.Addr().String())
		p.wg.Go(func() { p.accept(l, target) })
	}
	t.Cleanup(p.close)
	return p, addresses
}

func (p *Proxy) accept(l net.Listener, target string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		if !p.add(in) {
			return
		}
		p.wg.Go(func() { p.serve(in, target) })
	}
}

func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) serve(in net.Conn, target string) {
	defer func() { _ = in.Close() }()
	p.flows()
	out, err := net.Dial("tcp", target) //nolint:noctx // loopback
	if err != nil || !p.add(out) {
		return
	}
	defer func() { _ = out.Close() }()
	p.wg.Go(func() {
		p.pump(in, out)
		_ = in.Close()
	})
	p.pump(out, in)
}

func (p *Proxy) pump(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.flows()
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			p.flows() // an end is news too
			return
		}
	}
}

// flows waits while the connection is cut.
func (p *Proxy) flows() {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
}

// Cut holds everything back: nothing arrives, nothing breaks.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		if !p.closed {
			p.open = make(chan struct{})
		}
	default:
	}
}

// Heal lets everything flow again, first what was held back.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// Reset breaks all connections; new ones are welcome.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Heal()
	for _, l := range p.listens {
		_ = l.Close()
	}
	p.Reset()
	p.wg.Wait()
}
