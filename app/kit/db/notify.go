package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lib/pq"
)

// maxPayload is PostgreSQL's bound on the payload of a notification, in bytes.
const maxPayload = 7999

// maxPending bounds what a slow subscriber may leave lying: then it is told to look for itself.
const maxPending = 1024

// Notify sends payload to all who listen on channel: in this process on SQLite, in all processes on PostgreSQL. In a
// transaction it leaves with the commit, and not at all when that is rolled back. It fails on a payload above 7999
// bytes.
func (d *DB) Notify(ctx context.Context, channel, payload string) error {
	if len(payload) > maxPayload {
		return fmt.Errorf("db: a notification of %d bytes is too long", len(payload))
	}
	if d.hub.remote != nil {
		_, err := d.Exec(ctx, "SELECT pg_notify(?, ?)", channel, payload)
		return err
	}
	if _, err := unitOf(ctx); err != nil {
		return err
	}
	AfterCommit(ctx, func(context.Context) { d.hub.deliver(channel, payload) })
	return nil
}

// Listen calls fn for every notification on channel, one at a time, until ctx ends or the database is closed. It
// returns once nothing sent later can be missed. An empty payload means that notifications may have been lost
// (PostgreSQL was away, or fn was too slow): look at the tables.
func (d *DB) Listen(ctx context.Context, channel string, fn func(payload string)) error {
	return d.hub.listen(ctx, channel, fn)
}

// remote is a server that relays notifications between processes.
type remote interface {
	start(deliver func(channel, payload string), lost func())
	listen(ctx context.Context, channel string) error
	stop()
}

// hub hands notifications to the subscribers of this process.
type hub struct {
	remote remote // nil: notifications stay in the process

	mu      sync.Mutex
	subs    map[string]map[*subscriber]bool
	started bool
	closed  bool
	wg      sync.WaitGroup
}

type subscriber struct {
	mu      sync.Mutex
	pending []string
	wake    chan struct{} // capacity 1
	stop    chan struct{}
	once    sync.Once // closes stop
}

func (s *subscriber) end() { s.once.Do(func() { close(s.stop) }) }

func newHub(r remote) *hub {
	return &hub{remote: r, subs: map[string]map[*subscriber]bool{}}
}

func (h *hub) listen(ctx context.Context, channel string, fn func(payload string)) error {
	s := &subscriber{wake: make(chan struct{}, 1), stop: make(chan struct{})}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return errors.New("db: closed")
	}
	if h.subs[channel] == nil {
		h.subs[channel] = map[*subscriber]bool{}
	}
	h.subs[channel][s] = true
	if h.remote != nil && !h.started {
		h.started = true
		h.remote.start(h.deliver, h.lost)
	}
	h.wg.Add(1)
	h.mu.Unlock()

	go func() {
		defer h.wg.Done()
		defer h.forget(channel, s)
		s.run(ctx, fn)
	}()
	if h.remote == nil {
		return nil
	}
	if err := h.remote.listen(ctx, channel); err != nil {
		s.end()
		return err
	}
	return nil
}

func (s *subscriber) run(ctx context.Context, fn func(payload string)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			return
		case <-s.wake:
		}
		for _, payload := range s.takeAll() {
			if ctx.Err() != nil {
				return
			}
			fn(payload)
		}
	}
}

func (s *subscriber) takeAll() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.pending
	s.pending = nil
	return all
}

func (s *subscriber) add(payload string) {
	s.mu.Lock()
	if len(s.pending) >= maxPending {
		s.pending = []string{""}
	} else {
		s.pending = append(s.pending, payload)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (h *hub) forget(channel string, s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs[channel], s)
}

func (h *hub) deliver(channel, payload string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs[channel] {
		s.add(payload)
	}
}

// lost tells every subscriber to look for itself.
func (h *hub) lost() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, channel := range h.subs {
		for s := range channel {
			s.add("")
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	for _, channel := range h.subs {
		for s := range channel {
			s.end()
		}
	}
	started := h.started
	h.mu.Unlock()
	if started {
		h.remote.stop()
	}
	h.wg.Wait()
}

// pgListener relays through one connection of its own, which the driver restores when it breaks.
type pgListener struct {
	dsn string
	log *slog.Logger

	l    *pq.Listener
	done chan struct{}
}

func (p *pgListener) start(deliver func(channel, payload string), lost func()) {
	p.l = pq.NewDialListener(patient{}, p.dsn, 50*time.Millisecond, 5*time.Second, func(event pq.ListenerEventType, err error) {
		switch event {
		case pq.ListenerEventDisconnected:
			p.log.Warn("lost the connection for notifications", "error", err)
		case pq.ListenerEventReconnected:
			p.log.Info("the connection for notifications is back")
		case pq.ListenerEventConnected, pq.ListenerEventConnectionAttemptFailed:
		}
	})
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		for n := range p.l.NotificationChannel() {
			if n == nil { // the driver's sign for a connection that was lost and is back
				lost()
				continue
			}
			deliver(n.Channel, n.Extra)
		}
	}()
}

func (p *pgListener) listen(ctx context.Context, channel string) error {
	result := make(chan error, 1)
	go func() { result <- p.l.Listen(channel) }() // waits for the server; ends at the latest when stop closes the listener
	select {
	case err := <-result:
		if err != nil && !errors.Is(err, pq.ErrChannelAlreadyOpen) {
			return explain(fmt.Errorf("listen on %s: %w", channel, err))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pgListener) stop() {
	if err := p.l.Close(); err != nil {
		p.log.Debug("close the connection for notifications", "error", err)
	}
	<-p.done
}
