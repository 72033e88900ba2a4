package boot

import (
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/metrics"
	"dorado/modules/monitor"
)

// meters registers what Prometheus is told of a process with pages, besides what its parts tell themselves.
func (c *core) meters(machine *metrics.Machine, m *monitor.Module) {
	machine.Register(c.metrics, "master")
	c.metrics.MustRegister(monitor.NewCollector(m.Service))
	pool := c.db.SQLX().Stats
	for name, g := range map[string]struct {
		help string
		read func() float64
	}{ // the names under which DolphinScheduler's dashboards know a pool of connections
		"hikaricp.connections":        {"Open connections to the database.", func() float64 { return float64(pool().OpenConnections) }},
		"hikaricp.connections.active": {"Connections in use.", func() float64 { return float64(pool().InUse) }},
		"hikaricp.connections.idle":   {"Connections that wait for use.", func() float64 { return float64(pool().Idle) }},
		"hikaricp.connections.max":    {"The most connections there may be; 0 = no bound.", func() float64 { return float64(pool().MaxOpenConnections) }},
		"dorado.db.waits":             {"Times a connection had to be waited for.", func() float64 { return float64(pool().WaitCount) }},
		"dorado.db.waited.seconds":    {"How long that took in all.", func() float64 { return pool().WaitDuration.Seconds() }},
	} {
		c.metrics.GaugeFunc(name, g.help, g.read)
	}
}

// restMeter counts the calls of REST.
func (c *core) restMeter(next http.Handler) http.Handler {
	requests := c.metrics.Counter("ds.api.request.count", "Calls of REST.").WithLabelValues()
	responses := c.metrics.Counter("ds.api.response.count", "Answers of REST, by HTTP status.", "status")
	took := c.metrics.Duration("ds.api.response.time", "How long answers of REST took.").WithLabelValues()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Inc()
		began := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			took.Observe(time.Since(began).Seconds())
			responses.WithLabelValues(strconv.Itoa(seen.status)).Inc()
		}()
		next.ServeHTTP(seen, r)
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader is part of http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
