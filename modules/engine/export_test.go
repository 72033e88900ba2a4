package engine

// Leftovers counts, by name, what an engine keeps in memory of runs, attempts and commands.
func (e *Engine) Leftovers() map[string]int { return e.term().leftovers() }

func (e *term) leftovers() map[string]int {
	n := map[string]int{}
	for i, s := range e.shards {
		counted := make(chan struct{})
		s.post(message{run: int64(i), list: func(*live) { // in the goroutine that owns the maps
			n["runs"] += len(s.runs)
			n["attempts"] += len(s.attempts)
			close(counted)
		}})
		<-counted
	}
	e.fleet.mu.Lock()
	for _, w := range e.fleet.workers {
		n["held by workers"] += len(w.held)
	}
	for _, q := range e.fleet.queues {
		n["queued"] += q.Len() + len(q.projects)
	}
	n["expected back"] = len(e.fleet.absent)
	e.fleet.mu.Unlock()

	e.taskGroups.mu.Lock()
	n["task group tickets"] = len(e.taskGroups.where) + len(e.taskGroups.waiting)
	e.taskGroups.mu.Unlock()

	g := e.logic
	g.mu.Lock()
	n["logic tasks"], n["children"], n["depended on"], n["parents"] = len(g.tasks), len(g.children), len(g.codes), len(g.parents)
	n["logic steps"], n["lookups"], n["early ends"] = len(g.queue), len(g.lookups), len(g.early)
	g.mu.Unlock()

	e.timers.mu.Lock()
	n["timers"], n["runs with timers"] = len(e.timers.heap), len(e.timers.runs)
	e.timers.mu.Unlock()

	e.intake.mu.Lock()
	n["commands under way"] = e.intake.flying
	n["commands remembered"] = len(e.intake.flight)
	e.intake.mu.Unlock()

	e.committer.mu.Lock()
	n["unsaved changes"] = len(e.committer.waiting)
	e.committer.mu.Unlock()
	return n
}
