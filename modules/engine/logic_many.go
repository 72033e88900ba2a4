package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// manyWork is a FOR_EACH or a DYNAMIC: a run of one workflow for each element, a bounded number at once.
type manyWork struct {
	workflow int64
	command  flow.CommandType
	common   []flow.Property // every child gets these
	elements []manyElement   // all, in order
	width    int             // how many run at once
	goOn     bool            // a failed element does not keep the others from starting
	result   func(e []manyResult) flow.Property

	loaded  bool
	state   []flow.WorkflowState // by position; "" = not started
	running map[int64]int        // children → position
	again   []int                // positions whose child is to be continued
	next    int                  // the first position that was never started
	failed  bool
	stopped bool // a stop, or a pause, was passed on
	paused  bool
	why     string // the last reason why a child could not be started
}

// manyElement is one element of the list.
type manyElement struct {
	params []flow.Property
	text   string // JSON, as it is kept with the link
}

// manyResult is what became of one element.
type manyResult struct {
	element string // JSON
	state   flow.WorkflowState
	output  map[string]string
}

// newForEachWork prepares a FOR_EACH. It fails when the list is none.
func newForEachWork(s *flow.ForEach, common []flow.Property, expand func(string) (string, error)) (*manyWork, error) {
	text, err := expand(s.Items)
	if err != nil {
		return nil, err
	}
	items, err := flow.Elements(text, s.Separator)
	if err != nil {
		return nil, err
	}
	w := &manyWork{
		workflow: s.WorkflowCode, command: flow.CommandStart, common: common, width: max(s.Concurrency, 1), goOn: s.Policy == flow.ForEachContinue,
	}
	for i, item := range items {
		element, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		w.elements = append(w.elements, manyElement{
			params: []flow.Property{
				{Prop: s.ItemParam, Direct: flow.In, Type: flow.Varchar, Value: item},
				{Prop: s.IndexParam, Direct: flow.In, Type: flow.Integer, Value: strconv.Itoa(i)},
			},
			text: string(element),
		})
	}
	w.result = func(list []manyResult) flow.Property {
		type entry struct {
			Item   json.RawMessage   `json:"item"`
			State  string            `json:"state"`
			Output map[string]string `json:"output"`
		}
		out := make([]entry, len(list))
		for i, r := range list {
			out[i] = entry{json.RawMessage(r.element), string(r.state), r.output}
		}
		return flow.Property{Prop: "results", Direct: flow.Out, Type: flow.List, Value: jsonText(out)}
	}
	return w, nil
}

// newDynamicWork prepares a DYNAMIC (engine.md 4.9).
func newDynamicWork(s *flow.Dynamic, common []flow.Property, expand func(string) (string, error), name string) (*manyWork, error) {
	rows, err := s.Combinations(expand)
	if err != nil {
		return nil, err
	}
	w := &manyWork{workflow: s.WorkflowCode, command: flow.CommandDynamicChild, common: common, width: max(s.Parallel, 1)}
	for _, row := range rows {
		values := make(map[string]string, len(row))
		for _, p := range row {
			values[p.Prop] = p.Value
		}
		w.elements = append(w.elements, manyElement{params: row, text: jsonText(values)})
	}
	w.result = func(list []manyResult) flow.Property {
		type entry struct {
			Params json.RawMessage   `json:"dynParams"`
			Output map[string]string `json:"outputValue"`
			Mapped int               `json:"mappedTimes"`
		}
		out := make([]entry, len(list))
		for i, r := range list {
			out[i] = entry{json.RawMessage(r.element), r.output, i + 1}
		}
		return flow.Property{Prop: "dynamic.out(" + name + ")", Direct: flow.Out, Type: flow.List, Value: jsonText(out)}
	}
	return w, nil
}

// jsonText encodes values of our own types, which always can be.
func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return emptyList
	}
	return string(data)
}

// step implements logicWork.
func (m *manyWork) step(ctx context.Context, g *logic, t *logicTask, w wakeUp) (*logicEnd, error) {
	family := g.family(t)
	if len(w.news) == 0 && !w.stop && !w.park {
		m.loaded = false // a sweep, or the first step: look at all of them
	}
	if err := m.load(ctx, g, t, family); err != nil {
		return nil, err
	}
	for _, e := range w.news {
		m.ended(t, e.InstanceID, e.State)
	}
	if w.stop || w.park {
		if err := m.passOn(ctx, g, t, family, w); err != nil {
			return nil, err
		}
	} else if err := m.fill(ctx, g, t, family); err != nil {
		return nil, err
	}
	if len(m.running) > 0 {
		return nil, nil
	}
	return m.end(ctx, g, t, family, w)
}

// load finds out about the children that exist.
func (m *manyWork) load(ctx context.Context, g *logic, t *logicTask, family int64) error {
	if m.loaded {
		return nil
	}
	rows, err := g.e.store.childrenOf(ctx, family)
	if err != nil {
		return err
	}
	if m.state == nil {
		t.log("%d elements, %d at once, %d children so far", len(m.elements), m.width, len(rows))
	}
	m.state, m.running = make([]flow.WorkflowState, len(m.elements)), map[int64]int{}
	m.again, m.next, m.failed = nil, 0, false
	for i := range rows {
		c := &rows[i]
		if c.Position >= len(m.elements) {
			continue
		}
		m.next = max(m.next, c.Position+1)
		m.state[c.Position] = c.state()
		switch {
		case c.startsAgain(t):
			m.again = append(m.again, c.Position)
		case !c.state().Finished():
			m.running[c.ID] = c.Position
			g.adoptChild(c.ID, t, false)
		case c.state() != flow.WorkflowSuccess:
			m.failed = m.failed || c.state() != flow.WorkflowPause
		}
	}
	m.loaded = true
	return nil
}

