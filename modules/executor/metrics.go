package executor

import (
	"github.com/prometheus/client_golang/prometheus"

	"dorado/modules/rpc/doradov1"
)

type metrics struct {
	finished *prometheus.CounterVec
	start    prometheus.Histogram
}

// newMetrics registers the worker's metrics; without a registry they are counted and never seen.
func newMetrics(r prometheus.Registerer, e *Executor) *metrics {
	m := &metrics{
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dorado_worker_attempts_finished_total", Help: "Attempts that ended on this worker, by outcome.",
		}, []string{"outcome"}),
		start: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dorado_worker_attempt_start_seconds", Help: "From dispatch to a running process.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
	if r != nil {
		r.MustRegister(m.finished, m.start, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dorado_worker_attempts_running", Help: "Attempts that hold a slot.",
		}, func() float64 {
			e.mu.Lock()
			defer e.mu.Unlock()
			return float64(e.active)
		}))
	}
	return m
}

func (m *metrics) ended(o doradov1.Outcome) { m.finished.WithLabelValues(o.String()).Inc() }
