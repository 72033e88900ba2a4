package flow

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// Relation joins the results of several conditions.
type Relation string

// The relations.
const (
	And Relation = "AND"
	Or  Relation = "OR"
)

// Conditions are the parameters of a CONDITIONS task (engine.md 4.5).
type Conditions struct {
	Relation Relation
	Groups   []ConditionGroup
	Success  []int64 // codes of the successors chosen when the conditions hold
	Failed   []int64 // and when they do not
}

// ConditionGroup is a list of conditions joined by one relation.
type ConditionGroup struct {
	Relation Relation
	Items    []ConditionItem
}

// ConditionItem asks whether a task of the same run ended in a state: TaskSuccess or TaskFailure.
type ConditionItem struct {
	TaskCode int64
	Status   TaskState
}

// Switch are the parameters of a SWITCH task (engine.md 4.6). Default is 0 when there is none.
type Switch struct {
	Cases   []SwitchCase
	Default int64
}

// SwitchCase leads to the successor Next when Condition is true.
type SwitchCase struct {
	Condition string
	Next      int64
}

// SubWorkflow are the parameters of a SUB_WORKFLOW task.
type SubWorkflow struct {
	WorkflowCode int64
}

// DependentPolicy says what a DEPENDENT task does when what it depends on failed.
type DependentPolicy string

// The policies.
const (
	DependentFails DependentPolicy = "DEPENDENT_FAILURE_FAILURE" // fail at once
	DependentWaits DependentPolicy = "DEPENDENT_FAILURE_WAITING" // wait for a better run
)

// What a DEPENDENT item may depend on instead of one task.
const (
	WholeWorkflow int64 = 0  // the run as a whole
	AllTasks      int64 = -1 // the run as a whole and all of its tasks
)

// Dependent are the parameters of a DEPENDENT task (engine.md 4.7).
type Dependent struct {
	Relation       Relation
	CheckInterval  int // seconds; kept for the definition's sake, nothing polls
	Policy         DependentPolicy
	WaitingMinutes int // with DependentWaits; 0 = without limit
	Groups         []DependentGroup
}

// DependentGroup is a list of dependencies joined by one relation.
type DependentGroup struct {
	Relation Relation
	Items    []DependentItem
}

// DependentItem depends on runs of one workflow in the windows that DateValue names. TaskCode may be WholeWorkflow or
// AllTasks.
type DependentItem struct {
	ProjectCode    int64
	WorkflowCode   int64
	TaskCode       int64
	Cycle          string
	DateValue      string
	PassParameters bool // take over the OUT values of what it depends on
}

// Dynamic are the parameters of a DYNAMIC task (engine.md 4.9).
type Dynamic struct {
	WorkflowCode int64
	Most         int // how many runs at most
	Parallel     int // how many at once
	Filter       []string
	Lists        []DynamicList
}

// DynamicList is one list of values; Value may hold ${}.
type DynamicList struct {
	Name, Value, Separator string
}

// MaxElements bounds the runs that one DYNAMIC or FOR_EACH task starts, and MaxConcurrency those at once.
const (
	MaxElements    = 10_000
	MaxConcurrency = 1000
)

// ForEachPolicy says what a failed element means for those that have not begun.
type ForEachPolicy string

// The policies.
const (
	ForEachStop     ForEachPolicy = "STOP"
	ForEachContinue ForEachPolicy = "CONTINUE"
)

// ForEach are the parameters of a FOR_EACH task: one run of a workflow for each element of a list, with the element and
// its number as start parameters.
type ForEach struct {
	WorkflowCode int64
	Items        string // a JSON array, or texts between separators; may hold ${}
	Separator    string
	ItemParam    string
	IndexParam   string
	Concurrency  int
	Policy       ForEachPolicy
}

// ApprovalRole says who may decide an APPROVAL task.
type ApprovalRole string

// The roles.
const (
	ApproveOperate ApprovalRole = "OPERATE" // whoever may operate runs of the project
	ApproveAll     ApprovalRole = "ALL"     // whoever may see the run
	ApproveOwner   ApprovalRole = "OWNER"   // the owner of the workflow
	ApproveAdmin   ApprovalRole = "ADMIN"   // administrators
)

// ApprovalExpiry says what the end of the time means that an APPROVAL task waits.
type ApprovalExpiry string

// The outcomes.
const (
	ExpireReject  ApprovalExpiry = "REJECT"
	ExpireApprove ApprovalExpiry = "APPROVE"
)

// Approval are the parameters of an APPROVAL task.
type Approval struct {
	Question      string // may hold ${}
	Role          ApprovalRole
	ExpireMinutes int // 0 = it waits for ever
	OnExpire      ApprovalExpiry
}

