package text

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"dorado/modules/flow"
)

// Limits of a text.
const (
	MaxBytes = 32 << 20
	maxNodes = 4_000_000 // pieces, counted each time that an alias brings them in
	maxDepth = 100       // levels
)

// Options say what Parse may assume.
type Options struct {
	// Names resolves what the text refers to outside the workflow; nil: only codes are understood.
	Names Resolver
	// Base is what the text is an edit of; nil: a new workflow. Tasks get the codes that their names have there, a task
	// that only changed its name keeps its code, and what a text cannot say stays.
	Base *flow.Definition
	// KeepCodes takes codes from the text that Base does not have.
	KeepCodes bool
	// NewCode gives a code to a new task; nil: 1, 2, 3 …
	NewCode func() int64
}

// Document is a text that was read.
type Document struct {
	// Definition is nil when there are problems.
	Definition *flow.Definition
	Problems   []Problem
	Scheduled  bool    // the text speaks of schedules: Timers are all there shall be
	Timers     []Timer // in the order of the text
	timers     map[string]map[string]position
	places     map[place]position // nil: nobody will ask
	root       *yaml.Node
}

type (
	place    struct{ task, field string } // field as flow.Validate names it; task "" is the workflow
	position struct{ line, column int }
)

// Locate returns where the text says something about a field, as flow.Problem names both; or else about its task.
func (d *Document) Locate(taskName, field string) (line, column int) {
	for _, p := range []place{{taskName, field}, {taskName, topField(field)}, {taskName, ""}} {
		if at, ok := d.places[p]; ok {
			return at.line, at.column
		}
	}
	return 1, 1
}

// topField shortens "taskParams.list[0].x" to "taskParams".
func topField(field string) string {
	name, _, _ := bytes.Cut([]byte(field), []byte("."))
	return string(name)
}

// reader is one Parse.
type reader struct {
	Options
	doc      *Document
	def      *flow.Definition
	tasks    []written
	names    *names
	fields   []field // of tasks
	known    map[string]bool
	codes    map[int64]int64 // of the text → of the definition
	nodes    int
	numbered int64
}

// written is a task as the text has it.
type written struct {
	name string
	at   *yaml.Node // its name
	body *yaml.Node
	code int64 // as the text says, 0: it does not
	is   int64 // as the definition says
	old  bool  // Base has a task of this code
}

// Parse reads a text. It never fails: what is wrong is in the document's problems, by line.
func Parse(src []byte, o Options) *Document { return parse(src, o, map[place]position{}) }

func parse(src []byte, o Options, places map[place]position) *Document {
	r := &reader{Options: o, doc: &Document{places: places}, def: &flow.Definition{}}
	if root := r.root(src); root != nil {
		r.doc.root = root
		r.workflow(root)
	}
	sortProblems(r.doc.Problems)
	if len(r.doc.Problems) == 0 {
		r.doc.Definition = r.def
	}
	return r.doc
}

func (r *reader) fail(n *yaml.Node, key string, args ...any) {
	if len(r.doc.Problems) < maxProblems {
		r.doc.Problems = append(r.doc.Problems, Problem{max(1, n.Line), max(1, n.Column), "yaml.problem." + key, args})
	}
}

func (r *reader) mark(task, field string, n *yaml.Node) {
	if r.doc.places == nil {
		return
	}
	p := place{task, field}
	if _, there := r.doc.places[p]; !there {
		r.doc.places[p] = position{n.Line, n.Column}
	}
}

// root reads the one document of a text; nil when that fails.
func (r *reader) root(src []byte) *yaml.Node {
	top := &yaml.Node{Line: 1, Column: 1}
	if len(src) > MaxBytes {
		r.fail(top, "too_large", "limit", MaxBytes>>20)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var doc, more yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.fail(top, "empty")
		return nil
	case err != nil:
		line, reason := syntax(err)
		r.fail(&yaml.Node{Line: line}, "syntax", "reason", reason)
		return nil
	}
	if err := decoder.Decode(&more); err == nil {
		r.fail(&more, "several")
		return nil
	} else if !errors.Is(err, io.EOF) {
		line, reason := syntax(err)
		r.fail(&yaml.Node{Line: line}, "syntax", "reason", reason)
		return nil
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].ShortTag() == "!!null" {
		r.fail(top, "empty")
		return nil
	}
	return doc.Content[0]
}

var lineOf = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax takes the line out of an error of the YAML library.
func syntax(err error) (int, string) {
	m := lineOf.FindStringSubmatch(err.Error())
	if m == nil {
		return 1, err.Error()
	}
	line, _ := strconv.Atoi(m[1]) // no digits: line 1
	return max(1, line), m[2]
}

