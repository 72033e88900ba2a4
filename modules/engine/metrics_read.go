package engine

// Running is how many runs this master has in memory.
func (e *Engine) Running() int { return int(e.term().running.Load()) }