// paramsPath is how errors of the decoders below name the whole.
const paramsPath = "taskParams"

// DecodeConditions reads the parameters of a CONDITIONS task. Like all decoders of logic tasks it is as lenient as
// DecodeTasks, and each of its errors is a *WireError that names the field within taskParams.
func DecodeConditions(params json.RawMessage) (Conditions, error) {
	if c, ok := plainConditions(params); ok {
		return c, nil
	}
	var c Conditions
	err := readParams(params, func(o *object) {
		o.nested("dependence", func(o *object) {
			c.Relation = o.relation()
			o.each("dependTaskList", func(o *object) {
				g := ConditionGroup{Relation: o.relation()}
				o.each("dependItemList", func(o *object) {
					item := ConditionItem{TaskCode: o.integer("depTaskCode", 0), Status: TaskState(o.choice("status", string(TaskSuccess), string(TaskFailure)))}
					g.Items = append(g.Items, item)
				})
				c.Groups = append(c.Groups, g)
			})
		})
		o.nested("conditionResult", func(o *object) {
			c.Success, c.Failed = o.codes("successNode"), o.codes("failedNode")
		})
	})
	return c, err
}

// plainConditions reads parameters that need no leniency, which is many times faster: a run may hold thousands.
func plainConditions(params json.RawMessage) (Conditions, bool) {
	var raw struct {
		Dependence struct {
			Relation       Relation `json:"relation"`
			DependTaskList []struct {
				Relation       Relation `json:"relation"`
				DependItemList []struct {
					DepTaskCode int64     `json:"depTaskCode"`
					Status      TaskState `json:"status"`
				} `json:"dependItemList"`
			} `json:"dependTaskList"`
		} `json:"dependence"`
		ConditionResult struct {
			SuccessNode []int64 `json:"successNode"`
			FailedNode  []int64 `json:"failedNode"`
		} `json:"conditionResult"`
	}
	if json.Unmarshal(params, &raw) != nil {
		return Conditions{}, false
	}
	c := Conditions{Relation: raw.Dependence.Relation, Success: raw.ConditionResult.SuccessNode, Failed: raw.ConditionResult.FailedNode}
	plain := c.Relation == And || c.Relation == Or
	for i := range raw.Dependence.DependTaskList {
		group := &raw.Dependence.DependTaskList[i]
		plain = plain && (group.Relation == And || group.Relation == Or)
		items := make([]ConditionItem, len(group.DependItemList))
		for k, item := range group.DependItemList {
			plain = plain && (item.Status == TaskSuccess || item.Status == TaskFailure)
			items[k] = ConditionItem{TaskCode: item.DepTaskCode, Status: item.Status}
		}
		c.Groups = append(c.Groups, ConditionGroup{Relation: group.Relation, Items: items})
	}
	return c, plain && !slices.Contains(c.Success, 0) && !slices.Contains(c.Failed, 0)
}

// DecodeSwitch reads the parameters of a SWITCH task; nextNode may be a code or a list with one code.
func DecodeSwitch(params json.RawMessage) (Switch, error) {
	var s Switch
	err := readParams(params, func(o *object) {
		o.nested("switchResult", func(o *object) {
			o.each("dependTaskList", func(o *object) {
				s.Cases = append(s.Cases, SwitchCase{Condition: o.text("condition"), Next: o.code("nextNode")})
			})
			s.Default = o.code("nextNode")
		})
	})
	return s, err
}

// DecodeSubWorkflow reads the parameters of a SUB_WORKFLOW task under their new and their old name.
func DecodeSubWorkflow(params json.RawMessage) (SubWorkflow, error) {
	var s SubWorkflow
	err := readParams(params, func(o *object) { s.WorkflowCode = o.workflow() })
	return s, err
}

// DecodeDependent reads the parameters of a DEPENDENT task.
func DecodeDependent(params json.RawMessage) (Dependent, error) {
	var d Dependent
	err := readParams(params, func(o *object) {
		o.nested("dependence", func(o *object) {
			d.Relation, d.CheckInterval = o.relation(), o.small("checkInterval", 10)
			d.Policy = DependentPolicy(o.choice("failurePolicy", string(DependentFails), string(DependentWaits)))
			d.WaitingMinutes = o.small("failureWaitingTime", 0)
			o.each("dependTaskList", func(o *object) {
				g := DependentGroup{Relation: o.relation()}
				o.each("dependItemList", func(o *object) {
					item := DependentItem{
						ProjectCode: o.integer("projectCode", 0), WorkflowCode: o.integer("definitionCode", 0),
						TaskCode: o.integer("depTaskCode", 0), Cycle: o.text("cycle"), DateValue: o.text("dateValue"),
						PassParameters: o.boolean("parameterPassing"),
					}
					if item.WorkflowCode <= 0 {
						o.fail("definitionCode", "names no workflow")
					}
					g.Items = append(g.Items, item)
				})
				d.Groups = append(d.Groups, g)
			})
		})
	})
	return d, err
}