func (r *reader) workflow(root *yaml.Node) {
	fields := workflowFields()
	var tasks, layout *pair
	for _, p := range r.pairs(root, fieldNames(fields), "workflow") {
		r.markField("", fields, p)
		switch p.name {
		case "code":
			r.def.Code = r.integer(p, 1<<53)
		case "name":
			r.def.Name = r.text(p)
		case "description":
			r.def.Description = r.text(p)
		case "execution":
			r.def.ExecutionType = oneOf(r, p, flow.Parallel, flow.Parallel, flow.SerialWait, flow.SerialDiscard, flow.SerialPriority)
		case "timeout":
			r.def.TimeoutMinutes = r.minutes(p)
		case "params":
			r.def.GlobalParams = r.params(p)
		case "tasks":
			tasks = &p
		case "schedules":
			r.timers(p)
		case "layout":
			layout = &p
		}
	}
	if r.def.Name == "" {
		r.fail(root, "no_name")
	}
	if r.def.ExecutionType == "" {
		r.def.ExecutionType = flow.Parallel
	}
	if r.Base != nil {
		r.def.ProjectCode, r.def.Version = r.Base.ProjectCode, r.Base.Version
		if r.def.Code == 0 || !r.KeepCodes {
			r.def.Code = r.Base.Code
		}
	} else if !r.KeepCodes {
		r.def.Code = 0
	}
	if tasks == nil {
		r.fail(root, "no_tasks")
		return
	}
	r.list(*tasks)
	r.number()
	r.readTasks()
	if len(r.doc.Problems) == 0 && r.renames() {
		r.readTasks()
	}
	r.cycle()
	r.places(layout)
	r.settle()
	r.def.GlobalParams, r.def.Edges = present(r.def.GlobalParams), present(r.def.Edges)
	r.def.Locations, r.def.Tasks = present(r.def.Locations), present(r.def.Tasks)
}

func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// list finds the tasks and their names.
func (r *reader) list(p pair) {
	seen := map[string]*yaml.Node{}
	add := func(name string, at, body *yaml.Node) {
		if first, twice := seen[name]; twice {
			r.fail(at, "task_twice", "name", name, "line", first.Line)
		}
		seen[name] = at
		if len(r.tasks) >= flow.MaxTasks {
			if len(r.tasks) == flow.MaxTasks {
				r.fail(at, "too_many_tasks", "max", flow.MaxTasks)
			}
			return
		}
		r.mark(name, "", at)
		r.mark(name, "name", at)
		r.tasks = append(r.tasks, written{name: name, at: at, body: body})
	}
	value := r.follow(p.value)
	switch {
	case value == nil || null(value):
		r.fail(p.key, "no_tasks")
	case value.Kind == yaml.MappingNode:
		for _, one := range r.entries(value) {
			add(one.name, one.key, one.value)
		}
	case value.Kind == yaml.SequenceNode:
		for _, item := range value.Content {
			body := r.follow(item)
			if body == nil {
				return
			}
			name := member(body, "name")
			if name == nil || name.Kind != yaml.ScalarNode {
				r.fail(item, "task_no_name")
				continue
			}
			add(name.Value, name, body)
		}
	default:
		r.fail(value, "want_map", "field", "tasks")
	}
}

