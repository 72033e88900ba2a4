package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Config says how to log.
type Config struct {
	Level  string // debug, info (default), warn, error
	Format string // text (default) or json
}

// Attribute names.
const (
	Error              = "error"
	RequestID          = "request_id"
	User               = "user"
	Client             = "client"
	Project            = "project_code"
	Workflow           = "workflow_code"
	WorkflowInstanceID = "workflow_instance_id"
	TaskInstanceID     = "task_instance_id"
	Attempt            = "attempt"
	Master             = "master"
	Worker             = "worker"
	Epoch              = "epoch"
	Took               = "took"
)

// New returns a logger that writes to w. It fails on an unknown level or format.
func New(w io.Writer, c Config) (*slog.Logger, error) {
	var level slog.Level
	if c.Level != "" {
		if err := level.UnmarshalText([]byte(c.Level)); err != nil {
			return nil, fmt.Errorf("log level %q: use debug, info, warn or error", c.Level)
		}
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: replace}
	switch c.Format {
	case "", "text":
		return slog.New(handler{slog.NewTextHandler(w, opts)}), nil
	case "json":
		return slog.New(handler{slog.NewJSONHandler(w, opts)}), nil
	}
	return nil, fmt.Errorf("log format %q: use text or json", c.Format)
}

// Discard returns a logger that writes nothing.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

type attrsKey struct{}

// With returns a context whose records carry the attributes, besides those that ctx carries already.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	before, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	all := make([]slog.Attr, 0, len(before)+len(attrs))
	all = append(append(all, before...), attrs...)
	return context.WithValue(ctx, attrsKey{}, all)
}

// handler adds the attributes of the context.
type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if attrs, ok := ctx.Value(attrsKey{}).([]slog.Attr); ok {
		r = r.Clone()
		r.AddAttrs(attrs...)
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name)}
}

// replace writes instants in UTC and durations readably, and masks what sounds like a secret.
func replace(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	case slog.KindAny, slog.KindBool, slog.KindFloat64, slog.KindInt64, slog.KindString, slog.KindUint64, slog.KindGroup, slog.KindLogValuer:
	}
	if sounds(a.Key) && a.Value.Kind() != slog.KindBool {
		a.Value = slog.StringValue("***")
	}
	return a
}

func sounds(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"password", "passwd", "secret", "token", "authorization", "cookie", "session_id", "api_key"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}
