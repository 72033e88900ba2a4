package zk

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialer makes the connections of one session. It does what the library leaves out: it knows the negotiated timeout,
// gives a silent server up early, and refuses what is no ZooKeeper.
type dialer struct {
	asked time.Duration
	tls   *tls.Config
	// negotiated is the session timeout that the servers granted, 0 before they did.
	negotiated atomic.Int64

	mu     sync.Mutex
	last   *wire
	reason error // why the latest attempt failed
}

// timeout is the negotiated session timeout, or the one that will be asked for.
func (d *dialer) timeout() time.Duration {
	if t := d.negotiated.Load(); t > 0 {
		return time.Duration(t)
	}
	return d.asked
}

// silence is how long a server may say nothing: syncs make it talk each twelfth of the timeout.
func (d *dialer) silence() time.Duration { return max(d.timeout()/4, 250*time.Millisecond) }

// dial has the signature of the library.
func (d *dialer) dial(network, address string, _ time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), min(d.silence(), 3*time.Second)) //nolint:forbidigo // the library hands none
	defer cancel()
	var c net.Conn
	var err error
	if d.tls == nil {
		c, err = (&net.Dialer{}).DialContext(ctx, network, address)
	} else {
		c, err = (&tls.Dialer{Config: d.tls}).DialContext(ctx, network, address)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reason = err
	if err != nil {
		return nil, err
	}
	if d.last != nil {
		_ = d.last.Close() // the library forgets to when a session has expired
	}
	d.last = &wire{Conn: c, d: d}
	return d.last, nil
}

// failure is why there is no connection, as far as is known.
func (d *dialer) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reason
}

func (d *dialer) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reason = err
}

// The head of a connection's first answer: its length, the protocol's version, the granted timeout in ms.
const (
	lengthEnd  = 4
	timeoutEnd = 12
	maxAnswer  = 1 << 10
)

var errNoZooKeeper = errors.New("what answers is no ZooKeeper")

// wire is one connection. It is read by one goroutine.
type wire struct {
	net.Conn
	d    *dialer
	head [timeoutEnd]byte
	n    int
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if w.n < len(w.head) && n > 0 {
		before := w.n
		w.n += copy(w.head[w.n:], p[:n])
		if before < lengthEnd && w.n >= lengthEnd {
			if l := binary.BigEndian.Uint32(w.head[:lengthEnd]); l < timeoutEnd || l > maxAnswer {
				w.d.failed(errNoZooKeeper)
				return 0, errNoZooKeeper
			}
		}
		if w.n >= timeoutEnd {
			if ms := int32(binary.BigEndian.Uint32(w.head[8:timeoutEnd])); ms > 0 { // 0: the session has expired
				w.d.negotiated.Store(int64(time.Duration(ms) * time.Millisecond))
			}
		}
	}
	if err != nil && w.n == 0 {
		w.d.failed(errors.New("the server closes the connection or says nothing: it has no majority, or speaks TLS only, or is no ZooKeeper"))
	}
	return n, err
}

// SetReadDeadline bounds what the library asks for, which is longer than a lease.
func (w *wire) SetReadDeadline(t time.Time) error { return w.Conn.SetReadDeadline(w.bounded(t)) }

// SetWriteDeadline bounds what the library asks for.
func (w *wire) SetWriteDeadline(t time.Time) error { return w.Conn.SetWriteDeadline(w.bounded(t)) }

func (w *wire) bounded(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	if latest := time.Now().Add(w.d.silence()); t.After(latest) {
		return latest
	}
	return t
}

// firstPause lies between two rounds over all servers. It grows, but never so far that it would use up a lease while
// the servers elect a leader.
const firstPause = 100 * time.Millisecond

func (d *dialer) longestPause() time.Duration {
	return min(max(d.timeout()/16, firstPause), time.Second)
}

// hosts hands the library one server after the other, names unresolved, so that each attempt asks the DNS anew.
type hosts struct {
	closed  chan struct{}
	longest func() time.Duration // pause

	mu      sync.Mutex
	servers []string
	next    int
	tried   int // since the latest success
	pause   time.Duration
}

func newHosts(servers []string, longest func() time.Duration) *hosts {
	h := &hosts{longest: longest, closed: make(chan struct{}), servers: append([]string(nil), servers...), pause: firstPause}
	rand.Shuffle(len(h.servers), func(i, j int) { h.servers[i], h.servers[j] = h.servers[j], h.servers[i] })
	return h
}

func (h *hosts) close() { close(h.closed) }

// Init implements zk.HostProvider.
func (h *hosts) Init([]string) error { return nil }

// Len implements zk.HostProvider.
func (h *hosts) Len() int { return len(h.servers) }

// Next implements zk.HostProvider. It waits after each round over all servers. It says that it starts over only when the
// session is to end, because then, and only then, the library looks whether it should.
func (h *hosts) Next() (string, bool) {
	h.mu.Lock()
	server := h.servers[h.next]
	h.next = (h.next + 1) % len(h.servers)
	var wait time.Duration
	if h.tried > 0 && h.tried%len(h.servers) == 0 {
		wait = h.pause/2 + rand.N(h.pause)
		h.pause = min(2*h.pause, h.longest())
	}
	h.tried++
	h.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-h.closed:
		return server, true
	case <-timer.C:
	}
	select {
	case <-h.closed:
		return server, true
	default:
		return server, false
	}
}

// Connected implements zk.HostProvider.
func (h *hosts) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried, h.pause = 0, firstPause
}
