package engine

// SetTraceParent hands in what tells tasks which span they work in: the W3C trace context of an attempt, given its workflow
// instance, how often that has run, and its own id. Without it tasks are told nothing. It must be called before Run.
func (e *Engine) SetTraceParent(fn func(instance int64, runTimes int, attempt int64) string) {
	e.traceParent = fn
}

// traced is the trace context of an attempt, "" when nobody asked for traces.
func (l *live) traced(attempt int64) string {
	if l.traceParent == nil {
		return ""
	}
	return l.traceParent(l.run.InstanceID, l.instance.RunTimes, attempt)
}