// DecodeDynamic reads the parameters of a DYNAMIC task.
func DecodeDynamic(params json.RawMessage) (Dynamic, error) {
	var d Dynamic
	err := readParams(params, func(o *object) {
		d.WorkflowCode = o.workflow()
		d.Most = o.between("maxNumOfSubWorkflowInstances", 1024, 1, MaxElements)
		d.Parallel = o.between("degreeOfParallelism", 1, 1, MaxConcurrency)
		d.Filter = split(o.text("filterCondition"), ",")
		o.each("listParameters", func(o *object) {
			l := DynamicList{Name: strings.TrimSpace(o.text("name")), Value: o.text("value"), Separator: o.text("separator")}
			if l.Name == "" {
				o.fail("name", "is empty")
			}
			if l.Separator == "" {
				l.Separator = ","
			}
			d.Lists = append(d.Lists, l)
		})
	})
	return d, err
}

// DecodeForEach reads the parameters of a FOR_EACH task.
func DecodeForEach(params json.RawMessage) (ForEach, error) {
	var f ForEach
	err := readParams(params, func(o *object) {
		f = ForEach{
			WorkflowCode: o.workflow(), Items: o.text("items"), Separator: o.text("separator"),
			ItemParam: strings.TrimSpace(o.text("itemParam")), IndexParam: strings.TrimSpace(o.text("indexParam")),
			Concurrency: o.between("concurrency", 1, 1, MaxConcurrency),
			Policy:      ForEachPolicy(o.choice("failurePolicy", string(ForEachStop), string(ForEachContinue))),
		}
		if f.Separator == "" {
			f.Separator = ","
		}
		if f.ItemParam == "" {
			f.ItemParam = "item"
		}
		if f.IndexParam == "" {
			f.IndexParam = "index"
		}
		if f.ItemParam == f.IndexParam {
			o.fail("indexParam", "is the name of the element, too")
		}
	})
	return f, err
}

// DecodeApproval reads the parameters of an APPROVAL task.
func DecodeApproval(params json.RawMessage) (Approval, error) {
	var a Approval
	err := readParams(params, func(o *object) {
		a = Approval{
			Question:      o.text("question"),
			Role:          ApprovalRole(o.choice("role", string(ApproveOperate), string(ApproveAll), string(ApproveOwner), string(ApproveAdmin))),
			ExpireMinutes: o.between("expireMinutes", 0, 0, MaxMinutes),
			OnExpire:      ApprovalExpiry(o.choice("onExpire", string(ExpireReject), string(ExpireApprove))),
		}
	})
	return a, err
}

// CheckLogic reads the parameters of a logic task and returns what is wrong with them, as a *WireError, or nil; the
// graph around the task is not looked at. Physical types are not its business.
func CheckLogic(taskType string, params json.RawMessage) (err error) {
	switch KindOf(taskType) {
	case KindConditions:
		_, err = DecodeConditions(params)
	case KindSwitch:
		_, err = DecodeSwitch(params)
	case KindSubWorkflow:
		_, err = DecodeSubWorkflow(params)
	case KindDependent:
		_, err = DecodeDependent(params)
	case KindDynamic:
		_, err = DecodeDynamic(params)
	case KindForEach:
		_, err = DecodeForEach(params)
	case KindApproval:
		_, err = DecodeApproval(params)
	case KindPhysical:
	}
	return err
}

func readParams(params json.RawMessage, use func(o *object)) error {
	o := object{path: paramsPath}
	if len(params) > 0 {
		if err := json.Unmarshal(params, &o.fields); err != nil {
			return &WireError{paramsPath, "must be a JSON object"}
		}
	}
	use(&o)
	return o.err
}

// nested reads a member that is an object, or a text that holds one; a missing one is empty.
func (o *object) nested(field string, use func(o *object)) {
	inner := object{path: o.path + "." + field}
	raw, err := unwrap(inner.path, string(o.fields[field]))
	if err == nil && raw != nil && json.Unmarshal(raw, &inner.fields) != nil {
		err = &WireError{inner.path, "must be a JSON object"}
	}
	if err == nil {
		use(&inner)
		err = inner.err
	}
	if o.err == nil {
		o.err = err
	}
}

