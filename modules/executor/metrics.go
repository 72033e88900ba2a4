package executor

import (
	"github.com/prometheus/client_golang/prometheus"

	"dorado/modules/rpc/doradov1"
)

// metrics are what a worker tells Prometheus, under the names of engine.md 13.2 where DolphinScheduler has one.
type metrics struct {
	finished  *prometheus.CounterVec
	start     prometheus.Histogram
	refused   prometheus.Counter
	overloads prometheus.Counter
	beats     prometheus.Counter
}

// newMetrics registers the worker's metrics; without a registry they are counted and never seen.
func newMetrics(r prometheus.Registerer, e *Executor) *metrics {
	count := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, read func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			e.mu.Lock()
			defer e.mu.Unlock()
			return float64(read())
		})
	}
	usage := func(name, help string, of func(*doradov1.Heartbeat) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return of(e.health.read(loadFresh)) })
	}
	m := &metrics{
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dorado_worker_attempts_finished_total", Help: "Attempts that ended on this worker, by outcome.",
		}, []string{"outcome"}),
		start: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dorado_worker_attempt_start_seconds", Help: "From dispatch to a running process.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		refused:   count("ds_worker_full_submit_queue_count_total", "Attempts that this worker refused."),
		overloads: count("ds_worker_overload_count_total", "Times this worker became overloaded and wanted no more work."),
		beats:     count("ds_worker_heartbeat_count_total", "Heartbeats this worker made."),
	}
	if r != nil {
		r.MustRegister(
			m.finished, m.start, m.refused, m.overloads, m.beats,
			gauge("ds_worker_task", "Attempts that this worker holds, until their end is acknowledged.", func() int { return len(e.attempts) }),
			gauge("ds_worker_active_execute_thread", "Attempts that hold a slot.", func() int { return e.active }),
			gauge("ds_worker_execute_queue_size", "Attempts that wait for a slot on this worker.", func() int { return len(e.waiting) }),
			gauge("dorado_worker_slots", "Attempts this worker runs at once.", func() int { return e.cfg.Slots }),
			gauge("dorado_worker_reports_unacked", "Ends of attempts that no master has acknowledged.", func() int {
				n := 0
				for _, a := range e.attempts {
					if a.state == finished {
						n++
					}
				}
				return n
			}),
			usage("ds_worker_cpu_usage", "Share of the machine's processors in use.", (*doradov1.Heartbeat).GetCpuUsage),
			usage("ds_worker_memory_usage", "Share of the machine's memory in use.", (*doradov1.Heartbeat).GetMemoryUsage),
			usage("dorado_worker_disk_usage", "Share of the fullest disk of this worker in use.", (*doradov1.Heartbeat).GetDiskUsage),
		)
	}
	return m
}

func (m *metrics) ended(o doradov1.Outcome) { m.finished.WithLabelValues(o.String()).Inc() }
