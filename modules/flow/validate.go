package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity says whether a problem keeps a definition from being saved.
type Severity string

// The severities.
const (
	SeverityError   Severity = "ERROR"
	SeverityWarning Severity = "WARNING"
)

// Problem is one thing wrong with a definition. Key is a message key, Args are alternating names and values for it.
type Problem struct {
	TaskCode int64 // 0: the workflow itself
	TaskName string
	Field    string // JSON name of the field, "taskParams.<name>" within the parameters, "relations" for edges
	Key      string
	Args     []any
	Severity Severity
}

// FieldProblem is what a plugin finds wrong with its parameters; Field is a name within them, "" for all of them.
type FieldProblem struct {
	Field string
	Key   string
	Args  []any
}

// PluginChecker knows the task types. For a type it does not know it returns one problem without Field.
type PluginChecker interface {
	CheckParams(taskType string, params json.RawMessage) []FieldProblem
}

// PluginCheckerFunc makes a function a PluginChecker.
type PluginCheckerFunc func(taskType string, params json.RawMessage) []FieldProblem

// CheckParams calls f.
func (f PluginCheckerFunc) CheckParams(taskType string, params json.RawMessage) []FieldProblem {
	return f(taskType, params)
}

// Limits of a definition.
const (
	MaxTasks        = 20_000
	MaxEdges        = 100_000
	MaxTaskParams   = 5 << 20  // bytes of one task's parameters, its script included
	MaxAllParams    = 64 << 20 // bytes of all tasks' parameters
	MaxWorkflowName = 255      // characters
	MaxTaskName     = 100      // characters
	MaxParamName    = 256      // characters
	MaxRetryTimes   = 10_000
	MaxMinutes      = 366 * 24 * 60 // of every duration: one year

	// maxProblems is where Validate stops: nobody reads more.
	maxProblems = 500
)

// Validate lists what is wrong with def, the workflow itself first, then its tasks in their order. known names
// parameters from outside, those of the project. Only problems of SeverityError keep a definition from being saved.
func Validate(def *Definition, plugins PluginChecker, known ...string) []Problem {
	v := validator{def: def, byCode: make(map[int64]*Task, len(def.Tasks))}
	if !v.sizes() {
		return v.problems
	}
	v.workflow()
	v.circles()
	v.graph()
	v.finally()
	names := make(map[string]bool, len(def.Tasks))
	for i := range def.Tasks {
		if len(v.problems) >= maxProblems {
			break
		}
		v.task(&def.Tasks[i], names, plugins)
	}
	if len(v.problems) < maxProblems {
		v.references(known)
	}
	return v.problems
}

// HasErrors reports whether a problem is a SeverityError.
func HasErrors(problems []Problem) bool {
	for i := range problems {
		if problems[i].Severity == SeverityError {
			return true
		}
	}
	return false
}

type validator struct {
	def      *Definition
	byCode   map[int64]*Task
	edges    map[[2]int64]bool // pre, post
	problems []Problem
}

func (v *validator) add(task *Task, severity Severity, field, key string, args ...any) {
	p := Problem{Field: field, Key: key, Args: args, Severity: severity}
	if task != nil {
		p.TaskCode, p.TaskName = task.Code, task.Name
	}
	v.problems = append(v.problems, p)
}

func (v *validator) fail(task *Task, field, key string, args ...any) {
	v.add(task, SeverityError, field, key, args...)
}

// sizes reports whether the definition is small enough to look at the rest.
func (v *validator) sizes() bool {
	if len(v.def.Tasks) > MaxTasks {
		v.fail(nil, "tasks", "flow.problem.too_many_tasks", "count", len(v.def.Tasks), "max", MaxTasks)
	}
	if len(v.def.Edges) > MaxEdges {
		v.fail(nil, "relations", "flow.problem.too_many_edges", "count", len(v.def.Edges), "max", MaxEdges)
	}
	total := 0
	for i := range v.def.Tasks {
		t := &v.def.Tasks[i]
		if total += len(t.Params); len(t.Params) > MaxTaskParams {
			v.fail(t, "taskParams", "flow.problem.params_too_large", "max", MaxTaskParams>>20)
		}
	}
	if total > MaxAllParams {
		v.fail(nil, "tasks", "flow.problem.all_params_too_large", "max", MaxAllParams>>20)
	}
	return len(v.problems) == 0
}

