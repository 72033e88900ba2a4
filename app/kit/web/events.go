package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"dorado/app/kit/fault"
)

// Heartbeat is the longest silence on an event stream: proxies close quieter ones.
const Heartbeat = 15 * time.Second

// streamsPerViewer bounds the open event streams of one person. A browser keeps
// one a tab; more than this is a runaway script.
const streamsPerViewer = 64

// Stream writes server-sent events to one browser.
type Stream struct {
	ctx   context.Context
	w     http.ResponseWriter
	flush *http.ResponseController
	mu    sync.Mutex
	last  string
}

// LastID is the id of the last event the browser has seen before it reconnected,
// or an empty string.
func (s *Stream) LastID() string { return s.last }

// Send writes one event and flushes it. An empty name is a message for htmx (its
// data is HTML), a name is a DOM event for a script. An id lets the browser
// resume after it. Send fails when the browser has gone.
func (s *Stream) Send(id, name string, data []byte) error {
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	if len(data) == 0 {
		b.WriteString("data:\n")
	}
	b.WriteByte('\n')
	return s.write(b.Bytes())
}

func (s *Stream) write(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ctx.Err(); err != nil {
		return err
	}
	// A browser that stopped reading must not hold the writer for ever.
	_ = s.flush.SetWriteDeadline(time.Now().Add(2 * Heartbeat))
	if _, err := s.w.Write(p); err != nil {
		return err
	}
	return s.flush.Flush()
}

// Events answers with a stream of server-sent events. run sends until its context
// ends, which happens when the browser leaves or the server shuts down; it must
// return then. Heartbeats are sent meanwhile. An error of run before the first
// event is not shown: the stream just ends and the browser tries again.
func Events(run func(ctx context.Context, out *Stream) error) Response {
	return eventsResponse{run: run}
}

type eventsResponse struct {
	run func(ctx context.Context, out *Stream) error
}

func (e eventsResponse) respond(s *Site, w http.ResponseWriter, r *http.Request) error {
	release, ok := s.streams.acquire(streamOwner(r))
	if !ok {
		return fault.New(fault.TooMany, "web.too_many_streams")
	}
	defer release()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would collect events otherwise
	w.WriteHeader(http.StatusOK)

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := context.AfterFunc(s.closing, cancel) //nolint:contextcheck // a stream ends with its request or with the server
	defer stop()

	out := &Stream{ctx: ctx, w: w, flush: http.NewResponseController(w), last: r.Header.Get("Last-Event-ID")}
	if out.last == "" {
		out.last = r.URL.Query().Get("last_event_id")
	}
	if err := out.write([]byte(": open\n\n")); err != nil {
		return nil // the browser has gone
	}
	beat := make(chan struct{})
	go func() {
		defer close(beat)
		t := time.NewTicker(Heartbeat)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if out.write([]byte(": beat\n\n")) != nil {
					cancel()
					return
				}
			}
		}
	}()
	err := e.run(ctx, out)
	cancel()
	<-beat
	if err != nil && r.Context().Err() == nil && s.closing.Err() == nil {
		s.log.WarnContext(r.Context(), "event stream ended", "request_id", RequestID(r.Context()), "path", r.URL.Path, "error", err)
	}
	return nil
}

func streamOwner(r *http.Request) string {
	if v, ok := ViewerFrom(r.Context()); ok {
		return "user:" + strconv.FormatInt(v.ID, 10)
	}
	return "client:" + ClientAddress(r.Context())
}

// streamCount counts open streams by owner.
type streamCount struct {
	mu   sync.Mutex
	open map[string]int
}

func (c *streamCount) acquire(owner string) (release func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[owner] >= streamsPerViewer {
		return nil, false
	}
	c.open[owner]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.open[owner]--; c.open[owner] <= 0 {
			delete(c.open, owner)
		}
	}, true
}