func (m *manyWork) ended(t *logicTask, child int64, state flow.WorkflowState) {
	position, known := m.running[child]
	if !known {
		return
	}
	delete(m.running, child)
	m.state[position] = state
	if state != flow.WorkflowSuccess {
		m.failed = m.failed || state != flow.WorkflowPause
		t.log("element %d %s: workflow instance %d ended as %s", position, m.elements[position].text, child, state)
	}
}

// fill starts children, or continues those of an earlier attempt, as far as there is room.
func (m *manyWork) fill(ctx context.Context, g *logic, t *logicTask, family int64) error {
	for len(m.running) < m.width && (m.goOn || !m.failed) {
		if len(m.again) > 0 {
			position := m.again[0]
			c, err := g.e.store.childAt(ctx, family, position)
			if err != nil {
				return err
			}
			if c != nil {
				g.adoptChild(c.ID, t, false)
				if err := g.e.store.revive(ctx, c); err != nil {
					return err
				}
				t.log("element %d: workflow instance %d ended as %s and is continued", position, c.ID, c.State)
				m.running[c.ID] = position
				g.e.Nudge()
			}
			m.again = m.again[1:]
			continue
		}
		if m.next >= len(m.elements) {
			return nil
		}
		position, e := m.next, &m.elements[m.next]
		id, why, err := g.startChild(ctx, t, ChildRequest{
			ParentTaskInstanceID: family, WorkflowCode: m.workflow, Position: position, Element: e.text, Command: m.command,
			StartParams: overlay(m.common, e.params),
		})
		if err != nil {
			return err
		}
		m.next++
		if why != "" {
			t.log("element %d %s cannot start: %s", position, e.text, why)
			m.state[position], m.failed, m.why = flow.WorkflowFailure, true, why
			continue
		}
		t.log("element %d %s: started workflow instance %d", position, e.text, id)
		m.running[id] = position
	}
	return nil
}

// overlay is a with the values of b for names that both have.
func overlay(a, b []flow.Property) []flow.Property {
	out := make([]flow.Property, 0, len(a)+len(b))
	for _, p := range a {
		replaced := false
		for i := range b {
			replaced = replaced || b[i].Prop == p.Prop
		}
		if !replaced {
			out = append(out, p)
		}
	}
	return append(out, b...)
}

// passOn asks the children that run to stop or to pause.
func (m *manyWork) passOn(ctx context.Context, g *logic, t *logicTask, family int64, w wakeUp) error {
	kind, done := flow.CommandStop, &m.stopped
	if w.park {
		kind, done = flow.CommandPause, &m.paused
	}
	if *done {
		return nil
	}
	rows, err := g.e.store.childrenOf(ctx, family)
	if err != nil {
		return err
	}
	for i := range rows {
		if c := &rows[i]; !c.state().Finished() {
			if err := g.askChild(ctx, c, kind); err != nil {
				return err
			}
		}
	}
	*done = true
	t.log("asked %d children to %s", len(m.running), map[bool]string{true: "pause", false: "stop"}[w.park])
	return nil
}

// end is what the task comes to when no child runs any more.
func (m *manyWork) end(ctx context.Context, g *logic, t *logicTask, family int64, w wakeUp) (*logicEnd, error) {
	succeeded, paused := 0, len(m.again)
	for _, state := range m.state {
		switch state {
		case flow.WorkflowSuccess:
			succeeded++
		case flow.WorkflowPause:
			paused++
		default:
		}
	}
	all := succeeded == len(m.elements)
	t.log("%d of %d elements succeeded", succeeded, len(m.elements))
	switch {
	case w.stop:
		return &logicEnd{outcome: flow.TaskKill, message: fmt.Sprintf("stopped after %d of %d elements", succeeded, len(m.elements))}, nil
	case !all && !m.failed && (w.park || paused > 0):
		return &logicEnd{outcome: flow.TaskPause}, nil
	}
	results, err := m.results(ctx, g, family)
	if err != nil {
		return nil, err
	}
	end := &logicEnd{outcome: flow.TaskSuccess, out: []flow.Property{m.result(results)}}
	if !all {
		end.outcome, end.message = flow.TaskFailure, fmt.Sprintf("%d of %d elements succeeded", succeeded, len(m.elements))
		if m.why != "" {
			end.message += "; " + m.why
		}
	}
	return end, nil
}

// results reads what the children put out.
func (m *manyWork) results(ctx context.Context, g *logic, family int64) ([]manyResult, error) {
	type row struct {
		Position int    `db:"position"`
		VarPool  string `db:"var_pool"`
	}
	list := make([]manyResult, len(m.elements))
	for i := range m.elements {
		list[i] = manyResult{element: m.elements[i].text, state: m.state[i], output: map[string]string{}}
	}
	err := db.Each(ctx, g.e.db, func(r row) error {
		if r.Position >= len(list) {
			return nil
		}
		var pool []flow.Property
		if err := json.Unmarshal([]byte(r.VarPool), &pool); err != nil {
			return err
		}
		for _, p := range pool {
			list[r.Position].output[p.Prop] = p.Value
		}
		return nil
	}, `SELECT l.position, w.var_pool FROM instance_link l JOIN workflow_instance w ON w.id = l.child_instance_id
		WHERE l.parent_task_instance_id = ?`, family)
	if err != nil {
		return nil, fmt.Errorf("read what the children of task instance %d put out: %w", family, err)
	}
	return list, nil
}
