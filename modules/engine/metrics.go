package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/app/kit/metrics"
	"dorado/modules/flow"
)

// meters are what the engine tells Prometheus, under the names of engine.md 13.2 where DolphinScheduler has one.
type meters struct {
	instances *prometheus.CounterVec // by state
	resubmit  prometheus.Counter
	tasks     *prometheus.CounterVec // by state
	types     *prometheus.CounterVec // by task type
	dispatch  prometheus.Counter
	refused   prometheus.Counter
	commands  prometheus.Counter
	query     prometheus.Observer
	generate  prometheus.Observer
	saves     prometheus.Observer
	saved     prometheus.Counter
	ready     prometheus.Observer
	lag       prometheus.Observer
	fenced    prometheus.Counter
	overload  prometheus.Counter
	beats     prometheus.Counter
	failovers prometheus.Counter
	failover  prometheus.Observer
}

func newMeters(r *metrics.Registry, e *Engine) *meters {
	if r == nil {
		r = metrics.New() // counted, and never seen
	}
	r.GaugeFunc("ds.workflow.instance.running", "Workflow instances that this master works on.", func() float64 { return float64(e.Running()) })
	r.GaugeFunc("ds.task.prepared", "Attempts of this master that wait for a slot.", func() float64 { return float64(e.term().fleet.backlog()) })
	r.GaugeFunc("dorado.worker.connected", "Workers with a control stream to this master.", func() float64 { return float64(len(e.term().fleet.list())) })
	count := func(name, help string) prometheus.Counter { return r.Counter(name, help).WithLabelValues() }
	span := func(name, help string) prometheus.Observer { return r.Duration(name, help).WithLabelValues() }
	m := &meters{
		instances: r.Counter("ds.workflow.instance.count", "Workflow instances of this master, by what became of them.", "state"),
		resubmit:  count("ds.workflow.instance.resubmit", "Workflow instances that were carried on from their rows: after a restart or a take-over."),
		tasks:     r.Counter("ds.task.instance.count", "Attempts of this master, by what became of them.", "state"),
		types:     r.Counter("ds.task.execution.count.by.type", "Attempts that were submitted, by type of task.", "task_type"),
		dispatch:  count("ds.task.dispatch.count", "Attempts that were sent to a worker."),
		refused:   count("ds.task.dispatch.failure.count", "Attempts that a worker refused; they are sent to another."),
		commands:  count("ds.master.consume.command.count", "Commands taken."),
		query:     span("ds.workflow.command.query.duration", "One look for commands."),
		generate:  span("ds.workflow.instance.generate.duration", "From a command that was read to its run in memory."),
		saves:     span("dorado.commit", "One group commit."),
		saved:     count("dorado.commit.changes", "Changes saved by group commits."),
		ready:     span("dorado.task.dispatch.latency", "From submission of an attempt to its start on a worker."),
		lag:       span("dorado.event.lag", "How long the oldest event of a batch waited before it was handled."),
		fenced:    count("dorado.fencing.rejections", "Group commits that the database refused because another master had taken this one's place."),
		overload:  count("ds.master.overload.count", "Times this master became overloaded and took no new runs."),
		beats:     count("ds.master.heartbeat.count", "Heartbeats this master was asked for."),
		failovers: count("ds.master.scheduler.failover.check.count", "Looks for masters that are gone."),
		failover:  span("ds.master.scheduler.failover.check.time", "One look for masters that are gone, with the take-over of what they left."),
	}
	for _, state := range []string{"submit", "timeout", "finish", "failover", "success", "fail", "stop", "pause"} {
		m.instances.WithLabelValues(state)
	}
	for _, state := range []string{"submit", "timeout", "finish", "failover", "retry", "dispatch", "success", "kill", "fail", "pause"} {
		m.tasks.WithLabelValues(state)
	}
	return m
}

// ended counts an instance that is over.
func (m *meters) ended(state flow.WorkflowState) {
	name := map[flow.WorkflowState]string{
		flow.WorkflowSuccess: "success", flow.WorkflowFailure: "fail", flow.WorkflowStop: "stop", flow.WorkflowPause: "pause",
	}[state]
	if name != "" {
		m.instances.WithLabelValues(name).Inc()
	}
	m.instances.WithLabelValues("finish").Inc()
}

// attempt counts an attempt that was saved in a state worth counting.
func (m *meters) attempt(row *attemptRow) {
	count := func(state string) { m.tasks.WithLabelValues(state).Inc() }
	if row.insert {
		count("submit")
		m.types.WithLabelValues(row.taskType).Inc()
		if row.number > 0 {
			count("retry")
		}
	}
	switch flow.TaskState(row.state) {
	case flow.TaskDispatch:
		count("dispatch")
		m.dispatch.Inc()
		return
	case flow.TaskSuccess, flow.TaskForcedSuccess:
		count("success")
	case flow.TaskFailure:
		count("fail")
	case flow.TaskKill:
		count("kill")
	case flow.TaskPause:
		count("pause")
	case flow.TaskLost:
		count("failover")
	case flow.TaskSubmitted, flow.TaskDelay, flow.TaskRunning:
		return
	}
	count("finish")
	if !row.start.IsZero() {
		m.ready.Observe(max(0, row.start.Sub(row.submit)).Seconds())
	}
}

// timeout counts what people are told of, where it is a timeout.
func (m *meters) timeout(kind flow.AlertType) {
	switch kind {
	case flow.AlertTimeout:
		m.instances.WithLabelValues("timeout").Inc()
	case flow.AlertTaskTime:
		m.tasks.WithLabelValues("timeout").Inc()
	case flow.AlertFailure, flow.AlertSuccess, flow.AlertTolerance, flow.AlertTaskFail, flow.AlertTaskOK, flow.AlertClose, flow.AlertDeadline:
	}
}

// tookOver counts what was taken over from a master that is gone.
func (m *meters) tookOver(left released) {
	m.instances.WithLabelValues("failover").Add(float64(left.workflows))
}

func (m *meters) commit(took time.Duration, changes int) {
	m.saves.Observe(took.Seconds())
	m.saved.Add(float64(changes))
}
