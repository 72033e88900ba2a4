package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Config is what both ends of a TCP stream must agree on.
type Config struct {
	Secret []byte      // the cluster secret; required
	TLS    *tls.Config // nil: plain TCP
}

// TCPDialer dials one master.
type TCPDialer struct {
	Addr    string
	Config  Config
	Timeout time.Duration // 0 = 5 s
}

// Dial connects, proves itself and returns the stream. It returns ErrSecret when the master does not know our secret.
func (d TCPDialer) Dial() (WorkerStream, error) {
	timeout := d.Timeout
	if timeout == 0 {
		timeout = handshakeTimeout
	}
	dialer := net.Dialer{Timeout: timeout, KeepAlive: 10 * time.Second}
	conn, err := dialer.Dial("tcp", d.Addr)
	if err != nil {
		return nil, fmt.Errorf("reach master %s: %w", d.Addr, err)
	}
	if d.Config.TLS != nil {
		conn = tls.Client(conn, d.Config.TLS)
	}
	if err := handshake(conn, d.Config.Secret, workerRole); err != nil {
		conn.Close()
		return nil, fmt.Errorf("join master %s: %w", d.Addr, err)
	}
	return workerWire{newWire(conn)}, nil
}

// Listener accepts worker streams.
type Listener struct {
	inner  net.Listener
	cfg    Config
	logger *slog.Logger
	wg     sync.WaitGroup
	mu     sync.Mutex
	open   map[net.Conn]struct{}
}

// Listen opens addr for workers. An empty secret is refused: anybody could then run programs on every worker.
func Listen(ctx context.Context, addr string, cfg Config, logger *slog.Logger) (*Listener, error) {
	if len(cfg.Secret) == 0 {
		return nil, errors.New("rpc: the cluster secret is empty; set cluster.secret to the same text on masters and workers")
	}
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for workers on %s: %w", addr, err)
	}
	return &Listener{inner: inner, cfg: cfg, logger: logger, open: map[net.Conn]struct{}{}}, nil
}

// Addr is the address that workers dial.
func (l *Listener) Addr() string { return l.inner.Addr().String() }

// Serve hands each authenticated stream to handle, in a goroutine of its own, until ctx ends. It returns after the last
// handle has returned; connections are closed so that they do.
func (l *Listener) Serve(ctx context.Context, handle func(context.Context, MasterStream)) error {
	stop := context.AfterFunc(ctx, func() {
		l.inner.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for conn := range l.open {
			conn.Close()
		}
	})
	defer stop()
	defer l.wg.Wait()
	for {
		conn, err := l.inner.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var temporary net.Error
			if errors.As(err, &temporary) && temporary.Timeout() {
				continue
			}
			l.logger.WarnContext(ctx, "accept worker stream", "error", err)
			select { // out of descriptors, most likely: breathe
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		l.wg.Go(func() { l.serveOne(ctx, conn, handle) })
	}
}

func (l *Listener) serveOne(ctx context.Context, conn net.Conn, handle func(context.Context, MasterStream)) {
	l.mu.Lock()
	l.open[conn] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.open, conn)
		l.mu.Unlock()
		conn.Close()
	}()
	if ctx.Err() != nil {
		return
	}
	raw := conn
	if l.cfg.TLS != nil {
		conn = tls.Server(conn, l.cfg.TLS)
	}
	if err := handshake(conn, l.cfg.Secret, masterRole); err != nil {
		l.logger.WarnContext(ctx, "refuse worker stream", "peer", raw.RemoteAddr().String(), "error", err)
		return
	}
	stream := masterWire{newWire(conn)}
	defer stream.Close()
	handle(ctx, stream)
}
