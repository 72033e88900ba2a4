package dsfile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// legacy reads what 1.x exports. Tasks refer to each other by name there, and to other workflows by number, beside which an
// export writes the name. Both become codes once all workflows of the file are known.
type legacy struct {
	bundle *neutral.Bundle
	file   string
	flows  []*oldFlow
}

type oldFlow struct {
	at      int // in the bundle
	id      int64
	project string
	tasks   map[string]int64 // by name
	raw     []object         // in the order of the definition's tasks
}

func (l *legacy) read(o object) error {
	b := l.bundle
	b.Is(neutral.DS13)
	body := o.object("processDefinitionJson")
	name := o.text("processDefinitionName", "name")
	if body == nil {
		return neutral.Refuse(l.file, 0, "processDefinitionJson of "+strconv.Quote(name)+" is no object")
	}
	d := &flow.Definition{
		Code: b.NewCode(), Name: name, Description: o.text("processDefinitionDescription", "processDefinitionDesc", "description"),
		TimeoutMinutes: int(max(0, min(body.number("timeout"), flow.MaxMinutes))), ExecutionType: flow.Parallel,
	}
	var err error
	if d.GlobalParams, err = flow.DecodeProperties(body.json("globalParams")); err != nil {
		return neutral.Refuse(l.file, 0, err.Error())
	}
	f := &oldFlow{at: len(b.Workflows), id: o.number("processDefinitionId", "id"), project: o.text("projectName"), tasks: map[string]int64{}}
	places := map[string]int64{}
	for _, raw := range body.list("tasks") {
		t := oldTask(raw)
		t.Code = b.NewCode()
		f.tasks[t.Name] = t.Code
		places[raw.text("id")] = t.Code
		d.Tasks = append(d.Tasks, t)
		f.raw = append(f.raw, raw)
	}
	l.edges(d, f, o, places)
	for id, raw := range o.object("processDefinitionLocations", "locations") {
		at, err := decode(raw)
		if code := places[id]; err == nil && code != 0 {
			d.Locations = append(d.Locations, flow.Location{TaskCode: code, X: float(at.text("x")), Y: float(at.text("y"))})
		}
	}
	slices.SortFunc(d.Locations, func(x, y flow.Location) int { return int(x.TaskCode - y.TaskCode) })
	w := neutral.Workflow{File: l.file, Project: f.project, Definition: d}
	tenant := ""
	if id := body.number("tenantId"); id > 0 {
		tenant = "id:" + strconv.FormatInt(id, 10)
	}
	if cron := o.text("scheduleCrontab"); cron != "" {
		w.Schedules = append(w.Schedules, neutral.Schedule{
			Start: clock(o.text("scheduleStartTime")), End: clock(o.text("scheduleEndTime")), Crontab: cron,
			FailureStrategy: o.text("scheduleFailureStrategy"), WarningType: o.text("scheduleWarningType"),
			WarningGroup: o.number("scheduleWarningGroupId"), Priority: o.text("scheduleProcessInstancePriority"),
			WorkerGroup: o.text("scheduleWorkerGroupName"), Tenant: tenant,
		})
		b.Called(neutral.AlertGroup, o.number("scheduleWarningGroupId"), o.text("scheduleWarningGroupName"))
	} else if tenant != "" {
		b.Note(neutral.Note{Level: neutral.Changed, File: l.file, Workflow: d.Name, Key: "transfer.note.tenant_of_run", Args: []any{"name", tenant}})
	}
	b.Workflows = append(b.Workflows, w)
	l.flows = append(l.flows, f)
	return nil
}

// oldTask reads a node without what it says about others.
func oldTask(raw object) flow.Task {
	t := neutral.DefaultTask()
	t.Name, t.Description, t.Type = raw.text("name"), raw.text("description", "desc"), raw.text("type")
	t.RetryTimes, t.RetryInterval = count(raw.number("maxRetryTimes"), flow.MaxRetryTimes), count(raw.number("retryInterval"), flow.MaxMinutes)
	t.DelayMinutes = count(raw.number("delayTime"), flow.MaxMinutes)
	if raw.text("runFlag") == "FORBIDDEN" {
		t.Flag = flow.FlagNo
	}
	if p, err := flow.ParsePriority(raw.text("taskInstancePriority")); err == nil {
		t.Priority = p
	}
	if g := raw.text("workerGroup"); g != "" {
		t.WorkerGroup = g
	}
	if timeout := raw.object("timeout"); timeout.text("enable") == "true" {
		t.TimeoutFlag, t.TimeoutMinutes = flow.TimeoutOpen, count(timeout.number("interval"), flow.MaxMinutes)
		t.TimeoutStrategy = flow.TimeoutWarn
		switch s := strings.ReplaceAll(timeout.text("strategy"), ",", ""); s {
		case "FAILED":
			t.TimeoutStrategy = flow.TimeoutFailed
		case "WARNFAILED", "FAILEDWARN":
			t.TimeoutStrategy = flow.TimeoutWarnFailed
		}
		if t.TimeoutMinutes == 0 {
			t.TimeoutFlag, t.TimeoutStrategy = flow.TimeoutClose, ""
		}
	}
	return t
}

