package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// DefaultDrain is the drain time of a service that names none.
const DefaultDrain = 10 * time.Second

// Service is one part of a process. All functions are optional.
type Service struct {
	Name  string
	Start func(ctx context.Context) error // returns when ready
	Run   func(ctx context.Context) error // returns when ctx ends, and not before
	Stop  func(ctx context.Context) error // asks for the end; ctx ends with the drain time
	Drain time.Duration                   // for Stop and the end of Run; 0 means DefaultDrain
}

// ErrReturned is the cause of a group whose service ended without being asked to.
var ErrReturned = errors.New("the service ended on its own")

// Group is the services of a process.
type Group struct {
	log *slog.Logger

	services []Service
	stopping chan struct{}
	once     sync.Once
	cause    error // set once, before stopping is closed
}

// New returns an empty group.
func New(log *slog.Logger) *Group {
	return &Group{log: log, stopping: make(chan struct{})}
}

// Add appends a service. It starts after those added before it and stops before them. It must not be called once Run
// was.
func (g *Group) Add(s Service) {
	if s.Drain <= 0 {
		s.Drain = DefaultDrain
	}
	g.services = append(g.services, s)
}

// Stop makes Run stop everything; a cause other than nil becomes part of its result. Only the first call counts. It
// does not wait.
func (g *Group) Stop(cause error) {
	g.once.Do(func() {
		g.cause = cause
		close(g.stopping)
	})
}

// running is a started service.
type running struct {
	Service

	cancel context.CancelFunc
	done   chan struct{} // closed when Run returned; nil without Run
	err    error         // of Run, valid after done
	asked  chan struct{} // closed when the service was asked to end
}

// Run starts the services, waits until ctx ends, Stop is called or a service crashes, and stops them in reverse. It
// returns nil after an orderly end of ctx, else everything that went wrong, the cause first.
func (g *Group) Run(ctx context.Context) error {
	var (
		started []*running
		errs    []error
	)
	base := context.WithoutCancel(ctx)
	starting, cancelStart := context.WithCancel(ctx)
	defer cancelStart()
	go func() { // a crash of what runs already ends the wait for what still starts
		select {
		case <-g.stopping:
			cancelStart()
		case <-starting.Done():
		}
	}()
	for _, s := range g.services {
		if starting.Err() != nil || g.isStopping() {
			break
		}
		r, err := g.start(starting, base, s)
		if err != nil {
			if ctx.Err() == nil && !g.isStopping() { // otherwise it failed because it was told to give up
				errs = append(errs, fmt.Errorf("start %s: %w", s.Name, err))
			}
			g.Stop(nil)
			break
		}
		started = append(started, r)
	}
	select {
	case <-ctx.Done():
		g.Stop(nil)
	case <-g.stopping:
	}
	if g.cause != nil {
		errs = append([]error{g.cause}, errs...)
	}
	for _, r := range slices.Backward(started) {
		if err := g.stop(base, r); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (g *Group) isStopping() bool {
	select {
	case <-g.stopping:
		return true
	default:
		return false
	}
}

func (g *Group) start(starting, base context.Context, s Service) (*running, error) {
	r := &running{Service: s, asked: make(chan struct{})}
	if s.Start != nil {
		if err := protect(func() error { return s.Start(starting) }); err != nil {
			return nil, err
		}
	}
	if s.Run == nil {
		return r, nil
	}
	ctx, cancel := context.WithCancel(base)
	r.cancel, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		r.err = protect(func() error { return s.Run(ctx) })
		select {
		case <-r.asked:
			return
		default:
		}
		cause := r.err
		if cause == nil {
			cause = ErrReturned
		}
		g.log.ErrorContext(ctx, "a service crashed", "service", s.Name, "error", cause)
		g.Stop(fmt.Errorf("%s crashed: %w", s.Name, cause))
	}()
	return r, nil
}

func (g *Group) stop(base context.Context, r *running) error {
	began := time.Now()
	close(r.asked)
	ctx, cancel := context.WithTimeout(base, r.Drain)
	defer cancel()
	var errs []error
	if r.Stop != nil {
		finished := make(chan error, 1)
		go func() { finished <- protect(func() error { return r.Stop(ctx) }) }()
		select {
		case err := <-finished:
			if err != nil {
				errs = append(errs, fmt.Errorf("stop %s: %w", r.Name, err))
			}
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("stop %s: not done after %s", r.Name, r.Drain))
		}
	}
	if r.done != nil {
		r.cancel()
		select {
		case <-r.done:
			if r.err != nil && !errors.Is(r.err, context.Canceled) && !errors.Is(g.cause, r.err) {
				errs = append(errs, fmt.Errorf("%s: %w", r.Name, r.err))
			}
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("%s did not end within %s", r.Name, r.Drain))
		}
	}
	g.log.DebugContext(ctx, "stopped", "service", r.Name, "took", time.Since(began))
	return errors.Join(errs...)
}

// protect turns a panic into an error, so that one service's defect still lets the others end in order.
func protect(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}
