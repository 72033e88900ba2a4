package boot

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// A refusal is noted once in a while, so that a client that tries again and again fills no log.
const (
	refusalEvery = time.Minute
	refusalsKept = 10_000
)

// refusals notes in the audit log what users tried and may not.
type refusals struct {
	audit  *audit.Service
	logger *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	last map[refusal]time.Time
}

type refusal struct {
	user       int64
	permission string
	route      string
}

func newRefusals(log *audit.Service, logger *slog.Logger, now func() time.Time) *refusals {
	return &refusals{audit: log, logger: logger, now: now, last: map[refusal]time.Time{}}
}

// note is for requests that were refused. Who is not signed in was asked to sign in, and is nobody.
func (f *refusals) note(r *http.Request, err error) {
	p, ok := access.From(r.Context())
	if !ok || p.UserID == 0 {
		return
	}
	this := refusal{user: p.UserID, permission: permissionOf(err), route: routeOf(r)}
	if !f.due(this) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	if err := f.audit.Record(ctx, audit.Entry{
		Action: "access.refused", ObjectType: "access", ObjectName: this.permission,
		Detail: map[string]string{"method": r.Method, "route": this.route},
	}); err != nil {
		f.logger.WarnContext(ctx, "a refusal is not in the audit log", "error", err)
	}
}

func (f *refusals) due(this refusal) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if at, known := f.last[this]; known && now.Sub(at) < refusalEvery {
		return false
	}
	if len(f.last) >= refusalsKept {
		clear(f.last)
	}
	f.last[this] = now
	return true
}

// permissionOf is what was missing, or else the key of the refusal.
func permissionOf(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return ""
	}
	if text, ok := f.Args["permission"].(string); ok {
		return text
	}
	return f.Key
}

// routeOf is the pattern of the address: what stands in it may be nobody's business.
func routeOf(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil && c.RoutePattern() != "" {
		return c.RoutePattern()
	}
	return ""
}
