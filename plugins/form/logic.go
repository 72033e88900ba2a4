package form

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// The kinds of field that speak of other tasks and workflows. Codes are read as DolphinScheduler ever wrote them: as a
// number, as text, as a list of one. What they point to is checked by whoever knows the workflow around the task.

// code is the code of a task or workflow; 0 stands for none.
type code int64

// UnmarshalJSON reads all forms in which clients write a code.
func (c *code) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		*c = 0
		return nil
	}
	if len(raw) > 0 && raw[0] == '[' {
		var list []code
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		switch len(list) {
		case 0:
			*c = 0
		case 1:
			*c = list[0]
		default:
			return errType
		}
		return nil
	}
	text, err := readText(raw)
	if err != nil {
		return err
	}
	if text = strings.TrimSpace(text); text == "" {
		*c = 0
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errType
	}
	*c = code(n)
	return nil
}

func (c code) empty() bool { return c == 0 }

// check refuses codes that no workflow can have.
func (c code) check(problem func(string, ...any) []Problem) []Problem {
	if c < 0 {
		return problem("form.bad_code")
	}
	return nil
}

// outcomes says which tasks follow a good and a bad end.
type outcomes struct {
	Success []code `json:"successNode"`
	Failed  []code `json:"failedNode"`
}

func (o outcomes) empty() bool { return len(tasks(o.Success)) == 0 && len(tasks(o.Failed)) == 0 }

func (o outcomes) check(problem func(string, ...any) []Problem) []Problem {
	success, failed := tasks(o.Success), tasks(o.Failed)
	switch {
	case len(success) == 0:
		return problem("form.branch.success_missing")
	case len(failed) == 0:
		return problem("form.branch.failed_missing")
	case slices.ContainsFunc(success, func(c code) bool { return slices.Contains(failed, c) }):
		return problem("form.branch.same")
	}
	return nil
}

// tasks leaves out the empty rows that older forms kept.
func tasks(codes []code) []code {
	return slices.DeleteFunc(slices.Clone(codes), func(c code) bool { return c == 0 })
}

// conditions are groups of wishes about the ends of earlier tasks.
type conditions struct {
	Relation string `json:"relation"`
	Groups   []struct {
		Relation string `json:"relation"`
		Items    []struct {
			Task   code   `json:"depTaskCode"`
			Status string `json:"status"`
		} `json:"dependItemList"`
	} `json:"dependTaskList"`
}

func (c conditions) empty() bool { return len(c.Groups) == 0 }

func (c conditions) check(problem func(string, ...any) []Problem) []Problem {
	if !relation(c.Relation) {
		return problem("form.bad_relation", "value", c.Relation)
	}
	for i, g := range c.Groups {
		switch {
		case !relation(g.Relation):
			return problem("form.bad_relation", "value", g.Relation)
		case len(g.Items) == 0:
			return problem("form.group_empty", "group", i+1)
		}
		for k, item := range g.Items {
			switch {
			case item.Task <= 0:
				return problem("form.conditions.task_missing", "group", i+1, "row", k+1)
			case item.Status != "SUCCESS" && item.Status != "FAILURE":
				return problem("form.conditions.bad_status", "group", i+1, "row", k+1)
			}
		}
	}
	return nil
}

// relation reports whether s joins wishes; "" is AND.
func relation(s string) bool { return s == "AND" || s == "OR" || s == "" }

// cases are conditions in the order in which they are tried, each with the task it leads to.
type cases struct {
	Rows []struct {
		Condition string `json:"condition"`
		Next      code   `json:"nextNode"`
	} `json:"dependTaskList"`
	Default code `json:"nextNode"`
}

func (c cases) empty() bool { return len(c.Rows) == 0 && c.Default == 0 }

func (c cases) check(problem func(string, ...any) []Problem) []Problem {
	for i, row := range c.Rows {
		switch {
		case strings.TrimSpace(row.Condition) == "":
			return problem("form.case.condition_missing", "row", i+1)
		case !clean(row.Condition):
			return problem("form.bad_character")
		case row.Next <= 0:
			return problem("form.case.target_missing", "row", i+1)
		}
	}
	if c.Default <= 0 {
		return problem("form.case.default_missing")
	}
	return nil
}

// dependence are groups of wishes about runs of other workflows.
type dependence struct {
	Relation string          `json:"relation"`
	Interval json.RawMessage `json:"checkInterval"`
	Policy   string          `json:"failurePolicy"`
	Waiting  json.RawMessage `json:"failureWaitingTime"`
	Groups   []struct {
		Relation string `json:"relation"`
		Items    []struct {
			Project  code   `json:"projectCode"`
			Workflow code   `json:"definitionCode"`
			Task     code   `json:"depTaskCode"` // 0 the workflow, -1 all its tasks
			Cycle    string `json:"cycle"`
			Date     string `json:"dateValue"`
		} `json:"dependItemList"`
	} `json:"dependTaskList"`
}

