package py4j

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// Limits bound what clients can make the server hold and wait for.
type Limits struct {
	Connections          int           // at once
	Command              int           // bytes of one command
	Large                int           // bytes from which a command counts as large
	LargeAtOnce          int           // large commands that are read or carried out at once; more wait
	Lines                int           // of one command, without its name
	Objects              int           // that clients have ids of
	ObjectsPerConnection int           // the same
	Linger               time.Duration // from the end of a connection until its objects go
	Greeting             time.Duration // until a client must have shown the token
	Sending              time.Duration // from the first line of a command to its last
}

// DefaultLimits returns limits that no client of good will meets.
func DefaultLimits() Limits {
	return Limits{
		Connections: 128, Command: 64 << 20, Large: 1 << 20, LargeAtOnce: 4, Lines: 64, Objects: 100_000, ObjectsPerConnection: 10_000,
		Linger: time.Hour, Greeting: 30 * time.Second, Sending: 5 * time.Minute,
	}
}

// Options is what a server is made of.
type Options struct {
	Entry  Entry
	Token  string // "" lets everybody in
	Limits Limits
	Logger *slog.Logger
	Now    func() time.Time
}

// Server speaks with any number of clients.
type Server struct {
	Options
	token    [sha256.Size]byte
	objects  *registry
	large    chan struct{}
	mu       sync.Mutex
	open     map[net.Conn]bool
	sessions sync.WaitGroup
}

// New returns a server.
func New(o Options) *Server {
	return &Server{
		Options: o, token: sha256.Sum256([]byte(o.Token)), objects: newRegistry(o.Limits), large: make(chan struct{}, o.Limits.LargeAtOnce),
		open: map[net.Conn]bool{},
	}
}

// Connections is how many clients are connected.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Objects is how many objects clients have ids of.
func (s *Server) Objects() int { return s.objects.size() }

// Serve accepts connections until ctx ends; then idle ones are closed, and calls that are under way get their answer
// first. It closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		listener.Close()
		s.hurry()
	})
	defer stop()
	defer listener.Close()
	sweeping := time.NewTicker(max(s.Limits.Linger/10, time.Second))
	defer sweeping.Stop()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-sweeping.C:
				s.objects.sweep(s.Now())
			}
		}
	}()
	defer s.sessions.Wait()
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err //nolint:wrapcheck // somebody else closed the listener
		case err != nil:
			s.Logger.WarnContext(ctx, "python gateway: cannot accept a connection", "error", err)
			pause(ctx, 100*time.Millisecond) // such as too many open files
			continue
		}
		if !s.admit(conn) {
			s.Logger.WarnContext(ctx, "python gateway: too many connections", "limit", s.Limits.Connections)
			conn.Close()
			continue
		}
		s.sessions.Go(func() { s.serve(ctx, conn) })
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// admit counts a connection, or refuses it.
func (s *Server) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.Limits.Connections {
		return false
	}
	s.open[conn] = true
	return true
}

// hurry makes every connection end that waits for a command.
func (s *Server) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// serve is the life of one connection.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	c := &session{server: s, conn: conn, owner: s.objects.join(), admitted: s.Token == ""}
	c.frames = newFrames(conn, s.Limits, func() error { return c.grow(ctx) })
	defer func() {
		s.objects.leave(c.owner, s.Now())
		s.mu.Lock()
		delete(s.open, conn)
		s.mu.Unlock()
		conn.Close()
	}()
	for ctx.Err() == nil {
		goOn, err := c.turn(ctx)
		if err != nil && ctx.Err() == nil && !quiet(err) {
			s.Logger.DebugContext(ctx, "python gateway: connection ends", "error", err)
		}
		if err != nil || !goOn {
			return
		}
	}
}

// quiet tells an ordinary end of a connection.
func quiet(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded)
}

// session is one connection.
type session struct {
	server   *Server
	conn     net.Conn
	frames   *frames
	owner    *owner
	admitted bool
	holds    bool // one of the places for large commands
}

// grow waits for a place for a large command.
func (c *session) grow(ctx context.Context) error {
	select {
	case c.server.large <- struct{}{}:
		c.holds = true
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the server ends
	}
}

func (c *session) release() {
	if c.holds {
		<-c.server.large
		c.holds = false
	}
}

// turn reads a command and answers it. It returns false when the connection is to be closed.
func (c *session) turn(ctx context.Context) (goOn bool, err error) {
	defer c.release()
	limits := c.server.Limits
	if !c.admitted { // whoever may be anybody gets little time; SDKs are idle for minutes later on
		c.until(ctx, limits.Greeting)
	}
	name, err := c.frames.line(atMost(maxName))
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return false, c.answer(fatal("Unknown command received"))
		}
		return false, err
	}
	c.until(ctx, limits.Sending)
	if name == "A" {
		return c.authenticate()
	}
	if !c.admitted {
		return false, c.answer(failed("Authentication error: unexpected command."))
	}
	if !known(name) {
		return false, c.answer(fatal("Unknown command received: " + name))
	}
	lines, err := c.frames.body()
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errArguments):
		return false, c.answer(fatal(err.Error()))
	case err != nil:
		return false, err
	}
	c.until(ctx, 0)
	return true, c.answer(c.carryOut(ctx, name, lines))
}

// until gives the client so much time to send what it has begun; 0 is for ever.
func (c *session) until(ctx context.Context, d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = c.conn.SetReadDeadline(at)
	if ctx.Err() != nil { // hurry may have been before
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// authenticate compares the token, in a time that says nothing about it.
func (c *session) authenticate() (bool, error) {
	given, err := c.frames.line(atMost(maxToken))
	if err != nil && !errors.Is(err, errTooLarge) {
		return false, err
	}
	sum := sha256.Sum256([]byte(given))
	if err != nil || c.server.Token != "" && subtle.ConstantTimeCompare(sum[:], c.server.token[:]) != 1 {
		c.server.Logger.Warn("python gateway: a client has a wrong token", "client", c.conn.RemoteAddr().String())
		return false, c.answer(failed("Authentication error: bad auth token received."))
	}
	c.admitted = true
	_ = c.conn.SetReadDeadline(time.Time{})
	return true, c.answer("!yv")
}

// answer sends a line.
func (c *session) answer(line string) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Minute))
	_, err := io.WriteString(c.conn, line+"\n")
	return err //nolint:wrapcheck // of the connection
}

// failed is the answer to what cannot be done.
func failed(message string) string { return "!xs" + Escape(message) }

// fatal makes the client drop the connection.
func fatal(message string) string { return "!zspy4j.Py4JException: " + Escape(message) }