func (v *validator) workflow() {
	v.name(nil, v.def.Name, MaxWorkflowName)
	if _, err := ParseExecutionType(string(v.def.ExecutionType)); err != nil {
		v.unknown(nil, "executionType", string(v.def.ExecutionType))
	}
	v.within(nil, "timeout", v.def.TimeoutMinutes, 0, MaxMinutes)
	v.params(nil, "globalParams", v.def.GlobalParams)
	if len(v.def.Tasks) == 0 {
		v.fail(nil, "tasks", "flow.problem.empty")
	}
}

// name reports whether a name is fit to be shown and stored.
func (v *validator) name(task *Task, name string, longest int) {
	switch {
	case strings.TrimSpace(name) == "":
		v.fail(task, "name", "flow.problem.name_empty")
	case utf8.RuneCountInString(name) > longest:
		v.fail(task, "name", "flow.problem.name_too_long", "max", longest)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		v.fail(task, "name", "flow.problem.name_control")
	}
}

func (v *validator) within(task *Task, field string, value, least, most int) {
	if value < least || value > most {
		v.fail(task, field, "flow.problem.out_of_range", "min", least, "max", most)
	}
}

func (v *validator) unknown(task *Task, field, value string) {
	v.fail(task, field, "flow.problem.unknown_value", "value", value)
}

// graph checks codes and edges. Only when nothing else is wrong with them, cycles are looked for.
func (v *validator) graph() {
	before := len(v.problems)
	for i := range v.def.Tasks {
		t := &v.def.Tasks[i]
		if t.Code <= 0 {
			v.fail(t, "code", "flow.problem.code_invalid", "name", t.Name)
		} else if other, twice := v.byCode[t.Code]; twice {
			v.fail(t, "code", "flow.problem.code_twice", "name", t.Name, "other", other.Name)
		}
		v.byCode[t.Code] = t
	}
	seen := make(map[[2]int64]bool, len(v.def.Edges))
	v.edges = seen
	for _, e := range v.def.Edges {
		if len(v.problems) >= maxProblems {
			return
		}
		pre, post := v.byCode[e.Pre], v.byCode[e.Post]
		switch {
		case pre == nil:
			v.fail(post, "relations", "flow.problem.edge_unknown", "code", strconv.FormatInt(e.Pre, 10))
		case post == nil:
			v.fail(pre, "relations", "flow.problem.edge_unknown", "code", strconv.FormatInt(e.Post, 10))
		case pre == post:
			v.fail(pre, "relations", "flow.problem.self_loop", "name", pre.Name)
		case seen[[2]int64{e.Pre, e.Post}]:
			v.fail(post, "relations", "flow.problem.edge_twice", "from", pre.Name, "to", post.Name)
		}
		seen[[2]int64{e.Pre, e.Post}] = true
	}
	if len(v.problems) > before || len(v.def.Tasks) == 0 {
		return
	}
	var cycle *CycleError
	if _, err := Compile(v.def); errors.As(err, &cycle) {
		v.fail(v.byCode[cycle.Codes[0]], "relations", "flow.problem.cycle", "path", cycle.Path())
	}
}

