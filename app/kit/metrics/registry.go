package metrics

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds the metrics of a process. Its constructors panic on a name that is taken with another help text or
// other labels: that is a defect found by the first start.
// It is also a prometheus.Registerer and Gatherer.
type Registry struct {
	*prometheus.Registry
}

// New returns a registry with the metrics of the Go runtime and of the process.
func New() *Registry {
	r := &Registry{prometheus.NewRegistry()}
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler serves the metrics to Prometheus.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.Registry, promhttp.HandlerOpts{Registry: r.Registry})
}

// Counter returns a counter with labels; without labels use its With(nil).
func (r *Registry) Counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: Name(name) + "_total", Help: help}, labels)
	r.MustRegister(c)
	return c
}

// Gauge returns a gauge with labels.
func (r *Registry) Gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: Name(name), Help: help}, labels)
	r.MustRegister(g)
	return g
}

// GaugeFunc publishes what fn returns when Prometheus asks. fn must be fast and safe for concurrent use.
func (r *Registry) GaugeFunc(name, help string, fn func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: Name(name), Help: help}, fn))
}

// Duration returns a histogram of seconds, from half a millisecond to minutes.
func (r *Registry) Duration(name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: Name(name) + "_seconds", Help: help,
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	}, labels)
	r.MustRegister(h)
	return h
}

// Name turns a documented name into a published one: "ds.task.dispatch.count" becomes "ds_task_dispatch_count".
func Name(documented string) string {
	return strings.NewReplacer(".", "_", "-", "_").Replace(documented)
}