func count(n, most int64) int { return int(max(0, min(n, most))) }

func float(s string) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || f != f || f > 1e9 || f < -1e9 {
		return 0
	}
	return f
}

// edges reads which tasks wait for which: tasks name those before them. Files that lost that still have the lines of the
// picture.
func (l *legacy) edges(d *flow.Definition, f *oldFlow, o object, places map[string]int64) {
	b := l.bundle
	for i, raw := range f.raw {
		for _, name := range texts(raw.json("preTasks")) {
			pre, known := f.tasks[name]
			if !known {
				b.Note(neutral.Note{Level: neutral.Changed, File: l.file, Workflow: d.Name, Node: d.Tasks[i].Name, Key: "transfer.note.pre_unknown", Args: []any{"name", name}})
				continue
			}
			d.Edges = append(d.Edges, flow.Edge{Pre: pre, Post: d.Tasks[i].Code})
		}
	}
	if len(d.Edges) > 0 {
		return
	}
	for _, line := range o.list("processDefinitionConnects", "connects") {
		pre, post := places[line.text("endPointSourceId")], places[line.text("endPointTargetId")]
		if pre != 0 && post != 0 {
			d.Edges = append(d.Edges, flow.Edge{Pre: pre, Post: post})
		}
	}
	if len(d.Edges) > 0 {
		b.Note(neutral.Note{Level: neutral.Changed, File: l.file, Workflow: d.Name, Key: "transfer.note.edges_of_picture"})
	}
}

