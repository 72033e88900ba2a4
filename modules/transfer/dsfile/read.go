package dsfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// Read adds the workflows of a JSON file to b. It returns neutral.ErrUnreadable, neutral.ErrTooLarge.
func Read(b *neutral.Bundle, file string, data []byte) error {
	if len(data) > neutral.MaxFile {
		return neutral.ErrTooLarge.With("limit", neutral.MaxFile>>20)
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if !json.Valid(data) {
		var v json.RawMessage
		err := json.Unmarshal(data, &v)
		line := 0
		if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
			line = 1 + bytes.Count(data[:min(len(data), int(bad.Offset))], []byte("\n"))
		}
		return neutral.Refuse(file, line, "no JSON")
	}
	items, err := list(file, data)
	if err != nil {
		return err
	}
	old, first := &legacy{bundle: b, file: file}, len(b.Workflows)
	for i, raw := range items {
		o, err := decode(raw)
		if err != nil {
			return neutral.Refuse(file, 0, "entry "+strconv.Itoa(i+1)+" is no object")
		}
		if len(b.Workflows) >= neutral.MaxWorkflows {
			return neutral.ErrTooMany.With("limit", neutral.MaxWorkflows)
		}
		switch {
		case o.has("workflowDefinition", "processDefinition"):
			err = readDAG(b, file, o)
		case o.has("processDefinitionJson"):
			err = old.read(o)
		case o.has("taskDefinitionJson", "taskDefinitionList"):
			err = readForm(b, file, o)
		default:
			err = neutral.Refuse(file, 0, "entry "+strconv.Itoa(i+1)+" is no workflow")
		}
		if err != nil {
			return err
		}
	}
	if err := old.finish(); err != nil {
		return err
	}
	for i := range b.Workflows[first:] {
		if err := nameResources(b, &b.Workflows[first+i]); err != nil {
			return neutral.Refuse(file, 0, err.Error())
		}
	}
	return nil
}

// list finds the entries of a file: it is a list, one entry, or an answer of the REST API that holds either.
func list(file string, data []byte) ([]json.RawMessage, error) {
	for range 4 {
		switch {
		case bytes.HasPrefix(data, []byte("[")):
			var items []json.RawMessage
			if err := json.Unmarshal(data, &items); err != nil {
				return nil, neutral.Refuse(file, 0, "no list")
			}
			if len(items) == 0 {
				return nil, neutral.Refuse(file, 0, "an empty list")
			}
			return items, nil
		case bytes.HasPrefix(data, []byte(`"`)): // a text that holds JSON
			var inner string
			if json.Unmarshal(data, &inner) != nil || !json.Valid([]byte(inner)) {
				return nil, neutral.Refuse(file, 0, "a text")
			}
			data = bytes.TrimSpace([]byte(inner))
		case bytes.HasPrefix(data, []byte("{")):
			o, err := decode(data)
			if err != nil {
				return nil, neutral.Refuse(file, 0, "no object")
			}
			inner := o["data"]
			if len(inner) == 0 || !o.has("code") || o.has("taskDefinitionJson") {
				return []json.RawMessage{data}, nil
			}
			data = bytes.TrimSpace(inner)
		default:
			return nil, neutral.Refuse(file, 0, "neither list nor object")
		}
	}
	return nil, neutral.Refuse(file, 0, "nested too deep")
}

// object is a JSON object whose members are read leniently: texts that hold numbers or JSON, nulls, other spellings.
type object map[string]json.RawMessage

func decode(raw json.RawMessage) (object, error) {
	var o object
	err := json.Unmarshal(raw, &o)
	if err == nil && o == nil {
		err = errors.New("null")
	}
	return o, err
}

func (o object) has(names ...string) bool {
	_, ok := o.first(names...)
	return ok
}

// first returns the first member that is there and not null.
func (o object) first(names ...string) (json.RawMessage, bool) {
	for _, name := range names {
		if raw, ok := o[name]; ok && string(raw) != "null" {
			return raw, true
		}
	}
	return nil, false
}

// text reads a text; numbers and booleans count as they are written.
func (o object) text(names ...string) string {
	raw, ok := o.first(names...)
	if !ok {
		return ""
	}
	var s string
	if raw[0] == '"' {
		if json.Unmarshal(raw, &s) == nil {
			return s
		}
		return ""
	}
	if raw[0] == '{' || raw[0] == '[' {
		return ""
	}
	return string(raw)
}

func (o object) number(names ...string) int64 {
	s := strings.TrimSpace(o.text(names...))
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > -1<<53 && f < 1<<53 {
		return int64(f)
	}
	return 0
}

// json returns a member that is JSON, or a text that holds JSON.
func (o object) json(names ...string) string {
	raw, ok := o.first(names...)
	if !ok {
		return ""
	}
	if raw[0] == '"' {
		return o.text(names...)
	}
	return string(raw)
}

func (o object) object(names ...string) object {
	inner, err := decode(json.RawMessage(o.json(names...)))
	if err != nil {
		return nil
	}
	return inner
}

