package metrics_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/metrics"
)

func TestMetricsArePublishedUnderDocumentedNames(t *testing.T) {
	t.Parallel()
	r := metrics.New()
	r.Counter("ds.workflow.instance.count", "Workflow instances by state.", "state").WithLabelValues("success").Add(2)
	r.Gauge("ds.worker.task", "Running tasks.").WithLabelValues().Set(3)
	r.GaugeFunc("ds.worker.execute.queue.size", "Waiting tasks.", func() float64 { return 4 })
	r.Duration("ds.task.dispatch.latency", "Ready to running.").WithLabelValues().Observe(0.002)

	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, line := range []string{
		`ds_workflow_instance_count_total{state="success"} 2`, "ds_worker_task 3", "ds_worker_execute_queue_size 4",
		`ds_task_dispatch_latency_seconds_bucket{le="0.0025"} 1`, "go_goroutines",
	} {
		require.Contains(t, w.Body.String(), line)
	}
}

func TestRegistriesAreIndependentAndNamesAreTakenOnce(t *testing.T) {
	t.Parallel()
	a, b := metrics.New(), metrics.New()
	a.Counter("ds.x", "X.")
	b.Counter("ds.x", "X.")
	require.Panics(t, func() { a.Counter("ds.x", "X.") })
}