// texts reads a list of texts, or a text that holds one.
func texts(raw string) []string {
	var out []string
	if json.Unmarshal([]byte(raw), &out) != nil {
		var one string
		if json.Unmarshal([]byte(raw), &one) == nil && one != "" {
			return texts(one)
		}
		return nil
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// finish turns names and numbers into codes, now that all workflows are known.
func (l *legacy) finish() error {
	for _, f := range l.flows {
		w := &l.bundle.Workflows[f.at]
		for i := range w.Definition.Tasks {
			t := &w.Definition.Tasks[i]
			params, err := l.params(w, f, t, f.raw[i])
			if err != nil {
				return neutral.Refuse(l.file, 0, "task "+strconv.Quote(t.Name)+": "+err.Error())
			}
			t.Params = params
		}
	}
	return nil
}

// params makes the settings of a task: its own, and for logic tasks what stood beside them.
func (l *legacy) params(w *neutral.Workflow, f *oldFlow, t *flow.Task, raw object) (json.RawMessage, error) {
	own := raw.json("params")
	if own == "" || own == "null" {
		own = "{}"
	}
	params, err := decode(json.RawMessage(own))
	if err != nil {
		return nil, err
	}
	l.bundle.Called(neutral.DataSource, params.number("datasource"), params.text("datasourceName"))
	switch t.Type {
	case flow.TypeSubProcess:
		code := l.workflow(params.number("processDefinitionId"), params.text("processDefinitionName"), f.project)
		delete(params, "processDefinitionId")
		params["processDefinitionCode"] = whole(code)
		return write(params)
	case flow.TypeConditions:
		if params["dependence"], err = l.conditions(f, raw.object("dependence")); err != nil {
			return nil, err
		}
		then := raw.object("conditionResult")
		params["conditionResult"], err = write(object{
			"successNode": l.nodes(f, then.json("successNode")), "failedNode": l.nodes(f, then.json("failedNode")),
		})
		if err != nil {
			return nil, err
		}
		return write(params)
	case flow.TypeDependent:
		params["dependence"], err = l.dependence(w, t, raw.object("dependence"))
		if err != nil {
			return nil, err
		}
		return write(params)
	default:
		var compact bytes.Buffer
		err := json.Compact(&compact, []byte(own))
		return compact.Bytes(), err
	}
}

func whole(n int64) json.RawMessage { return json.RawMessage(strconv.FormatInt(n, 10)) }

// write encodes members in the order of their names.
func write(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}

// nodes turns names of tasks into their codes; names that nothing has are left out.
func (l *legacy) nodes(f *oldFlow, raw string) json.RawMessage {
	codes := []int64{}
	for _, name := range texts(raw) {
		if code, known := f.tasks[name]; known {
			codes = append(codes, code)
		}
	}
	out, err := json.Marshal(codes)
	if err != nil { // never: numbers can always be written
		return json.RawMessage("[]")
	}
	return out
}

func (l *legacy) conditions(f *oldFlow, o object) (json.RawMessage, error) {
	return groups(o, func(item object) (object, error) {
		status, err := write(item.text("status"))
		return object{"depTaskCode": whole(f.tasks[item.text("depTasks")]), "status": status}, err
	})
}

// groups rewrites the items of a dependence and keeps everything around them.
func groups(o object, item func(object) (object, error)) (json.RawMessage, error) {
	if o == nil {
		o = object{}
	}
	var all []object
	for _, g := range o.list("dependTaskList") {
		var items []object
		for _, i := range g.list("dependItemList") {
			made, err := item(i)
			if err != nil {
				return nil, err
			}
			items = append(items, made)
		}
		raw, err := write(items)
		if err != nil {
			return nil, err
		}
		g["dependItemList"] = raw
		all = append(all, g)
	}
	raw, err := write(all)
	if err != nil {
		return nil, err
	}
	o["dependTaskList"] = raw
	return write(o)
}

// dependence gives the workflows and tasks that a task waits for their codes.
func (l *legacy) dependence(w *neutral.Workflow, t *flow.Task, o object) (json.RawMessage, error) {
	return groups(o, func(item object) (object, error) {
		project := item.text("projectName")
		code := l.workflow(item.number("definitionId"), item.text("definitionName"), project)
		made := object{"projectCode": whole(l.project(item.number("projectId"), project)), "definitionCode": whole(code)}
		on := int64(0)
		if name := item.text("depTasks"); name != "" && name != "ALL" {
			if on = l.task(code, name); on == 0 {
				on = l.bundle.NewCode()
				l.bundle.Called(neutral.Task, on, name)
				l.bundle.Note(neutral.Note{Level: neutral.Changed, File: w.File, Workflow: w.Name(), Node: t.Name, Key: "transfer.note.depends_on_task", Args: []any{"name", name}})
			}
		}
		made["depTaskCode"] = whole(on)
		for _, name := range []string{"cycle", "dateValue"} {
			raw, err := write(item.text(name))
			if err != nil {
				return nil, err
			}
			made[name] = raw
		}
		return made, nil
	})
}

// workflow returns the code of a workflow that a task names: of one in the file, or a new one that stands for it.
func (l *legacy) workflow(id int64, name, project string) int64 {
	for _, f := range l.flows {
		w := &l.bundle.Workflows[f.at]
		if id > 0 && f.id == id || name != "" && w.Definition.Name == name && (project == "" || f.project == project) {
			return w.Definition.Code
		}
	}
	if name == "" {
		name = "id:" + strconv.FormatInt(id, 10)
	}
	if project != "" {
		name = project + "/" + name
	}
	return l.standIn(neutral.WorkflowRef, name)
}

func (l *legacy) project(id int64, name string) int64 {
	if name == "" {
		name = "id:" + strconv.FormatInt(id, 10)
	}
	return l.standIn(neutral.Project, name)
}

// standIn returns the number that stands for something that has only a name here, the same each time.
func (l *legacy) standIn(kind neutral.Kind, name string) int64 {
	for ref, known := range l.bundle.Names {
		if ref.Kind == kind && known == name {
			if code, err := strconv.ParseInt(ref.Value, 10, 64); err == nil {
				return code
			}
		}
	}
	code := l.bundle.NewCode()
	l.bundle.Called(kind, code, name)
	return code
}

func (l *legacy) task(workflow int64, name string) int64 {
	for _, f := range l.flows {
		if l.bundle.Workflows[f.at].Definition.Code == workflow {
			return f.tasks[name]
		}
	}
	return 0
}
