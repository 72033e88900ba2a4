package instance

import (
	"context"
	"encoding/json"
	"fmt"

	"dorado/modules/flow"
)

// versionKey names an immutable version, so what is remembered under it never goes stale.
type versionKey struct {
	code    int64
	version int
}

// startable is what a trigger needs to know of a version.
type startable struct {
	globals   []flow.Property
	timeout   int
	execution flow.ExecutionType
	subs      bool // some of its tasks start other workflows
	tasks     map[int64]bool
}

// serial reports whether runs of the workflow must not overlap.
func (s *startable) serial() bool { return s.execution != "" && s.execution != flow.Parallel }

// startableLimit bounds what is remembered of versions, in tasks.
const startableLimit = 500_000

func newStartable(def *flow.Definition) *startable {
	what := &startable{
		globals: def.GlobalParams, timeout: def.TimeoutMinutes, execution: def.ExecutionType, tasks: make(map[int64]bool, len(def.Tasks)),
	}
	for i := range def.Tasks {
		what.tasks[def.Tasks[i].Code] = true
		what.subs = what.subs || flow.KindOf(def.Tasks[i].Type).Children()
	}
	return what
}

func (s *Service) keepStartable(key versionKey, what *startable) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 1 + len(what.tasks)
	if s.startsHeld += size; s.startsHeld > startableLimit {
		clear(s.starts)
		s.startsHeld = size
	}
	s.starts[key] = what
}

// startable reads what starting a version needs, once.
func (s *Service) startable(ctx context.Context, code int64, version int) (*startable, error) {
	key := versionKey{code, version}
	s.mu.Lock()
	known := s.starts[key]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	def, err := s.Workflows.Definition(ctx, code, version)
	if err != nil {
		return nil, err
	}
	what := newStartable(def)
	s.keepStartable(key, what)
	return what, nil
}

// program is a version as the pages of its runs need it.
type program struct {
	def    *flow.Definition
	graph  *flow.Graph
	locals [][]flow.Property // custom parameters, by node
}

// programLimit bounds the programs that are remembered, in tasks.
const programLimit = 50_000

// program reads a version, once. Whoever asks must have been allowed to see an instance of it.
func (s *Service) program(ctx context.Context, code int64, version int) (*program, error) {
	key := versionKey{code, version}
	s.mu.Lock()
	known := s.programs[key]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	def, err := s.Workflows.Definition(ctx, code, version)
	if err != nil {
		return nil, err
	}
	graph, err := flow.Compile(def)
	if err != nil {
		return nil, fmt.Errorf("workflow %d, version %d: %w", code, version, err)
	}
	p := &program{def: def, graph: graph, locals: make([][]flow.Property, graph.Len())}
	for i := range graph.Tasks {
		var common flow.CommonParams
		if raw := graph.Tasks[i].Params; len(raw) > 0 && json.Unmarshal(raw, &common) == nil {
			p.locals[i] = common.LocalParams
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held += graph.Len(); s.held > programLimit {
		clear(s.programs)
		s.held = graph.Len()
	}
	s.programs[key] = p
	return p, nil
}
