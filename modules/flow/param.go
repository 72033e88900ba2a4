package flow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/modules/flow/timeexpr"
)

// Level says where a parameter's value came from, weakest first in Levels.
type Level string

// The levels of engine.md 6.1.
const (
	LevelBuiltin  Level = "builtin"
	LevelProject  Level = "project"
	LevelGlobal   Level = "global"
	LevelUpstream Level = "upstream"
	LevelLocal    Level = "local"
	LevelStartup  Level = "startup"
)

// Levels lists all levels; a later one overrides an earlier one.
func Levels() []Level {
	return []Level{LevelBuiltin, LevelProject, LevelGlobal, LevelUpstream, LevelLocal, LevelStartup}
}

// MessageKey is the key of the level's name.
func (l Level) MessageKey() string { return "flow.level." + string(l) }

// Source is the origin of one value. TaskCode is set for LevelUpstream only.
type Source struct {
	Level    Level `json:"level"`
	TaskCode int64 `json:"taskCode,omitempty"`
}

// Param is one input of a task: Value is resolved, Raw is what was written where it was declared.
type Param struct {
	Property
	Raw    string `json:"raw"`
	Source Source `json:"source"`
}

// BuiltinInput is what the built-in parameters are made from. Empty texts and zero numbers leave theirs out.
type BuiltinInput struct {
	Base           time.Time // schedule time, else now; in the zone of the run
	ExecutePath    string    // working directory, once it is known
	TaskInstanceID int64
	TaskName       string
	TaskCode       int64
	WorkflowID     int64 // workflow instance
	WorkflowName   string
	WorkflowCode   int64
	ProjectName    string
	ProjectCode    int64
}

// DatetimeParam is the built-in that no other level may change in a scheduled run.
const DatetimeParam = "system.datetime"

// Builtins lists the system.* parameters in the order of the documentation.
func Builtins(in BuiltinInput) []Property {
	out := make([]Property, 0, 12)
	add := func(name, value string) {
		if value != "" {
			out = append(out, Property{Prop: name, Direct: In, Type: Varchar, Value: value})
		}
	}
	number := func(name string, value int64) {
		if value != 0 {
			add(name, strconv.FormatInt(value, 10))
		}
	}
	y, m, d := in.Base.Date()
	add("system.biz.date", time.Date(y, m, d-1, 0, 0, 0, 0, time.UTC).Format("20060102")) // not every zone has a midnight every day
	add("system.biz.curdate", in.Base.Format("20060102"))
	add(DatetimeParam, in.Base.Format("20060102150405"))
	add("system.task.execute.path", in.ExecutePath)
	number("system.task.instance.id", in.TaskInstanceID)
	add("system.task.definition.name", in.TaskName)
	number("system.task.definition.code", in.TaskCode)
	number("system.workflow.instance.id", in.WorkflowID)
	add("system.workflow.definition.name", in.WorkflowName)
	number("system.workflow.definition.code", in.WorkflowCode)
	add("system.project.name", in.ProjectName)
	number("system.project.code", in.ProjectCode)
	return out
}

// ParamSources are all levels of one task attempt.
type ParamSources struct {
	Builtin   []Property
	Project   []Property
	Global    []Property // of the instance: cured
	Upstream  Pool       // what reaches the task (Inherit)
	Local     []Property // of the task; direct OUT is skipped
	Startup   []Property
	Base      time.Time // for $[…]; in the zone of the run
	Scheduled bool      // the run has a schedule time: system.datetime is Base, whatever the levels say
}

// Params are the resolved inputs of one attempt.
type Params struct {
	List   []Param           // by name
	Values map[string]string // name → resolved value, for Expand
}

