package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"dorado/app/kit/metrics"
)

// Config is what an operator may set.
type Config struct {
	// Endpoint is the address of a collector that speaks OTLP over HTTP, such as http://collector:4318; "" = no traces.
	// Headers, certificates and the like are taken from the variables OTEL_EXPORTER_OTLP_*.
	Endpoint string `koanf:"otlp-endpoint"`
	// Link is the address of a trace in a viewer, {trace} standing for its id; "" = the id is shown without a link.
	Link string `koanf:"link"`
}

// On reports whether traces are wanted.
func (c Config) On() bool { return c.Endpoint != "" }

// Validate reports what is wrong with the configuration, by key.
func (c Config) Validate() error {
	var errs []error
	for key, text := range map[string]string{"trace.otlp-endpoint": c.Endpoint, "trace.link": c.Link} {
		if text == "" {
			continue
		}
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("%s: %q is not an http or https address", key, text))
		}
	}
	return errors.Join(errs...)
}

// Trace is something that is over, with its parts.
type Trace struct {
	ID    ID
	Spans []Span
}

// Span is one part.
type Span struct {
	ID         SpanID
	Parent     SpanID // zero: none
	Name       string
	Start, End time.Time
	Failed     bool
	Message    string // why it failed
	Attrs      []Attr
}

// Attr is one fact about a span: a string, an int64 or a bool.
type Attr struct {
	Key   string
	Value any
}

const (
	queueSize     = 512  // traces that wait
	batchSpans    = 2000 // spans in one request, about
	uploadTimeout = 10 * time.Second
	flushTimeout  = 3 * time.Second // for what is left when the process ends
)

// Exporter sends traces.
type Exporter struct {
	client  otlptrace.Client
	log     *slog.Logger
	queue   chan Trace
	of      *resource.Resource
	sent    func(float64)
	dropped func(float64)
	lost    atomic.Int64 // dropped since the log said so
}

// New makes an exporter that sends once it runs. service names this program for the collector, and attrs says more of the
// process.
func New(c Config, service string, attrs []Attr, log *slog.Logger, r *metrics.Registry) *Exporter {
	if r == nil {
		r = metrics.New() // counted, and never seen
	}
	spans := r.Counter("dorado.trace.spans", "Spans handed to the collector, or dropped because it was away or slow.", "outcome")
	return &Exporter{
		client: otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(tracesURL(c.Endpoint)), otlptracehttp.WithTimeout(uploadTimeout)),
		log:    log, queue: make(chan Trace, queueSize),
		of:      &resource.Resource{Attributes: attributes(append([]Attr{{"service.name", service}}, attrs...))},
		sent:    spans.WithLabelValues("sent").Add,
		dropped: spans.WithLabelValues("dropped").Add,
	}
}

// tracesURL is where a collector takes traces, given its address alone.
func tracesURL(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err == nil && (u.Path == "" || u.Path == "/") {
		u.Path = "/v1/traces"
		return u.String()
	}
	return endpoint
}

// Send hands a trace over. It never blocks: when too many wait, the trace is dropped and counted.
func (e *Exporter) Send(t Trace) {
	select {
	case e.queue <- t:
	default:
		e.dropped(float64(len(t.Spans)))
		e.lost.Add(1)
	}
}

// Run sends until ctx ends, and then what is left for a moment.
func (e *Exporter) Run(ctx context.Context) error {
	if err := e.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the exporter of traces: %w", err)
	}
	for {
		select {
		case t := <-e.queue:
			e.upload(ctx, t)
		case <-ctx.Done():
			return e.flush(ctx)
		}
	}
}

// flush sends what is left, for a moment.
func (e *Exporter) flush(ctx context.Context) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	for len(e.queue) > 0 && last.Err() == nil {
		e.upload(last, <-e.queue)
	}
	return e.client.Stop(last)
}

// upload sends a trace together with what else waits.
func (e *Exporter) upload(ctx context.Context, first Trace) {
	spans := toSpans(nil, first)
	for len(spans) < batchSpans && len(e.queue) > 0 {
		spans = toSpans(spans, <-e.queue)
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	err := e.client.UploadTraces(ctx, []*otlp.ResourceSpans{{
		Resource:   e.of,
		ScopeSpans: []*otlp.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "dorado"}, Spans: spans}},
	}})
	if err != nil {
		e.dropped(float64(len(spans)))
		e.log.WarnContext(ctx, "traces could not be handed over", "spans", len(spans), "dropped_before", e.lost.Swap(0), "error", err)
		return
	}
	e.sent(float64(len(spans)))
}

func toSpans(to []*otlp.Span, t Trace) []*otlp.Span {
	for i := range t.Spans {
		s := &t.Spans[i]
		if s.End.Before(s.Start) {
			s.End = s.Start
		}
		out := &otlp.Span{
			TraceId: t.ID[:], SpanId: append([]byte(nil), s.ID[:]...), Name: s.Name, Kind: otlp.Span_SPAN_KIND_INTERNAL,
			StartTimeUnixNano: uint64(s.Start.UnixNano()), EndTimeUnixNano: uint64(s.End.UnixNano()), Attributes: attributes(s.Attrs),
			Status: &otlp.Status{Code: otlp.Status_STATUS_CODE_OK},
		}
		if s.Parent != (SpanID{}) {
			out.ParentSpanId = append([]byte(nil), s.Parent[:]...)
		}
		if s.Failed {
			out.Status = &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR, Message: s.Message}
		}
		to = append(to, out)
	}
	return to
}

func attributes(list []Attr) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(list))
	for _, a := range list {
		v := &common.AnyValue{}
		switch x := a.Value.(type) {
		case int64:
			v.Value = &common.AnyValue_IntValue{IntValue: x}
		case bool:
			v.Value = &common.AnyValue_BoolValue{BoolValue: x}
		default:
			v.Value = &common.AnyValue_StringValue{StringValue: fmt.Sprint(x)}
		}
		out = append(out, &common.KeyValue{Key: a.Key, Value: v})
	}
	return out
}
