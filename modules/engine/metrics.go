package engine

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/app/kit/metrics"
	"dorado/modules/flow"
)

// meters are what the engine tells Prometheus, under the names of engine.md 13.2 where DolphinScheduler has one.
type meters struct {
	instances *prometheus.CounterVec
	tasks     *prometheus.CounterVec
	commands  prometheus.Counter
	saves     prometheus.Observer
	saved     prometheus.Counter
	ready     prometheus.Observer
}

func newMeters(r *metrics.Registry, e *Engine) *meters {
	if r == nil {
		r = metrics.New() // counted, and never seen
	}
	r.GaugeFunc("ds.workflow.instance.running", "Workflow instances that this master works on.", func() float64 { return float64(e.term().running.Load()) })
	r.GaugeFunc("ds.task.prepared", "Attempts that wait for a slot.", func() float64 { return float64(e.term().fleet.backlog()) })
	r.GaugeFunc("dorado.worker.connected", "Workers with a control stream.", func() float64 { return float64(len(e.term().fleet.list())) })
	return &meters{
		instances: r.Counter("ds.workflow.instance.count", "Workflow instances, by what became of them.", "state"),
		tasks:     r.Counter("ds.task.instance.count", "Attempts, by what became of them.", "state"),
		commands:  r.Counter("ds.master.consume.command.count", "Commands taken.").WithLabelValues(),
		saves:     r.Duration("dorado.commit", "One group commit.").WithLabelValues(),
		saved:     r.Counter("dorado.commit.changes", "Changes saved by group commits.").WithLabelValues(),
		ready:     r.Duration("dorado.task.dispatch.latency", "From submission of an attempt to its start on a worker.").WithLabelValues(),
	}
}

// attempt counts an attempt that was saved in a state worth counting.
func (m *meters) attempt(row *attemptRow) {
	switch state := flow.TaskState(row.state); state {
	case flow.TaskDispatch:
		m.tasks.WithLabelValues("dispatch").Inc()
	case flow.TaskSuccess, flow.TaskForcedSuccess, flow.TaskFailure, flow.TaskKill, flow.TaskPause, flow.TaskLost:
		m.tasks.WithLabelValues(strings.ToLower(string(state))).Inc()
		if !row.start.IsZero() {
			m.ready.Observe(max(0, row.start.Sub(row.submit)).Seconds())
		}
	case flow.TaskSubmitted:
		m.tasks.WithLabelValues("submit").Inc()
	case flow.TaskDelay, flow.TaskRunning:
	}
}

func (m *meters) commit(took time.Duration, changes int) {
	m.saves.Observe(took.Seconds())
	m.saved.Add(float64(changes))
}