// Resolve merges the levels and resolves each value that contains "$": ${name} first, then $[…]. Unknown names and
// references within a cycle stay as they are. A value that refers to its own name means what the level below holds
// under it; without one it stays as it is, too. An error names the parameter.
func Resolve(in ParamSources) (Params, error) {
	most := len(in.Builtin) + len(in.Project) + len(in.Global) + in.Upstream.Len() + len(in.Local) + len(in.Startup)
	m := merger{at: make(map[string]int, most), list: make([]Param, 0, most)}
	m.addAll(in.Builtin, LevelBuiltin)
	m.addAll(in.Project, LevelProject)
	m.addAll(in.Global, LevelGlobal)
	for i := range in.Upstream.entries {
		e := &in.Upstream.entries[i]
		m.add(e.Property, Source{Level: LevelUpstream, TaskCode: e.TaskCode})
	}
	for _, p := range in.Local {
		if p.Direct != Out {
			m.add(p, Source{Level: LevelLocal})
		}
	}
	m.addAll(in.Startup, LevelStartup)
	if in.Scheduled {
		now := in.Base.Format("20060102150405")
		m.put(Param{
			Property: Property{Prop: DatetimeParam, Direct: In, Type: Varchar, Value: now},
			Raw:      now, Source: Source{Level: LevelBuiltin},
		})
	}
	if m.err != nil {
		return Params{}, m.err
	}
	slices.SortFunc(m.list, func(a, b Param) int { return strings.Compare(a.Prop, b.Prop) })
	values, err := m.resolve(in.Base, true)
	if err != nil {
		return Params{}, err
	}
	return Params{List: m.list, Values: values}, nil
}

// Cure resolves the global parameters of an instance when it is created: start parameters override globals of the
// same name or extend them, then values are resolved against each other, the date built-ins, and base. References to
// names that only a task knows stay, and so does a time expression around them: Resolve deals with both. Order,
// types and OUT entries are kept; a start parameter without type or direction has those of the global it overrides.
func Cure(globals, start []Property, base time.Time) ([]Property, error) {
	dates := Builtins(BuiltinInput{Base: base})
	m := merger{at: make(map[string]int, len(globals)+len(start)+len(dates))}
	m.addAll(dates, LevelBuiltin)
	m.addAll(globals, LevelGlobal)
	m.addAll(start, LevelStartup)
	if m.err != nil {
		return nil, m.err
	}
	if _, err := m.resolve(base, false); err != nil {
		return nil, err
	}
	out := make([]Property, 0, len(globals)+len(start))
	for i := range m.list {
		if m.list[i].Source.Level != LevelBuiltin {
			out = append(out, m.list[i].Property)
		}
	}
	return out, nil
}

// merger lays levels over each other.
type merger struct {
	list []Param
	at   map[string]int
	err  error
}

func (m *merger) addAll(properties []Property, level Level) {
	for _, p := range properties {
		m.add(p, Source{Level: level})
	}
}

func (m *merger) add(p Property, source Source) {
	if p.Prop == "" {
		return
	}
	raw := p.Value
	if at, known := m.at[p.Prop]; known {
		below := &m.list[at]
		if p.Type == "" {
			p.Type = below.Type
		}
		if p.Direct == "" {
			p.Direct = below.Direct
		}
		if own := "${" + p.Prop + "}"; strings.Contains(p.Value, own) && source.Level != below.Source.Level {
			grown := len(p.Value) + strings.Count(p.Value, own)*len(below.Value)
			if grown > MaxExpanded {
				m.err = fmt.Errorf("parameter %q: %w", p.Prop, ErrTooLarge)
				return
			}
			p.Value = strings.ReplaceAll(p.Value, own, below.Value)
		}
	}
	if p.Type == "" {
		p.Type = Varchar
	}
	if p.Direct == "" || source.Level == LevelUpstream {
		p.Direct = In
	}
	m.put(Param{Property: p, Raw: raw, Source: source})
}

func (m *merger) put(p Param) {
	if at, known := m.at[p.Prop]; known {
		m.list[at] = p
		return
	}
	m.at[p.Prop] = len(m.list)
	m.list = append(m.list, p)
}

// resolve replaces all values by resolved ones. Unless all is set, a value that still refers to something keeps its
// time expressions.
func (m *merger) resolve(base time.Time, all bool) (map[string]string, error) {
	values := make(map[string]string, len(m.list))
	var names []string
	for i := range m.list {
		values[m.list[i].Prop] = m.list[i].Value
		if strings.Contains(m.list[i].Value, "${") {
			names = append(names, m.list[i].Prop)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		expanded, err := references(values, names)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			values[name] = expanded[name]
		}
	}
	for i := range m.list {
		p := &m.list[i]
		value := values[p.Prop]
		if strings.Contains(value, "$[") && (all || !strings.Contains(value, "${")) {
			evaluated, err := timeexpr.Replace(value, base)
			if err != nil {
				return nil, fmt.Errorf("parameter %q: %w", p.Prop, err)
			}
			value = evaluated
			values[p.Prop] = value
		}
		p.Value = value
	}
	return values, nil
}