// each reads a member that is a list of objects; a missing one is empty.
func (o *object) each(field string, use func(o *object)) {
	if err := eachObject(o.path+"."+field, string(o.fields[field]), use); err != nil && o.err == nil {
		o.err = err
	}
}

// choice reads one of several texts; nothing means the first.
func (o *object) choice(field string, all ...string) string {
	s := strings.ToUpper(strings.TrimSpace(o.text(field)))
	if s == "" {
		return all[0]
	}
	if slices.Contains(all, s) {
		return s
	}
	o.fail(field, "must be one of "+strings.Join(all, ", "))
	return all[0]
}

func (o *object) relation() Relation { return Relation(o.choice("relation", string(And), string(Or))) }

func (o *object) between(field string, fallback, least, most int64) int {
	if raw := o.fields[field]; len(raw) == 0 || string(raw) == "null" || string(raw) == `""` {
		return int(fallback)
	}
	n := o.integer(field, fallback)
	if n < least || n > most {
		o.fail(field, "must be from "+whole(least)+" to "+whole(most))
		return int(fallback)
	}
	return int(n)
}

func whole(n int64) string {
	text, _ := json.Marshal(n) //nolint:errchkjson // a number
	return string(text)
}

// workflow reads the code of the workflow that a task starts.
func (o *object) workflow() int64 {
	code := o.integer("workflowDefinitionCode", 0)
	if code == 0 {
		code = o.integer("processDefinitionCode", 0)
	}
	if code <= 0 {
		o.fail("workflowDefinitionCode", "names no workflow")
	}
	return code
}

// codes reads a list of task codes, or one code. Nothing, null and 0 are no code.
func (o *object) codes(field string) []int64 {
	raw := o.fields[field]
	if len(raw) == 0 || raw[0] != '[' {
		if code := o.integer(field, 0); code != 0 {
			return []int64{code}
		}
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		o.fail(field, "must be a list of task codes")
		return nil
	}
	var out []int64
	for _, element := range list {
		single := object{path: o.path, fields: map[string]json.RawMessage{field: element}}
		if code := single.integer(field, 0); code != 0 {
			out = append(out, code)
		}
		if single.err != nil && o.err == nil {
			o.err = single.err
		}
	}
	return out
}

// code reads one task code, which may be the only element of a list; 0 = none.
func (o *object) code(field string) int64 {
	switch codes := o.codes(field); len(codes) {
	case 0:
		return 0
	case 1:
		return codes[0]
	default:
		o.fail(field, "must name one task")
		return 0
	}
}

// split cuts a text at separators; elements are trimmed, empty ones left out.
func split(text, separator string) []string {
	var out []string
	for part := range strings.SplitSeq(text, separator) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Elements lists the elements of a list parameter: a JSON array, whose texts are taken as they are and whose other values
// as they are written, or texts between separators, trimmed, without empty ones. It fails with a *WireError when there are
// more than MaxElements or when what begins like a JSON array is none.
func Elements(text, separator string) ([]string, error) {
	var out []string
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "[") {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(trimmed), &list); err != nil {
			return nil, &WireError{"items", syntax(err)}
		}
		for _, raw := range list {
			o := object{fields: map[string]json.RawMessage{"": raw}}
			out = append(out, o.text(""))
		}
	} else {
		out = split(text, separator)
	}
	if len(out) > MaxElements {
		return nil, &WireError{"items", "has more than " + whole(MaxElements) + " elements"}
	}
	return out, nil
}

// Combinations is the Cartesian product of the lists without the filtered values, at most d.Most of it: the last list
// changes fastest. expand puts parameters into a list's value first. Without lists there is no combination.
func (d Dynamic) Combinations(expand func(string) (string, error)) ([][]Property, error) {
	drop := make(map[string]bool, len(d.Filter))
	for _, value := range d.Filter {
		drop[value] = true
	}
	values := make([][]string, len(d.Lists))
	total := 1.0
	for i, list := range d.Lists {
		text, err := expand(list.Value)
		if err != nil {
			return nil, err
		}
		for _, value := range split(text, list.Separator) {
			if !drop[value] {
				values[i] = append(values[i], value)
			}
		}
		total = math.Min(total*float64(len(values[i])), float64(d.Most))
	}
	if len(d.Lists) == 0 || total == 0 {
		return nil, nil
	}
	out := make([][]Property, int(total))
	for k := range out {
		row, rest := make([]Property, len(d.Lists)), k
		for i := len(d.Lists) - 1; i >= 0; i-- {
			row[i] = Property{Prop: d.Lists[i].Name, Direct: In, Type: Varchar, Value: values[i][rest%len(values[i])]}
			rest /= len(values[i])
		}
		out[k] = row
	}
	return out, nil
}