func (v *validator) task(t *Task, names map[string]bool, plugins PluginChecker) {
	v.name(t, t.Name, MaxTaskName)
	if t.Name != "" && names[t.Name] {
		v.fail(t, "name", "flow.problem.name_twice", "name", t.Name)
	}
	names[t.Name] = true
	for _, e := range []struct {
		field, value string
		known        bool
	}{
		{"flag", string(t.Flag), t.Flag == FlagYes || t.Flag == FlagNo},
		{"isCache", string(t.IsCache), t.IsCache == FlagYes || t.IsCache == FlagNo || t.IsCache == ""},
		{"taskExecuteType", string(t.ExecuteType), t.ExecuteType == Batch || t.ExecuteType == Stream || t.ExecuteType == ""},
		{"timeoutFlag", string(t.TimeoutFlag), t.TimeoutFlag == TimeoutOpen || t.TimeoutFlag == TimeoutClose || t.TimeoutFlag == ""},
	} {
		if !e.known {
			v.unknown(t, e.field, e.value)
		}
	}
	if _, err := ParsePriority(string(t.Priority)); err != nil {
		v.unknown(t, "taskPriority", string(t.Priority))
	}
	v.within(t, "failRetryTimes", t.RetryTimes, 0, MaxRetryTimes)
	v.within(t, "failRetryInterval", t.RetryInterval, 0, MaxMinutes)
	v.within(t, "delayTime", t.DelayMinutes, 0, MaxMinutes)
	v.within(t, "cpuQuota", t.CPUQuota, -1, 1_000_000)
	v.within(t, "memoryMax", t.MemoryMax, -1, 1<<30)
	if t.TimeoutFlag == TimeoutOpen {
		v.within(t, "timeout", t.TimeoutMinutes, 1, MaxMinutes)
		if s := t.TimeoutStrategy; s != TimeoutWarn && s != TimeoutFailed && s != TimeoutWarnFailed {
			v.unknown(t, "timeoutNotifyStrategy", string(s))
		}
	}
	v.taskParams(t, plugins)
}

// taskParams asks the plugin, and checks the parameter list itself when the plugin finds nothing wrong with it.
func (v *validator) taskParams(t *Task, plugins PluginChecker) {
	if t.Type == "" {
		v.fail(t, "taskType", "flow.problem.type_empty")
		return
	}
	var common CommonParams
	if raw := bytes.TrimSpace(t.Params); len(raw) > 0 {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil || members == nil {
			v.fail(t, "taskParams", "flow.problem.params_not_object")
			return
		}
		local, err := decodeProperties("localParams", string(members["localParams"]))
		if err != nil {
			v.fail(t, "taskParams.localParams", "flow.problem.params_unreadable", "reason", err.Error())
			return
		}
		common.LocalParams = local
	}
	checked, before := false, len(v.problems)
	if plugins != nil {
		for _, p := range plugins.CheckParams(t.Type, t.Params) {
			field := "taskParams"
			if p.Field != "" {
				field += "." + p.Field
			}
			checked = checked || strings.HasPrefix(p.Field, "localParams")
			v.fail(t, field, p.Key, p.Args...)
		}
	}
	if !checked {
		v.params(t, "taskParams.localParams", common.LocalParams)
	}
	if len(v.problems) == before {
		v.logic(t)
	}
}

// params checks the names of a parameter list.
func (v *validator) params(t *Task, field string, list []Property) {
	seen := make(map[string]bool, len(list))
	for _, p := range list {
		id := p.Prop
		if t != nil { // a task may take a value in and give a new one out under the same name
			id = string(p.Direct) + " " + id
		}
		switch {
		case strings.TrimSpace(p.Prop) == "":
			v.fail(t, field, "flow.problem.param_name_empty")
		case utf8.RuneCountInString(p.Prop) > MaxParamName:
			v.fail(t, field, "flow.problem.param_name_too_long", "max", MaxParamName)
		case strings.ContainsAny(p.Prop, "${}") || strings.ContainsFunc(p.Prop, unicode.IsControl):
			v.fail(t, field, "flow.problem.param_name_bad", "name", p.Prop)
		case seen[id]:
			v.fail(t, field, "flow.problem.param_twice", "name", p.Prop)
		}
		seen[id] = true
	}
}