func (d dependence) empty() bool { return len(d.Groups) == 0 }

func (d dependence) check(problem func(string, ...any) []Problem) []Problem {
	if !relation(d.Relation) {
		return problem("form.bad_relation", "value", d.Relation)
	}
	if !within(d.Interval, 1, maxInterval) {
		return problem("form.dependence.bad_interval", "max", maxInterval)
	}
	if !within(d.Waiting, 0, maxWaiting) {
		return problem("form.dependence.bad_waiting", "max", maxWaiting)
	}
	if d.Policy != "" && d.Policy != "DEPENDENT_FAILURE_FAILURE" && d.Policy != "DEPENDENT_FAILURE_WAITING" {
		return problem("form.unknown_option", "value", d.Policy)
	}
	for i, g := range d.Groups {
		switch {
		case !relation(g.Relation):
			return problem("form.bad_relation", "value", g.Relation)
		case len(g.Items) == 0:
			return problem("form.group_empty", "group", i+1)
		}
		for k, item := range g.Items {
			at := []any{"group", i + 1, "row", k + 1}
			switch {
			case item.Project <= 0:
				return problem("form.dependence.project_missing", at...)
			case item.Workflow <= 0:
				return problem("form.dependence.workflow_missing", at...)
			case item.Task < -1:
				return problem("form.dependence.task_missing", at...)
			case !knownDate(item.Cycle, item.Date):
				return problem("form.dependence.bad_date", append(at, "value", item.Date)...)
			}
		}
	}
	return nil
}

const (
	maxInterval = 86_400        // seconds
	maxWaiting  = 366 * 24 * 60 // minutes
)

// within reports whether raw is missing or a whole number in the range.
func within(raw json.RawMessage, least, most int) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return true
	}
	text, err := readText(raw)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	return text == "" || (err == nil && n >= least && n <= most)
}

// DateCycle is a cycle of a Dependence field with the dates that it offers.
type DateCycle struct {
	Cycle string
	Dates []string
}

// DateCycles lists the dates on which a run of another workflow can be waited for, in the order in which forms show
// them.
func DateCycles() []DateCycle {
	return []DateCycle{
		{"hour", []string{"currentHour", "last1Hour", "last2Hours", "last3Hours", "last24Hours"}},
		{"day", []string{"today", "last1Days", "last2Days", "last3Days", "last7Days"}},
		{"week", []string{
			"thisWeek", "lastWeek", "lastMonday", "lastTuesday", "lastWednesday", "lastThursday", "lastFriday", "lastSaturday", "lastSunday",
		}},
		{"month", []string{"thisMonth", "thisMonthBegin", "thisMonthEnd", "lastMonth", "lastMonthBegin", "lastMonthEnd"}},
	}
}

// knownDate reports whether a date exists, in the cycle when one is named.
func knownDate(cycle, date string) bool {
	return slices.ContainsFunc(DateCycles(), func(c DateCycle) bool {
		return (cycle == "" || cycle == c.Cycle) && slices.Contains(c.Dates, date)
	})
}

// list is a named list of values in one text.
type list struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Separator string `json:"separator"`
}

type lists []list

func (l lists) empty() bool { return len(l) == 0 }

func (l lists) check(problem func(string, ...any) []Problem) []Problem {
	seen := map[string]bool{}
	for i, row := range l {
		switch {
		case strings.TrimSpace(row.Name) == "":
			return problem("form.param.name_missing")
		case seen[row.Name]:
			return problem("form.param.name_taken", "name", row.Name)
		case strings.TrimSpace(row.Value) == "":
			return problem("form.list.value_missing", "row", i+1)
		case !clean(row.Name) || !clean(row.Value) || !clean(row.Separator):
			return problem("form.bad_character")
		}
		seen[row.Name] = true
	}
	return nil
}

// readLogic decodes a member of one of the kinds above.
func readLogic(t Type, raw json.RawMessage) (any, error) {
	switch t {
	case Workflow:
		return readAs[code](raw)
	case Outcomes:
		return readAs[outcomes](raw)
	case Conditions:
		return readAs[conditions](raw)
	case Cases:
		return readAs[cases](raw)
	case Dependence:
		return readAs[dependence](raw)
	case Lists:
		return readAs[lists](raw)
	case Text, TextArea, Code, Number, Select, MultiSelect, Switch, Secret, KeyValues, Params, Resources, Resource, Source, AlertGroup,
		Texts, Table:
	}
	return nil, errType
}

func readAs[T any](raw json.RawMessage) (any, error) {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return v, nil
}
