package monitor_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/logs"
	"dorado/app/kit/trace"
	"dorado/modules/monitor"
)

// receiver is a collector that takes OTLP over HTTP.
func receiver(t *testing.T) (url string, got chan *otlp.Span) {
	t.Helper()
	got = make(chan *otlp.Span, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			body = z
		}
		raw, err := io.ReadAll(body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, rs := range request.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					got <- s
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func TestARunThatEndsIsToldToACollector(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.project(t, 7, "etl")
		url, got := receiver(t)
		ids := trace.IDs{Salt: "here"}
		out := trace.New(trace.Config{Endpoint: url}, "dorado", nil, logs.Discard(), nil)
		tracer := monitor.NewTracer(d, ids, "m1", out, logs.Discard())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- out.Run(ctx) }()
		go func() { done <- tracer.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			require.NoError(t, <-done)
			require.NoError(t, <-done)
		})

		theirs := w.run(t, 7, "other", "SUCCESS", "w1", time.Minute)
		id := w.run(t, 7, "load", "FAILURE", "w1", time.Minute)
		at := w.now.Add(-time.Minute)
		_, err := d.Exec(t.Context(), `UPDATE workflow_instance SET state = 'FAILURE', message = 'a task failed', owner = 'm1', command_type = 'SCHEDULER', schedule_time = ?, end_time = ? WHERE id = ?`,
			at.Add(-2*time.Second), at.Add(30*time.Second), id)
		require.NoError(t, err)
		_, err = d.Exec(t.Context(), `UPDATE workflow_instance SET state = 'SUCCESS', owner = 'm2', end_time = ? WHERE id = ?`, w.now, theirs)
		require.NoError(t, err)
		_, err = d.Exec(t.Context(), `UPDATE task_instance SET submit_time = ?, start_time = ?, end_time = ?, exit_code = 3 WHERE workflow_instance_id = ?`,
			at.Add(time.Second), at.Add(3*time.Second), at.Add(29*time.Second), id)
		require.NoError(t, err)
		tracer.Ended(theirs) // another master tells of it
		tracer.Ended(1 << 40)
		tracer.Ended(id)

		spans := map[string]*otlp.Span{}
		for range 6 {
			select {
			case s := <-got:
				spans[s.GetName()] = s
			case <-time.After(time.Minute):
				require.Fail(t, "no spans came", "%v", spans)
			}
		}
		for name, want := range map[string]struct {
			from, to time.Duration
			parent   string
		}{
			"workflow w":        {-2 * time.Second, 30 * time.Second, ""},
			"trigger":           {-2 * time.Second, 0, "workflow w"},
			"wait for a master": {0, time.Second, "workflow w"},
			"task load":         {time.Second, 29 * time.Second, "workflow w"},
			"wait for a worker": {time.Second, 3 * time.Second, "task load"},
			"run":               {3 * time.Second, 29 * time.Second, "task load"},
		} {
			s := spans[name]
			require.NotNil(t, s, name)
			require.Equal(t, uint64(at.Add(want.from).UnixNano()), s.GetStartTimeUnixNano(), name)
			require.Equal(t, uint64(at.Add(want.to).UnixNano()), s.GetEndTimeUnixNano(), name)
			if want.parent == "" {
				require.Empty(t, s.GetParentSpanId())
			} else {
				require.Equal(t, spans[want.parent].GetSpanId(), s.GetParentSpanId(), name)
			}
			traceID := monitor.RunTrace(ids, id, 1)
			require.Equal(t, traceID[:], s.GetTraceId(), name)
		}
		require.Equal(t, otlp.Status_STATUS_CODE_ERROR, spans["workflow w"].GetStatus().GetCode())
		require.Equal(t, "FAILURE a task failed", spans["workflow w"].GetStatus().GetMessage())
		parent := strings.Split(monitor.Parent(ids, id, 1, 1000+id), "-")
		require.Len(t, parent, 4)
		runSpan := trace.SpanID(spans["run"].GetSpanId())
		require.Equal(t, []string{"00", monitor.RunTrace(ids, id, 1).String(), runSpan.String(), "01"}, parent, "what tasks are told is the span of their run")
		require.NotEqual(t, monitor.RunTrace(ids, id, 1), monitor.RunTrace(ids, id, 2))
		require.NotEqual(t, monitor.RunTrace(ids, id, 1), monitor.RunTrace(trace.IDs{Salt: "there"}, id, 1))
	})
}

func TestACollectorThatIsAwayCostsNoWork(t *testing.T) {
	t.Parallel()
	out := trace.New(trace.Config{Endpoint: "http://127.0.0.1:1"}, "dorado", nil, logs.Discard(), nil)
	for range 100_000 { // nobody takes them: it must not block, and must not keep them all
		out.Send(trace.Trace{Spans: []trace.Span{{Name: "x"}}})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, out.Run(ctx))
}