func (o object) list(names ...string) []object {
	var raw []json.RawMessage
	if json.Unmarshal([]byte(o.json(names...)), &raw) != nil {
		return nil
	}
	out := make([]object, 0, len(raw))
	for _, r := range raw {
		if inner, err := decode(r); err == nil {
			out = append(out, inner)
		}
	}
	return out
}

// readDAG reads an entry of what 2.0 and later export.
func readDAG(b *neutral.Bundle, file string, o object) error {
	head := o.object("workflowDefinition", "processDefinition")
	if head == nil {
		return neutral.Refuse(file, 0, "the definition is no object")
	}
	if o.has("workflowDefinition") {
		b.Is(neutral.DS3)
	} else {
		b.Is(neutral.DS2)
	}
	d, err := definition(file, head, o.json("taskDefinitionList"), o.json("workflowTaskRelationList", "processTaskRelationList"))
	if err != nil {
		return err
	}
	w := neutral.Workflow{File: file, Project: head.text("projectName"), Definition: d}
	tenant := tenantOf(head)
	if s := o.object("schedule"); s != nil {
		w.Schedules = append(w.Schedules, schedule(s, tenant))
	}
	for _, s := range o.list("moreSchedules") {
		w.Schedules = append(w.Schedules, schedule(s, tenant))
	}
	if tenant != "" && tenant != "default" && len(w.Schedules) == 0 {
		b.Note(neutral.Note{Level: neutral.Changed, File: file, Workflow: d.Name, Key: "transfer.note.tenant_of_run", Args: []any{"name", tenant}})
	}
	b.Workflows = append(b.Workflows, w)
	return nil
}

// tenantOf is the tenant that 2.x and 3.0 keep with the definition.
func tenantOf(head object) string {
	if code := head.text("tenantCode"); code != "" {
		return code
	}
	if id := head.number("tenantId"); id > 0 {
		return "id:" + strconv.FormatInt(id, 10)
	}
	return ""
}

// definition reads a head with its tasks and relations.
func definition(file string, head object, tasks, relations string) (*flow.Definition, error) {
	d := &flow.Definition{
		Code: head.number("code"), Name: head.text("name"), Description: head.text("description"),
		TimeoutMinutes: int(max(0, min(head.number("timeout"), flow.MaxMinutes))), ExecutionType: flow.ExecutionType(head.text("executionType")),
	}
	var err error
	if d.Tasks, err = flow.DecodeTasks(tasks); err != nil {
		return nil, neutral.Refuse(file, 0, err.Error())
	}
	if d.Edges, err = flow.DecodeRelations(relations); err != nil {
		return nil, neutral.Refuse(file, 0, err.Error())
	}
	if d.GlobalParams, err = flow.DecodeProperties(head.json("globalParams")); err != nil {
		return nil, neutral.Refuse(file, 0, err.Error())
	}
	if d.Locations, err = flow.DecodeLocations(head.json("locations")); err != nil {
		return nil, neutral.Refuse(file, 0, err.Error())
	}
	for i := range d.Tasks {
		d.Tasks[i].Version = 0
	}
	return d, nil
}

// readForm reads what a client posts to create a workflow.
func readForm(b *neutral.Bundle, file string, o object) error {
	b.Is(neutral.DSForm)
	d, err := definition(file, o, o.json("taskDefinitionJson", "taskDefinitionList"), o.json("taskRelationJson", "workflowTaskRelationList", "processTaskRelationList"))
	if err != nil {
		return err
	}
	b.Workflows = append(b.Workflows, neutral.Workflow{File: file, Project: o.text("projectName"), Definition: d})
	return nil
}

// schedule reads the timing of a workflow, which is an object or, in some versions, a text that holds one.
func schedule(s object, tenant string) neutral.Schedule {
	out := neutral.Schedule{
		Start: clock(s.text("startTime")), End: clock(s.text("endTime")), Zone: s.text("timezoneId"), Crontab: s.text("crontab"),
		FailureStrategy: s.text("failureStrategy"), WarningType: s.text("warningType"), WarningGroup: s.number("warningGroupId"),
		Priority: s.text("workflowInstancePriority", "processInstancePriority"), WorkerGroup: s.text("workerGroup"),
		Tenant: s.text("tenantCode"), Environment: s.number("environmentCode"),
		Name: s.text("scheduleName"), Misfire: s.text("misfirePolicy"), Calendar: s.number("calendarId"),
		CalendarPolicy: s.text("calendarPolicy"), DoneBy: s.text("doneBy"),
	}
	if out.Tenant == "" {
		out.Tenant = tenant
	}
	if params, err := flow.DecodeProperties(s.json("startParams")); err == nil {
		out.StartParams = params
	}
	return out
}

// clock cuts what a time may have behind its seconds: fractions and a zone, as some serialisers write it.
func clock(s string) string {
	s = strings.Replace(strings.TrimSpace(s), "T", " ", 1)
	if len(s) > len("2006-01-02 15:04:05") {
		s = s[:len("2006-01-02 15:04:05")]
	}
	return s
}