// member returns a value of a mapping by its key.
func member(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// number gives every task its code.
func (r *reader) number() {
	byName, byCode := map[string]int64{}, map[int64]bool{}
	if r.Base != nil {
		for i := range r.Base.Tasks {
			t := &r.Base.Tasks[i]
			byName[t.Name], byCode[t.Code] = t.Code, true
		}
	}
	r.codes = make(map[int64]int64, len(r.tasks))
	taken := make(map[int64]bool, len(r.tasks))
	claim := func(w *written, code int64, old bool) { w.is, w.old, taken[code] = code, old, true }
	for i := range r.tasks {
		w := &r.tasks[i]
		at := member(w.body, "code")
		if at == nil || at.Kind != yaml.ScalarNode {
			continue
		}
		code, err := strconv.ParseInt(at.Value, 10, 64)
		if err != nil || code <= 0 || code >= 1<<53 {
			r.fail(at, "bad_code", "value", at.Value)
			continue
		}
		if _, twice := r.codes[code]; twice {
			r.fail(at, "code_twice", "code", strconv.FormatInt(code, 10))
			continue
		}
		w.code, r.codes[code] = code, code
		if byCode[code] || r.KeepCodes {
			claim(w, code, byCode[code])
		}
	}
	for i := range r.tasks {
		w := &r.tasks[i]
		if code, ok := byName[w.name]; ok && w.is == 0 && !taken[code] {
			claim(w, code, true)
		}
	}
	for i := range r.tasks {
		w := &r.tasks[i]
		for w.is == 0 {
			if code := r.next(); !taken[code] {
				claim(w, code, false)
			}
		}
		if w.code != 0 {
			r.codes[w.code] = w.is
		}
	}
}

func (r *reader) next() int64 {
	if r.NewCode != nil {
		return r.NewCode()
	}
	r.numbered++
	return r.numbered
}

// readTasks reads all tasks with the codes that they have now.
func (r *reader) readTasks() {
	r.names = &names{outside: r.Names, byName: make(map[string]int64, len(r.tasks)), byCode: make(map[int64]string, len(r.tasks))}
	for i := range r.tasks {
		w := &r.tasks[i]
		r.names.byName[w.name], r.names.byCode[w.is] = w.is, w.name
	}
	r.def.Tasks, r.def.Edges = make([]flow.Task, 0, len(r.tasks)), nil
	for i := range r.tasks {
		r.def.Tasks = append(r.def.Tasks, r.task(&r.tasks[i]))
		if len(r.doc.Problems) >= maxProblems {
			return
		}
	}
}

// renames finds tasks that are tasks of Base under another name, and reports whether there are any.
func (r *reader) renames() bool {
	if r.Base == nil {
		return false
	}
	here := make(map[int64]bool, len(r.tasks))
	for i := range r.tasks {
		here[r.tasks[i].is] = true
	}
	var gone []*flow.Task
	for i := range r.Base.Tasks {
		if t := &r.Base.Tasks[i]; !here[t.Code] {
			gone = append(gone, t)
		}
	}
	if len(gone) == 0 || len(gone) > 200 {
		return false
	}
	found := false
	for i := range r.tasks {
		w := &r.tasks[i]
		if w.old || w.code != 0 {
			continue
		}
		for j, t := range gone {
			if t != nil && alike(t, &r.def.Tasks[i]) {
				w.is, w.old, found, gone[j] = t.Code, true, true, nil
				break
			}
		}
	}
	return found
}

// alike reports whether two tasks differ in name and number only.
func alike(a, b *flow.Task) bool {
	x, y := *a, *b
	x.Name, y.Name, x.Code, y.Code = "", "", 0, 0
	settleTask(&x, &y)
	return flow.EqualTask(&x, &y)
}

func (r *reader) cycle() {
	if len(r.doc.Problems) > 0 {
		return
	}
	_, err := flow.Compile(r.def)
	cycle, ok := errors.AsType[*flow.CycleError](err)
	if !ok {
		return // what else can be wrong, flow.Validate says
	}
	at := &yaml.Node{}
	at.Line, at.Column = r.doc.Locate(r.names.byCode[cycle.Codes[0]], "relations")
	r.fail(at, "cycle", "path", cycle.Path())
}

// places reads where the tasks are drawn.
func (r *reader) places(p *pair) {
	if p == nil {
		if r.Base != nil {
			for _, l := range r.Base.Locations {
				if _, here := r.names.byCode[l.TaskCode]; here {
					r.def.Locations = append(r.def.Locations, l)
				}
			}
		}
		return
	}
	for _, one := range r.pairs(p.value, nil, "layout") {
		code, ok := r.sibling(one.name)
		if !ok {
			r.unknown(one.key, "unknown_task", one.name, maps.Keys(r.names.byName))
			continue
		}
		at := r.follow(one.value)
		if at == nil || at.Kind != yaml.SequenceNode || len(at.Content) != 2 {
			r.fail(one.value, "want_point", "field", one.name)
			continue
		}
		x, okX := decimalOf(at.Content[0])
		y, okY := decimalOf(at.Content[1])
		if !okX || !okY {
			r.fail(at, "want_point", "field", one.name)
			continue
		}
		r.def.Locations = append(r.def.Locations, flow.Location{TaskCode: code, X: x, Y: y})
	}
}

// sibling finds a task by what a text calls it: its name, or its code.
func (r *reader) sibling(name string) (int64, bool) {
	if code, ok := r.names.byName[name]; ok {
		return code, true
	}
	code, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return 0, false
	}
	if is, ok := r.codes[code]; ok {
		return is, true
	}
	_, ok := r.names.byCode[code]
	return code, ok
}

// settle keeps from Base what a text cannot say, so that a text that says nothing new is no change.
func (r *reader) settle() {
	if r.Base == nil {
		return
	}
	old := make(map[int64]*flow.Task, len(r.Base.Tasks))
	for i := range r.Base.Tasks {
		old[r.Base.Tasks[i].Code] = &r.Base.Tasks[i]
	}
	for i := range r.def.Tasks {
		if before := old[r.def.Tasks[i].Code]; before != nil {
			settleTask(before, &r.def.Tasks[i])
		}
	}
}

// settleTask keeps the spelling that before has for what now says, too.
func settleTask(before, now *flow.Task) {
	now.Version = before.Version
	keep(&now.Flag, before.Flag, flow.FlagYes)
	keep(&now.IsCache, before.IsCache, flow.FlagNo)
	keep(&now.Priority, before.Priority, flow.Medium)
	keep(&now.TimeoutFlag, before.TimeoutFlag, flow.TimeoutClose)
	keep(&now.ExecuteType, before.ExecuteType, flow.Batch)
	keep(&now.WorkerGroup, before.WorkerGroup, "default")
	if before.EnvironmentCode == 0 && now.EnvironmentCode == -1 {
		now.EnvironmentCode = 0
	}
	now.Params = withoutEmpty(before.Params, now.Params)
}

// keep leaves a field empty that was empty and still means its default.
func keep[T ~string](now *T, before, fallback T) {
	if before == "" && *now == fallback {
		*now = ""
	}
}
